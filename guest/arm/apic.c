// SPDX-License-Identifier: BSD-2-Clause
/* apic.c - what free runs would need; they are refused before they start (vmm/arch/arm64/vm.c). */
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
