// SPDX-License-Identifier: BSD-2-Clause
/*
 * machine_history.c - what the fetch history of a stepped machine is told, and
 * the check of changes against the architecture's list.
 *
 * The check has a history of its own, of model arm, whatever model the fetches
 * follow: what is synchronised is a question of the rules, not of what a fetch
 * happens to return. So a routine that is lucky under `sc` is found out all the
 * same. It exists only where the scenario asks for the check; it is state then.
 */
#include "model/cmodx.h"
#include "image/isa.h"
#include "machine/machine_internal.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

static bool checks(const struct machine *m)
{
	return m->changes.size;
}

void machine_start_history(struct machine *m, const struct fetch_range *range, uint32_t count,
			   const uint8_t *window)
{
	const struct scenario *s = m->scenario;
	struct fetch_config rules = s->fetch;

	fetch_fini(&m->fetch);
	fetch_init(&m->fetch, &s->fetch, s->vcpus, range, count, window);
	fetch_fini(&m->changes);
	if (!s->check_changes)
		return;
	rules.model = FETCH_ARM;
	rules.chunk = isa_chunk(s->isa);
	fetch_init(&m->changes, &rules, s->vcpus, range, count, window);
}

void machine_note_synchronised(struct machine *m, uint32_t vcpu)
{
	fetch_synchronised(&m->fetch, vcpu);
	if (checks(m))
		fetch_synchronised(&m->changes, vcpu);
}

void machine_note_delivered(struct machine *m, uint32_t vcpu)
{
	fetch_delivered(&m->fetch, vcpu);
	if (checks(m))
		fetch_delivered(&m->changes, vcpu);
}

bool machine_note_stored(struct machine *m, uint32_t vcpu, const uint8_t *window)
{
	if (checks(m))
		fetch_stored(&m->changes, window, (int)vcpu);
	return fetch_stored(&m->fetch, window, (int)vcpu);
}

/* The alias is another name of the same data, but not of the same instructions: see fetch.h. */
static void maintain(struct fetch *f, uint32_t vcpu, const struct insn *insn, uint64_t address)
{
	if (insn->class == INSN_DSB)
		fetch_barrier(f, vcpu);
	switch (insn->maintenance) {
	case MAINTAIN_NOTHING:
		break;
	case MAINTAIN_CLEAN:
		if (address - CM_ALIAS_BASE < CM_TEXT_SIZE)
			address -= CM_ALIAS_BASE - CM_TEXT_BASE;
		fetch_clean(f, vcpu, address);
		break;
	case MAINTAIN_INVALIDATE:
		fetch_invalidate(f, vcpu, address);
		break;
	case MAINTAIN_INVALIDATE_OWN:
	case MAINTAIN_INVALIDATE_ALL:
		fetch_invalidate_all(f, vcpu, insn->maintenance == MAINTAIN_INVALIDATE_ALL);
		break;
	}
}

void machine_note_maintenance(struct machine *m, uint32_t vcpu, const struct insn *insn,
			      uint64_t address)
{
	maintain(&m->fetch, vcpu, insn, address);
	if (checks(m))
		maintain(&m->changes, vcpu, insn, address);
}

static void say(struct machine *m, const struct site *s, const struct cmodx_change *c,
		struct violation *v)
{
	char hex[2][64], text[2][48];
	const uint8_t *bytes[] = { c->before, c->after };

	for (uint32_t i = 0; i < 2; i++) {
		site_hex(bytes[i], s->placed.length, hex[i], sizeof(hex[i]));
		insn_text(machine_decoder(m, s->placed.isa), bytes[i], s->placed.length,
			  s->placed.text, text[i], sizeof(text[i]));
	}
	snprintf(
		v->text, sizeof(v->text),
		"site%u was executed before store %u was synchronised, %.23s (%s) -> %.23s (%s): %s",
		s->index, c->version, hex[0], text[0], hex[1], text[1], c->rule);
}

/* What a torn execution did says more than that it was not allowed. */
void machine_check_change(struct machine *m, uint32_t vcpu, struct step_report *r)
{
	struct violation v = { .kind = VIOLATION_ILLEGAL_CHANGE };
	const struct site *s = &m->site[r->site];
	struct cmodx_change c;
	uint64_t start;

	if (!checks(m) || r->form == FORM_OUTSIDE || r->form == FORM_TORN)
		return;
	start = r->pc - (uint64_t)site_offset(s, r->pc);
	if (!cmodx_executed(&m->changes, vcpu, m->scenario->isa, start, s->placed.length, r->pc,
			    r->length, &c))
		return;
	say(m, s, &c, &v);
	machine_violation(m, &v, vcpu, r);
}

bool machine_history_too_long(const struct machine *m)
{
	return fetch_history_too_long(&m->fetch) ||
	       (checks(m) && fetch_history_too_long(&m->changes));
}

/* The one of the fetches, then the other, then how long the first is. */
size_t machine_pack_history(const struct machine *m, uint8_t *out, size_t max)
{
	uint32_t first = (uint32_t)fetch_pack(&m->fetch, out, max);
	size_t used = first;

	if (!checks(m))
		return used;
	used += fetch_pack(&m->changes, used < max ? out + used : NULL,
			   used < max ? max - used : 0);
	if (used + sizeof(first) <= max)
		memcpy(out + used, &first, sizeof(first));
	return used + sizeof(first);
}

void machine_unpack_history(struct machine *m, const uint8_t *in, size_t size)
{
	uint32_t first = (uint32_t)size;

	if (checks(m)) {
		size -= sizeof(first);
		memcpy(&first, in + size, sizeof(first));
		fetch_unpack(&m->changes, in + first, size - first);
	}
	fetch_unpack(&m->fetch, in, first);
}
