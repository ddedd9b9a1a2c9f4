// SPDX-License-Identifier: BSD-2-Clause
/*
 * cmodx.c - the architecture's lists, and the changes of a history held against
 * them. Owns no rule of synchronisation: those are fetch_arm.c's.
 */
#include "model/cmodx.h"

#include <assert.h>
#include <string.h>

/* What the lists tell apart. */
enum kind {
	OTHER,
	LISTED, /* A64, A32: on the list. T32: B, BX, BLX, BKPT, SVC of 16 bits */
	NOP16,
	BL,
	BLX,
	B_COND, /* these two of 32 bits */
	B_ALWAYS,
};

struct item {
	enum kind kind;
	uint32_t length;
	uint32_t code; /* T32: the first halfword */
	uint32_t tail; /* T32, of 32 bits: the second */
};

#define NOT_A64                                                                           \
	"outside B2.2.5, which lists B, B.cond, BL, BRK, CBNZ, CBZ, HVC, ISB, NOP, SMC, " \
	"SVC, TBNZ and TBZ"
#define NOT_A32 "outside E2.2.5, which lists B, BKPT, BL, HVC, ISB, NOP, SMC and SVC of A32"
#define NOT_T32 "outside E2.2.5, which lists 16-bit B, BKPT, BLX, BX, NOP and SVC of T32"
#define NOT_HW1                                                                              \
	"outside E2.2.5: of 32-bit T32 instructions hw1 may change from BL to BL, from BLX " \
	"to BLX, and between these and a 16-bit B, BX, BLX, BKPT or SVC"
#define NOT_HW2                                                                             \
	"outside E2.2.5: of 32-bit T32 instructions hw2 may change where BL stays BL, BLX " \
	"BLX, B B, and B with a condition the same"

static uint32_t halfword_at(const uint8_t *bytes)
{
	return bytes[0] | (uint32_t)bytes[1] << 8;
}

static uint32_t word_at(const uint8_t *bytes)
{
	return halfword_at(bytes) | halfword_at(bytes + 2) << 16;
}

/* ---- the lists ---- */

/*
 * The conditional branches came with later issues of the manual; herd7's list
 * (-variant ifetch) has them, too. BC.cond of Armv8.8 is in none.
 */
static enum kind kind_of_a64(uint32_t w)
{
	bool branch = (w & 0x7c000000) == 0x14000000;	       /* B, BL */
	bool conditional = (w & 0xff000010) == 0x54000000;     /* B.cond */
	bool compare = (w & 0x7e000000) == 0x34000000;	       /* CBZ, CBNZ */
	bool test = (w & 0x7e000000) == 0x36000000;	       /* TBZ, TBNZ */
	bool call = (w & 0xffe0001c) == 0xd4000000 && (w & 3); /* SVC, HVC, SMC */
	bool breakpoint = (w & 0xffe0001f) == 0xd4200000;
	bool isb = (w & 0xfffff0ff) == 0xd50330df;

	return branch || conditional || compare || test || call || breakpoint || isb ||
			       w == 0xd503201f ?
		       LISTED :
		       OTHER;
}

/* NOP is the hint; before Armv6K it was MOV r0, r0, which is not meant. */
static enum kind kind_of_a32(uint32_t w)
{
	uint32_t cond = w >> 28;

	if (cond == 15)
		return (w & 0xfffffff0) == 0xf57ff060 ? LISTED : OTHER; /* ISB */
	if ((w & 0x0e000000) == 0x0a000000 || (w & 0x0f000000) == 0x0f000000)
		return LISTED; /* B, BL, SVC */
	if ((w & 0x0fffffff) == 0x0320f000 || (w & 0x0ffffff0) == 0x01600070)
		return LISTED; /* NOP, SMC */
	if (cond == 14 && ((w & 0x0ff000f0) == 0x01200070 || (w & 0x0ff000f0) == 0x01400070))
		return LISTED; /* BKPT, HVC */
	return OTHER;
}

/* B, with a condition too; BX, BLX of a register, BKPT and SVC. UDF is between B and SVC. */
static enum kind kind_of_t16(uint32_t h)
{
	if (h == 0xbf00)
		return NOP16;
	if (h >> 11 == 0x1c || (h >> 12 == 0xd && (h >> 8 & 15) != 14) || (h & 0xff07) == 0x4700 ||
	    h >> 8 == 0xbe)
		return LISTED;
	return OTHER;
}

static enum kind kind_of_t32(uint32_t hw1, uint32_t hw2)
{
	if (hw1 >> 11 != 0x1e || !(hw2 & 0x8000))
		return OTHER;
	switch (hw2 & 0x5000) {
	case 0x5000:
		return BL;
	case 0x4000:
		return hw2 & 1 ? OTHER : BLX;
	case 0x1000:
		return B_ALWAYS;
	default:
		return (hw1 >> 7 & 7) == 7 ? OTHER : B_COND;
	}
}

/* The instruction at the start of (bytes), of which there are (size): at least a halfword. */
static struct item item_at(enum cm_isa isa, const uint8_t *bytes, uint32_t size)
{
	struct item i = { .length = 4 };

	if (isa != CM_ISA_T32) {
		assert(size >= 4);
		i.code = word_at(bytes);
		i.kind = isa == CM_ISA_A64 ? kind_of_a64(i.code) : kind_of_a32(i.code);
		return i;
	}
	assert(size >= 2);
	i.code = halfword_at(bytes);
	if (i.code >> 11 < 0x1d || size < 4) { /* of half a one nothing can be said */
		i.length = 2;
		i.kind = i.code >> 11 < 0x1d ? kind_of_t16(i.code) : OTHER;
		return i;
	}
	i.tail = halfword_at(bytes + 2);
	i.kind = kind_of_t32(i.code, i.tail);
	return i;
}

static struct cmodx yes(const char *rule)
{
	return (struct cmodx){ .allowed = true, .rule = rule };
}

static struct cmodx no(const char *rule)
{
	return (struct cmodx){ .rule = rule };
}

static struct cmodx check_t32_wide(const struct item *a, const struct item *b)
{
	bool same = a->kind == b->kind && a->kind != OTHER;
	bool call = a->kind == BL || a->kind == BLX;

	if (a->code != b->code && !(same && call))
		return no(NOT_HW1);
	if (a->tail != b->tail && !same)
		return no(NOT_HW2);
	return yes(a->code != b->code ? "E2.2.5: hw1 of BL or BLX to that of another" :
					"E2.2.5: hw2 of BL, BLX or B to that of another");
}

/* (a) of 32 bits has become (b) of 16, or the reverse: only the first halfword may differ. */
static struct cmodx check_t32_head(const struct item *wide, const struct item *narrow,
				   bool tail_same)
{
	if (!tail_same || (wide->kind != BL && wide->kind != BLX) || narrow->kind != LISTED)
		return no(NOT_HW1);
	return yes("E2.2.5: hw1 of BL or BLX to or from a 16-bit B, BX, BLX, BKPT or SVC");
}

static struct cmodx check_item(enum cm_isa isa, const struct item *a, const struct item *b,
			       bool tail_same)
{
	if (isa == CM_ISA_T32) {
		if (a->length == 4 && b->length == 4)
			return check_t32_wide(a, b);
		if (a->length != b->length)
			return check_t32_head(a->length == 4 ? a : b, a->length == 4 ? b : a,
					      tail_same);
		return a->kind != OTHER && b->kind != OTHER ?
			       yes("E2.2.5: both are 16-bit B, BKPT, BLX, BX, NOP or SVC") :
			       no(NOT_T32);
	}
	if (a->kind == LISTED && b->kind == LISTED)
		return yes(isa == CM_ISA_A64 ? "B2.2.5: both are on the list" :
					       "E2.2.5: both are on the list");
	return no(isa == CM_ISA_A64 ? NOT_A64 : NOT_A32);
}

struct cmodx cmodx_check(enum cm_isa isa, const uint8_t *before, const uint8_t *after,
			 uint32_t length)
{
	struct cmodx answer = yes("no instruction is changed");

	for (uint32_t at = 0; at < length;) {
		struct item a = item_at(isa, before + at, length - at);
		struct item b = item_at(isa, after + at, length - at);
		uint32_t extent = a.length > b.length ? a.length : b.length;

		if (memcmp(before + at, after + at, extent) != 0) {
			answer = check_item(isa, &a, &b,
					    extent == 4 &&
						    !memcmp(before + at + 2, after + at + 2, 2));
			answer.offset = at;
			if (!answer.allowed)
				return answer;
		}
		at += extent;
	}
	return answer;
}

/* ---- histories ---- */

/* Does some of the (executed) bytes at window offset (at) differ between (t) and the next? */
static bool touches(const struct fetch *f, uint32_t at, uint32_t executed, uint32_t t)
{
	return memcmp(fetch_window(f, t) + at, fetch_window(f, t + 1) + at, executed) != 0;
}

/* The oldest version that (vcpu) may still see of the byte at window offset (at). */
static uint32_t oldest_of(const struct fetch *f, uint32_t vcpu, uint32_t at)
{
	return f->low[vcpu][f->chunk_of[at]];
}

bool cmodx_executed(const struct fetch *f, uint32_t vcpu, enum cm_isa isa, uint64_t site,
		    uint32_t length, uint64_t pc, uint32_t executed, struct cmodx_change *c)
{
	int start = fetch_offset(f, site), at = fetch_offset(f, pc);

	assert(f->config.model == FETCH_ARM && vcpu < f->vcpus && length <= CM_MAX_SITE_LEN);
	if (start < 0 || at < start || (uint32_t)(at - start) >= length)
		return false;
	if (executed > length - (uint32_t)(at - start))
		executed = length - (uint32_t)(at - start);
	for (uint32_t t = f->first; t < fetch_now(f); t++) {
		bool synchronised = true;
		struct cmodx answer;

		for (uint32_t i = 0; i < executed; i++)
			if (t >= oldest_of(f, vcpu, (uint32_t)at + i) &&
			    touches(f, (uint32_t)at + i, 1, t))
				synchronised = false;
		if (synchronised)
			continue;
		memcpy(c->before, fetch_window(f, t) + start, length);
		memcpy(c->after, fetch_window(f, t + 1) + start, length);
		answer = cmodx_check(isa, c->before, c->after, length);
		if (answer.allowed)
			continue;
		c->version = t + 1;
		c->rule = answer.rule;
		return true;
	}
	return false;
}
