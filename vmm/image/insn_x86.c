// SPDX-License-Identifier: BSD-2-Clause
/*
 * insn_x86.c - 64-bit x86. Owns which instructions serialise (Intel SDM vol.
 * 3A, "Serializing Instructions"); knows nothing of who asks.
 *
 * Where the manuals differ or are silent an instruction is INSN_PLAIN: not
 * serialising allows more stale fetches, never fewer. So are WBNOINVD and
 * INVPCID (AMD: serialising; not in Intel's list), LMSW, CLTS and SYSRET.
 *
 * Known limit: 66 E8, 66 E9 and 66 0F 8x. Capstone 4.0.2 takes the 16-bit
 * displacement that AMD processors do; Intel's ignore the prefix and take 32
 * bits (seen with 66 E9 10 00 00 00: length 4, and Intel's is 6).
 */
#include "image/insn_internal.h"

#include <string.h>

/*
 * SERIALIZE, which exists without a mandatory prefix only. Capstone 4.0.2 of
 * Debian 12 does not know it: cs_disasm() of exactly these bytes returned 0.
 */
static const uint8_t serialize_bytes[] = { 0x0f, 0x01, 0xe8 };

/* An x86 instruction's bytes from the opcode on, and what came before them. */
struct x86_opcode {
	const uint8_t *bytes;
	uint8_t rex;
	bool mandatory; /* 66, F2 or F3: selects another instruction in some opcode maps */
};

static bool is_serialize(const uint8_t *bytes, size_t size)
{
	return size >= sizeof(serialize_bytes) &&
	       !memcmp(bytes, serialize_bytes, sizeof(serialize_bytes));
}

static bool is_legacy_prefix(uint8_t b)
{
	return b == 0x66 || b == 0x67 || b == 0xf0 || b == 0xf2 || b == 0xf3 || b == 0x2e ||
	       b == 0x36 || b == 0x3e || b == 0x26 || b == 0x64 || b == 0x65;
}

/*
 * (bytes) were decoded as an instruction, so they do not end within the
 * prefixes. A REX that is not the last prefix counts for nothing (SDM vol. 2A,
 * "REX Prefixes"); torn bytes do put one there.
 */
static struct x86_opcode skip_prefixes(const uint8_t *bytes)
{
	struct x86_opcode op = { .bytes = bytes };

	for (;; op.bytes++) {
		uint8_t b = *op.bytes;

		if ((b & 0xf0) == 0x40)
			op.rex = b;
		else if (is_legacy_prefix(b))
			op.rex = 0;
		else
			return op;
		op.mandatory |= b == 0x66 || b == 0xf2 || b == 0xf3;
	}
}

/*
 * Every MOV has one Capstone identifier. 0F 22 is to a control register, 0F 23
 * to a debug register. CR8 does not serialise, and the numbers that are no
 * control register raise #UD.
 */
static enum insn_class class_of_mov(const uint8_t *bytes)
{
	struct x86_opcode op = skip_prefixes(bytes);
	uint8_t reg;

	if (op.bytes[0] != 0x0f)
		return INSN_PLAIN;
	if (op.bytes[1] == 0x23)
		return INSN_SYNC;
	if (op.bytes[1] != 0x22)
		return INSN_PLAIN;
	reg = ((op.bytes[2] >> 3) & 7) | (op.rex & 4 ? 8 : 0);
	return reg == 0 || reg == 2 || reg == 3 || reg == 4 ? INSN_SYNC : INSN_PLAIN;
}

static enum insn_class class_of(unsigned int id, const uint8_t *bytes)
{
	switch (id) {
	case X86_INS_MOV:
		return class_of_mov(bytes);
	case X86_INS_INVD:
	case X86_INS_INVEPT:
	case X86_INS_INVLPG:
	case X86_INS_INVVPID:
	case X86_INS_LGDT:
	case X86_INS_LIDT:
	case X86_INS_LLDT:
	case X86_INS_LTR:
	case X86_INS_CPUID:
	case X86_INS_RSM:
		return INSN_SYNC;
	/*
	 * Capstone 4.0.2 takes WBNOINVD (F3 0F 09) for WBINVD, and TPAUSE,
	 * UMONITOR and UMWAIT (66, F3, F2 0F AE /6) for MFENCE.
	 */
	case X86_INS_WBINVD:
		return skip_prefixes(bytes).mandatory ? INSN_PLAIN : INSN_SYNC;
	case X86_INS_MFENCE:
		return skip_prefixes(bytes).mandatory ? INSN_PLAIN : INSN_MFENCE;
	case X86_INS_WRMSR:
		return INSN_WRMSR;
	case X86_INS_IRET:
	case X86_INS_IRETD:
	case X86_INS_IRETQ:
		return INSN_EVENT_RETURN;
	case X86_INS_INT3:
		return INSN_BREAKPOINT;
	case X86_INS_HLT:
		return INSN_WAIT;
	case X86_INS_UD2:
		return INSN_UNDEFINED;
	case X86_INS_IN:
	case X86_INS_OUT:
	case X86_INS_INSB:
	case X86_INS_INSW:
	case X86_INS_INSD:
	case X86_INS_OUTSB:
	case X86_INS_OUTSW:
	case X86_INS_OUTSD:
		return INSN_IO;
	default:
		return INSN_PLAIN;
	}
}

static struct insn of_class(uint8_t length, enum insn_class class)
{
	return (struct insn){ .length = length, .operand = INSN_NO_REGISTER, .class = class };
}

static struct insn x86_decode(struct insn_decoder *d, const uint8_t *bytes, size_t size,
			      uint64_t address)
{
	if (is_serialize(bytes, size))
		return of_class(sizeof(serialize_bytes), INSN_SYNC);
	if (!insn_plain(d, bytes, size, address))
		return of_class(0, INSN_INVALID);
	return of_class((uint8_t)d->insn->size, class_of(d->insn->id, bytes));
}

static const char *x86_own_text(const uint8_t *bytes, size_t size, char *buf, size_t bufsize)
{
	(void)buf;
	(void)bufsize;
	return is_serialize(bytes, size) ? "serialize" : NULL;
}

/* Capstone 4.0.2 does not count LOOP, LOOPE and LOOPNE among the jumps. */
static bool is_branch(const struct insn_decoder *d)
{
	return cs_insn_group(d->detailed, d->detail, CS_GRP_JUMP) ||
	       cs_insn_group(d->detailed, d->detail, CS_GRP_CALL) ||
	       d->detail->id == X86_INS_LOOP || d->detail->id == X86_INS_LOOPE ||
	       d->detail->id == X86_INS_LOOPNE;
}

static bool x86_direct_target(struct insn_decoder *d, const uint8_t *bytes, size_t size,
			      uint64_t address, uint64_t *target)
{
	const cs_x86 *x86;

	if (!insn_detailed(d, bytes, size, address) || !is_branch(d))
		return false;
	x86 = &d->detail->detail->x86;
	if (x86->op_count != 1 || x86->operands[0].type != X86_OP_IMM)
		return false;
	*target = (uint64_t)x86->operands[0].imm;
	return true;
}

/* By number, in every width a general register has; AH to BH are the second bytes of the first. */
static const x86_reg general[][4] = {
	{ X86_REG_RAX, X86_REG_EAX, X86_REG_AX, X86_REG_AL },
	{ X86_REG_RCX, X86_REG_ECX, X86_REG_CX, X86_REG_CL },
	{ X86_REG_RDX, X86_REG_EDX, X86_REG_DX, X86_REG_DL },
	{ X86_REG_RBX, X86_REG_EBX, X86_REG_BX, X86_REG_BL },
	{ X86_REG_RSP, X86_REG_ESP, X86_REG_SP, X86_REG_SPL },
	{ X86_REG_RBP, X86_REG_EBP, X86_REG_BP, X86_REG_BPL },
	{ X86_REG_RSI, X86_REG_ESI, X86_REG_SI, X86_REG_SIL },
	{ X86_REG_RDI, X86_REG_EDI, X86_REG_DI, X86_REG_DIL },
	{ X86_REG_R8, X86_REG_R8D, X86_REG_R8W, X86_REG_R8B },
	{ X86_REG_R9, X86_REG_R9D, X86_REG_R9W, X86_REG_R9B },
	{ X86_REG_R10, X86_REG_R10D, X86_REG_R10W, X86_REG_R10B },
	{ X86_REG_R11, X86_REG_R11D, X86_REG_R11W, X86_REG_R11B },
	{ X86_REG_R12, X86_REG_R12D, X86_REG_R12W, X86_REG_R12B },
	{ X86_REG_R13, X86_REG_R13D, X86_REG_R13W, X86_REG_R13B },
	{ X86_REG_R14, X86_REG_R14D, X86_REG_R14W, X86_REG_R14B },
	{ X86_REG_R15, X86_REG_R15D, X86_REG_R15W, X86_REG_R15B },
};
#define GENERAL	      (sizeof(general) / sizeof(general[0]))
#define STACK_POINTER 4u

static uint8_t register_number(x86_reg reg)
{
	for (uint32_t i = 0; i < GENERAL; i++)
		if (general[i][0] == reg)
			return (uint8_t)i;
	return INSN_NO_REGISTER;
}

/* The general registers of which (reg) is all or part. */
static uint16_t register_mask(x86_reg reg)
{
	static const x86_reg second_byte[] = { X86_REG_AH, X86_REG_CH, X86_REG_DH, X86_REG_BH };

	for (uint32_t i = 0; i < GENERAL; i++)
		for (uint32_t width = 0; width < 4; width++)
			if (general[i][width] == reg)
				return (uint16_t)(1u << i);
	for (uint32_t i = 0; i < 4; i++)
		if (second_byte[i] == reg)
			return (uint16_t)(1u << i);
	return 0;
}

/* Does more than compute: changes interruptibility, reaches devices, or is not known well enough. */
static bool reaches_out(const struct insn_decoder *d, enum insn_class class)
{
	if (class != INSN_PLAIN || cs_insn_group(d->detailed, d->detail, CS_GRP_INT) ||
	    cs_insn_group(d->detailed, d->detail, CS_GRP_PRIVILEGE))
		return true;
	switch (d->detail->id) {
	case X86_INS_STI:
	case X86_INS_CLI:
	case X86_INS_POPF:
	case X86_INS_POPFD:
	case X86_INS_POPFQ:
	case X86_INS_SYSCALL:
	case X86_INS_SYSRET:
		return true;
	default:
		return false;
	}
}

static bool take_operand(struct insn_access *a, const cs_x86_op *op, uint64_t next)
{
	const x86_op_mem *mem = &op->mem;
	bool relative = mem->base == X86_REG_RIP;

	a->reach = REACH_MEMORY;
	a->write = op->access != CS_AC_READ;
	a->base = relative ? INSN_NO_REGISTER : register_number(mem->base);
	a->index = register_number(mem->index);
	a->scale = (uint8_t)mem->scale;
	a->size = op->size;
	a->displacement = mem->disp + (relative ? (int64_t)next : 0);
	a->segment = mem->segment == X86_REG_GS;
	return (mem->base == X86_REG_INVALID || relative || a->base != INSN_NO_REGISTER) &&
	       (mem->index == X86_REG_INVALID || a->index != INSN_NO_REGISTER) &&
	       (mem->segment == X86_REG_INVALID || a->segment);
}

/* Where a branch or return leads; d->detail is decoded. */
static void take_flow(const struct insn_decoder *d, struct insn_access *a)
{
	const cs_x86_op *op = &d->detail->detail->x86.operands[0];
	uint8_t count = d->detail->detail->x86.op_count;

	if (d->detail->id == X86_INS_RET && !count) {
		a->flow = FLOW_RETURN;
	} else if (cs_insn_group(d->detailed, d->detail, CS_GRP_RET)) {
		a->flow = FLOW_OTHER;
	} else if (is_branch(d)) {
		a->flow = count != 1 || op->type != X86_OP_IMM ? FLOW_OTHER :
			  d->detail->id == X86_INS_JMP	       ? FLOW_JUMP :
			  d->detail->id == X86_INS_CALL	       ? FLOW_CALL :
								 FLOW_BRANCH;
		a->target = (uint64_t)op->imm;
	}
}

/* What it adds to the stack pointer, where that can be read off the instruction. */
static void take_stack(const struct insn_decoder *d, struct insn_access *a, bool writes_it)
{
	const cs_x86 *x86 = &d->detail->detail->x86;
	const cs_x86_op *op = x86->operands;

	a->stack_known = true;
	switch (d->detail->id) {
	case X86_INS_PUSH:
	case X86_INS_PUSHFQ:
		a->stack = -8;
		break;
	case X86_INS_CALL:
		a->stack = -8;
		return;
	case X86_INS_POP:
	case X86_INS_RET:
		a->stack = 8;
		break;
	case X86_INS_SUB:
	case X86_INS_ADD:
		if (!writes_it)
			return;
		a->stack_known = x86->op_count == 2 && op[0].reg == X86_REG_RSP &&
				 op[1].type == X86_OP_IMM && op[1].imm >= INT16_MIN &&
				 op[1].imm <= INT16_MAX;
		if (a->stack_known)
			a->stack = (int32_t)(d->detail->id == X86_INS_SUB ? -op[1].imm : op[1].imm);
		return;
	default:
		a->stack_known = !writes_it;
		return;
	}
	/* Of 16 bits, and a POP into the stack pointer itself. */
	if (x86->prefix[2] ||
	    (d->detail->id == X86_INS_POP && op[0].type == X86_OP_REG && op[0].reg == X86_REG_RSP))
		a->stack_known = false;
}

/*
 * Capstone 4.0.2 does not know every register that is written without being an
 * operand (RAX by CMPXCHG). Of these instructions none is.
 */
static bool writes_operands_only(const struct insn_decoder *d)
{
	static const uint16_t ids[] = {
		X86_INS_MOV, X86_INS_MOVABS, X86_INS_MOVZX, X86_INS_MOVSX, X86_INS_MOVSXD,
		X86_INS_LEA, X86_INS_ADD,    X86_INS_SUB,   X86_INS_AND,   X86_INS_OR,
		X86_INS_XOR, X86_INS_CMP,    X86_INS_TEST,  X86_INS_INC,   X86_INS_DEC,
		X86_INS_NEG, X86_INS_NOT,    X86_INS_SHL,   X86_INS_SHR,   X86_INS_SAR,
		X86_INS_BT,  X86_INS_XCHG,   X86_INS_NOP,   X86_INS_PAUSE, X86_INS_PUSH,
		X86_INS_POP, X86_INS_PUSHFQ, X86_INS_CALL,  X86_INS_RET,
	};

	for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++)
		if (d->detail->id == ids[i])
			return true;
	return is_branch(d) && d->detail->id != X86_INS_LOOP && d->detail->id != X86_INS_LOOPE &&
	       d->detail->id != X86_INS_LOOPNE;
}

static bool take_effects(const struct insn_decoder *d, struct insn_access *a)
{
	cs_regs read, written;
	uint8_t nread, nwritten;
	bool stack = false;

	if (cs_regs_access(d->detailed, d->detail, read, &nread, written, &nwritten))
		return false;
	for (uint8_t i = 0; i < nwritten; i++)
		a->writes |= register_mask((x86_reg)written[i]);
	stack = a->writes & 1u << STACK_POINTER;
	if (!writes_operands_only(d))
		a->writes = UINT16_MAX;
	a->writes &= (uint16_t) ~(1u << STACK_POINTER);
	a->repeats = d->detail->detail->x86.prefix[0] == X86_PREFIX_REP ||
		     d->detail->detail->x86.prefix[0] == X86_PREFIX_REPNE;
	take_flow(d, a);
	take_stack(d, a, stack);
	return true;
}

/* MOVS, whose two addresses are registers; MOVSD is also the name of an SSE instruction. */
static bool take_copy(const struct insn_decoder *d, struct insn_access *a)
{
	const cs_x86 *x86 = &d->detail->detail->x86;

	switch (d->detail->id) {
	case X86_INS_MOVSB:
	case X86_INS_MOVSW:
	case X86_INS_MOVSD:
	case X86_INS_MOVSQ:
		break;
	default:
		return false;
	}
	if (x86->op_count != 2 || x86->operands[0].type != X86_OP_MEM ||
	    x86->operands[1].type != X86_OP_MEM || x86->prefix[1] || x86->prefix[3])
		return false;
	a->reach = REACH_COPY;
	a->base = INSN_COPY_TO;
	a->size = x86->operands[0].size;
	a->write = true;
	return true;
}

static struct insn_access x86_access(struct insn_decoder *d, const uint8_t *bytes, size_t size,
				     uint64_t address)
{
	const struct insn_access other = { .reach = REACH_OTHER };
	struct insn_access a = { .base = INSN_NO_REGISTER,
				 .index = INSN_NO_REGISTER,
				 .link = INSN_NO_REGISTER,
				 .return_size = 8 };
	struct insn insn = x86_decode(d, bytes, size, address);
	const cs_x86 *x86;
	uint32_t operands = 0;

	if (!insn.length || !insn_detailed(d, bytes, size, address) || reaches_out(d, insn.class) ||
	    !take_effects(d, &a))
		return other;
	a.length = insn.length;
	x86 = &d->detail->detail->x86;
	/* LEA and the long NOPs name an address and do not go there. */
	if (d->detail->id == X86_INS_LEA || d->detail->id == X86_INS_NOP || take_copy(d, &a))
		return a;
	for (uint8_t i = 0; i < x86->op_count; i++) {
		if (x86->operands[i].type != X86_OP_MEM)
			continue;
		if (operands++ || !take_operand(&a, &x86->operands[i], address + insn.length))
			return other;
	}
	return a;
}

bool insn_wrmsr_serialises(uint64_t rcx)
{
	static const struct {
		uint32_t first, last;
	} exempt[] = {
		{ 0x048, 0x049 }, /* IA32_SPEC_CTRL, IA32_PRED_CMD: both manuals */
		{ 0x122, 0x122 }, /* IA32_TSX_CTRL, and from here on Intel's */
		{ 0x6e0, 0x6e1 }, /* IA32_TSC_DEADLINE, IA32_PKRS */
		{ 0x774, 0x774 }, /* IA32_HWP_REQUEST */
		{ 0x800, 0x8ff }, /* the x2APIC's registers, all that may be some: both */
	};
	uint32_t msr = (uint32_t)rcx;

	for (size_t i = 0; i < sizeof(exempt) / sizeof(exempt[0]); i++)
		if (msr >= exempt[i].first && msr <= exempt[i].last)
			return false;
	return true;
}

const struct insn_isa insn_isa_x86 = {
	.arch = CS_ARCH_X86,
	.mode = CS_MODE_64,
	.detail = true,
	.stack_pointer = STACK_POINTER,
	.link_register = INSN_NO_REGISTER,
	.decode = x86_decode,
	.access = x86_access,
	.direct_target = x86_direct_target,
	.own_text = x86_own_text,
};
