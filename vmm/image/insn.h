/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * insn.h - what the bytes of one instruction mean to the machine: its length,
 * whether it synchronises, what it reaches, where it leads, and its text.
 *
 * One file per instruction set stands behind it (insn_x86.c, insn_a64.c,
 * insn_t32.c), and Capstone behind these. Pure: bytes in, answers out; it knows
 * no guest, no vCPU and no fetch model. A class is what the bytes alone say;
 * what depends on a register or on the scenario's knobs is a class of its own,
 * and an instruction that faults instead of retiring did not do what its class
 * says.
 */
#ifndef CROSSMOD_INSN_H
#define CROSSMOD_INSN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "guest/abi.h"

/* The longest instruction of any ISA (x86). */
#define INSN_LENGTH_MAX 15u

enum insn_class {
	INSN_PLAIN,
	INSN_SYNC,	   /* x86: serialising; Arm: ISB, a context synchronisation event */
	INSN_EVENT_RETURN, /* IRET, ERET, RFE, SUBS PC, LR: synchronises as well */
	INSN_WRMSR,	   /* x86: serialising, but not for every MSR: insn_wrmsr_serialises() */
	INSN_MFENCE,	   /* x86: serialising or not: a knob of the scenario */
	INSN_DSB,	   /* Arm: completes the maintenance this CPU did, for all others */
	INSN_FENCE,	   /* Arm: a barrier that orders accesses and no more */
	INSN_CACHE,	   /* Arm: cache maintenance, (maintenance) says which */
	INSN_BREAKPOINT,   /* the one that is patched in: x86 INT3 of one byte, BRK, BKPT */
	INSN_EXCEPTION,	   /* Arm: SVC, HVC, SMC: the entry synchronises, not the instruction */
	INSN_IO,	   /* x86: IN, OUT, INS, OUTS */
	INSN_WAIT,	   /* HLT; WFI, WFE */
	INSN_UNDEFINED,	   /* UD2, UDF; Arm: whatever is allocated to nothing, of known length */
	INSN_INVALID,	   /* x86: not an instruction; all: not all of one */
};

/* What an INSN_CACHE does to instruction fetches (Arm ARM D7.5, "Cache support"; E2.5.3). */
enum insn_maintenance {
	MAINTAIN_NOTHING,	 /* not what a fetch depends on, or by set and way */
	MAINTAIN_CLEAN,		 /* the data of a line, to the point of unification at least */
	MAINTAIN_INVALIDATE,	 /* the instructions of a line, in the inner shareable domain */
	MAINTAIN_INVALIDATE_OWN, /* every instruction, of this CPU only */
	MAINTAIN_INVALIDATE_ALL, /* every instruction, in the inner shareable domain */
};

/*
 * General registers by their numbers in the encoding. x86: 0 RAX, 1 RCX ... 15
 * R15, 4 the stack pointer. A64: 0 to 30, and 31 for the current SP. T32: 0 to
 * 15. An operand that is XZR is INSN_NO_REGISTER: the value 0.
 */
#define INSN_COPY_FROM	 6u /* RSI: REACH_COPY */
#define INSN_COPY_TO	 7u /* RDI */
#define INSN_NO_REGISTER 0xffu

struct insn {
	uint8_t length;	 /* bytes; 0 when invalid */
	uint8_t operand; /* INSN_CACHE of a line: the register that holds an address in it */
	enum insn_class class;
	enum insn_maintenance maintenance;
};

struct cs_insn;
struct insn_isa;

struct insn_decoder {
	const struct insn_isa *isa;
	size_t plain; /* Capstone handles: without and with operands */
	size_t detailed;
	struct cs_insn *insn; /* scratch, one per handle */
	struct cs_insn *detail;
};

/*
 * Start decoding (isa): x86_64, A64 or T32. ERR_UNSUPPORTED for another,
 * ERR_HOST when Capstone does not start; (d) then holds nothing.
 * insn_fini() frees, and is safe on a zeroed struct. Not for two threads at once.
 */
bool insn_init(struct insn_decoder *d, enum cm_isa isa, struct err *e);
void insn_fini(struct insn_decoder *d);

/* The number of the stack pointer: 4, 31 or 13. */
uint8_t insn_stack_pointer(const struct insn_decoder *d);
/* The number of the register that a call leaves its return address in: 30, 14 or INSN_NO_REGISTER. */
uint8_t insn_link_register(const struct insn_decoder *d);

/*
 * The instruction at the start of the (size) bytes, which lie at (address). In
 * an IT block (T32) an instruction is conditional, which its bytes do not say:
 * class and length hold there, what insn_access() says of flow does not. So IT
 * itself is REACH_OTHER, and whoever asks about an instruction behind it has to
 * look at ITSTATE first.
 */
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
	REACH_OWN,    /* registers, and the stack by x86's push, pop, call and ret */
	REACH_MEMORY, /* one explicit operand, at the address below */
	REACH_COPY,   /* x86 MOVS: read where RSI points, written where (base), RDI, does */
	REACH_OTHER,  /* I/O, interruptibility, synchronising, several operands, anything unknown */
};

enum insn_flow {
	FLOW_NEXT,
	FLOW_JUMP,   /* direct, to (target) */
	FLOW_CALL,   /* direct, to (target) */
	FLOW_BRANCH, /* direct and conditional, to (target) or on */
	FLOW_RETURN, /* to what (link) holds, or a word of the stack */
	FLOW_OTHER,  /* indirect */
};

/* Of which part of an index register the address is computed, before it is scaled. */
enum insn_extend { EXTEND_NONE, EXTEND_UXTW, EXTEND_SXTW };

struct insn_access {
	enum insn_reach reach;
	enum insn_flow flow;
	uint8_t length;
	bool repeats;	     /* a string instruction with a REP prefix: several steps */
	bool stack_known;    /* what it adds to the stack pointer is (stack) */
	int32_t stack;	     /* bytes */
	uint32_t writes;     /* general registers it may write, by number; not the stack pointer */
	uint8_t link;	     /* FLOW_RETURN: the register with the address; INSN_NO_REGISTER: */
	uint8_t return_at;   /* it is this many bytes above the stack pointer, */
	uint8_t return_size; /* 8 bytes, or 4 of which bit 0 is none of the address */
	uint64_t target;
	uint8_t base; /* INSN_NO_REGISTER: none */
	uint8_t index;
	uint8_t scale;
	enum insn_extend extend;
	uint8_t size;	      /* of the operand, in bytes; both of a pair, all of a list */
	bool write;	      /* the operand may be written */
	bool segment;	      /* the address is relative to the per-CPU segment (x86: GS) */
	int64_t displacement; /* operands relative to the PC: the whole address */
};

struct insn_access insn_access(struct insn_decoder *d, const uint8_t *bytes, size_t size,
			       uint64_t address);

/* What an index register that holds (value) adds to the address of (a). */
uint64_t insn_index(const struct insn_access *a, uint64_t value);

/*
 * x86: does a WRMSR with (rcx) in RCX serialise? Not where either manual says
 * that it need not, Intel's (SDM vol 3, "Serializing Instructions") or AMD's
 * (APM vol 2, 7.6). The upper half of RCX is ignored (SDM vol 2, WRMSR).
 */
bool insn_wrmsr_serialises(uint64_t rcx);

/* Is it a jump, conditional or not, or a call, whose target is in the bytes? Then (*target). */
bool insn_direct_target(struct insn_decoder *d, const uint8_t *bytes, size_t size, uint64_t address,
			uint64_t *target);

#endif
