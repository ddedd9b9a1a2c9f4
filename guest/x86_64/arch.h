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

/* What trap.c asks of a frame: whose exception it is, and how to go on. */
static inline bool cm_is_user_call(const struct cm_frame *f, const uint8_t *user_call)
{
	return f->vector == 6 && f->ip == (uint64_t)user_call;
}

static inline uint64_t cm_user_call_function(const struct cm_frame *f)
{
	return f->di;
}

static inline uint64_t cm_user_call_argument(const struct cm_frame *f)
{
	return f->si;
}

static inline void cm_user_call_return(struct cm_frame *f)
{
	f->ip += 2;
}

static inline bool cm_is_patch_trap(const struct cm_frame *f)
{
	return f->vector == 3 || f->vector == 6;
}

static inline uint64_t cm_outcome_value(const struct cm_frame *f)
{
	return f->ax;
}

static inline uint64_t cm_outcome_pad(const struct cm_frame *f)
{
	return f->dx;
}

static inline uint64_t cm_fault_address(const struct cm_frame *f)
{
	uint64_t address = 0;

	if (f->vector == 14)
		__asm__ volatile("movq %%cr2, %0" : "=r"(address));
	return address;
}

/* Go on at (ip) in the kernel, interrupts on. */
static inline void cm_frame_to_kernel(struct cm_frame *f, uint64_t ip, uint64_t sp)
{
	f->ip = ip;
	f->cs = CM_CS_KERNEL;
	f->ss = CM_SS_KERNEL;
	f->sp = sp;
	f->flags = CM_FLAGS_IF | 2;
}

/* Go on where cm_execute() takes what a trap has ended, with (value). */
static inline void cm_frame_recover(struct cm_frame *f, uint64_t ip, uint64_t sp, uint64_t value)
{
	f->ip = ip;
	f->sp = sp;
	f->ax = value;
	f->dx = 0;
}

static inline bool cm_old_is_breakpoint(const struct cm_site *site)
{
	return site->old_bytes[0] == CM_INT3;
}

static inline uint32_t cm_chunk(const struct cm_site *site)
{
	(void)site;
	return 1;
}

/* Can the kernel's own code execute the site? */
static inline bool cm_can_execute(const struct cm_site *site)
{
	(void)site;
	return true;
}

/* What cm_execute() is called with. */
static inline uint64_t cm_entry(const struct cm_site *site)
{
	return site->text;
}

/* One store of exactly this width, aligned or not. */
static inline void cm_store16(uint64_t address, uint16_t value)
{
	__asm__ volatile("movw %1, (%0)" ::"r"(address), "r"(value) : "memory");
}

static inline void cm_store32(uint64_t address, uint32_t value)
{
	__asm__ volatile("movl %1, (%0)" ::"r"(address), "r"(value) : "memory");
}

static inline void cm_store64(uint64_t address, uint64_t value)
{
	__asm__ volatile("movq %1, (%0)" ::"r"(address), "r"(value) : "memory");
}

/*
 * Locked read-modify-write of a 32-bit variable; the value before. A full
 * memory barrier, but not serialising.
 */
static inline uint32_t cm_cmpxchg32(uint32_t *variable, uint32_t from, uint32_t to)
{
	__atomic_compare_exchange_n(variable, &from, to, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
	return from;
}

static inline uint32_t cm_fetch_and32(uint32_t *variable, uint32_t mask)
{
	return __atomic_fetch_and(variable, mask, __ATOMIC_SEQ_CST);
}

static inline uint32_t cm_fetch_or32(uint32_t *variable, uint32_t mask)
{
	return __atomic_fetch_or(variable, mask, __ATOMIC_SEQ_CST);
}

static inline uint32_t cm_fetch_add32(uint32_t *variable, uint32_t value)
{
	return __atomic_fetch_add(variable, value, __ATOMIC_SEQ_CST);
}

/* Compare and exchange a byte of a site: (from) becomes (to). Locked; whether it was (from). */
struct cm_poke;
bool cm_text8_cmpxchg(const struct cm_poke *poke, uint32_t offset, uint8_t from, uint8_t to);

/* Caches of instructions follow stores by themselves (SDM vol 3, 12.6). */
static inline void cm_flush(const struct cm_poke *poke, uint32_t offset, uint32_t length)
{
	(void)poke;
	(void)offset;
	(void)length;
}

static inline struct cm_cpu *cm_this_cpu(void)
{
	struct cm_cpu *cpu;

	__asm__("movq %%gs:0, %0" : "=r"(cpu));
	return cpu;
}

/* The word is cleared, lest whom it was about tells states apart for nothing. */
static inline void cm_door(uint32_t word)
{
	__asm__ volatile("outb %b0, %1\n\txorl %0, %0"
			 : "+a"(word)
			 : "N"(CM_DOORBELL_PORT)
			 : "cc", "memory");
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

/* SERIALIZE (SDM vol 2), where CPUID.7.0:EDX[14] says that there is one; by its bytes, for old assemblers. */
static inline void cm_serialize(void)
{
	__asm__ volatile(".byte 0x0f, 0x01, 0xe8" ::: "memory");
}

/*
 * The time-stamp counter, read neither before earlier instructions have
 * completed nor after later ones have begun (SDM vol 2, RDTSC, LFENCE).
 */
static inline uint64_t cm_cycles(void)
{
	uint32_t low, high;

	__asm__ volatile("lfence; rdtsc; lfence" : "=a"(low), "=d"(high)::"memory");
	return (uint64_t)high << 32 | low;
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

/* No call from CPL3 is for maintenance: caches are coherent. */
static inline bool cm_maintain_for_user(uint64_t function, uint64_t address)
{
	(void)function;
	(void)address;
	return false;
}

#endif
