// SPDX-License-Identifier: BSD-2-Clause
/* emulate.c - what a breakpoint hook may do in place of an instruction, as Linux does. */
#include "guest/kernel.h"

enum {
	OP_JCC8 = 0x70,
	OP_RET = 0xc3,
	OP_CALL = 0xe8,
	OP_JMP32 = 0xe9,
	OP_JMP8 = 0xeb,
};

static int32_t signed32(const uint8_t *bytes)
{
	return (int32_t)((uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 |
			 (uint32_t)bytes[3] << 24);
}

bool cm_emulation_of(const uint8_t *bytes, uint32_t length, struct cm_emulation *e)
{
	e->opcode = bytes[0];
	e->length = (uint8_t)length;
	e->displacement = 0;
	if (bytes[0] == 0x0f && (bytes[1] & 0xf0) == 0x80) {
		e->opcode = bytes[1] - 0x10;
		e->displacement = signed32(bytes + 2);
	} else if (bytes[0] == OP_CALL || bytes[0] == OP_JMP32) {
		e->displacement = signed32(bytes + 1);
	} else if (bytes[0] == OP_JMP8 || (bytes[0] & 0xf0) == OP_JCC8) {
		e->displacement = (int32_t)(bytes[1] ^ 0x80u) - 0x80; /* sign-extended */
	} else if (bytes[0] == 0x66 && bytes[1] == 0x90) {
		e->opcode = OP_JMP8;
	} else if (bytes[0] == 0x0f && bytes[1] == 0x1f) {
		e->opcode = OP_JMP32;
	} else {
		return bytes[0] == OP_RET || bytes[0] == CM_INT3;
	}
	return true;
}

/* Is condition (cc), the low four bits of Jcc's opcode, met? SDM vol 1, appendix B. */
static bool condition(const struct cm_frame *f, uint8_t cc)
{
	bool carry = f->flags & 1u << 0, parity = f->flags & 1u << 2, zero = f->flags & 1u << 6;
	bool sign = f->flags & 1u << 7, overflow = f->flags & 1u << 11;
	bool met;

	switch (cc >> 1) {
	case 0:
		met = overflow;
		break;
	case 1:
		met = carry;
		break;
	case 2:
		met = zero;
		break;
	case 3:
		met = carry || zero;
		break;
	case 4:
		met = sign;
		break;
	case 5:
		met = parity;
		break;
	case 6:
		met = sign != overflow;
		break;
	default:
		met = zero || sign != overflow;
		break;
	}
	return met != (cc & 1);
}

/* The interrupted stack; volatile, as it may be where the frame was pushed before it was copied. */
static volatile uint64_t *stack(const struct cm_frame *f)
{
	return (volatile uint64_t *)f->sp;
}

bool cm_emulate(const struct cm_emulation *e, uint64_t ip, struct cm_frame *f)
{
	uint8_t opcode = CM_READ(e->opcode);
	uint64_t next = ip + CM_READ(e->length);
	uint64_t target = next + (uint64_t)(int64_t)CM_READ(e->displacement);

	if ((opcode & 0xf0) == OP_JCC8) {
		f->ip = condition(f, opcode & 0xf) ? target : next;
		return true;
	}
	switch (opcode) {
	case OP_RET:
		f->ip = *stack(f);
		f->sp += sizeof(uint64_t);
		return true;
	case OP_CALL:
		f->sp -= sizeof(uint64_t);
		*stack(f) = next;
		f->ip = target;
		return true;
	case OP_JMP32:
	case OP_JMP8:
		f->ip = target;
		return true;
	default:
		return false;
	}
}

bool cm_text8_cmpxchg(const struct cm_poke *poke, uint32_t offset, uint8_t from, uint8_t to)
{
	return __atomic_compare_exchange_n((uint8_t *)(poke->site->alias + offset), &from, to,
					   false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}
