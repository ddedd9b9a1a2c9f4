// SPDX-License-Identifier: BSD-2-Clause
/* apic.c - IPIs by the local APIC, x2APIC or xAPIC as the host set it up (SDM vol 3, 10.6, 10.12). */
#include "guest/kernel.h"

#define XAPIC_BASE     0xfee00000u
#define XAPIC_EOI      0x0b0u
#define XAPIC_ICR_LOW  0x300u
#define XAPIC_ICR_HIGH 0x310u
#define X2APIC_EOI     0x80bu
#define X2APIC_ICR     0x830u
#define ICR_NMI	       0x400u /* delivery mode; the vector is ignored */
#define ICR_ASSERT     0x4000u
#define ICR_BUSY       0x1000u

static volatile uint32_t *xapic(uint32_t reg)
{
	return (volatile uint32_t *)(uintptr_t)(XAPIC_BASE + reg);
}

void cm_apic_ipi(uint32_t target, uint32_t vector)
{
	uint32_t what = vector == CM_VECTOR_NMI ? ICR_NMI : vector;

	if (cm_control.irqchip == CM_IRQCHIP_X2APIC) {
		/* WRMSR to the ICR is not serialising (10.12.3): order the stores before it. */
		cm_mb();
		cm_wrmsr(X2APIC_ICR, (uint64_t)target << 32 | ICR_ASSERT | what);
		return;
	}
	while (*xapic(XAPIC_ICR_LOW) & ICR_BUSY)
		cm_pause();
	*xapic(XAPIC_ICR_HIGH) = target << 24;
	*xapic(XAPIC_ICR_LOW) = ICR_ASSERT | what;
}

void cm_apic_eoi(void)
{
	if (cm_control.irqchip == CM_IRQCHIP_X2APIC)
		cm_wrmsr(X2APIC_EOI, 0);
	else
		*xapic(XAPIC_EOI) = 0;
}
