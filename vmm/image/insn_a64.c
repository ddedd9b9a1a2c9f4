// SPDX-License-Identifier: BSD-2-Clause
/*
 * insn_a64.c - A64. Decoded by the bits of the Arm ARM (DDI 0487, C4.1, "A64
 * instruction set encoding"): every instruction is a word of fixed fields.
 * Knows nothing of who asks.
 *
 * Capstone is asked for the text, and whether it knows an encoding at all.
 * Version 4.0.2 of Debian 12 gives no size of an operand, takes STLR, STXR and
 * STLXR for reads, and knows neither UDF nor the atomics of Armv8.1 nor RETAA.
 * Those of them that are decoded here are known all the same, their text is
 * "(bad)" but for UDF's. Floating point and vector registers are REACH_OTHER.
 */
#include "image/insn_internal.h"

#include <stdio.h>
#include <string.h>

#define WORD 4u
#define SP   31u
#define LINK 30u

static uint32_t word_at(const uint8_t *bytes)
{
	return bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 |
	       (uint32_t)bytes[3] << 24;
}

/* A register field where 31 is the zero register. */
static uint8_t or_zero(uint32_t field)
{
	return field == 31 ? INSN_NO_REGISTER : (uint8_t)field;
}

static uint32_t mask_of(uint32_t field)
{
	return field == 31 ? 0 : 1u << field;
}

/* ---- classes (C4.1.66, "Branches, Exception Generating and System instructions") ---- */

/* B2.3: what only orders loads or stores, or reaches the own CPU only, completes no maintenance. */
static enum insn_class class_of_dsb(uint32_t crm)
{
	bool both = crm & 3 ? (crm & 3) == 3 : crm >> 2 >= 2; /* 10x0, reserved, is SY */
	bool own = crm >> 2 == 1;

	return both && !own ? INSN_DSB : INSN_FENCE;
}

static enum insn_class class_of_barrier(uint32_t crm, uint32_t op2)
{
	switch (op2) {
	case 1: /* DSB nXS */
		return (crm & 3) == 2 ? class_of_dsb(crm | 3) : INSN_UNDEFINED;
	case 2: /* CLREX */
		return INSN_PLAIN;
	case 4:
		return class_of_dsb(crm); /* SSBB and PSSBB are 0 and 4 */
	case 5:
	case 7: /* SB */
		return INSN_FENCE;
	case 6:
		return INSN_SYNC;
	default:
		return INSN_UNDEFINED;
	}
}

/* NOP, YIELD, WFE, WFI, SEV, ...: CRm and op2 are one number. */
static enum insn_class class_of_hint(uint32_t number)
{
	return number == 2 || number == 3 ? INSN_WAIT : INSN_PLAIN;
}

/* SYS of CRn 7 (C5.3): an address translation is there too. */
static enum insn_maintenance maintenance_of(uint32_t op1, uint32_t crm, uint32_t op2)
{
	if (op1 == 0 && crm == 1 && op2 == 0)
		return MAINTAIN_INVALIDATE_ALL;
	if (op1 == 0 && crm == 5 && op2 == 0)
		return MAINTAIN_INVALIDATE_OWN;
	if (op1 == 3 && crm == 5 && op2 == 1)
		return MAINTAIN_INVALIDATE;
	/* DC CVAC, CVAU, CVAP, CVADP, CIVAC: each to the point of unification or behind it. */
	if (op1 == 3 && op2 == 1 && crm >= 10 && crm <= 14)
		return MAINTAIN_CLEAN;
	return MAINTAIN_NOTHING;
}

/* DC ZVA writes a block; MTE's are not told apart. */
static bool is_cache_operation(uint32_t op1, uint32_t crm)
{
	return !(op1 == 3 && crm == 4) && crm != 8;
}

static struct insn of_class(enum insn_class class)
{
	return (struct insn){ .length = WORD, .operand = INSN_NO_REGISTER, .class = class };
}

static struct insn of_system(uint32_t w)
{
	uint32_t op1 = insn_bits(w, 18, 16), crn = insn_bits(w, 15, 12), crm = insn_bits(w, 11, 8),
		 op2 = insn_bits(w, 7, 5);
	struct insn i = of_class(INSN_PLAIN);
	bool read = insn_bit(w, 21), bare = insn_bits(w, 20, 16) == 3 && !read;

	if (bare && (crn == 2 || crn == 3) && insn_bits(w, 4, 0) != 31) {
		i.class = INSN_UNDEFINED;
	} else if (bare && crn == 2) {
		i.class = class_of_hint(crm << 3 | op2);
	} else if (bare && crn == 3) {
		i.class = class_of_barrier(crm, op2);
	} else if (insn_bits(w, 20, 19) == 1 && crn == 7 && !read && is_cache_operation(op1, crm)) {
		i.class = INSN_CACHE;
		i.maintenance = maintenance_of(op1, crm, op2);
		if (i.maintenance == MAINTAIN_CLEAN || i.maintenance == MAINTAIN_INVALIDATE)
			i.operand = or_zero(insn_bits(w, 4, 0));
	}
	return i;
}

/* HLT and DCPS do anything but raise an undefined exception in a debugged processor only. */
static enum insn_class class_of_exception(uint32_t w)
{
	uint32_t opc = insn_bits(w, 23, 21), low = insn_bits(w, 4, 0);

	if (opc == 0 && low >= 1 && low <= 3)
		return INSN_EXCEPTION;
	return opc == 1 && low == 0 ? INSN_BREAKPOINT : INSN_UNDEFINED;
}

static bool is_eret(uint32_t w)
{
	return w == 0xd69f03e0 || w == 0xd69f0bff || w == 0xd69f0fff; /* ERETAA, ERETAB */
}

static bool is_return_authenticated(uint32_t w)
{
	return w == 0xd65f0bff || w == 0xd65f0fff;
}

/* The loads and stores of a register whose bits 11 to 10 are 00: Armv8.1. */
static bool is_atomic(uint32_t w)
{
	return (w & 0x3f200c00) == 0x38200000;
}

static bool is_compare_and_swap(uint32_t w)
{
	return (w & 0x3fa07c00) == 0x08a07c00 || (w & 0xbfa07c00) == 0x08207c00;
}

/* DRPS, outside debug state, is none. */
static bool is_allocated(struct insn_decoder *d, const uint8_t *bytes, uint32_t w)
{
	if (w == 0xd6bf03e0)
		return false;
	return is_atomic(w) || is_compare_and_swap(w) || is_return_authenticated(w) ||
	       insn_plain(d, bytes, WORD, 0);
}

static struct insn a64_decode(struct insn_decoder *d, const uint8_t *bytes, size_t size,
			      uint64_t address)
{
	uint32_t w;

	(void)address;
	if (size < WORD)
		return (struct insn){ .operand = INSN_NO_REGISTER, .class = INSN_INVALID };
	w = word_at(bytes);
	if (insn_bits(w, 31, 24) == 0xd4)
		return of_class(class_of_exception(w));
	if (insn_bits(w, 31, 22) == 0x354)
		return of_system(w);
	if (is_eret(w))
		return of_class(INSN_EVENT_RETURN);
	return of_class(is_allocated(d, bytes, w) ? INSN_PLAIN : INSN_UNDEFINED);
}

/* ---- flow ---- */

static bool is_conditional(uint32_t w, uint64_t address, uint64_t *target)
{
	if (insn_bits(w, 31, 24) == 0x54 || insn_bits(w, 30, 25) == 0x1a) { /* B.cond, CBZ */
		*target = address + (uint64_t)(insn_signed(insn_bits(w, 23, 5), 19) * 4);
		return true;
	}
	if (insn_bits(w, 30, 25) == 0x1b) { /* TBZ */
		*target = address + (uint64_t)(insn_signed(insn_bits(w, 18, 5), 14) * 4);
		return true;
	}
	return false;
}

static enum insn_flow flow_of(uint32_t w, uint64_t address, uint64_t *target)
{
	if (insn_bits(w, 30, 26) == 0x05) {
		*target = address + (uint64_t)(insn_signed(insn_bits(w, 25, 0), 26) * 4);
		return insn_bit(w, 31) ? FLOW_CALL : FLOW_JUMP;
	}
	if (is_conditional(w, address, target))
		return FLOW_BRANCH;
	if (w == 0xd65f03c0) /* RET of X30 */
		return FLOW_RETURN;
	return insn_bits(w, 31, 25) == 0x6b ? FLOW_OTHER : FLOW_NEXT;
}

static bool a64_direct_target(struct insn_decoder *d, const uint8_t *bytes, size_t size,
			      uint64_t address, uint64_t *target)
{
	enum insn_flow flow;
	uint64_t to = 0;

	(void)d;
	if (size < WORD)
		return false;
	flow = flow_of(word_at(bytes), address, &to);
	if (flow != FLOW_JUMP && flow != FLOW_CALL && flow != FLOW_BRANCH)
		return false;
	*target = to;
	return true;
}

/* ---- the operand in memory (C4.1.88, "Loads and Stores") ---- */

/* Base plus an offset, before or after which the base may be written back. */
static void take_base(struct insn_access *a, uint32_t w, int64_t offset, bool post, bool writeback)
{
	a->reach = REACH_MEMORY;
	a->base = (uint8_t)insn_bits(w, 9, 5);
	a->displacement = post ? 0 : offset;
	if (!writeback)
		return;
	if (a->base == SP)
		a->stack = (int32_t)offset;
	else
		a->writes |= 1u << a->base;
}

/* Loads of a register, PC-relative: PRFM goes nowhere. */
static bool take_literal(struct insn_access *a, uint32_t w, uint64_t address)
{
	uint32_t opc = insn_bits(w, 31, 30);

	if (opc == 3)
		return true;
	a->reach = REACH_MEMORY;
	a->size = opc == 1 ? 8 : 4;
	a->displacement = (int64_t)address + insn_signed(insn_bits(w, 23, 5), 19) * 4;
	a->writes = mask_of(insn_bits(w, 4, 0));
	return true;
}

static bool take_pair(struct insn_access *a, uint32_t w)
{
	uint32_t opc = insn_bits(w, 31, 30), type = insn_bits(w, 24, 23);
	uint8_t each = opc == 2 ? 8 : 4;
	int64_t offset = insn_signed(insn_bits(w, 21, 15), 7) * each;
	bool load = insn_bit(w, 22);

	if (opc == 3 || (opc == 1 && !load)) /* STGP writes tags */
		return false;
	a->size = (uint8_t)(2 * each);
	a->write = !load;
	if (load)
		a->writes = mask_of(insn_bits(w, 4, 0)) | mask_of(insn_bits(w, 14, 10));
	take_base(a, w, offset, type == 1, type & 1);
	return true;
}

static void take_index(struct insn_access *a, uint32_t w)
{
	uint32_t option = insn_bits(w, 15, 13);

	a->index = or_zero(insn_bits(w, 20, 16));
	if ((option & 3) == 2)
		a->extend = option & 4 ? EXTEND_SXTW : EXTEND_UXTW;
	a->scale = (uint8_t)(insn_bit(w, 12) ? a->size : 1);
}

/* Armv8.1: LDADD and its like, SWP; LDAPR only reads. */
static bool take_atomic(struct insn_access *a, uint32_t w)
{
	a->write = insn_bits(w, 15, 12) != 0xc;
	a->writes = mask_of(insn_bits(w, 4, 0));
	take_base(a, w, 0, false, false);
	return true;
}

/* One register: bits 25 to 24, 21 and 11 to 10 say how the address is made. */
static bool take_register(struct insn_access *a, uint32_t w)
{
	uint32_t opc = insn_bits(w, 23, 22), how = insn_bits(w, 11, 10);
	int64_t near = insn_signed(insn_bits(w, 20, 12), 9);
	bool scaled = insn_bit(w, 24), indexed = !scaled && insn_bit(w, 21);

	a->size = (uint8_t)(1u << insn_bits(w, 31, 30));
	if (indexed && how == 0)
		return take_atomic(a, w);
	if (indexed && how != 2)
		return false;
	if (a->size == 8 && opc == 2) /* PRFM and PRFUM */
		return true;
	a->write = opc == 0;
	if (!a->write)
		a->writes = mask_of(insn_bits(w, 4, 0));
	if (scaled)
		take_base(a, w, (int64_t)insn_bits(w, 21, 10) * a->size, false, false);
	else if (indexed)
		take_base(a, w, 0, false, false);
	else
		take_base(a, w, near, how == 1, how & 1);
	if (indexed)
		take_index(a, w);
	return true;
}

/*
 * LDAR, STLR and the compare-and-swaps. An exclusive has an effect that is not
 * in memory, and is left to who steps it.
 */
static bool take_ordered(struct insn_access *a, uint32_t w)
{
	bool pair = !insn_bit(w, 23);

	a->size = (uint8_t)(1u << insn_bits(w, 31, 30));
	if (is_compare_and_swap(w)) {
		a->write = true;
		a->size = pair ? (insn_bit(w, 30) ? 16 : 8) : a->size;
		a->writes = mask_of(insn_bits(w, 20, 16));
		if (pair)
			a->writes |= a->writes << 1;
	} else if (insn_bit(w, 23) && !insn_bit(w, 21)) {
		a->write = !insn_bit(w, 22);
		a->writes = a->write ? 0 : mask_of(insn_bits(w, 4, 0));
	} else {
		return false;
	}
	take_base(a, w, 0, false, false);
	return true;
}

static bool take_memory(struct insn_access *a, uint32_t w, uint64_t address)
{
	if (insn_bit(w, 26)) /* vectors */
		return false;
	if (insn_bits(w, 29, 24) == 0x08)
		return take_ordered(a, w);
	if (insn_bits(w, 29, 24) == 0x18)
		return take_literal(a, w, address);
	if (insn_bits(w, 29, 27) == 5)
		return take_pair(a, w);
	if (insn_bits(w, 29, 27) == 7 && !(insn_bit(w, 25)))
		return take_register(a, w);
	return false; /* tags, LDAPUR, copies */
}

/* ---- registers ---- */

/* C4.1.3: in these the destination 31 is SP. */
static bool may_write_sp(uint32_t w)
{
	bool immediate = insn_bits(w, 28, 24) == 0x11 && !insn_bit(w, 29);
	bool tags = insn_bits(w, 28, 23) == 0x23;
	bool logical = insn_bits(w, 28, 23) == 0x24 && insn_bits(w, 30, 29) != 3;
	bool extended = insn_bits(w, 28, 24) == 0x0b && insn_bit(w, 21) && !insn_bit(w, 29);

	return immediate || tags || logical || extended;
}

static void take_result(struct insn_access *a, uint32_t w)
{
	int32_t by = (int32_t)(insn_bits(w, 21, 10) << (insn_bit(w, 22) ? 12 : 0));

	if (!may_write_sp(w) || insn_bits(w, 4, 0) != SP) {
		a->writes = mask_of(insn_bits(w, 4, 0));
		return;
	}
	a->stack_known = insn_bits(w, 28, 23) == 0x22 && insn_bits(w, 9, 5) == SP;
	if (a->stack_known)
		a->stack = insn_bit(w, 30) ? -by : by;
}

/* The CPU's own identity and registers for software's use: reading them reaches nothing. */
static bool is_own_register(uint32_t w)
{
	switch (insn_bits(w, 20, 5)) {
	case 0xc005: /* MPIDR_EL1 */
	case 0xc212: /* CurrentEL */
	case 0xc684: /* TPIDR_EL1 */
	case 0xde82: /* TPIDR_EL0 */
	case 0xde83: /* TPIDRRO_EL0 */
		return true;
	default:
		return false;
	}
}

static bool take_system(struct insn_access *a, uint32_t w, enum insn_class class)
{
	uint32_t hint = insn_bits(w, 11, 5);

	if (class == INSN_FENCE || (w & 0xfffff0ff) == 0xd503305f) /* CLREX */
		return true;
	if (insn_bits(w, 21, 19) == 6 || insn_bits(w, 21, 19) == 7) {
		a->writes = mask_of(insn_bits(w, 4, 0));
		return is_own_register(w);
	}
	if ((w & 0xfffff01f) != 0xd503201f)
		return false;
	if (hint >= 7 && hint <= 31) /* pointer authentication; ESB and its like are not */
		a->writes = 1u << LINK | 1u << 17;
	return hint <= 1 || hint == 7 || (hint >= 8 && hint <= 15) || hint == 20 ||
	       (hint >= 24 && hint <= 31) || (hint >= 32 && hint <= 38);
}

static bool take_effects(struct insn_access *a, uint32_t w, uint64_t address, enum insn_class class)
{
	uint32_t group = insn_bits(w, 28, 25);

	if (group == 0x8 || group == 0x9 || group == 0x5 || group == 0xd) {
		take_result(a, w);
		return true;
	}
	if ((group & 5) == 4)
		return take_memory(a, w, address);
	if (group != 0xa && group != 0xb)
		return false;
	if (insn_bits(w, 31, 22) == 0x354)
		return take_system(a, w, class);
	a->flow = flow_of(w, address, &a->target);
	if (a->flow == FLOW_RETURN)
		a->link = LINK;
	if (a->flow == FLOW_CALL || (a->flow == FLOW_OTHER && insn_bits(w, 22, 21) == 1))
		a->writes = 1u << LINK;
	return true;
}

static struct insn_access a64_access(struct insn_decoder *d, const uint8_t *bytes, size_t size,
				     uint64_t address)
{
	const struct insn_access other = { .reach = REACH_OTHER };
	struct insn_access a = { .length = WORD,
				 .stack_known = true,
				 .base = INSN_NO_REGISTER,
				 .index = INSN_NO_REGISTER,
				 .link = INSN_NO_REGISTER,
				 .return_size = 8 };
	struct insn insn = a64_decode(d, bytes, size, address);

	if ((insn.class != INSN_PLAIN && insn.class != INSN_FENCE) ||
	    !take_effects(&a, word_at(bytes), address, insn.class))
		return other;
	return a;
}

static const char *a64_own_text(const uint8_t *bytes, size_t size, char *buf, size_t bufsize)
{
	if (size < WORD || word_at(bytes) >> 16)
		return NULL;
	snprintf(buf, bufsize, "udf #%#x", word_at(bytes));
	return buf;
}

const struct insn_isa insn_isa_a64 = {
	.arch = CS_ARCH_ARM64,
	.mode = CS_MODE_ARM,
	.stack_pointer = SP,
	.link_register = LINK,
	.decode = a64_decode,
	.access = a64_access,
	.direct_target = a64_direct_target,
	.own_text = a64_own_text,
};
