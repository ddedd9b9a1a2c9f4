// SPDX-License-Identifier: BSD-2-Clause
/*
 * gic.c - the interrupts of free runs, by the CPU interface of a GICv3 (IHI
 * 0069, 12.2) or GICv2 (IHI 0048, 4.4) that the host has set up: sent as SGIs,
 * acknowledged before anything else and ended last. Under a schedule nothing
 * here is reached.
 *
 * Acknowledged first, lest an interrupt that comes while the handler runs be
 * one with the one that it runs for. A FIQ comes again when its handler has
 * returned: that masks it.
 */
#include "guest/kernel.h"

#define GICD_SGIR 0xf00u
#define GICC_IAR  0x00cu /* of either group, as GICC_CTLR.AckCtl is set */
#define GICC_EOIR 0x010u

#define INTID_MASK 0xffffffu
#define INTID_NONE 1020u /* and the next three: nothing to acknowledge, any more or in this group */

/* What was acknowledged for the IRQ that a vCPU handles: they do not nest. */
static uint32_t gic_irq[CM_MAX_VCPUS];

void cm_gic_trap(struct cm_frame *frame);

/* Plain addressing: KVM, which may have to do it for us, is told of no other (DDI 0487, D17.2.37). */
static uint32_t load32(uint64_t address)
{
	uint32_t value;

	__asm__ volatile("ldr %w0, [%1]" : "=r"(value) : "r"(address) : "memory");
	return value;
}

static bool is_v2(void)
{
	return cm_control.irqchip == CM_IRQCHIP_GICV2;
}

/* The stores before it are seen by whoever it interrupts (as Linux, gic_ipi_send_mask()). */
void cm_apic_ipi(uint32_t target, uint32_t vector)
{
	bool fiq = vector == CM_VECTOR_NMI;
	uint64_t sgi = fiq ? CM_SGI_NMI : CM_SGI_IPI;

	cm_dsb();
	if (is_v2())
		cm_store32(CM_GICD_ADDRESS + GICD_SGIR, 1u << (16 + target) | (uint32_t)sgi);
	else if (fiq)
		__asm__ volatile("msr icc_sgi0r_el1, %0" ::"r"(sgi << 24 | 1ull << target));
	else
		__asm__ volatile("msr icc_sgi1r_el1, %0" ::"r"(sgi << 24 | 1ull << target));
	cm_sync_core();
}

static uint32_t acknowledge(bool fiq)
{
	uint64_t id;

	if (is_v2())
		return load32(CM_GICC_ADDRESS + GICC_IAR);
	if (fiq)
		__asm__ volatile("mrs %0, icc_iar0_el1" : "=r"(id)::"memory");
	else
		__asm__ volatile("mrs %0, icc_iar1_el1" : "=r"(id)::"memory");
	cm_dsb();
	return (uint32_t)id & INTID_MASK;
}

/* (id) as it was acknowledged: a GICv2's has the sender of an SGI in it. */
static void end(bool fiq, uint64_t id)
{
	if (is_v2())
		cm_store32(CM_GICC_ADDRESS + GICC_EOIR, (uint32_t)id);
	else if (fiq)
		__asm__ volatile("msr icc_eoir0_el1, %0" ::"r"(id) : "memory");
	else
		__asm__ volatile("msr icc_eoir1_el1, %0" ::"r"(id) : "memory");
	cm_sync_core();
}

void cm_apic_eoi(void)
{
	end(false, gic_irq[cm_cpu_id()]);
}

static bool is_none(uint32_t id)
{
	return (id & ~3u) == INTID_NONE;
}

static bool is_nmi(uint32_t id)
{
	id &= 0x3ff;
	return id == CM_SGI_NMI || id - CM_SPI_NMI < CM_MAX_VCPUS;
}

/*
 * cm_trap() of free runs: entry.S. One that is gone when we ask is none. What
 * was acknowledged counts: a GICv2 may give the NMI that has come since an IRQ
 * was taken, and is all the more urgent. The IRQ then comes again.
 */
void cm_gic_trap(struct cm_frame *frame)
{
	bool fiq = frame->vector == CM_VECTOR_NMI, nmi;
	uint32_t id;

	if (!fiq && frame->vector != CM_VECTOR_IPI) {
		cm_trap(frame);
		return;
	}
	id = acknowledge(fiq);
	if (is_none(id))
		return;
	nmi = is_nmi(id);
	frame->vector = nmi ? CM_VECTOR_NMI : CM_VECTOR_IPI;
	if (nmi)
		__asm__ volatile("msr daifset, #1" ::: "memory");
	else
		gic_irq[cm_cpu_id()] = id;
	cm_trap(frame);
	if (nmi)
		end(true, id);
}
