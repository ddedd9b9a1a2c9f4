// SPDX-License-Identifier: BSD-2-Clause
/*
 * insn_t32.c - T32 (Thumb-2). Length, class and flow by the bits of the Arm
 * ARM (DDI 0487, F3.1, "T32 instruction set encoding"), operands by Capstone.
 * Knows nothing of who asks.
 *
 * Capstone 4.0.2 of Debian 12 is never shown an IT: it takes what it decodes
 * next, wherever that lies, for the inside of the block. It is not asked for
 * lists of registers either (it says that STMDB writes them), nor for the size
 * and direction of an operand, which it does not give.
 */
#include "image/insn_internal.h"

#include <stdio.h>

#define SP   13u
#define LINK 14u
#define PC   15u

/* One instruction: its halfwords, and both as one number where there are two. */
struct t32 {
	uint32_t first;
	uint32_t second;
	uint8_t length; /* 0: not all of one */
};

static uint32_t halfword_at(const uint8_t *bytes)
{
	return bytes[0] | (uint32_t)bytes[1] << 8;
}

/* F3.1: 0b11101, 0b11110 and 0b11111 start an instruction of two halfwords. */
static struct t32 read_t32(const uint8_t *bytes, size_t size)
{
	struct t32 t = { 0 };

	if (size < 2)
		return t;
	t.first = halfword_at(bytes);
	t.length = t.first >> 11 >= 0x1d ? 4 : 2;
	if (t.length > size)
		t.length = 0;
	else if (t.length == 4)
		t.second = halfword_at(bytes + 2);
	return t;
}

static bool is_it(const struct t32 *t)
{
	return t->length == 2 && t->first >> 8 == 0xbf && t->first & 15;
}

/* Branches and miscellaneous control (F3.1.18): the others are of data or memory. */
static bool is_control(const struct t32 *t)
{
	return t->length == 4 && t->first >> 11 == 0x1e && insn_bit(t->second, 15);
}

/* ---- classes ---- */

static struct insn of_class(uint8_t length, enum insn_class class)
{
	return (struct insn){ .length = length, .operand = INSN_NO_REGISTER, .class = class };
}

static enum insn_class class_of_16(uint32_t h)
{
	switch (h >> 8) {
	case 0xbe:
		return INSN_BREAKPOINT;
	case 0xde:
		return INSN_UNDEFINED;
	case 0xdf:
		return INSN_EXCEPTION;
	case 0xbf:
		return h == 0xbf20 || h == 0xbf30 ? INSN_WAIT : INSN_PLAIN;
	default:
		return INSN_PLAIN;
	}
}

/* E2.3: what only orders loads or stores, or reaches the own CPU only, completes no maintenance. */
static enum insn_class class_of_barrier(uint32_t op, uint32_t option)
{
	bool both = option & 3 ? (option & 3) == 3 : option >> 2 >= 2; /* 10x0, reserved, is SY */

	switch (op) {
	case 2: /* CLREX */
		return INSN_PLAIN;
	case 4: /* SSBB and PSSBB are 0 and 4 */
		return both && option >> 2 != 1 ? INSN_DSB : INSN_FENCE;
	case 5:
	case 7: /* SB */
		return INSN_FENCE;
	case 6:
		return INSN_SYNC;
	default:
		return INSN_UNDEFINED;
	}
}

/* is_control(), but no branch. Of a hint the number is in bits 7 to 0, of CPS there is more. */
static enum insn_class class_of_control(const struct t32 *t)
{
	uint32_t hint = insn_bits(t->second, 7, 0);

	if (t->first == 0xf3bf && insn_bits(t->second, 15, 8) == 0x8f)
		return class_of_barrier(insn_bits(t->second, 7, 4), insn_bits(t->second, 3, 0));
	if (t->first == 0xf3af && insn_bits(t->second, 15, 8) == 0x80)
		return hint == 2 || hint == 3 ? INSN_WAIT : INSN_PLAIN;
	if (t->first == 0xf3de && insn_bits(t->second, 15, 8) == 0x8f)
		return INSN_EVENT_RETURN; /* SUBS PC, LR: ERET, when it subtracts 0 */
	if (t->first >> 4 == 0xf7e || t->first >> 4 == 0xf7f) {
		if (insn_bits(t->second, 15, 12) == 8)
			return INSN_EXCEPTION; /* HVC, SMC */
		return insn_bits(t->second, 15, 12) == 10 ? INSN_UNDEFINED : INSN_PLAIN;
	}
	return INSN_PLAIN;
}

/* RFE, both ways to write it. */
static bool is_rfe(const struct t32 *t)
{
	return ((t->first & 0xffd0) == 0xe810 || (t->first & 0xffd0) == 0xe990) &&
	       t->second == 0xc000;
}

/* MCR p15, 0, Rt, c7, CRm, op2 (G8.2): maintenance, and the barriers of before Armv7. */
static struct insn of_cp15_c7(uint32_t crm, uint32_t op2, uint8_t rt)
{
	static const struct {
		uint8_t crm, op2;
		enum insn_class class;
		enum insn_maintenance maintenance;
	} known[] = {
		{ 1, 0, INSN_CACHE, MAINTAIN_INVALIDATE_ALL }, /* ICIALLUIS */
		{ 1, 6, INSN_CACHE, MAINTAIN_NOTHING },	       /* BPIALLIS */
		{ 5, 0, INSN_CACHE, MAINTAIN_INVALIDATE_OWN }, /* ICIALLU */
		{ 5, 1, INSN_CACHE, MAINTAIN_INVALIDATE },     /* ICIMVAU */
		{ 5, 4, INSN_SYNC, MAINTAIN_NOTHING },	       /* CP15ISB */
		{ 5, 6, INSN_CACHE, MAINTAIN_NOTHING },	       /* BPIALL */
		{ 5, 7, INSN_CACHE, MAINTAIN_NOTHING },	       /* BPIMVA */
		{ 6, 1, INSN_CACHE, MAINTAIN_NOTHING },	       /* DCIMVAC */
		{ 6, 2, INSN_CACHE, MAINTAIN_NOTHING },	       /* DCISW */
		{ 10, 1, INSN_CACHE, MAINTAIN_CLEAN },	       /* DCCMVAC */
		{ 10, 2, INSN_CACHE, MAINTAIN_NOTHING },       /* DCCSW */
		{ 10, 4, INSN_DSB, MAINTAIN_NOTHING },	       /* CP15DSB */
		{ 10, 5, INSN_FENCE, MAINTAIN_NOTHING },       /* CP15DMB */
		{ 11, 1, INSN_CACHE, MAINTAIN_CLEAN },	       /* DCCMVAU */
		{ 14, 1, INSN_CACHE, MAINTAIN_CLEAN },	       /* DCCIMVAC */
		{ 14, 2, INSN_CACHE, MAINTAIN_NOTHING },       /* DCCISW */
	};
	struct insn i = of_class(4, INSN_PLAIN);

	for (size_t k = 0; k < sizeof(known) / sizeof(known[0]); k++) {
		if (known[k].crm != crm || known[k].op2 != op2)
			continue;
		i.class = known[k].class;
		i.maintenance = known[k].maintenance;
		if (i.maintenance == MAINTAIN_CLEAN || i.maintenance == MAINTAIN_INVALIDATE)
			i.operand = rt;
	}
	return i;
}

static struct insn t32_decode(struct insn_decoder *d, const uint8_t *bytes, size_t size,
			      uint64_t address)
{
	struct t32 t = read_t32(bytes, size);
	struct insn i;

	if (!t.length)
		return of_class(0, INSN_INVALID);
	if (is_it(&t))
		return of_class(2, INSN_PLAIN);
	if (t.first == 0xee07 && (t.second & 0x0f10) == 0x0f10)
		return of_cp15_c7(insn_bits(t.second, 3, 0), insn_bits(t.second, 7, 5),
				  (uint8_t)insn_bits(t.second, 15, 12));
	if (is_rfe(&t))
		return of_class(4, INSN_EVENT_RETURN);
	i = of_class(t.length, t.length == 2			      ? class_of_16(t.first) :
			       is_control(&t) && !(t.second & 0x5000) ? class_of_control(&t) :
									INSN_PLAIN);
	if (i.class == INSN_PLAIN && !insn_plain(d, bytes, t.length, address))
		i.class = INSN_UNDEFINED;
	return i;
}

/* ---- flow ---- */

/* The four 32-bit branches (F5.1.18, F5.1.25): bits 14 and 12 of the second halfword say which. */
static enum insn_flow flow_of_wide_branch(const struct t32 *t, uint64_t pc, uint64_t *target)
{
	bool s = insn_bit(t->first, 10), j1 = insn_bit(t->second, 13), j2 = insn_bit(t->second, 11);
	uint32_t low = insn_bits(t->second, 10, 0) << 1;
	uint32_t wide = (s ? 1u << 24 : 0) | (j1 == s ? 1u << 23 : 0) | (j2 == s ? 1u << 22 : 0) |
			insn_bits(t->first, 9, 0) << 12 | low;
	uint32_t near = (s ? 1u << 20 : 0) | (j2 ? 1u << 19 : 0) | (j1 ? 1u << 18 : 0) |
			insn_bits(t->first, 5, 0) << 12 | low;

	switch (t->second & 0x5000) {
	case 0x0000:
		if (insn_bits(t->first, 9, 7) == 7) /* not a condition: no branch */
			return t->first == 0xf3de || t->first >> 4 == 0xf3c ? FLOW_OTHER :
									      FLOW_NEXT;
		*target = pc + (uint64_t)insn_signed(near, 21);
		return FLOW_BRANCH;
	case 0x1000:
		*target = pc + (uint64_t)insn_signed(wide, 25);
		return FLOW_JUMP;
	case 0x5000:
		*target = pc + (uint64_t)insn_signed(wide, 25);
		return FLOW_CALL;
	default: /* BLX: to A32, at a word */
		*target = (pc & ~(uint64_t)3) + (uint64_t)insn_signed(wide & ~2u, 25);
		return FLOW_OTHER;
	}
}

static enum insn_flow flow_of_16(uint32_t h, uint64_t pc, uint64_t *target)
{
	if (h >> 12 == 0xd && insn_bits(h, 11, 8) < 14) {
		*target = pc + (uint64_t)insn_signed(insn_bits(h, 7, 0) << 1, 9);
		return FLOW_BRANCH;
	}
	if (h >> 11 == 0x1c) {
		*target = pc + (uint64_t)insn_signed(insn_bits(h, 10, 0) << 1, 12);
		return FLOW_JUMP;
	}
	if ((h & 0xf500) == 0xb100) { /* CBZ, CBNZ */
		*target = pc + (insn_bit(h, 9) << 6 | insn_bits(h, 7, 3) << 1);
		return FLOW_BRANCH;
	}
	if (h == 0x4770 || h == 0x46f7) /* BX LR, MOV PC, LR */
		return FLOW_RETURN;
	if (h >> 8 == 0x47 || ((h & 0xfd87) == 0x4487)) /* BX, BLX, ADD PC, MOV PC */
		return FLOW_OTHER;
	return h >> 8 == 0xbd ? FLOW_RETURN : FLOW_NEXT; /* POP {..., PC} */
}

static enum insn_flow flow_of(const struct t32 *t, uint64_t address, uint64_t *target)
{
	uint64_t pc = address + 4;

	if (t->length == 2)
		return flow_of_16(t->first, pc, target);
	return is_control(t) ? flow_of_wide_branch(t, pc, target) : FLOW_NEXT;
}

static bool t32_direct_target(struct insn_decoder *d, const uint8_t *bytes, size_t size,
			      uint64_t address, uint64_t *target)
{
	struct t32 t = read_t32(bytes, size);
	uint64_t to = 0;

	(void)d;
	if (!t.length)
		return false;
	flow_of(&t, address, &to); /* of BLX too, whose flow leaves T32 */
	if (to)
		*target = to;
	return to != 0;
}

/* ---- the operand in memory ---- */

static uint32_t count_bits(uint32_t list)
{
	return (uint32_t)__builtin_popcount(list);
}

/* LDM, STM, PUSH and POP: (list) at the base, or just below it; PC in it is a jump. */
static bool take_list(struct insn_access *a, uint8_t base, uint32_t list, bool load, bool below,
		      bool writeback)
{
	int32_t bytes = (int32_t)(4 * count_bits(list));

	if (!bytes || insn_bit(list, SP) || (!load && insn_bit(list, PC)))
		return false; /* UNPREDICTABLE */
	a->reach = REACH_MEMORY;
	a->base = base;
	a->displacement = below ? -bytes : 0;
	a->size = (uint8_t)bytes;
	a->write = !load;
	a->writes = load ? list & ~(1u << PC) : 0;
	if (writeback && base == SP)
		a->stack = below ? -bytes : bytes;
	else if (writeback)
		a->writes |= 1u << base;
	if (load && insn_bit(list, PC)) {
		a->flow = base == SP && writeback && !below ? FLOW_RETURN : FLOW_OTHER;
		a->return_at = (uint8_t)(bytes - 4);
	}
	return true;
}

static bool take_lists(struct insn_access *a, const struct t32 *t)
{
	uint32_t h = t->first;

	if (t->length == 2 && (h & 0xf600) == 0xb400) {
		bool load = insn_bit(h, 11);

		return take_list(a, SP, (h & 0xff) | insn_bit(h, 8) << (load ? PC : LINK), load,
				 !load, true);
	}
	if (t->length == 2 && h >> 12 == 0xc) {
		uint8_t base = (uint8_t)insn_bits(h, 10, 8);
		bool load = insn_bit(h, 11);

		return take_list(a, base, h & 0xff, load, false, !load || !(h & 1u << base));
	}
	/* Bits 24 and 23 are P and U; equal ones are SRS and RFE. */
	if (t->length == 4 && h >> 9 == 0x74 && !insn_bit(h, 6) && insn_bit(h, 8) != insn_bit(h, 7))
		return take_list(a, (uint8_t)insn_bits(h, 3, 0), t->second, insn_bit(h, 4),
				 insn_bit(h, 8), insn_bit(h, 5));
	return false;
}

static const struct {
	uint16_t id;
	uint8_t size;
	bool write;
} accesses[] = {
	{ ARM_INS_LDR, 4, false },  { ARM_INS_LDRB, 1, false },	 { ARM_INS_LDRH, 2, false },
	{ ARM_INS_LDRD, 8, false }, { ARM_INS_LDRSB, 1, false }, { ARM_INS_LDRSH, 2, false },
	{ ARM_INS_LDA, 4, false },  { ARM_INS_LDAB, 1, false },	 { ARM_INS_LDAH, 2, false },
	{ ARM_INS_STR, 4, true },   { ARM_INS_STRB, 1, true },	 { ARM_INS_STRH, 2, true },
	{ ARM_INS_STRD, 8, true },  { ARM_INS_STL, 4, true },	 { ARM_INS_STLB, 1, true },
	{ ARM_INS_STLH, 2, true },
};

/* R0 to R12, SP, LR and PC are not in a row in Capstone. */
static uint8_t register_number(unsigned int reg)
{
	if (reg >= ARM_REG_R0 && reg <= ARM_REG_R12)
		return (uint8_t)(reg - ARM_REG_R0);
	return reg == ARM_REG_SP ? SP :
	       reg == ARM_REG_LR ? LINK :
	       reg == ARM_REG_PC ? PC :
				   INSN_NO_REGISTER;
}

/* The stack pointer written back: by the offset, which behind the operand is one of its own. */
static void take_writeback(struct insn_access *a, const cs_arm *arm)
{
	const cs_arm_op *last = &arm->operands[arm->op_count - 1];

	if (!arm->writeback || a->base != SP)
		return;
	a->stack_known = last->type == ARM_OP_IMM || last->type == ARM_OP_MEM;
	a->stack = last->type == ARM_OP_IMM ? last->imm : last->mem.disp;
}

static bool take_operand(struct insn_access *a, const cs_arm *arm, uint64_t address)
{
	for (uint8_t i = 0; i < arm->op_count; i++) {
		const cs_arm_op *op = &arm->operands[i];

		if (op->type != ARM_OP_MEM)
			continue;
		a->reach = REACH_MEMORY;
		a->base = register_number(op->mem.base);
		a->index = register_number(op->mem.index);
		a->scale = op->shift.type == ARM_SFT_LSL ? (uint8_t)(1u << op->shift.value) : 1;
		a->displacement = op->mem.disp;
		if (a->base == PC) {
			a->base = INSN_NO_REGISTER;
			a->displacement += (int64_t)((address + 4) & ~(uint64_t)3);
		}
		take_writeback(a, arm);
		return !op->subtracted && a->index != PC; /* UNPREDICTABLE */
	}
	return false;
}

/* ---- registers ---- */

/* What does no more than compute; everything that is not listed may do more. */
static bool computes(unsigned int id)
{
	static const uint16_t ids[] = {
		ARM_INS_ADC,   ARM_INS_ADD,   ARM_INS_ADDW,  ARM_INS_ADR,   ARM_INS_AND,
		ARM_INS_ASR,   ARM_INS_BFC,   ARM_INS_BFI,   ARM_INS_BIC,   ARM_INS_CLREX,
		ARM_INS_CLZ,   ARM_INS_CMN,   ARM_INS_CMP,   ARM_INS_EOR,   ARM_INS_LSL,
		ARM_INS_LSR,   ARM_INS_MLA,   ARM_INS_MLS,   ARM_INS_MOV,   ARM_INS_MOVT,
		ARM_INS_MOVW,  ARM_INS_MUL,   ARM_INS_MVN,   ARM_INS_NOP,   ARM_INS_ORN,
		ARM_INS_ORR,   ARM_INS_PLD,   ARM_INS_RBIT,  ARM_INS_REV,   ARM_INS_REV16,
		ARM_INS_REVSH, ARM_INS_ROR,   ARM_INS_RRX,   ARM_INS_RSB,   ARM_INS_SBC,
		ARM_INS_SBFX,  ARM_INS_SDIV,  ARM_INS_SMLAL, ARM_INS_SMULL, ARM_INS_SUB,
		ARM_INS_SUBW,  ARM_INS_SXTB,  ARM_INS_SXTH,  ARM_INS_TEQ,   ARM_INS_TST,
		ARM_INS_UBFX,  ARM_INS_UDIV,  ARM_INS_UMLAL, ARM_INS_UMULL, ARM_INS_UXTB,
		ARM_INS_UXTH,  ARM_INS_YIELD, ARM_INS_B,     ARM_INS_BL,    ARM_INS_BX,
		ARM_INS_BLX,   ARM_INS_CBZ,   ARM_INS_CBNZ,
	};

	for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++)
		if (id == ids[i])
			return true;
	return false;
}

/* ADD and SUB of the stack pointer and a number; anything else that writes it is not followed. */
static void take_stack(struct insn_access *a, unsigned int id, const cs_arm *arm)
{
	const cs_arm_op *first = &arm->operands[0], *last = &arm->operands[arm->op_count - 1];
	bool adds = id == ARM_INS_ADD || id == ARM_INS_ADDW;
	bool subtracts = id == ARM_INS_SUB || id == ARM_INS_SUBW;

	a->stack_known = (adds || subtracts) && first->type == ARM_OP_REG &&
			 first->reg == ARM_REG_SP && last->type == ARM_OP_IMM &&
			 (arm->op_count == 2 || arm->operands[1].reg == ARM_REG_SP);
	if (a->stack_known)
		a->stack = subtracts ? -last->imm : last->imm;
}

/* d->detail is decoded. A jump by a load, or by what is computed, is FLOW_OTHER. */
static bool take_writes(struct insn_access *a, struct insn_decoder *d)
{
	cs_regs read, written;
	uint8_t nread, nwritten;

	if (cs_regs_access(d->detailed, d->detail, read, &nread, written, &nwritten))
		return false;
	for (uint8_t i = 0; i < nwritten; i++) {
		uint8_t number = register_number(written[i]);

		if (number == PC && a->flow == FLOW_NEXT)
			a->flow = FLOW_OTHER;
		else if (number == SP && a->reach == REACH_OWN)
			take_stack(a, d->detail->id, &d->detail->detail->arm);
		else if (number < PC && number != SP)
			a->writes |= 1u << number;
	}
	return true;
}

static bool take_effects(struct insn_access *a, struct insn_decoder *d, uint64_t address)
{
	const cs_arm *arm = &d->detail->detail->arm;

	for (size_t i = 0; i < sizeof(accesses) / sizeof(accesses[0]); i++) {
		if (d->detail->id != accesses[i].id)
			continue;
		a->size = accesses[i].size;
		a->write = accesses[i].write;
		if (!take_operand(a, arm, address) || !take_writes(a, d))
			return false;
		/* LDR PC, [SP], #4: POP of one. */
		if (a->flow == FLOW_OTHER && a->base == SP && a->stack == 4 && !a->displacement)
			a->flow = FLOW_RETURN;
		return true;
	}
	return computes(d->detail->id) && take_writes(a, d);
}

/* MRC and MCR p15: TPIDRURO, which is for software's use, and what the last abort was. */
static bool take_own_coprocessor(struct insn_access *a, const struct t32 *t)
{
	uint32_t crn = insn_bits(t->first, 3, 0), op2 = insn_bits(t->second, 7, 5);
	uint32_t rt = insn_bits(t->second, 15, 12);
	bool read = insn_bit(t->first, 4);

	if (t->first >> 5 != 0xee0 >> 1 || (t->second & 0x0f1f) != 0x0f10 || rt == PC)
		return false;
	if (!(crn == 13 && op2 == 3 && read) && !(crn == 5 && op2 <= 1) &&
	    !(crn == 6 && (op2 == 0 || op2 == 2)))
		return false;
	a->writes = read ? 1u << rt : 0;
	return true;
}

/* MRS and MSR of an SPSR or of another mode's register (F5.1.124 to F5.1.131), none of CPSR. */
static bool take_bank(struct insn_access *a, const struct t32 *t)
{
	bool spsr = insn_bit(t->first, 4), read = insn_bit(t->first, 6);

	if (t->length != 4 || (t->first & 0xff80) != 0xf380 || insn_bit(t->first, 5) != read)
		return false;
	if ((t->second & 0xf0ef) != 0x8020 && !(spsr && (t->second & 0xf0ff) == 0x8000))
		return false;
	a->writes = read ? 1u << insn_bits(t->second, 11, 8) : 0;
	return true;
}

static struct insn_access t32_access(struct insn_decoder *d, const uint8_t *bytes, size_t size,
				     uint64_t address)
{
	const struct insn_access other = { .reach = REACH_OTHER };
	struct insn_access a = { .stack_known = true,
				 .base = INSN_NO_REGISTER,
				 .index = INSN_NO_REGISTER,
				 .link = INSN_NO_REGISTER,
				 .return_size = 4 };
	struct insn insn = t32_decode(d, bytes, size, address);
	struct t32 t = read_t32(bytes, size);

	if ((insn.class != INSN_PLAIN && insn.class != INSN_FENCE) || is_it(&t))
		return other;
	a.length = insn.length;
	if (insn.class == INSN_FENCE || take_lists(&a, &t) || take_own_coprocessor(&a, &t) ||
	    take_bank(&a, &t))
		return a;
	a.flow = flow_of(&t, address, &a.target);
	if (a.flow == FLOW_RETURN)
		a.link = LINK;
	if (!insn_detailed(d, bytes, insn.length, address) || !take_effects(&a, d, address))
		return other;
	return a;
}

static const char *t32_own_text(const uint8_t *bytes, size_t size, char *buf, size_t bufsize)
{
	static const char *const conditions[] = { "eq", "ne", "hs", "lo", "mi", "pl", "vs", "vc",
						  "hi", "ls", "ge", "lt", "gt", "le", "al", "al" };
	struct t32 t = read_t32(bytes, size);
	uint32_t first = insn_bit(t.first, 4), n = 0;
	char then[4] = "";

	if (!is_it(&t))
		return NULL;
	for (uint32_t mask = t.first & 15; mask & 7; mask = mask << 1 & 15)
		then[n++] = insn_bit(mask, 3) == first ? 't' : 'e';
	snprintf(buf, bufsize, "it%s %s", then, conditions[insn_bits(t.first, 7, 4)]);
	return buf;
}

const struct insn_isa insn_isa_t32 = {
	.arch = CS_ARCH_ARM,
	.mode = CS_MODE_THUMB | CS_MODE_V8,
	.detail = true,
	.stack_pointer = SP,
	.link_register = LINK,
	.decode = t32_decode,
	.access = t32_access,
	.direct_target = t32_direct_target,
	.own_text = t32_own_text,
};
