/* SPDX-License-Identifier: BSD-2-Clause */
/* x86_64/arch.h - the trap frame and the instructions C has no word for. */
#ifndef CM_X86_64_ARCH_H
#define CM_X86_64_ARCH_H

#include <stdbool.h>
#include <stdint.h>

#include "guest/abi.h"

/* As entry.S pushes it; ip and above by the processor. */
struct cm_frame {
	uint64_t r15, r14, r13, r12, r11, r10, r9, r8;
	uint64_t bp, di, si, dx, cx, bx, ax;
	uint64_t vector, error;
	uint64_t ip, cs, flags, sp, ss;
};

#define CM_FLAGS_IF  0x200u
#define CM_CS_KERNEL 0x08u
#define CM_SS_KERNEL 0x10u
#define CM_SS_USER   0x1bu
#define CM_CS_USER   0x23u

#define CM_ISA	CM_ISA_X86_64
#define CM_INT3 0xccu

/* The instruction pointer #BP pushes is the byte after INT3 (SDM vol 3, 6.15). */
static inline uint64_t cm_trap_address(const struct cm_frame *f)
{
	return f->vector == 3 ? f->ip - 1 : f->ip;
}

/* One instruction as a #BP hook can do it in its place: emulate.c. */
struct cm_emulation {
	int32_t displacement;
	uint8_t length;
	uint8_t opcode; /* Jcc rel32 goes as Jcc rel8, a NOP as a jump to what comes next */
};

/* What (bytes) do: CALL, JMP, Jcc, RET, INT3, Linux's NOP of 2 or 5. False: none of them. */
bool cm_emulation_of(const uint8_t *bytes, uint32_t length, struct cm_emulation *e);

/*
 * Do it for the instruction at (ip): changes the frame's instruction pointer
 * and, as CALL and RET do, the interrupted stack. From CPL0 the frame would be
 * in the way of a push: entry.S leaves a gap. False: it is an INT3, not ours to do.
 */
bool cm_emulate(const struct cm_emulation *e, uint64_t ip, struct cm_frame *f);

static inline struct cm_cpu *cm_this_cpu(void)
{
	struct cm_cpu *cpu;

	__asm__("movq %%gs:0, %0" : "=r"(cpu));
	return cpu;
}

static inline void cm_door(uint8_t reason)
{
	__asm__ volatile("outb %0, %1" ::"a"(reason), "N"(CM_DOORBELL_PORT) : "memory");
}

static inline void cm_irq_on(void)
{
	__asm__ volatile("sti" ::: "memory");
}

static inline void cm_irq_off(void)
{
	__asm__ volatile("cli" ::: "memory");
}

static inline void cm_pause(void)
{
	__asm__ volatile("pause" ::: "memory");
}

/* x86 stores are not reordered with older stores (SDM vol 3, 8.2.2); for the compiler only. */
static inline void cm_wmb(void)
{
	__asm__ volatile("" ::: "memory");
}

/* LFENCE: later loads wait for earlier ones. Not serialising, and says nothing of fetches. */
static inline void cm_rmb(void)
{
	__asm__ volatile("lfence" ::: "memory");
}

static inline void cm_mb(void)
{
	__asm__ volatile("mfence" ::: "memory");
}

/*
 * A serialising instruction (SDM vol 3, "Serializing Instructions"): IRET to
 * the next instruction, which works at every privilege level and is what
 * Linux's sync_core() uses. Also unmasks NMIs, as any IRET does.
 */
static inline void cm_sync_core(void)
{
	uint64_t tmp;

	__asm__ volatile("movl %%ss, %k0\n\t"
			 "pushq %0\n\t"
			 "pushq %%rsp\n\t"
			 "addq $8, (%%rsp)\n\t"
			 "pushfq\n\t"
			 "movl %%cs, %k0\n\t"
			 "pushq %0\n\t"
			 "leaq 1f(%%rip), %0\n\t"
			 "pushq %0\n\t"
			 "iretq\n"
			 "1:"
			 : "=&r"(tmp)
			 :
			 : "cc", "memory");
}

/* The same by CPUID, which leaves NMIs masked: for NMI handlers. */
static inline void cm_sync_core_cpuid(void)
{
	uint32_t a = 0, b, c = 0, d;

	__asm__ volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d)::"memory");
}

/* The time stamp counter, whose rate the host knows. Not ordered with what surrounds it. */
static inline uint64_t cm_ticks(void)
{
	uint32_t low, high;

	__asm__ volatile("rdtsc" : "=a"(low), "=d"(high)::"memory");
	return (uint64_t)high << 32 | low;
}

static inline void cm_wrmsr(uint32_t msr, uint64_t value)
{
	__asm__ volatile("wrmsr" ::"c"(msr), "a"((uint32_t)value), "d"((uint32_t)(value >> 32))
			 : "memory");
}

#endif
