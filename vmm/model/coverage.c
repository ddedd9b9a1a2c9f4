// SPDX-License-Identifier: BSD-2-Clause
/*
 * coverage.c - the call graph of one protocol, from its hooks on. Reads the image
 * and what was marked; must not know who executed it.
 */
#include "model/coverage.h"

#include <string.h>

#define FUNCTIONS_MAX 64u

struct graph {
	const struct image *img;
	struct insn_decoder *d;
	uint64_t start, end; /* of the protocols' text */
	const struct image_symbol *function[FUNCTIONS_MAX];
	uint32_t count;
};

/* The function (address) is in, if it is a protocol's and not there yet. */
static void add(struct graph *g, uint64_t address)
{
	const struct image_symbol *s;
	uint64_t offset;

	if (address < g->start || address >= g->end || g->count == FUNCTIONS_MAX)
		return;
	s = image_symbol_at(g->img, address, &offset);
	if (!s || !s->function)
		return;
	for (uint32_t i = 0; i < g->count; i++)
		if (g->function[i] == s)
			return;
	g->function[g->count++] = s;
}

/* The hooks are pointers in the protocol's record; its other words point nowhere near. */
static void add_hooks(struct graph *g, const struct image_protocol *p)
{
	uint64_t offset, pointer, size = g->img->abi.isa == CM_ISA_T32 ? 4 : 8;
	const struct image_symbol *record = image_symbol_at(g->img, p->address, &offset);

	for (uint64_t at = 0; record && at + size <= record->size; at += size) {
		pointer = 0;
		memcpy(&pointer, image_bytes(g->img, p->address + at, size), size);
		add(g, pointer);
	}
}

/* Every instruction of (f): the functions it goes to, and whether it was executed. */
static void look_at(struct graph *g, const struct image_symbol *f, const uint8_t *executed,
		    struct coverage *c)
{
	uint64_t target;
	uint32_t length;

	for (uint64_t at = f->address; at < f->address + f->size; at += length) {
		uint64_t left = f->address + f->size - at;
		const uint8_t *bytes = image_bytes(g->img, at, left);

		length = bytes ? insn_decode(g->d, bytes, left, at).length : 0;
		if (!length)
			return;
		if (insn_direct_target(g->d, bytes, left, at, &target))
			add(g, target);
		c->instructions++;
		if (executed[at - CM_IMAGE_BASE])
			continue;
		if (c->never < COVERAGE_MAX)
			c->never_at[c->never] = at;
		c->never++;
	}
}

void coverage_of(const struct image *img, const struct image_protocol *p, struct insn_decoder *d,
		 const uint8_t *executed, struct coverage *c)
{
	const struct image_symbol *start = image_symbol(img, "cm_protocols_text");
	const struct image_symbol *end = image_symbol(img, "cm_protocols_text_end");
	struct graph g = { .img = img, .d = d };

	memset(c, 0, sizeof(*c));
	if (!start || !end)
		return;
	g.start = start->address;
	g.end = end->address;
	add_hooks(&g, p);
	for (uint32_t i = 0; i < g.count; i++)
		look_at(&g, g.function[i], executed, c);
}
