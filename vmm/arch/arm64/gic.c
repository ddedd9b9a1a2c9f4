// SPDX-License-Identifier: BSD-2-Clause
/*
 * gic.c - KVM's interrupt controller for a free run, a GICv3 or else a GICv2,
 * with every register written from here: the guest only sends, acknowledges and
 * ends (guest/arm64/gic.c). Registers are IHI 0069's and IHI 0048's, attributes
 * those of Linux, Documentation/virt/kvm/devices/arm-vgic{,-v3}.rst.
 *
 * The NMI of this guest is what is in group 0: it comes as a FIQ, with the
 * higher priority, so that it gets through while an IRQ is being handled. For
 * each vCPU the host has an SPI of either group, edge-triggered: raised once it
 * is delivered once. PPIs will not do, KVM's are level-sensitive.
 */
#include "arm.h"

#define REDIST_ADDRESS 0x080a0000ull /* of GICv3, 128 KiB a vCPU */
#define INTERRUPTS     64u
#define GICV2_VCPUS    8u

/* The smaller the more urgent; distinct in the bits that every implementation has. */
#define PRIORITY_NMI 0x20u
#define PRIORITY_IPI 0xa0u
#define ALL4(byte)   ((byte)*0x01010101u)

#define GICD_CTLR	0x0000u
#define GICD_IIDR	0x0008u
#define GICD_IGROUPR	0x0080u
#define GICD_ISENABLER	0x0100u
#define GICD_IPRIORITYR 0x0400u
#define GICD_ITARGETSR	0x0800u
#define GICD_ICFGR	0x0c00u
#define GICD_IROUTER	0x6000u
#define GICR_SGI	0x10000u /* the frame with the registers of SGIs and PPIs */
#define CTLR_GROUPS	3u	 /* both enabled */
#define CTLR_ARE	0x10u
#define EDGE16		0xaaaaaaaau /* 16 interrupts in GICD_ICFGR */

#define GICC_CTLR	0x0000u
#define GICC_PMR	0x0004u
#define GICC_CTLR_ACK	4u    /* one register acknowledges either group: QEMU 7.2 has no other */
#define GICC_CTLR_FIQEN 8u    /* group 0 is signalled as FIQ */
#define GICC_PMR_ALL	0x1fu /* KVM takes the field of five bits for the register (arm-vgic.rst) */

/* Attributes of KVM_DEV_ARM_VGIC_GRP_CPU_SYSREGS: op0, op1, CRn, CRm, op2. */
#define SYSREG(op0, op1, n, m, op2) \
	((uint64_t)(op0) << 14 | (uint64_t)(op1) << 11 | (n) << 7 | (m) << 3 | (op2))
#define ICC_PMR_EL1	SYSREG(3, 0, 4, 6, 0)
#define ICC_IGRPEN0_EL1 SYSREG(3, 0, 12, 12, 6)
#define ICC_IGRPEN1_EL1 SYSREG(3, 0, 12, 12, 7)
#define ICC_PMR_ALL	0xffu

static bool set(struct vm *vm, uint32_t group, uint64_t attribute, const void *value, struct err *e)
{
	struct kvm_device_attr a = { .group = group, .attr = attribute, .addr = (uintptr_t)value };
	int errnum = kvm_try(vm->arch.gic, KVM_SET_DEVICE_ATTR, &a);

	return !errnum || err_sys(e, errnum, "KVM_SET_DEVICE_ATTR (%s, group %u, attribute %#llx)",
				  vm->arch.irqchip == CM_IRQCHIP_GICV3 ? "GICv3" : "GICv2", group,
				  (unsigned long long)attribute);
}

/* Both versions number vCPUs alike here: affinity 0, and the CPU interface. */
static uint64_t of_vcpu(uint32_t vcpu, uint64_t attribute)
{
	return (uint64_t)vcpu << 32 | attribute;
}

static bool set_dist(struct vm *vm, uint64_t attribute, uint32_t value, struct err *e)
{
	return set(vm, KVM_DEV_ARM_VGIC_GRP_DIST_REGS, attribute, &value, e);
}

static bool set_redist(struct vm *vm, uint32_t vcpu, uint32_t offset, uint32_t value, struct err *e)
{
	return set(vm, KVM_DEV_ARM_VGIC_GRP_REDIST_REGS, of_vcpu(vcpu, GICR_SGI + offset), &value,
		   e);
}

static bool set_sysreg(struct vm *vm, uint32_t vcpu, uint64_t sysreg, uint64_t value, struct err *e)
{
	return set(vm, KVM_DEV_ARM_VGIC_GRP_CPU_SYSREGS, of_vcpu(vcpu, sysreg), &value, e);
}

static bool set_interface(struct vm *vm, uint32_t vcpu, uint32_t offset, uint32_t value,
			  struct err *e)
{
	return set(vm, KVM_DEV_ARM_VGIC_GRP_CPU_REGS, of_vcpu(vcpu, offset), &value, e);
}

static bool has(struct vm *vm, uint32_t type)
{
	struct kvm_create_device test = { .type = type, .flags = KVM_CREATE_DEVICE_TEST };

	return !kvm_try(vm->fd, KVM_CREATE_DEVICE, &test);
}

bool arm_gic_create(struct vm *vm, struct err *e)
{
	uint64_t dist = CM_GICD_ADDRESS, redist = REDIST_ADDRESS, interface = CM_GICC_ADDRESS;
	uint32_t interrupts = INTERRUPTS;
	struct kvm_create_device device = { .type = KVM_DEV_TYPE_ARM_VGIC_V3 };
	bool v3 = has(vm, KVM_DEV_TYPE_ARM_VGIC_V3), ok;

	if (!v3)
		device.type = KVM_DEV_TYPE_ARM_VGIC_V2;
	if (!v3 && !has(vm, KVM_DEV_TYPE_ARM_VGIC_V2))
		return err_set(e, ERR_UNSUPPORTED,
			       "this KVM has neither a GICv3 nor a GICv2 for its guests: method "
			       "'free' cannot interrupt");
	if (!v3 && vm->vcpus > GICV2_VCPUS)
		return err_set(e, ERR_UNSUPPORTED,
			       "this KVM has a GICv2 for its guests, which serves %u vCPUs at most",
			       GICV2_VCPUS);
	if (!kvm_call(vm->fd, KVM_CREATE_DEVICE, &device, e))
		return false;
	vm->arch.gic = (int)device.fd;
	vm->arch.irqchip = v3 ? CM_IRQCHIP_GICV3 : CM_IRQCHIP_GICV2;
	if (v3)
		ok = set(vm, KVM_DEV_ARM_VGIC_GRP_ADDR, KVM_VGIC_V3_ADDR_TYPE_DIST, &dist, e) &&
		     set(vm, KVM_DEV_ARM_VGIC_GRP_ADDR, KVM_VGIC_V3_ADDR_TYPE_REDIST, &redist, e);
	else
		ok = set(vm, KVM_DEV_ARM_VGIC_GRP_ADDR, KVM_VGIC_V2_ADDR_TYPE_DIST, &dist, e) &&
		     set(vm, KVM_DEV_ARM_VGIC_GRP_ADDR, KVM_VGIC_V2_ADDR_TYPE_CPU, &interface, e);
	return ok && set(vm, KVM_DEV_ARM_VGIC_GRP_NR_IRQS, 0, &interrupts, e);
}

/* Where the SPI (intid) goes to. */
static bool route(struct vm *vm, uint32_t intid, uint32_t vcpu, struct err *e)
{
	if (vm->arch.irqchip == CM_IRQCHIP_GICV3)
		return set_dist(vm, GICD_IROUTER + 8ull * intid, vcpu, e) &&
		       set_dist(vm, GICD_IROUTER + 8ull * intid + 4, 0, e);
	return true;
}

/* GICv2: four interrupts' targets, a byte each, to a register. */
static bool set_targets(struct vm *vm, uint32_t first, struct err *e)
{
	for (uint32_t i = 0; i < CM_MAX_VCPUS; i += 4) {
		uint32_t targets = 0;

		for (uint32_t k = 0; k < 4 && i + k < vm->vcpus; k++)
			targets |= 1u << (i + k) << (8 * k);
		if (!set_dist(vm, GICD_ITARGETSR + first + i, targets, e))
			return false;
	}
	return true;
}

static bool set_priorities(struct vm *vm, uint32_t first, uint32_t priority, struct err *e)
{
	for (uint32_t i = 0; i < CM_MAX_VCPUS; i += 4)
		if (!set_dist(vm, GICD_IPRIORITYR + first + i, ALL4(priority), e))
			return false;
	return true;
}

static bool init_spis(struct vm *vm, struct err *e)
{
	uint32_t used = (1u << vm->vcpus) - 1;

	for (uint32_t i = 0; i < vm->vcpus; i++)
		if (!route(vm, CM_SPI_NMI + i, i, e) || !route(vm, CM_SPI_IPI + i, i, e))
			return false;
	if (vm->arch.irqchip == CM_IRQCHIP_GICV2 &&
	    !(set_targets(vm, CM_SPI_NMI, e) && set_targets(vm, CM_SPI_IPI, e)))
		return false;
	return set_priorities(vm, CM_SPI_NMI, PRIORITY_NMI, e) &&
	       set_priorities(vm, CM_SPI_IPI, PRIORITY_IPI, e) &&
	       set_dist(vm, GICD_ICFGR + CM_SPI_NMI / 4, EDGE16, e) &&
	       set_dist(vm, GICD_ICFGR + CM_SPI_IPI / 4, EDGE16, e) &&
	       set_dist(vm, GICD_IGROUPR + 4, 0xffffu << (CM_SPI_IPI - 32), e) &&
	       set_dist(vm, GICD_ISENABLER + 4,
			used << (CM_SPI_NMI - 32) | used << (CM_SPI_IPI - 32), e);
}

/* Of the SGIs, which each vCPU has its own registers for. */
#define SGI_GROUPS     (1u << CM_SGI_IPI)
#define SGI_ENABLED    (1u << CM_SGI_IPI | 1u << CM_SGI_NMI)
#define SGI_PRIORITIES (PRIORITY_IPI << 8 * CM_SGI_IPI | PRIORITY_NMI << 8 * CM_SGI_NMI)

static bool init_vcpu_v3(struct vm *vm, uint32_t i, struct err *e)
{
	return set_redist(vm, i, GICD_IGROUPR, SGI_GROUPS, e) &&
	       set_redist(vm, i, GICD_IPRIORITYR, SGI_PRIORITIES, e) &&
	       set_redist(vm, i, GICD_ISENABLER, SGI_ENABLED, e) &&
	       set_sysreg(vm, i, ICC_PMR_EL1, ICC_PMR_ALL, e) &&
	       set_sysreg(vm, i, ICC_IGRPEN0_EL1, 1, e) && set_sysreg(vm, i, ICC_IGRPEN1_EL1, 1, e);
}

static bool init_vcpu_v2(struct vm *vm, uint32_t i, struct err *e)
{
	return set_dist(vm, of_vcpu(i, GICD_IGROUPR), SGI_GROUPS, e) &&
	       set_dist(vm, of_vcpu(i, GICD_IPRIORITYR), SGI_PRIORITIES, e) &&
	       set_dist(vm, of_vcpu(i, GICD_ISENABLER), SGI_ENABLED, e) &&
	       set_interface(vm, i, GICC_PMR, GICC_PMR_ALL, e) &&
	       set_interface(vm, i, GICC_CTLR, CTLR_GROUPS | GICC_CTLR_ACK | GICC_CTLR_FIQEN, e);
}

/* A GICv2's groups may be written once its IIDR has been: that says who writes knows of them. */
static bool unlock_groups(struct vm *vm, struct err *e)
{
	uint32_t iidr = 0;
	struct kvm_device_attr a = { .group = KVM_DEV_ARM_VGIC_GRP_DIST_REGS,
				     .attr = GICD_IIDR,
				     .addr = (uintptr_t)&iidr };

	return kvm_call(vm->arch.gic, KVM_GET_DEVICE_ATTR, &a, e) &&
	       set_dist(vm, GICD_IIDR, iidr, e);
}

bool arm_gic_init(struct vm *vm, struct err *e)
{
	bool v3 = vm->arch.irqchip == CM_IRQCHIP_GICV3;

	if (!set(vm, KVM_DEV_ARM_VGIC_GRP_CTRL, KVM_DEV_ARM_VGIC_CTRL_INIT, NULL, e) ||
	    (!v3 && !unlock_groups(vm, e)) || !init_spis(vm, e))
		return false;
	for (uint32_t i = 0; i < vm->vcpus; i++)
		if (!(v3 ? init_vcpu_v3 : init_vcpu_v2)(vm, i, e))
			return false;
	return set_dist(vm, GICD_CTLR, v3 ? CTLR_ARE | CTLR_GROUPS : CTLR_GROUPS, e);
}

struct kvm_irq_level arm_gic_line(uint32_t vcpu, enum event_kind kind)
{
	return (struct kvm_irq_level){
		.irq = KVM_ARM_IRQ_TYPE_SPI << KVM_ARM_IRQ_TYPE_SHIFT |
		       ((kind == EVENT_NMI ? CM_SPI_NMI : CM_SPI_IPI) + vcpu),
		.level = 1,
	};
}

enum cm_irqchip vm_irqchip(const struct vm *vm)
{
	return vm->arch.irqchip;
}

bool vm_raise(struct vm *vm, uint32_t vcpu, enum event_kind kind, struct err *e)
{
	struct kvm_irq_level line = arm_gic_line(vcpu, kind);

	return kvm_call(vm->fd, KVM_IRQ_LINE, &line, e);
}
