// SPDX-License-Identifier: BSD-2-Clause
/*
 * trace_vars.c - compares the guest's data with how it was a decision ago.
 * Owns which symbols are worth watching and how a changed word is named and
 * written; knows no protocol, and nothing of lines.
 */
#include "report/trace_vars.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "report/trace_internal.h"

struct trace_var {
	char name[96];
	uint64_t address;
	uint32_t size;
	bool mask;  /* always hexadecimal */
	bool count; /* only ever counts up */
};

#define WIDTH_MAX 8u

/* ---- what is watched ---- */

static const uint8_t *memory_at(const struct machine *m, uint64_t address)
{
	return m->memory->image + (address - CM_IMAGE_BASE);
}

static bool overlaps(const struct image_symbol *s, uint64_t start, uint64_t size)
{
	return s->address < start + size && start < s->address + s->size;
}

/* Data that is neither a stack, nor the contract with the host, nor a statistic. */
static bool is_variable(const struct machine *m, const struct image_symbol *s)
{
	const struct cm_abi *abi = &m->image->abi;

	if (s->function || !s->size || s->address < CM_IMAGE_BASE ||
	    s->size > m->memory->image_size ||
	    s->address - CM_IMAGE_BASE > m->memory->image_size - s->size)
		return false;
	if (overlaps(s, abi->control, sizeof(struct cm_control)) ||
	    overlaps(s, abi->cpu, CM_MAX_VCPUS * sizeof(struct cm_cpu)) ||
	    overlaps(s, abi->stacks, (uint64_t)CM_MAX_VCPUS * CM_STACKS * CM_STACK_SIZE) ||
	    overlaps(s, abi->ghost_start, abi->ghost_end - abi->ghost_start))
		return false;
	for (size_t i = 0; i < m->image->nsegments; i++) {
		const struct image_segment *seg = &m->image->segments[i];

		if (seg->write && s->address >= seg->address &&
		    s->address - seg->address < seg->size)
			return true;
	}
	return false;
}

static struct trace_var *add_var(struct trace_vars *v, uint64_t address, uint64_t size)
{
	struct trace_var *grown = realloc(v->var, (v->nvars + 1) * sizeof(*grown));

	assert(grown);
	v->var = grown;
	grown += v->nvars++;
	*grown = (struct trace_var){ .address = address, .size = (uint32_t)size };
	return grown;
}

static void add_control(struct trace_vars *v, const struct machine *m)
{
	uint64_t control = m->image->abi.control;
	struct trace_var *var =
		add_var(v, control + offsetof(struct cm_control, online), sizeof(uint32_t));

	snprintf(var->name, sizeof(var->name), "online mask");
	var->mask = true;
	for (uint32_t i = 0; i < m->scenario->nsites; i++) {
		uint64_t site =
			control + offsetof(struct cm_control, site) + i * sizeof(struct cm_site);

		var = add_var(v, site + offsetof(struct cm_site, started), sizeof(uint32_t));
		snprintf(var->name, sizeof(var->name), "site%u: started", i);
		var->count = true;
		var = add_var(v, site + offsetof(struct cm_site, promised), sizeof(uint32_t));
		snprintf(var->name, sizeof(var->name), "site%u: promised", i);
		var->count = true;
	}
}

void trace_vars_watch(struct trace_vars *v, const struct machine *m)
{
	uint64_t end = 0; /* of the last one: two names of one object are one variable */
	size_t used = 0, total = 0;

	trace_vars_fini(v);
	if (!m->memory)
		return;
	for (size_t i = 0; i < m->image->nsymbols; i++) {
		const struct image_symbol *s = &m->image->symbols[i];
		struct trace_var *var;

		if (s->address < end || !is_variable(m, s))
			continue;
		var = add_var(v, s->address, s->size);
		snprintf(var->name, sizeof(var->name), "%s", s->name);
		end = s->address + s->size;
	}
	if (m->image->abi.control)
		add_control(v, m);
	for (size_t i = 0; i < v->nvars; i++)
		total += v->var[i].size;
	v->seen = malloc(total + 1);
	assert(v->seen);
	for (size_t i = 0; i < v->nvars; used += v->var[i++].size)
		memcpy(v->seen + used, memory_at(m, v->var[i].address), v->var[i].size);
}

void trace_vars_fini(struct trace_vars *v)
{
	free(v->var);
	free(v->seen);
	free(v->change);
	*v = (struct trace_vars){ 0 };
}

/* ---- how a word is written ---- */

static uint64_t read_word(const uint8_t *bytes, uint32_t width)
{
	uint64_t value = 0;

	memcpy(&value, bytes, width);
	return value;
}

/* Addresses of the guest by name; what is small in decimal, if both are. */
static void write_value(const struct machine *m, uint64_t value, uint32_t width, bool decimal,
			char *buf, size_t size)
{
	if (width >= sizeof(uint32_t) && trace_address(m, value, buf, size))
		return;
	snprintf(buf, size, decimal ? "%" PRIu64 : "0x%" PRIx64, value);
}

/*
 * An object of exactly one word a vCPU is indexed; what else a word may be is
 * not known, so that its offset is all there is to say.
 */
static void name_word(const struct trace_var *var, uint32_t offset, uint32_t width, char *buf,
		      size_t size)
{
	if (width >= sizeof(uint32_t) && var->size == CM_MAX_VCPUS * width)
		snprintf(buf, size, "%s[%u]", var->name, offset / width);
	else if (offset)
		snprintf(buf, size, "%s+0x%x", var->name, offset);
	else
		snprintf(buf, size, "%s", var->name);
}

static void add_change(struct trace_vars *v, const struct machine *m, const struct trace_var *var,
		       const uint8_t *before, uint32_t offset, uint32_t width)
{
	uint64_t from = read_word(before + offset, width);
	uint64_t to = read_word(memory_at(m, var->address) + offset, width);
	bool decimal = var->count || (from < 10 && to < 10 && !var->mask);
	struct trace_change *c;

	if (v->nchanges == v->room) {
		v->room = 2 * v->room + 8;
		v->change = realloc(v->change, v->room * sizeof(*v->change));
		assert(v->change);
	}
	c = &v->change[v->nchanges++];
	c->count = var->count;
	name_word(var, offset, width, c->name, sizeof(c->name));
	write_value(m, from, width, decimal, c->from, sizeof(c->from));
	write_value(m, to, width, decimal, c->to, sizeof(c->to));
}

/* ---- what changed ---- */

/* Of the store, where the decision was an instruction with one operand in memory; else 0. */
static uint32_t store_width(struct machine *m, const struct step_report *r)
{
	struct insn_access a;

	if (!r->executed || !r->length)
		return 0;
	a = insn_access(machine_decoder(m, r->isa), r->bytes, r->length, r->pc);
	return a.reach == REACH_MEMORY && a.write && a.size <= WIDTH_MAX &&
			       !(a.size & (a.size - 1u)) ?
		       a.size :
		       0;
}

/*
 * The aligned word with the changed byte at (*offset) in it: of (width) bytes, or the smallest
 * with all that changed of its eight. (*offset) becomes its start.
 */
static uint32_t find_word(const struct trace_var *var, const uint8_t *before, const uint8_t *now,
			  uint32_t *offset, uint32_t width)
{
	uint32_t at = *offset, last = 0;
	uint32_t limit = at + WIDTH_MAX - (uint32_t)((var->address + at) % WIDTH_MAX);
	uint32_t lead;

	for (uint32_t i = at; i < var->size && i < limit; i++)
		if (before[i] != now[i])
			last = i;
	if (!width)
		for (width = 1; (var->address + at) / width != (var->address + last) / width;)
			width *= 2;
	lead = (uint32_t)((var->address + at) % width);
	if (lead > at || at - lead + width > var->size)
		return 1;
	*offset = at - lead;
	return width;
}

static void compare(struct trace_vars *v, const struct machine *m, const struct trace_var *var,
		    const uint8_t *before, uint32_t width)
{
	const uint8_t *now = memory_at(m, var->address);

	for (uint32_t at = 0; at < var->size;) {
		uint32_t word;

		if (before[at] == now[at]) {
			at++;
			continue;
		}
		if (var->count || var->mask) {
			at = 0;
			word = var->size;
		} else {
			word = find_word(var, before, now, &at, width);
		}
		add_change(v, m, var, before, at, word);
		at += word;
	}
}

void trace_vars_look(struct trace_vars *v, struct machine *m, const struct step_report *r)
{
	uint8_t *before = v->seen;

	v->nchanges = 0;
	for (size_t i = 0; i < v->nvars; before += v->var[i++].size) {
		const struct trace_var *var = &v->var[i];

		if (!memcmp(before, memory_at(m, var->address), var->size))
			continue;
		compare(v, m, var, before, store_width(m, r));
		memcpy(before, memory_at(m, var->address), var->size);
	}
}
