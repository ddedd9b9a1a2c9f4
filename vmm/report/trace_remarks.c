// SPDX-License-Identifier: BSD-2-Clause
/*
 * trace_remarks.c - what there is to say about a decision, in plain words:
 * fetches, stores, events, doorbells, variables. Owns the words and their
 * order; knows nothing of where they are shown.
 */
#include <string.h>

#include "report/report.h"
#include "image/isa.h"
#include "report/trace_internal.h"
#include "image/vector.h"

/* Bytes of a site, in the tone of what they are. */
static void add_bytes(struct trace_maker *k, enum site_form form, const uint8_t *bytes,
		      uint32_t length)
{
	char hex[4 * CM_MAX_SITE_LEN];

	trace_add(k, trace_tone_of(form), "%s", site_hex(bytes, length, hex, sizeof(hex)));
}

/* ---- stores ---- */

/* The whole of (s), or of its bypass, as of (version): where (address) is its start. */
static void add_version(struct trace_maker *k, const struct site *s, uint64_t address,
			uint32_t version)
{
	const uint8_t *bytes =
		fetch_window(&k->m->fetch, version) + fetch_offset(&k->m->fetch, address);
	uint32_t length = s->placed.length;

	add_bytes(k, site_form(s, machine_decoder(k->m, s->placed.isa), address, bytes, length),
		  bytes, length);
}

/* Has the newest store changed the (length) bytes at (address)? */
static bool changed(const struct fetch *f, uint64_t address, uint32_t length)
{
	uint32_t now = fetch_now(f);
	int offset = fetch_offset(f, address);

	return memcmp(fetch_window(f, now - 1) + offset, fetch_window(f, now) + offset, length) !=
	       0;
}

/* The newest store, if it was one to (s), at (address). A store nobody holds any more was one. */
static bool say_store(struct trace_maker *k, const struct site *s, uint64_t address)
{
	const struct fetch *f = &k->m->fetch;
	uint32_t now = fetch_now(f);
	bool held = now > f->first; /* may be forgotten already: fetch_trim() */

	if (held && !changed(f, address, s->placed.length))
		return false;
	trace_remark(k, "store %u: site%u%s ", now, s->index,
		     address == s->placed.text ? "" : "'s bypass");
	if (held) {
		add_version(k, s, address, now - 1);
		trace_add(k, TONE_PLAIN, " -> ");
	}
	add_version(k, s, address, now);
	return true;
}

static void say_stores(struct trace_maker *k)
{
	bool any = false;

	for (uint32_t i = 0; i < k->m->scenario->nsites; i++) {
		const struct site *s = &k->m->site[i];

		any |= say_store(k, s, s->placed.text);
		any |= s->bypass && say_store(k, s, s->bypass);
	}
	if (!any)
		trace_remark(k, "store %u: beside the sites, in their lines",
			     fetch_now(&k->m->fetch));
}

/* ---- fetches ---- */

void trace_find_fetch(const struct machine *m, const struct step_report *r, struct trace_fetch *x)
{
	const struct fetch *f = &m->fetch;
	const struct site *s = &m->site[r->site];
	uint32_t newest = fetch_now(f) - r->stored;
	uint32_t limit = r->length ? r->length : s->placed.length - (uint32_t)site_offset(s, r->pc);
	int first = fetch_offset(f, r->pc);

	*x = (struct trace_fetch){ .site = &m->site[r->site], .newest = true };
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
static const char *age_of(const struct trace_maker *k, const struct trace_fetch *x, uint32_t from,
			  uint32_t to)
{
	const struct cm_site *p = &x->site->placed;
	uint32_t at = (uint32_t)site_offset(x->site, k->r->pc);
	uint32_t end = at + to < p->length ? to : p->length - at;
	const uint8_t *bytes = k->r->bytes + from;
	enum site_form form;
	bool old, new;

	if (from >= end)
		return "behind the site";
	old = !memcmp(bytes, p->old_bytes + at + from, end - from);
	new = !memcmp(bytes, p->new_bytes + at + from, end - from);
	if (old || new)
		return old && new ? "old and new alike" : old ? "old" : "new";
	form = site_form(x->site, machine_decoder(k->m, k->r->isa), k->r->pc, bytes, end);
	if (!from && (form == FORM_BREAKPOINT || form == FORM_OVER))
		return site_form_name(form);
	return "a mixture in memory";
}

/* Neighbours of one version are one piece; the usual two are the first byte and the rest. */
static void add_pieces(struct trace_maker *k, const struct trace_fetch *x)
{
	uint32_t to;

	for (uint32_t from = 0; from < x->length; from = to) {
		for (to = from + 1; to < x->length && x->version[to] == x->version[from];)
			to++;
		if (from)
			trace_add(k, TONE_PLAIN, ", ");
		if (to - from == x->length)
			trace_add(k, TONE_PLAIN, "all");
		else if (k->r->isa == CM_ISA_T32 && to - from == 2)
			trace_add(k, TONE_PLAIN, from ? "second half" : "first half");
		else if (to == 1)
			trace_add(k, TONE_PLAIN, "head");
		else if (to == x->length && from == 1)
			trace_add(k, TONE_PLAIN, "tail");
		else if (to - from == 1)
			trace_add(k, TONE_PLAIN, "byte %u", from);
		else
			trace_add(k, TONE_PLAIN, "bytes %u-%u", from, to - 1);
		trace_add(k, TONE_PLAIN, " as of store %u (%s)", x->version[from],
			  age_of(k, x, from, to));
	}
}

/* Which bytes ran. Which versions they are of is worth saying when they are not what is there. */
static void say_fetch(struct trace_maker *k)
{
	const struct step_report *r = k->r;
	struct trace_fetch x;
	char text[64];

	trace_find_fetch(k->m, r, &x);
	if (!x.length)
		return;
	if (r->form == FORM_TORN || !x.newest) {
		trace_remark(k, "fetches ");
		add_pieces(k, &x);
		trace_add(k, TONE_PLAIN, r->form == FORM_TORN ? ": torn: " : ": ");
	} else {
		trace_remark(k, "%s: ", site_form_name(r->form));
	}
	add_bytes(k, r->form, r->bytes, x.length);
	if (r->form == FORM_TORN) {
		insn_text(machine_decoder(k->m, r->isa), r->bytes, x.length, r->pc, text,
			  sizeof(text));
		trace_add(k, TONE_PLAIN, " = %s", text);
	}
}

/* ---- events ---- */

static void say_delivery(struct trace_maker *k)
{
	const char *name = vector_name(k->m->image->abi.isa, k->r->vector);
	const char *synchronises =
		k->m->scenario->fetch.delivery_syncs ? ", which synchronises" : "";

	if (k->r->nmi_after)
		trace_remark(k, "latched %s delivered%s", vector_nmi_name(k->m->image->abi.isa),
			     synchronises);
	else if (name)
		trace_remark(k, "%s delivered%s", name, synchronises);
	else
		trace_remark(k, "vector %u delivered%s", k->r->vector, synchronises);
}

static void say_event(struct trace_maker *k)
{
	const struct machine_cpu *c = &k->m->cpu[k->r->action.vcpu];
	const struct fetch_plan *latched = &k->m->fetch.latched[k->r->action.vcpu];

	if (k->r->delivered)
		say_delivery(k);
	else if (k->r->action.kind == ACTION_NMI && c->nmi_latched)
		trace_remark(k, "%s latched (masked)", vector_nmi_name(k->m->image->abi.isa));
	if (k->r->action.kind == ACTION_RAISE)
		trace_remark(k, "an %s that no vCPU sent is pending",
			     vector_ipi_name(k->m->image->abi.isa));
	if (k->r->action.kind == ACTION_LATCH)
		trace_remark(k, "fetches a chunk ahead, as of store %u: %u latched",
			     fetch_now(&k->m->fetch), latched->nchunks);
}

static void say_door(struct trace_maker *k)
{
	const char *before = " ";

	switch (k->r->door) {
	case 0:
		break;
	case CM_DOOR_IPI:
		trace_remark(k, "sends %s to vCPU",
			     k->r->ipi_vector == CM_VECTOR_NMI ?
				     vector_nmi_name(k->m->image->abi.isa) :
				     vector_ipi_name(k->m->image->abi.isa));
		for (uint32_t i = 0; i < CM_MAX_VCPUS; i++) {
			if (!(k->r->ipi_mask & 1u << i))
				continue;
			trace_add(k, TONE_PLAIN, "%s%u", before, i);
			before = ", ";
		}
		break;
	case CM_DOOR_DONE:
		trace_remark(k, "role played");
		break;
	case CM_DOOR_CRASH:
		trace_remark(k, "reports an exception outside any site");
		break;
	case CM_DOOR_ASSERT:
		trace_remark(k, "a self-check of the guest failed");
		break;
	default:
		trace_remark(k, "rings doorbell %u", k->r->door);
	}
}

/* In sc, asc and desc every fetch is of the newest anyway; on Arm it depends on more. */
static void say_synchronised(struct trace_maker *k)
{
	const struct fetch *f = &k->m->fetch;

	if (isa_is_arm(k->m->scenario->isa))
		trace_remark(k, "synchronises the context");
	else if (f->config.model == FETCH_ORDERED || f->config.model == FETCH_STALE)
		trace_remark(k, "serialises: it fetches nothing older than store %u from here on",
			     fetch_now(f) - k->r->stored);
	else
		trace_remark(k, "serialises");
}

static void say_violation(struct trace_maker *k)
{
	const struct observation *o = k->m->observation;
	uint32_t n = o->nviolations;

	trace_remark(k, "%s", "");
	trace_add(k, TONE_ALARM, "violation: %s",
		  n ? report_violation(o->violation[n - 1].kind) : "not recorded");
}

/* ---- variables ---- */

static void say_changes(struct trace_maker *k)
{
	for (size_t i = 0; i < k->vars->nchanges; i++) {
		const struct trace_change *c = &k->vars->change[i];

		if (c->count)
			trace_remark(k, "%s %s", c->name, c->to);
		else
			trace_remark(k, "%s: %s -> %s", c->name, c->from, c->to);
	}
}

void trace_say(struct trace_maker *k)
{
	const struct step_report *r = k->r;

	if (r->form != FORM_OUTSIDE)
		say_fetch(k);
	if (r->stored)
		say_stores(k);
	say_changes(k);
	if (r->synchronised)
		say_synchronised(k);
	say_event(k);
	say_door(k);
	if (r->violation)
		say_violation(k);
}
