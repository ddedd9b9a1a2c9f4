// SPDX-License-Identifier: BSD-2-Clause
/*
 * trace.c - a stepped run in plain words, a line a decision. Owns how lines
 * look on a terminal, and what was skipped between two of them; what there is
 * to say is trace_line.c's. Knows nothing of who decides.
 */
#include "report/trace.h"

#include <inttypes.h>
#include <string.h>

#include "image/isa.h"
#include "report/report.h"

#define LANES	     4u
#define PLACE_WIDTH  26
#define INSN_WIDTH   36
#define SKIPPED_LEAD "        ... "

static void paint(const struct trace *t, enum trace_tone tone, const char *text)
{
	static const char *const colours[TRACE_TONES] = {
		[TONE_PLAIN] = "",	    [TONE_OLD] = "\033[36m",
		[TONE_NEW] = "\033[32m",    [TONE_BREAKPOINT] = "\033[33m",
		[TONE_TORN] = "\033[1;31m", [TONE_ALARM] = "\033[1;31m",
	};
	bool plain = tone == TONE_PLAIN || !t->colour;

	fprintf(t->out, "%s%s%s", plain ? "" : colours[tone], text, plain ? "" : "\033[0m");
}

/* ---- the header ---- */

static void print_form(const struct trace *t, struct machine *m, const struct cm_site *p,
		       enum site_form form, const uint8_t *bytes)
{
	char hex[4 * CM_MAX_SITE_LEN], text[256];

	fprintf(t->out, "%9s%s  ", "", site_form_name(form));
	paint(t, trace_tone_of(form), site_hex(bytes, p->length, hex, sizeof(hex)));
	fprintf(t->out, "  %s\n", trace_disassemble(m, p, bytes, text, sizeof(text)));
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

static void print_fetch(const struct trace *t, const struct fetch_config *f, enum cm_isa isa)
{
	char model[32];

	report_fetch(f, model, sizeof(model));
	if (isa_is_arm(isa)) {
		fprintf(t->out, "fetch    %s; exception entry %s, exception return %s\n", model,
			f->delivery_syncs ? "synchronises" : "does not synchronise",
			f->return_lax ? "does not" : "synchronises");
		return;
	}
	fprintf(t->out,
		"fetch    %s; delivery of an event %s, MFENCE %s, "
		"own stores through the alias %s at once\n",
		model, f->delivery_syncs ? "synchronises" : "does not synchronise",
		f->mfence_syncs ? "serialises" : "does not serialise",
		f->own_alias_visible ? "are fetched" : "are not fetched");
}

static void print_roles(const struct trace *t, const struct scenario *s)
{
	for (uint32_t i = 0; i < s->vcpus; i++) {
		fprintf(t->out, "vCPU %-4u", i);
		if (i == s->patcher)
			fprintf(t->out, "patches at %s, %u poke%s\n",
				isa_level(s->isa, s->patcher_cpl), s->pokes,
				s->pokes == 1 ? "" : "s");
		else if (s->executors & 1u << i)
			fprintf(t->out, "executes the sites at %s, %u round%s\n",
				isa_level(s->isa, s->executor_cpl), s->calls,
				s->calls == 1 ? "" : "s");
		else
			fputs("idle\n", t->out);
	}
}

void trace_begin(struct trace *t, struct machine *m)
{
	const struct scenario *s = m->scenario;
	const char *summary = s->protocol ? s->protocol->summary : NULL;

	memset(t->skipped, 0, sizeof(t->skipped));
	if (!t->out)
		return;
	fprintf(t->out, "protocol %s%s%s\n", s->protocol_name, summary ? ": " : "",
		summary ? summary : "");
	print_fetch(t, &s->fetch, s->isa);
	if (isa_is_arm(s->isa) && kernel_of(m->image) == KERNEL_AARCH32)
		fputs("kernel   in AArch32: exceptions are entered in T32\n", t->out);
	print_roles(t, s);
	for (uint32_t i = 0; i < s->nsites; i++)
		print_site(t, m, i);
	fputc('\n', t->out);
}

/* ---- lines ---- */

static void print_skipped(const struct trace *t, const uint64_t skipped[CM_MAX_VCPUS])
{
	const char *before = SKIPPED_LEAD;

	for (uint32_t i = 0; i < CM_MAX_VCPUS; i++) {
		if (!skipped[i])
			continue;
		fprintf(t->out, "%svCPU %u: %" PRIu64 " instruction%s", before, i, skipped[i],
			skipped[i] == 1 ? "" : "s");
		before = ", ";
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

static void print_line(const struct trace *t, const struct machine *m, const struct trace_line *l)
{
	int used, pad;

	print_skipped(t, l->skipped);
	fprintf(t->out, "%6" PRIu64 "  ", l->number);
	print_lanes(t, m, l->vcpu);
	used = fprintf(t->out, "%-*s  %s", PLACE_WIDTH, l->place, l->deed);
	pad = used < PLACE_WIDTH + 2 + INSN_WIDTH ? PLACE_WIDTH + 2 + INSN_WIDTH - used : 0;
	for (size_t i = 0; i < l->npieces; i++) {
		if (l->piece[i].first)
			fprintf(t->out, "%*s%s", i ? 0 : pad, "", i ? "; " : "  ");
		paint(t, l->piece[i].tone, l->piece[i].text);
	}
	fputc('\n', t->out);
}

void trace_start(struct trace *t, const struct machine *m)
{
	trace_vars_watch(&t->vars, m);
}

void trace_step(struct trace *t, struct machine *m, const struct step_report *r)
{
	struct trace_line l;

	if (t->out && t->repeats && r->number == t->cycle) {
		print_skipped(t, t->skipped);
		memset(t->skipped, 0, sizeof(t->skipped));
		fputs("        --- from here on, for ever ---\n", t->out);
	}
	trace_vars_look(&t->vars, m, r);
	if (!t->all && !trace_line_matters(m, r, &t->vars)) {
		t->skipped[r->action.vcpu]++;
		return;
	}
	trace_line_make(&l, m, r, &t->vars);
	memcpy(l.skipped, t->skipped, sizeof(l.skipped));
	memset(t->skipped, 0, sizeof(t->skipped));
	if (t->out)
		print_line(t, m, &l);
	if (t->take)
		t->take(t->arg, &l);
	trace_line_fini(&l);
}

void trace_end(struct trace *t, struct machine *m, const struct observation *o)
{
	uint64_t total = 0;

	(void)m;
	if (!t->out)
		return;
	print_skipped(t, t->skipped);
	memset(t->skipped, 0, sizeof(t->skipped));
	fputc('\n', t->out);
	for (unsigned int k = 0; k < VIOLATIONS; k++)
		total += o->total[k];
	for (uint32_t i = 0; i < o->nviolations; i++) {
		const struct violation *v = &o->violation[i];

		paint(t, TONE_ALARM, report_violation(v->kind));
		fprintf(t->out, ", vCPU %u, after decision %" PRIu64 "\n", v->vcpu, v->step);
		fprintf(t->out, "    what the vCPU really did: %s\n", v->text);
	}
	if (total > o->nviolations)
		fprintf(t->out, "and %" PRIu64 " more\n", total - o->nviolations);
	if (!total)
		fprintf(t->out, "no violation on this schedule%s\n",
			o->deadlock ?
				": from here on no role can be played to its end" :
			o->livelock ?
				": the cycle can repeat for ever, fair to every vCPU and IPI" :
				"");
	if (o->suspect[0])
		fprintf(t->out, "suspect: %s\n", o->suspect);
}

void trace_fini(struct trace *t)
{
	trace_vars_fini(&t->vars);
}
