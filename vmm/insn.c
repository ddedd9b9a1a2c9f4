// SPDX-License-Identifier: BSD-2-Clause
/*
 * insn.c - Capstone behind five functions. Owns which instructions serialise
 * (Intel SDM vol. 3A, "Serializing Instructions"); knows nothing of who asks.
 *
 * Where the manuals differ or are silent an instruction is INSN_PLAIN: not
 * serialising allows more stale fetches, never fewer. So are WBNOINVD and
 * INVPCID (AMD: serialising; not in Intel's list), LMSW, CLTS and SYSRET.
 *
 * Known limit: 66 E8, 66 E9 and 66 0F 8x. Capstone 4.0.2 takes the 16-bit
 * displacement that AMD processors do; Intel's ignore the prefix and take 32
 * bits (seen with 66 E9 10 00 00 00: length 4, and Intel's is 6).
 */
#include "insn.h"

#include <stdio.h>
#include <string.h>

#include <capstone/capstone.h>

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

static bool open_handle(size_t *handle, struct cs_insn **insn, bool detail, struct err *e)
{
	csh h;
	cs_err rc = cs_open(CS_ARCH_X86, CS_MODE_64, &h);

	if (rc != CS_ERR_OK)
		return err_set(e, ERR_HOST, "cs_open: %s", cs_strerror(rc));
	*handle = h;
	rc = cs_option(h, CS_OPT_DETAIL, detail ? CS_OPT_ON : CS_OPT_OFF);
	if (rc != CS_ERR_OK)
		return err_set(e, ERR_HOST, "cs_option: %s", cs_strerror(rc));
	*insn = cs_malloc(h);
	if (!*insn)
		return err_set(e, ERR_HOST, "cs_malloc: out of memory");
	return true;
}

bool insn_init(struct insn_decoder *d, enum cm_isa isa, struct err *e)
{
	memset(d, 0, sizeof(*d));
	if (isa != CM_ISA_X86_64)
		return err_set(e, ERR_UNSUPPORTED, "decoding instructions of ISA %u: x86_64 only",
			       (unsigned int)isa);
	if (open_handle(&d->plain, &d->insn, false, e) &&
	    open_handle(&d->detailed, &d->detail, true, e))
		return true;
	insn_fini(d);
	return false;
}

void insn_fini(struct insn_decoder *d)
{
	csh plain = d->plain, detailed = d->detailed;

	if (d->insn)
		cs_free(d->insn, 1);
	if (d->detail)
		cs_free(d->detail, 1);
	if (plain)
		cs_close(&plain);
	if (detailed)
		cs_close(&detailed);
	memset(d, 0, sizeof(*d));
}

static bool decode(size_t handle, struct cs_insn *insn, const uint8_t *bytes, size_t size,
		   uint64_t address)
{
	return cs_disasm_iter(handle, &bytes, &size, &address, insn);
}

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
		return INSN_IRET;
	case X86_INS_INT3:
		return INSN_INT3;
	case X86_INS_HLT:
		return INSN_HLT;
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

struct insn insn_decode(struct insn_decoder *d, const uint8_t *bytes, size_t size, uint64_t address)
{
	if (is_serialize(bytes, size))
		return (struct insn){ sizeof(serialize_bytes), INSN_SYNC };
	if (!decode(d->plain, d->insn, bytes, size, address))
		return (struct insn){ 0, INSN_INVALID };
	return (struct insn){ (uint8_t)d->insn->size, class_of(d->insn->id, bytes) };
}

void insn_text(struct insn_decoder *d, const uint8_t *bytes, size_t size, uint64_t address,
	       char *buf, size_t bufsize)
{
	if (is_serialize(bytes, size))
		snprintf(buf, bufsize, "serialize");
	else if (!decode(d->plain, d->insn, bytes, size, address))
		snprintf(buf, bufsize, "(bad)");
	else if (d->insn->op_str[0])
		snprintf(buf, bufsize, "%s %s", d->insn->mnemonic, d->insn->op_str);
	else
		snprintf(buf, bufsize, "%s", d->insn->mnemonic);
}

/* Capstone 4.0.2 does not count LOOP, LOOPE and LOOPNE among the jumps. */
static bool is_branch(const struct insn_decoder *d)
{
	return cs_insn_group(d->detailed, d->detail, CS_GRP_JUMP) ||
	       cs_insn_group(d->detailed, d->detail, CS_GRP_CALL) ||
	       d->detail->id == X86_INS_LOOP || d->detail->id == X86_INS_LOOPE ||
	       d->detail->id == X86_INS_LOOPNE;
}

bool insn_direct_target(struct insn_decoder *d, const uint8_t *bytes, size_t size, uint64_t address,
			uint64_t *target)
{
	const cs_x86 *x86;

	if (!decode(d->detailed, d->detail, bytes, size, address) || !is_branch(d))
		return false;
	x86 = &d->detail->detail->x86;
	if (x86->op_count != 1 || x86->operands[0].type != X86_OP_IMM)
		return false;
	*target = (uint64_t)x86->operands[0].imm;
	return true;
}

static uint8_t register_number(x86_reg reg)
{
	static const x86_reg order[] = {
		X86_REG_RAX, X86_REG_RCX, X86_REG_RDX, X86_REG_RBX, X86_REG_RSP, X86_REG_RBP,
		X86_REG_RSI, X86_REG_RDI, X86_REG_R8,  X86_REG_R9,  X86_REG_R10, X86_REG_R11,
		X86_REG_R12, X86_REG_R13, X86_REG_R14, X86_REG_R15,
	};

	for (uint32_t i = 0; i < sizeof(order) / sizeof(order[0]); i++)
		if (order[i] == reg)
			return (uint8_t)i;
	return INSN_NO_REGISTER;
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
	case X86_INS_UD2:
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

struct insn_access insn_access(struct insn_decoder *d, const uint8_t *bytes, size_t size,
			       uint64_t address)
{
	const struct insn_access other = { .reach = REACH_OTHER };
	struct insn_access a = { .base = INSN_NO_REGISTER, .index = INSN_NO_REGISTER };
	struct insn insn = insn_decode(d, bytes, size, address);
	const cs_x86 *x86;
	uint32_t operands = 0;

	if (!insn.length || !decode(d->detailed, d->detail, bytes, size, address) ||
	    reaches_out(d, insn.class))
		return other;
	x86 = &d->detail->detail->x86;
	/* LEA and the long NOPs name an address and do not go there. */
	if (d->detail->id == X86_INS_LEA || d->detail->id == X86_INS_NOP)
		return a;
	for (uint8_t i = 0; i < x86->op_count; i++) {
		if (x86->operands[i].type != X86_OP_MEM)
			continue;
		if (operands++ || !take_operand(&a, &x86->operands[i], address + insn.length))
			return other;
	}
	return a;
}
