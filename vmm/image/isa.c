// SPDX-License-Identifier: BSD-2-Clause
/* isa.c - names. Decodes nothing: that is insn.c's. */
#include "image/isa.h"

const char *const isa_names[ISA_NAMES] = { "x86_64", "a64", "t32", "a32" };

const char *isa_name(uint32_t isa)
{
	return isa >= CM_ISA_X86_64 && isa <= CM_ISA_A32 ? isa_names[isa - CM_ISA_X86_64] : "?";
}

bool isa_is_arm(uint32_t isa)
{
	return isa == CM_ISA_A64 || isa == CM_ISA_T32 || isa == CM_ISA_A32;
}

const char *isa_level(uint32_t isa, uint32_t cpl)
{
	if (isa_is_arm(isa))
		return cpl ? "EL0" : "EL1";
	return cpl ? "CPL 3" : "CPL 0";
}

const char *isa_irqchip_name(enum cm_irqchip irqchip)
{
	switch (irqchip) {
	case CM_IRQCHIP_XAPIC:
		return "xapic";
	case CM_IRQCHIP_X2APIC:
		return "x2apic";
	case CM_IRQCHIP_GICV2:
		return "gicv2";
	case CM_IRQCHIP_GICV3:
		return "gicv3";
	default:
		return "none";
	}
}

uint32_t isa_chunk(uint32_t isa)
{
	return isa == CM_ISA_T32 ? 2 : isa_is_arm(isa) ? 4 : 1;
}
