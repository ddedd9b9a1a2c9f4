// SPDX-License-Identifier: BSD-2-Clause
/*
 * trace.c - a stepped run in plain words, a line a decision. Owns what is
 * worth a line and how it reads. Looks at the machine between two decisions,
 * never moves it, and knows nothing of who decides.
 */
#include "trace.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include "report.h"

#define LANES	     4u
#define PLACE_WIDTH  26
#define INSN_WIDTH   36
#define SKIPPED_LEAD "        ... "

#define RED   "\033[1;31m"
#define PLAIN "\033[0m"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* One line being written. */
struct line {
	struct trace *t;
	struct machine *m;
	const struct step_report *r;
	int pad; /* blanks before the first remark */
	bool remarked;
};

static void paint(const struct trace *t, const char *colour, const char *text)
{
	fprintf(t->out, "%s%s%s", t->colour ? colour : "", text, t->colour ? PLAIN : "");
}

static void paint_bytes(const struct trace *t, enum site_form form, const uint8_t *bytes,
			uint32_t length)
{
	static const char *const colours[] = {
		[FORM_OUTSIDE] = "",	 [FORM_OLD] = "\033[36m",
		[FORM_NEW] = "\033[32m", [FORM_BREAKPOINT] = "\033[33m",
		[FORM_TORN] = RED,
	};
	char hex[4 * CM_MAX_SITE_LEN];

	paint(t, colours[form], site_hex(bytes, length, hex, sizeof(hex)));
}

/* ---- the header ---- */

/* Every instruction of a form: a site may hold several. */
static void print_form(const struct trace *t, struct machine *m, const struct cm_site *p,
		       enum site_form form, const uint8_t *bytes)
{
	uint32_t at = 0;
	char text[64];

	fprintf(t->out, "%9s%s  ", "", site_form_name(form));
	paint_bytes(t, form, bytes, p->length);
	while (at < p->length) {
		struct insn insn =
			insn_decode(&m->decoder, bytes + at, p->length - at, p->text + at);

		insn_text(&m->decoder, bytes + at, p->length - at, p->text + at, text,
			  sizeof(text));
		fprintf(t->out, "%s%s", at ? "; " : "  ", text);
		at += insn.length ? insn.length : p->length;
	}
	fputc('\n', t->out);
}

/* Where (index) will be placed: machine_reset() may still be to come. */
static void print_site(const struct trace *t, struct machine *m, uint32_t index)
{
	const struct placement *where = &m->scenario->site[index];
	char alignment[96];
	struct site s;

	site_place(&s, where->site, index, where->offset);
	fprintf(t->out, "site%-5u%s at 0x%" PRIx64 ", %s\n", index, s.kind->name, s.placed.text,
		report_alignment(s.placed.text, s.placed.length, alignment, sizeof(alignment)));
	print_form(t, m, &s.placed, FORM_OLD, s.placed.old_bytes);
	print_form(t, m, &s.placed, FORM_NEW, s.placed.new_bytes);
}

static void print_fetch(const struct trace *t, const struct fetch_config *f)
{
	char model[32];

	fprintf(t->out,
		"fetch    %s; delivery of an event %s, MFENCE %s, "
		"own stores through the alias %s at once\n",
		report_fetch(f, model, sizeof(model)),
		f->delivery_syncs ? "synchronises" : "does not synchronise",
		f->mfence_syncs ? "serialises" : "does not serialise",
		f->own_alias_visible ? "are fetched" : "are not fetched");
}

static void print_roles(const struct trace *t, const struct scenario *s)
{
	for (uint32_t i = 0; i < s->vcpus; i++) {
		fprintf(t->out, "vCPU %-4u", i);
		if (i == s->patcher)
			fprintf(t->out, "patches at CPL %u, %u poke%s\n", s->patcher_cpl, s->pokes,
				s->pokes == 1 ? "" : "s");
		else if (s->executors & 1u << i)
			fprintf(t->out, "executes the sites at CPL %u, %u round%s\n",
				s->executor_cpl, s->calls, s->calls == 1 ? "" : "s");
		else
			fputs("idle\n", t->out);
	}
}

void trace_begin(struct trace *t, struct machine *m)
{
	const struct scenario *s = m->scenario;
	const char *summary = s->protocol ? s->protocol->summary : NULL;

	memset(t->skipped, 0, sizeof(t->skipped));
	fprintf(t->out, "protocol %s%s%s\n", s->protocol_name, summary ? ": " : "",
		summary ? summary : "");
	print_fetch(t, &s->fetch);
	print_roles(t, s);
	for (uint32_t i = 0; i < s->nsites; i++)
		print_site(t, m, i);
	fputc('\n', t->out);
}

/* ---- places ---- */

/* The protocol's step that starts at (address): "int3_fixup.tail". NULL where none does. */
static const char *step_label(const struct image *img, uint64_t address)
{
	for (size_t i = 0; i < img->nsymbols && img->symbols[i].address <= address; i++)
		if (img->symbols[i].address == address && strchr(img->symbols[i].name, '.'))
			return img->symbols[i].name;
	return NULL;
}

/* In the text region there are no symbols: there a place is named after the site of its slot. */
static const char *name_place(const struct machine *m, uint64_t pc, char *buf, size_t size)
{
	uint64_t slot = (pc - CM_TEXT_BASE) / CM_SLOT_SIZE;
	const char *label = step_label(m->image, pc);

	if (pc >= CM_TEXT_BASE && slot < m->scenario->nsites) {
		uint64_t site = m->site[slot].placed.text;

		if (pc == site)
			snprintf(buf, size, "site%u", (unsigned int)slot);
		else
			snprintf(buf, size, "site%u%c0x%" PRIx64, (unsigned int)slot,
				 pc < site ? '-' : '+', pc < site ? site - pc : pc - site);
		return buf;
	}
	if (!label)
		return image_name_address(m->image, pc, buf, size);
	snprintf(buf, size, "%s", label);
	return buf;
}

/* ---- remarks ---- */

static void remark(struct line *l, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Begin another remark on the line. */
static void remark(struct line *l, const char *fmt, ...)
{
	va_list ap;

	if (l->remarked)
		fputs("; ", l->t->out);
	else
		fprintf(l->t->out, "%*s  ", l->pad, "");
	l->remarked = true;
	va_start(ap, fmt);
	vfprintf(l->t->out, fmt, ap);
	va_end(ap);
}

/* The whole of (s) as of (version). */
static void print_version(const struct line *l, const struct site *s, uint32_t version)
{
	const struct cm_site *p = &s->placed;
	const uint8_t *bytes =
		fetch_window(&l->m->fetch, version) + fetch_offset(&l->m->fetch, p->text);

	paint_bytes(l->t, site_form(s, &l->m->decoder, p->text, bytes, p->length), bytes,
		    p->length);
}

static bool site_changed(const struct fetch *f, const struct cm_site *p, uint32_t now)
{
	int offset = fetch_offset(f, p->text);

	return memcmp(fetch_window(f, now - 1) + offset, fetch_window(f, now) + offset,
		      p->length) != 0;
}

static void say_stores(struct line *l)
{
	const struct fetch *f = &l->m->fetch;
	uint32_t now = fetch_now(f);
	bool held = now > f->first; /* may be forgotten already: fetch_trim() */
	bool any = false;

	for (uint32_t i = 0; i < l->m->scenario->nsites; i++) {
		const struct site *s = &l->m->site[i];

		if (held && !site_changed(f, &s->placed, now))
			continue;
		remark(l, "store %u: site%u ", now, i);
		if (held) {
			print_version(l, s, now - 1);
			fputs(" -> ", l->t->out);
		}
		print_version(l, s, now);
		any = true;
	}
	if (!any)
		remark(l, "store %u: beside the sites, in their lines", now);
}

/* ---- fetches ---- */

/* The bytes an instruction at a site was fetched as, up to its end or the site's. */
struct fetched {
	const struct site *site;
	uint32_t length;
	uint32_t version[INSN_LENGTH_MAX];
	bool newest; /* the bytes are those of the newest version, as far as that is known */
};

static void find_versions(const struct line *l, struct fetched *x)
{
	const struct fetch *f = &l->m->fetch;
	const struct step_report *r = l->r;
	const struct cm_site *p = &l->m->site[r->site].placed;
	uint32_t newest = fetch_now(f) - r->stored;
	uint32_t limit = r->length ? r->length : (uint32_t)(p->text + p->length - r->pc);
	int first = fetch_offset(f, r->pc);

	*x = (struct fetched){ .site = &l->m->site[r->site], .newest = true };
	for (uint32_t i = 0; first >= 0 && i < limit && i < INSN_LENGTH_MAX; i++) {
		int offset = fetch_offset(f, r->pc + i);
		uint32_t chunk;

		if (offset < 0)
			break;
		chunk = (uint32_t)(f->chunk_of[offset] - f->chunk_of[first]);
		if (chunk >= r->action.nversions)
			break;
		x->version[i] = r->action.version[chunk];
		x->length = i + 1;
		if (newest >= f->first && fetch_window(f, newest)[offset] != r->bytes[i])
			x->newest = false;
	}
}

/* What the bytes [from, to) of the fetch are in the terms of the site. */
static const char *age_of(const struct line *l, const struct fetched *x, uint32_t from, uint32_t to)
{
	const struct cm_site *p = &x->site->placed;
	uint32_t at = (uint32_t)(l->r->pc - p->text);
	uint32_t end = at + to < p->length ? to : p->length - at;
	const uint8_t *bytes = l->r->bytes + from;
	bool old, new;

	if (from >= end)
		return "behind the site";
	old = !memcmp(bytes, p->old_bytes + at + from, end - from);
	new = !memcmp(bytes, p->new_bytes + at + from, end - from);
	if (old || new)
		return old && new ? "old and new alike" : old ? "old" : "new";
	if (!from && site_form(x->site, &l->m->decoder, l->r->pc, bytes, end) == FORM_BREAKPOINT)
		return "breakpoint";
	return "a mixture in memory";
}

/* Neighbours of one version are one piece; the usual two are the first byte and the rest. */
static void print_pieces(const struct line *l, const struct fetched *x)
{
	FILE *out = l->t->out;
	uint32_t to;

	for (uint32_t from = 0; from < x->length; from = to) {
		for (to = from + 1; to < x->length && x->version[to] == x->version[from];)
			to++;
		if (from)
			fputs(", ", out);
		if (to - from == x->length)
			fputs("all", out);
		else if (to == 1)
			fputs("head", out);
		else if (to == x->length && from == 1)
			fputs("tail", out);
		else if (to - from == 1)
			fprintf(out, "byte %u", from);
		else
			fprintf(out, "bytes %u-%u", from, to - 1);
		fprintf(out, " as of store %u (%s)", x->version[from], age_of(l, x, from, to));
	}
}

/* Which bytes ran. Which versions they are of is worth saying when they are not what is there. */
static void say_fetch(struct line *l)
{
	const struct step_report *r = l->r;
	struct fetched x;
	char text[64];

	find_versions(l, &x);
	if (!x.length)
		return;
	if (r->form == FORM_TORN || !x.newest) {
		remark(l, "fetches ");
		print_pieces(l, &x);
		fputs(r->form == FORM_TORN ? ": torn: " : ": ", l->t->out);
	} else {
		remark(l, "%s: ", site_form_name(r->form));
	}
	paint_bytes(l->t, r->form, r->bytes, x.length);
	if (r->form == FORM_TORN) {
		insn_text(&l->m->decoder, r->bytes, x.length, r->pc, text, sizeof(text));
		fprintf(l->t->out, " = %s", text);
	}
}

/* ---- events ---- */

static void say_delivery(struct line *l)
{
	static const char *const exceptions[] = {
		[0] = "#DE",
		[1] = "#DB",
		[2] = "NMI",
		[3] = "#BP",
		[6] = "#UD",
		[8] = "#DF",
		[11] = "#NP",
		[12] = "#SS",
		[13] = "#GP",
		[14] = "#PF",
		[17] = "#AC",
		[18] = "#MC",
		[CM_VECTOR_IPI] = "IPI",
	};
	const char *name = l->r->vector < COUNT(exceptions) ? exceptions[l->r->vector] : NULL;
	const char *synchronises =
		l->m->scenario->fetch.delivery_syncs ? ", which synchronises" : "";

	if (l->r->nmi_after)
		remark(l, "latched NMI delivered%s", synchronises);
	else if (name)
		remark(l, "%s delivered%s", name, synchronises);
	else
		remark(l, "vector %u delivered%s", l->r->vector, synchronises);
}

static void say_event(struct line *l)
{
	const struct machine_cpu *c = &l->m->cpu[l->r->action.vcpu];
	const struct fetch_plan *latched = &l->m->fetch.latched[l->r->action.vcpu];

	if (l->r->delivered)
		say_delivery(l);
	else if (l->r->action.kind == ACTION_NMI && c->nmi_latched)
		remark(l, "NMI latched (masked)");
	if (l->r->action.kind == ACTION_RAISE)
		remark(l, "an IPI that no vCPU sent is pending");
	if (l->r->action.kind == ACTION_LATCH)
		remark(l, "fetches a chunk ahead, as of store %u: %u latched",
		       fetch_now(&l->m->fetch), latched->nchunks);
}

static void say_door(struct line *l)
{
	const char *before = " ";

	switch (l->r->door) {
	case 0:
		break;
	case CM_DOOR_IPI:
		remark(l, "sends IPI to vCPU");
		for (uint32_t i = 0; i < CM_MAX_VCPUS; i++) {
			if (!(l->r->ipi_mask & 1u << i))
				continue;
			fprintf(l->t->out, "%s%u", before, i);
			before = ", ";
		}
		break;
	case CM_DOOR_DONE:
		remark(l, "role played");
		break;
	case CM_DOOR_CRASH:
		remark(l, "reports an exception outside any site");
		break;
	case CM_DOOR_ASSERT:
		remark(l, "a self-check of the guest failed");
		break;
	default:
		remark(l, "rings doorbell %u", l->r->door);
	}
}

/* In sc, asc and desc every fetch is of the newest anyway. */
static void say_synchronised(struct line *l)
{
	const struct fetch *f = &l->m->fetch;

	if (f->config.model == FETCH_ORDERED || f->config.model == FETCH_STALE)
		remark(l, "serialises: it fetches nothing older than store %u from here on",
		       fetch_now(f) - l->r->stored);
	else
		remark(l, "serialises");
}

static void say_violation(struct line *l)
{
	const struct observation *o = l->m->observation;
	uint32_t n = o->nviolations;

	remark(l, "%sviolation: %s%s", l->t->colour ? RED : "",
	       n ? report_violation(o->violation[n - 1].kind) : "not recorded",
	       l->t->colour ? PLAIN : "");
}

/* ---- lines ---- */

static bool matters(const struct machine *m, const struct step_report *r)
{
	return r->action.kind != ACTION_STEP || r->form != FORM_OUTSIDE || r->stored ||
	       r->delivered || r->door || r->synchronised || r->violation ||
	       step_label(m->image, r->pc);
}

static void flush_skipped(struct trace *t)
{
	const char *before = SKIPPED_LEAD;

	for (uint32_t i = 0; i < CM_MAX_VCPUS; i++) {
		if (!t->skipped[i])
			continue;
		fprintf(t->out, "%svCPU %u: %" PRIu64 " instruction%s", before, i, t->skipped[i],
			t->skipped[i] == 1 ? "" : "s");
		before = ", ";
		t->skipped[i] = 0;
	}
	if (strcmp(before, SKIPPED_LEAD))
		fputc('\n', t->out);
}

/* A vCPU's number in its own lane; beyond LANES they share. */
static void print_lanes(const struct trace *t, const struct machine *m, uint32_t vcpu)
{
	uint32_t lanes = m->scenario->vcpus < LANES ? m->scenario->vcpus : LANES;

	for (uint32_t i = 0; i < lanes; i++)
		if (i == vcpu % LANES)
			fprintf(t->out, "%-3u", vcpu);
		else
			fputs("|  ", t->out);
}

/* What the vCPU did: an instruction, or what was done to it. */
static void name_deed(struct machine *m, const struct step_report *r, char *buf, size_t size)
{
	static const char *const deeds[] = {
		[ACTION_LATCH] = "(fetch)",
		[ACTION_NMI] = "(NMI)",
		[ACTION_IPI] = "(IPI)",
		[ACTION_RAISE] = "(IPI raised)",
		[ACTION_ONLINE] = "(comes online)",
	};

	if (r->action.kind == ACTION_STEP)
		insn_text(&m->decoder, r->bytes, r->length, r->pc, buf, size);
	else
		snprintf(buf, size, "%s", deeds[r->action.kind]);
}

static void print_line(struct trace *t, struct machine *m, const struct step_report *r)
{
	struct line l = { .t = t, .m = m, .r = r };
	char place[96], deed[96];
	int used;

	assert(r->action.kind <= ACTION_ONLINE);
	name_deed(m, r, deed, sizeof(deed));
	fprintf(t->out, "%6" PRIu64 "  ", r->number);
	print_lanes(t, m, r->action.vcpu);
	used = fprintf(t->out, "%-*s  %s", PLACE_WIDTH, name_place(m, r->pc, place, sizeof(place)),
		       deed);
	l.pad = used < PLACE_WIDTH + 2 + INSN_WIDTH ? PLACE_WIDTH + 2 + INSN_WIDTH - used : 0;
	if (r->form != FORM_OUTSIDE)
		say_fetch(&l);
	if (r->stored)
		say_stores(&l);
	if (r->synchronised)
		say_synchronised(&l);
	say_event(&l);
	say_door(&l);
	if (r->violation)
		say_violation(&l);
	fputc('\n', t->out);
}

void trace_step(struct trace *t, struct machine *m, const struct step_report *r)
{
	if (!t->all && !matters(m, r)) {
		t->skipped[r->action.vcpu]++;
		return;
	}
	flush_skipped(t);
	print_line(t, m, r);
}

void trace_end(struct trace *t, struct machine *m, const struct observation *o)
{
	uint64_t total = 0;

	(void)m;
	flush_skipped(t);
	fputc('\n', t->out);
	for (unsigned int k = 0; k < VIOLATIONS; k++)
		total += o->total[k];
	for (uint32_t i = 0; i < o->nviolations; i++) {
		const struct violation *v = &o->violation[i];

		paint(t, RED, report_violation(v->kind));
		fprintf(t->out, ", vCPU %u, after decision %" PRIu64 "\n", v->vcpu, v->step);
		fprintf(t->out, "    what the vCPU really did: %s\n", v->text);
	}
	if (total > o->nviolations)
		fprintf(t->out, "and %" PRIu64 " more\n", total - o->nviolations);
	if (!total)
		fputs("no violation on this schedule\n", t->out);
	if (o->suspect[0])
		fprintf(t->out, "suspect: %s\n", o->suspect);
}
