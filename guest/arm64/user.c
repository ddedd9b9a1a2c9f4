// SPDX-License-Identifier: BSD-2-Clause
/*
 * user.c - into EL0: A64 goes on with the same image, T32 with the executor
 * that is built for it (guest/t32/).
 */
#include "guest/kernel.h"

extern const uint8_t cm_executor_loop_t32[], cm_pausing_executor_t32[];
void cm_enter_a64(uint64_t entry, uint64_t sp, struct cm_cpu *cpu) __attribute__((noreturn));
void cm_enter_t32(const uint8_t *entry, uint64_t sp, struct cm_cpu *cpu, struct cm_control *control,
		  struct cm_counts *counts) __attribute__((noreturn));

void cm_enter_user(uint64_t entry, uint64_t sp, struct cm_cpu *cpu)
{
	const uint8_t *t32 = NULL;

	if (cpu->role == CM_ROLE_EXECUTOR)
		t32 = cm_executor_loop_t32;
	else if (cpu->role == CM_ROLE_PAUSING_EXECUTOR)
		t32 = cm_pausing_executor_t32;
	if (t32 && cm_control.site[0].isa == CM_ISA_T32)
		cm_enter_t32(t32, sp, cpu, &cm_control, &cm_counts[cpu->id]);
	cm_enter_a64(entry, sp, cpu);
}
