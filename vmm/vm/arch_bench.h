/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * arch_bench.h - the bare KVM operations that crossmod's layers are measured
 * against: what a program of a few dozen lines would do, and nothing more.
 *
 * One backend is linked in, as for arch.h. Not for runs: no workaround of any
 * quirk is applied here.
 */
#ifndef CROSSMOD_ARCH_BENCH_H
#define CROSSMOD_ARCH_BENCH_H

#include <stdbool.h>
#include <stdint.h>

#include "vm/arch.h"
#include "base/err.h"
#include "image/image.h"

/* Can a thread of this process execute the machine code of (isa)? */
bool bare_native(uint32_t isa);

/* Is there an instruction that serialises and does nothing else (x86: SERIALIZE)? */
bool bare_serialize(void);

/* The clock that the guest's loops take times by, as this processor has it. */
uint64_t bare_cycles(void);

/*
 * Step (v), which stays in privileged plain code, (count) times by KVM_RUN
 * alone, its complete state loaded and stored in each. It may be stepped by
 * vcpu_step() before and after. ERR_UNSUPPORTED without KVM_CAP_SYNC_REGS.
 */
bool bare_steps(struct vcpu *v, uint32_t count, struct err *e);

/* bare.c: wait, burning the processor, until (*counter) is not (seen); false after 2 s. */
bool bare_wait(const uint64_t *counter, uint64_t seen);

/* The one ioctl that sends an NMI to a running vCPU of a VM_FREE. 0 or errno. */
int bare_nmi(struct vm *vm, uint32_t vcpu);

/*
 * bare.c: send (count) of them, each after the one before has advanced
 * (*counter). ERR_HOST when one does not within 2 s.
 */
bool bare_nmis(struct vm *vm, uint32_t vcpu, const uint64_t *counter, uint32_t count,
	       struct err *e);

/*
 * Create a VM_STEPPED's like for (image) and run vCPU 0 to its first doorbell.
 * For a child process that ends soon: nothing is closed or freed.
 */
bool bare_start(const struct image *image, uint32_t vcpus, struct err *e);

#endif
