/* SPDX-License-Identifier: BSD-2-Clause */
/* kernel.h - what the guest's own files share and protocols do not see. */
#ifndef CM_KERNEL_H
#define CM_KERNEL_H

#include "guest/protocol.h"

/* Returned by cm_execute() in (value) when a trap ended the execution: recorded already. */
#define CM_VALUE_TRAPPED 0xdead00000000dead

/* Calls from CPL3, by the undefined instruction at cm_user_call; from EL0 by SVC, which has more. */
enum cm_user_function { CM_USER_DONE = 1, CM_USER_IPI = 2 };

extern struct cm_cpu cm_cpu[CM_MAX_VCPUS];
extern struct cm_counts cm_counts[CM_MAX_VCPUS];
extern struct cm_patches cm_patches;
extern uint8_t cm_stacks[CM_MAX_VCPUS * CM_STACKS * CM_STACK_SIZE];
extern const struct cm_abi cm_abi;

/* main.c */
void cm_start(struct cm_cpu *cpu);
void cm_play(struct cm_cpu *cpu);

/* executor.c: (cpu), (control) and (counts) by pointer, so that it runs in a host thread too. */
void cm_executor_loop(struct cm_cpu *cpu, struct cm_control *control, struct cm_counts *counts);
/* The same for who has other things to do: its own pauses, under no schedule. */
void cm_pausing_executor(struct cm_cpu *cpu, struct cm_control *control, struct cm_counts *counts);
void cm_execute_once(struct cm_cpu *cpu);
void cm_record(struct cm_counts *counts, const struct cm_event *event);

/* entry.S */
struct cm_outcome {
	uint64_t value;
	uint64_t pad;
};
struct cm_outcome cm_execute(struct cm_cpu *cpu, uint64_t text);
static inline bool cm_is_new(const struct cm_site *s, struct cm_outcome o)
{
	return o.value == s->value_new && o.pad == s->pad_new;
}
static inline bool cm_is_old(const struct cm_site *s, struct cm_outcome o)
{
	return o.value == s->value_old && o.pad == s->pad_old;
}
uint64_t cm_user_function(uint64_t function, uint64_t argument);
void cm_enter_user(uint64_t entry, uint64_t sp, struct cm_cpu *cpu) __attribute__((noreturn));
void cm_idle(void) __attribute__((noreturn));
extern const uint8_t cm_user_call[], cm_vectors[], cm_vectors_stepped[], cm_selfcheck[];

/* <isa>/survey.c, where there is one: the loop of the vCPU's role */
void cm_survey_play(struct cm_cpu *cpu) __attribute__((weak));

/* <isa>/: by the interrupt controller, in free runs only. */
void cm_apic_ipi(uint32_t target, uint32_t vector);
void cm_apic_eoi(void);

/* trap.c */
void cm_trap(struct cm_frame *frame);
/* (vector): CM_VECTOR_IPI or CM_VECTOR_NMI. */
void cm_ipi_now(uint32_t mask, uint32_t vector);

#endif
