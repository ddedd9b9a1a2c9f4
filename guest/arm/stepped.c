// SPDX-License-Identifier: BSD-2-Clause
/*
 * stepped.c - this kernel runs under a schedule only (vmm/arch/arm64/vm.c refuses
 * free runs): no interrupt controller, and atomic operations by the host.
 */
#include "guest/kernel.h"

void cm_apic_ipi(uint32_t target, uint32_t vector)
{
	(void)target;
	(void)vector;
	cm_this_cpu()->assert_line = __LINE__;
	cm_door(CM_DOOR_ASSERT);
}

void cm_apic_eoi(void)
{
	cm_apic_ipi(0, 0);
}

uint32_t cm_atomic(enum cm_atomic_op op, uint32_t *variable, uint32_t operand, uint32_t compare)
{
	return cm_atomic_by_host(op, variable, operand, compare);
}
