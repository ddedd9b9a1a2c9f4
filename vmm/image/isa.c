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

uint32_t isa_chunk(uint32_t isa)
{
	return isa == CM_ISA_T32 ? 2 : isa_is_arm(isa) ? 4 : 1;
}
