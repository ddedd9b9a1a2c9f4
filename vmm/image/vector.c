// SPDX-License-Identifier: BSD-2-Clause
/* vector.c - x86's vectors (SDM vol 3, 6.3.1) and Arm's exception classes (DDI 0487, D17.2.37). */
#include "image/vector.h"
#include "image/isa.h"

#include <stddef.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const char *const x86_names[] = {
	[0] = "#DE",
	[1] = "#DB",
	[2] = "NMI",
	[3] = "#BP",
	[6] = "#UD",
	[8] = "#DF",
	[11] = "#NP",
	[12] = "#SS",
	[13] = "#GP",
	[14] = "#PF",
	[17] = "#AC",
	[18] = "#MC",
	[CM_VECTOR_IPI] = "IPI",
};

static const char *const arm_names[] = {
	[0x00] = "undefined instruction",
	[CM_VECTOR_NMI] = "FIQ",
	[0x07] = "FP access trap",
	[0x0e] = "illegal execution state",
	[0x11] = "SVC",
	[0x15] = "SVC",
	[0x18] = "system register trap",
	[0x20] = "instruction abort",
	[0x21] = "instruction abort",
	[0x22] = "PC alignment fault",
	[0x24] = "data abort",
	[0x25] = "data abort",
	[0x26] = "SP alignment fault",
	[0x38] = "BKPT",
	[0x3c] = "BRK",
	[CM_VECTOR_IPI] = "IRQ",
	[CM_VECTOR_SERROR] = "SError",
};

const char *vector_name(uint32_t isa, uint64_t vector)
{
	if (!isa_is_arm(isa))
		return vector < COUNT(x86_names) ? x86_names[vector] : NULL;
	return vector < COUNT(arm_names) ? arm_names[vector] : NULL;
}

const char *vector_nmi_name(uint32_t isa)
{
	return vector_name(isa, CM_VECTOR_NMI);
}

const char *vector_ipi_name(uint32_t isa)
{
	return vector_name(isa, CM_VECTOR_IPI);
}

bool vector_is_breakpoint(uint32_t isa, uint64_t vector)
{
	return !isa_is_arm(isa) ? vector == 3 : vector == 0x38 || vector == 0x3c;
}

bool vector_is_fault(uint32_t isa, uint64_t vector)
{
	return !isa_is_arm(isa) ? vector == 14 : vector >= 0x20 && vector <= 0x25 && vector != 0x22;
}

uint64_t vector_trap_address(uint32_t isa, uint64_t vector, uint64_t ip)
{
	return !isa_is_arm(isa) && vector == 3 ? ip - 1 : ip;
}
