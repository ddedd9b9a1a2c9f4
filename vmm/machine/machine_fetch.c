// SPDX-License-Identifier: BSD-2-Clause
/*
 * machine_fetch.c - the instruction fetch of a stepped vCPU: which version
 * each chunk takes, put into the vCPU's view before it executes and taken out
 * again behind it. At all other times a view is memory as it is, which is what
 * loads from where text is executed see: a trap handler may look there.
 */
#include "machine/machine_internal.h"

#include <string.h>

#define CHOICES_MAX 64u

const uint8_t *machine_window(const struct machine *m)
{
	return fetch_window(&m->fetch, fetch_now(&m->fetch));
}

void machine_read_window(const struct machine *m, uint8_t *window)
{
	for (uint32_t i = 0; i < m->fetch.nranges; i++) {
		const struct fetch_range *r = &m->fetch.range[i];

		memcpy(window + r->offset, m->memory->text + (r->address - CM_TEXT_BASE),
		       r->length);
	}
}

/* The version that (wanted) means for the next chunk of (plan). */
static uint32_t resolve(const struct fetch *f, uint32_t vcpu, const struct fetch_plan *plan,
			uint32_t offset, uint16_t wanted)
{
	uint32_t choice[CHOICES_MAX], n, oldest;

	if (wanted != ACTION_NEWEST && wanted != ACTION_OLDEST)
		return wanted;
	if (wanted == ACTION_NEWEST && fetch_legal(f, vcpu, plan, offset, fetch_now(f), NULL))
		return fetch_now(f);
	n = fetch_choices(f, vcpu, plan, offset, choice, CHOICES_MAX);
	oldest = choice[0];
	for (uint32_t i = 1; wanted == ACTION_OLDEST && i < n && i < CHOICES_MAX; i++)
		oldest = choice[i] < oldest ? choice[i] : oldest;
	return oldest;
}

/* Only what differs: what is written has to be made visible to fetches. */
static void put(struct machine *m, uint32_t vcpu, uint32_t in_text, const uint8_t *bytes,
		uint32_t length)
{
	uint8_t *view = m->memory->view[vcpu] + in_text;

	if (!memcmp(view, bytes, length))
		return;
	memcpy(view, bytes, length);
	vm_text_changed(m->vm, vcpu, in_text, length);
}

void machine_show_text(struct machine *m)
{
	for (uint32_t i = 0; i < m->scenario->vcpus; i++)
		put(m, i, 0, m->memory->text, CM_TEXT_SIZE);
}

void machine_show_newest(struct machine *m, uint32_t vcpu)
{
	const uint8_t *window = machine_window(m);

	for (uint32_t i = 0; i < m->fetch.nranges; i++) {
		const struct fetch_range *r = &m->fetch.range[i];

		put(m, vcpu, (uint32_t)(r->address - CM_TEXT_BASE), window + r->offset, r->length);
	}
}

/* The whole chunk at window offset (offset), as of (version), into the vCPU's view. */
static void show(struct machine *m, uint32_t vcpu, uint32_t offset, uint32_t version)
{
	const struct fetch *f = &m->fetch;
	const uint8_t *window = fetch_window(f, version);

	for (uint32_t i = 0; i < f->nranges; i++) {
		const struct fetch_range *r = &f->range[i];
		uint32_t in_text = (uint32_t)(r->address - CM_TEXT_BASE), first = r->length,
			 count = 0;

		for (uint32_t k = 0; k < r->length; k++) {
			if (f->chunk_of[r->offset + k] != f->chunk_of[offset])
				continue;
			first = k < first ? k : first;
			count++;
		}
		if (count)
			put(m, vcpu, in_text + first, window + r->offset + first, count);
	}
}

/* Fetch chunk by chunk until the bytes are an instruction, or cannot become one. */
static bool fetch_site(struct machine *m, const struct action *a, struct fetch_plan *plan,
		       struct insn *insn, struct step_report *r, struct err *e)
{
	struct fetch *f = &m->fetch;
	const uint8_t *view = m->memory->view[a->vcpu] + (r->pc - CM_TEXT_BASE);
	struct insn_decoder *d = machine_decoder(m, r->isa);
	uint32_t have = 0;

	do {
		int offset = fetch_offset(f, r->pc + have);
		uint16_t wanted =
			plan->nchunks < a->nversions ? a->version[plan->nchunks] : ACTION_NEWEST;
		uint32_t version;

		if (offset < 0) { /* behind the patched lines nothing changes */
			have = INSN_LENGTH_MAX;
			*insn = insn_decode(d, view, have, r->pc);
			break;
		}
		version = resolve(f, a->vcpu, plan, (uint32_t)offset, wanted);
		if (!fetch_legal(f, a->vcpu, plan, (uint32_t)offset, version, e))
			return false;
		show(m, a->vcpu, (uint32_t)offset, version);
		r->action.version[plan->nchunks] = (uint16_t)version;
		fetch_plan_add(f, plan, (uint32_t)offset, version);
		do
			have++;
		while (have < INSN_LENGTH_MAX && fetch_offset(f, r->pc + have) >= 0 &&
		       f->chunk_of[fetch_offset(f, r->pc + have)] == f->chunk_of[offset]);
		*insn = insn_decode(d, view, have, r->pc);
	} while (!insn->length && have < INSN_LENGTH_MAX && plan->nchunks < ACTION_VERSIONS_MAX);
	r->action.nversions = plan->nchunks;
	r->length = insn->length;
	memcpy(r->bytes, view, INSN_LENGTH_MAX);
	for (uint32_t i = 0; i < m->scenario->nsites && r->form == FORM_OUTSIDE; i++) {
		r->site = i;
		r->form = site_form(&m->site[i], d, r->pc, r->bytes,
				    insn->length ? insn->length : have);
	}
	return true;
}

/* Outside the patched lines: the image never changes, so it is decoded once. */
static void fetch_plain(struct machine *m, uint32_t vcpu, struct insn *insn, struct step_report *r)
{
	struct insn_decoder *d = machine_decoder(m, r->isa);
	size_t size = INSN_LENGTH_MAX;
	const uint8_t *bytes;

	if (r->pc >= CM_TEXT_BASE && r->pc + INSN_LENGTH_MAX <= CM_TEXT_BASE + CM_TEXT_SIZE) {
		bytes = m->memory->view[vcpu] + (r->pc - CM_TEXT_BASE);
		*insn = insn_decode(d, bytes, INSN_LENGTH_MAX, r->pc);
	} else {
		struct insn *known;

		bytes = image_bytes_up_to(m->image, r->pc, &size);
		if (!bytes) {
			*insn = (struct insn){ .operand = INSN_NO_REGISTER, .class = INSN_INVALID };
			return;
		}
		known = &m->decoded[r->pc - CM_IMAGE_BASE];
		if (!known->length)
			*known = insn_decode(d, bytes, size, r->pc);
		*insn = *known;
	}
	r->length = insn->length;
	memcpy(r->bytes, bytes, size);
}

/* Are the bytes at (pc) ones that get patched? Their line's other bytes never change. */
static bool at_site(const struct machine *m, uint64_t pc)
{
	for (uint32_t i = 0; i < m->scenario->nsites; i++)
		if (site_offset(&m->site[i], pc) >= 0)
			return true;
	return false;
}

bool machine_fetch(struct machine *m, const struct action *a, struct fetch_plan *plan,
		   struct insn *insn, struct step_report *r, struct err *e)
{
	if (at_site(m, r->pc))
		return fetch_site(m, a, plan, insn, r, e);
	if (a->nversions)
		return err_set(e, ERR_INPUT,
			       "vCPU %u is not at a site, so there is no fetch to force", a->vcpu);
	fetch_plain(m, a->vcpu, insn, r);
	return true;
}

/* The fetches possible from (plan) on, (have) bytes of the instruction being there. */
struct enumeration {
	const struct machine *m;
	struct insn_decoder *decoder;
	uint32_t vcpu;
	uint64_t pc;
	struct action *list;
	uint32_t count, max;
};

static void emit(struct enumeration *en, const struct fetch_plan *plan)
{
	struct action *a = &en->list[en->count];

	if (en->count == en->max)
		return;
	*a = (struct action){ .kind = ACTION_STEP,
			      .vcpu = (uint8_t)en->vcpu,
			      .nversions = plan->nchunks };
	for (uint32_t i = 0; i < plan->nchunks; i++)
		a->version[i] = (uint16_t)plan->version[i];
	en->count++;
}

static void enumerate(struct enumeration *en, const struct fetch_plan *plan, const uint8_t *bytes,
		      uint32_t have)
{
	const struct fetch *f = &en->m->fetch;
	int offset = fetch_offset(f, en->pc + have);
	uint32_t choice[CHOICES_MAX], n;

	if (offset < 0 || have >= INSN_LENGTH_MAX || plan->nchunks == ACTION_VERSIONS_MAX ||
	    insn_decode(en->decoder, bytes, have, en->pc).length) {
		emit(en, plan);
		return;
	}
	n = fetch_choices(f, en->vcpu, plan, (uint32_t)offset, choice, CHOICES_MAX);
	for (uint32_t i = 0; i < n && i < CHOICES_MAX; i++) {
		const uint8_t *window = fetch_window(f, choice[i]);
		struct fetch_plan next = *plan;
		uint8_t more[INSN_LENGTH_MAX];
		uint32_t got = have;
		int at = offset;

		memcpy(more, bytes, have);
		fetch_plan_add(f, &next, (uint32_t)offset, choice[i]);
		do {
			more[got++] = window[at];
			at = fetch_offset(f, en->pc + got);
		} while (got < INSN_LENGTH_MAX && at >= 0 &&
			 f->chunk_of[at] == f->chunk_of[offset]);
		enumerate(en, &next, more, got);
	}
}

uint32_t machine_fetches(struct machine *m, uint32_t vcpu, struct action *list, uint32_t max)
{
	struct insn_decoder *d = machine_decoder(m, vcpu_isa(vm_vcpu(m->vm, vcpu)));
	struct enumeration en = { m, d, vcpu, machine_pc(m, vcpu), list, 0, max };
	const struct fetch_plan none = { 0 };
	const uint8_t nothing[1] = { 0 };

	if (!at_site(m, en.pc)) {
		list[0] = (struct action){ .kind = ACTION_STEP, .vcpu = (uint8_t)vcpu };
		return 1;
	}
	enumerate(&en, &none, nothing, 0);
	return en.count;
}

bool machine_at_site(const struct machine *m, uint32_t vcpu)
{
	return at_site(m, machine_pc(m, vcpu));
}

bool machine_latch(struct machine *m, uint32_t vcpu, struct err *e)
{
	uint64_t pc = machine_pc(m, vcpu);

	for (uint32_t i = 0; i < m->scenario->nsites; i++) {
		int offset = site_offset(&m->site[i], pc);

		if (offset >= 0)
			return fetch_latch(&m->fetch, vcpu, (uint32_t)fetch_offset(&m->fetch, pc),
					   m->site[i].placed.length - (uint32_t)offset, e);
	}
	return err_set(e, ERR_INPUT, "vCPU %u is not at a site, so there is nothing to latch",
		       vcpu);
}
