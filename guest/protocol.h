/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * protocol.h - everything a patch routine may use, and all it has to define.
 *
 * A protocol is one file under protocols/ (or in a folder of your own, built
 * by `make guest PROTOCOLS=dir`) with the routine, its trap, IPI and NMI
 * hooks, and one CM_PROTOCOL() line per variant. The same machine code runs
 * in every method; nothing here knows whether it is being stepped.
 *
 *	CM_PROTOCOL(naive, "head, then tail, no synchronisation", .patch = naive_patch);
 */
#ifndef CM_PROTOCOL_H
#define CM_PROTOCOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "guest/abi.h"
#include "guest/arch.h"

/* One change of one site: its bytes go from (from) to (to). */
struct cm_poke {
	struct cm_site *site;
	const uint8_t *from;
	const uint8_t *to;
	uint32_t length;
};

struct cm_protocol {
	/* Change (count) sites, in ascending address order. On return the change is promised. */
	void (*patch)(const struct cm_poke *poke, uint32_t count);
	/* On vCPU 0, once, before any role starts. */
	void (*prepare)(void);
	/*
	 * A breakpoint or undefined-instruction trap that is not the kernel's
	 * own, interrupts off. True: handled, execution goes on at the frame's
	 * instruction pointer. False, or no hook: an unhandled trap.
	 */
	bool (*trapped)(struct cm_frame *frame);
	/* The IPI of cm_ipi(), interrupts off; without a hook: cm_sync_notified(). */
	void (*notified)(struct cm_frame *frame);
	/* In the NMI handler, before the NMI body runs any site. */
	void (*nmi)(struct cm_frame *frame);
	/* Called on every turn of cm_relax(), that is of any wait loop. */
	void (*spin)(void);
	/*
	 * On a vCPU that comes up late, interrupts off, before it runs any site
	 * and, unless the hook calls cm_set_online() itself, before it is online.
	 */
	void (*cpu_online)(void);
	/*
	 * On an executor between two rounds over the sites: its role is inside
	 * none of them, as after a voluntary context switch. (over): that was
	 * the last round.
	 */
	void (*quiescent)(bool over);
	/* For the routine's own use: what distinguishes the variants of one file. */
	uint32_t variant;
};

/* Register a protocol. The names are the registry: a duplicate is a link error. */
#define CM_PROTOCOL(name, summary, ...)                                 \
	extern const char cm_summary_##name[];                          \
	extern const struct cm_protocol cm_protocol_##name;             \
	const char cm_summary_##name[] __attribute__((used)) = summary; \
	const struct cm_protocol cm_protocol_##name __attribute__((used)) = { __VA_ARGS__ }

/*
 * The protocol executes instructions out of line: each site gets a bypass, room
 * for a copy of it and an INT3 behind that. What CPUs may fetch of a bypass is
 * under the same rules as what they may fetch of a site.
 */
#define CM_BYPASS(name)                     \
	extern const char cm_bypass_##name; \
	const char cm_bypass_##name __attribute__((used)) = 1

/*
 * Arm: the protocol patches sites of one instruction set, t32 or a64. Without
 * this it patches both.
 */
#define CM_ONLY(isa, name)                        \
	extern const char cm_only_##isa##_##name; \
	const char cm_only_##isa##_##name __attribute__((used)) = 1

/*
 * A point in the routine with a symbol of its own, "file.step", for scenarios
 * ("until": "int3_fixup.tail") and traces. Costs no instruction. The function
 * must be CM_ROUTINE, so that the compiler makes one copy of it.
 */
#define CM_STEP(name) __asm__ volatile(".globl \"" name "\"\n\"" name "\":" ::: "memory")
#define CM_ROUTINE    __attribute__((noinline))

/* The variant of the protocol that runs, and the control block. */
extern struct cm_control cm_control;
const struct cm_protocol *cm_protocol(void);

/* This vCPU's number, and how many there are. */
uint32_t cm_cpu_id(void);
static inline uint32_t cm_cpus(void)
{
	return cm_control.vcpus;
}

/* vCPUs that take part now, as a mask; and the same without the caller. */
static inline uint32_t cm_online(void)
{
	return *(volatile uint32_t *)&cm_control.online;
}

/* The caller takes part from here on. */
void cm_set_online(void);

static inline uint32_t cm_others(void)
{
	return cm_online() & ~(1u << cm_cpu_id());
}

/* Single loads and stores of exactly this width, in program order. */
#define CM_READ(x)     (*(const volatile __typeof__(x) *)&(x))
#define CM_WRITE(x, v) (*(volatile __typeof__(x) *)&(x) = (v))

/* Stores to a site through its writable alias: (offset) bytes behind its head. */
void cm_poke8(const struct cm_poke *poke, uint32_t offset, uint8_t value);
void cm_poke16(const struct cm_poke *poke, uint32_t offset, uint16_t value);
void cm_poke32(const struct cm_poke *poke, uint32_t offset, uint32_t value);

/*
 * The whole site with one store of eight bytes: the aligned quadword that it
 * lies in or, where it crosses one, the eight bytes from its head on. What is
 * not the site's is stored as it is. (poke->length) is at most 8.
 */
void cm_poke_quadword(const struct cm_poke *poke);

/*
 * The head is the first byte, the tail the rest: one store each (a tail of 4 bytes is one dword).
 * T32: a halfword each. A64: the head is all there is.
 */
void cm_poke_head(const struct cm_poke *poke);
void cm_poke_tail(const struct cm_poke *poke);

/*
 * The site is as it was before the poke, and no CPU was shown the new form:
 * the poke is taken back, and its return promises nothing. For a routine that
 * can fail; at most once a poke, by the patcher.
 */
void cm_withdraw(const struct cm_poke *poke);

/* Where the bypass of (site) is executed, and a store to it (offset) bytes behind its start. */
uint64_t cm_bypass(const struct cm_site *site);
void cm_bypass8(const struct cm_site *site, uint32_t offset, uint8_t value);

/* A byte of a site as it stands in memory, through the alias. A load from (text) sees the same. */
uint8_t cm_text8(const struct cm_poke *poke, uint32_t offset);

/*
 * By the architecture (arch.h): cm_flush(poke, offset, length), what has to
 * follow stores to the site's bytes from (offset) on before a CPU that then
 * synchronises is sure to fetch them (x86: nothing; Arm: clean the data cache,
 * invalidate the instruction cache, line by line); atomic read-modify-writes of a 32-bit
 * variable, cm_cmpxchg32(), cm_fetch_and32(), cm_fetch_or32() and
 * cm_fetch_add32(), each returning the value before; barriers, cm_sync_core(),
 * interrupts off and on.
 */

/*
 * The patcher starts the routine over, its steps so far undone: counted as one
 * retry of this call of patch(), at full speed only. Not for a handler.
 */
void cm_retry(void);

/* One turn of a wait loop. */
void cm_relax(void);

/*
 * The other user of a breakpoint: a probe on every site whose old form is one, there all
 * the time. True: it was its breakpoint, and execution goes on behind the site.
 */
bool cm_foreign_probe(struct cm_frame *frame);

/*
 * Execute every site once, here, judged as anybody's execution is: what a
 * routine's own path does that is patchable code. Not at CPL3.
 */
void cm_run_sites(void);

/* Send the IPI to the vCPUs of (mask); returns at once. */
void cm_ipi(uint32_t mask);

/*
 * Send an NMI to the vCPUs of (mask), which may have the caller's own bit;
 * returns at once. It comes when it comes, as the IPI does, and cannot be told
 * from any other NMI. At CPL0 only.
 */
void cm_nmi(uint32_t mask);

/*
 * on_each_cpu(sync_core, wait): every online vCPU serialises, then
 * acknowledges; returns when all have. Interrupts must be on.
 */
void cm_sync_all(void);
/* The receiving half: serialise if asked, then acknowledge. */
void cm_sync_notified(struct cm_frame *frame);

#endif
