/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * insn.h - what the bytes of one instruction mean to the machine: its length,
 * whether it serialises, and its text.
 *
 * The sole place Capstone is used. Pure: bytes in, answers out; it knows no
 * guest, no vCPU and no fetch model. A class is what the bytes alone say; what
 * depends on a register or on the scenario's knobs is a class of its own, and
 * an instruction that faults instead of retiring did not do what its class says.
 */
#ifndef CROSSMOD_INSN_H
#define CROSSMOD_INSN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"
#include "guest/abi.h"

/* The longest instruction of any ISA (x86). */
#define INSN_LENGTH_MAX 15u

enum insn_class {
	INSN_PLAIN,
	INSN_SYNC,   /* serialising */
	INSN_WRMSR,  /* serialising, but not for every MSR: ECX decides */
	INSN_MFENCE, /* serialising or not: a knob of the scenario */
	INSN_INT3,   /* the one-byte form */
	INSN_IRET,   /* serialising as well */
	INSN_IO,     /* IN, OUT, INS, OUTS */
	INSN_HLT,
	INSN_INVALID, /* not an instruction, or not all of one */
};

struct insn {
	uint8_t length; /* bytes; 0 when invalid */
	enum insn_class class;
};

struct cs_insn;

struct insn_decoder {
	size_t plain; /* Capstone handles: without and with operands */
	size_t detailed;
	struct cs_insn *insn; /* scratch, one per handle */
	struct cs_insn *detail;
};

/*
 * Start decoding (isa). ERR_UNSUPPORTED for an ISA that has no classes here
 * yet, ERR_HOST when Capstone does not start; (d) then holds nothing.
 * insn_fini() frees, and is safe on a zeroed struct. Not for two threads at once.
 */
bool insn_init(struct insn_decoder *d, enum cm_isa isa, struct err *e);
void insn_fini(struct insn_decoder *d);

/* The instruction at the start of the (size) bytes, which lie at (address). */
struct insn insn_decode(struct insn_decoder *d, const uint8_t *bytes, size_t size,
			uint64_t address);

/* Its text, "jmp 0x2000101b", or "(bad)"; cut to (bufsize), always terminated. */
void insn_text(struct insn_decoder *d, const uint8_t *bytes, size_t size, uint64_t address,
	       char *buf, size_t bufsize);

/*
 * What else than its own registers an instruction may touch: what decides
 * whether other vCPUs, an event or the machine could notice when it runs. And
 * where it leads, for who wants to know that before it runs. Of REACH_OTHER
 * nothing else is filled in.
 */
enum insn_reach {
	REACH_OWN,    /* registers, and the stack by push, pop, call and ret */
	REACH_MEMORY, /* one explicit operand, at the address below */
	REACH_COPY,   /* a MOVS: read where RSI points, written where (base), RDI, does */
	REACH_OTHER,  /* I/O, interruptibility, serialising, several operands, anything unknown */
};

/* Registers by their numbers in the encoding; x86: 0 RAX, 1 RCX ... 15 R15. */
#define INSN_COPY_FROM	 6u /* RSI: REACH_COPY */
#define INSN_COPY_TO	 7u /* RDI */
#define INSN_NO_REGISTER 0xffu

enum insn_flow {
	FLOW_NEXT,
	FLOW_JUMP,   /* direct, to (target) */
	FLOW_CALL,   /* direct, to (target) */
	FLOW_BRANCH, /* direct and conditional, to (target) or on */
	FLOW_RETURN,
	FLOW_OTHER, /* indirect */
};

struct insn_access {
	enum insn_reach reach;
	enum insn_flow flow;
	uint8_t length;
	bool repeats;	  /* a string instruction with a REP prefix: several steps */
	bool stack_known; /* what it adds to the stack pointer is (stack) */
	int32_t stack;	  /* bytes */
	uint16_t writes;  /* general registers it may write, by number; not the stack pointer */
	uint64_t target;
	uint8_t base; /* INSN_NO_REGISTER: none */
	uint8_t index;
	uint8_t scale;
	uint8_t size;	      /* of the operand, in bytes */
	bool write;	      /* the operand may be written */
	bool segment;	      /* the address is relative to the per-CPU segment (x86: GS) */
	int64_t displacement; /* RIP-relative operands: the whole address */
};

struct insn_access insn_access(struct insn_decoder *d, const uint8_t *bytes, size_t size,
			       uint64_t address);

/* Is it a jump, conditional or not, or a call, whose target is in the bytes? Then (*target). */
bool insn_direct_target(struct insn_decoder *d, const uint8_t *bytes, size_t size, uint64_t address,
			uint64_t *target);

#endif
