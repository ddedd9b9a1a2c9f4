// SPDX-License-Identifier: BSD-2-Clause
/* test_vector.c - names and kinds of exceptions, x86's and Arm's. */
#include "image/vector.h"

#include <string.h>

#include <criterion/criterion.h>

static const struct {
	uint32_t isa;
	uint64_t vector;
	const char *name; /* NULL: none */
	bool breakpoint, fault;
	uint64_t trap; /* of what returns to 0x1000 */
} table[] = {
	{ CM_ISA_X86_64, 2, "NMI", false, false, 0x1000 },
	{ CM_ISA_X86_64, 3, "#BP", true, false, 0xfff },
	{ CM_ISA_X86_64, 6, "#UD", false, false, 0x1000 },
	{ CM_ISA_X86_64, 14, "#PF", false, true, 0x1000 },
	{ CM_ISA_X86_64, CM_VECTOR_IPI, "IPI", false, false, 0x1000 },
	{ CM_ISA_X86_64, 0x20, NULL, false, false, 0x1000 },
	{ CM_ISA_A64, 0, "undefined instruction", false, false, 0x1000 },
	{ CM_ISA_A64, CM_VECTOR_NMI, "FIQ", false, false, 0x1000 },
	{ CM_ISA_A64, 3, NULL, false, false, 0x1000 },
	{ CM_ISA_A64, 0x20, "instruction abort", false, true, 0x1000 },
	{ CM_ISA_A64, 0x22, "PC alignment fault", false, false, 0x1000 },
	{ CM_ISA_T32, 0x24, "data abort", false, true, 0x1000 },
	{ CM_ISA_T32, 0x38, "BKPT", true, false, 0x1000 },
	{ CM_ISA_A64, 0x3c, "BRK", true, false, 0x1000 },
	{ CM_ISA_A64, CM_VECTOR_IPI, "IRQ", false, false, 0x1000 },
	{ CM_ISA_A64, CM_VECTOR_SERROR, "SError", false, false, 0x1000 },
	{ CM_ISA_A64, 1000, NULL, false, false, 0x1000 },
};

Test(vector, names_and_kinds)
{
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		uint32_t isa = table[i].isa;
		uint64_t vector = table[i].vector;
		const char *name = vector_name(isa, vector);

		cr_expect(table[i].name ? name && !strcmp(name, table[i].name) : !name, "%zu: %s",
			  i, name ? name : "none");
		cr_expect_eq(vector_is_breakpoint(isa, vector), table[i].breakpoint, "%zu", i);
		cr_expect_eq(vector_is_fault(isa, vector), table[i].fault, "%zu", i);
		cr_expect_eq(vector_trap_address(isa, vector, 0x1000), table[i].trap, "%zu", i);
	}
	cr_expect_str_eq(vector_nmi_name(CM_ISA_T32), "FIQ");
	cr_expect_str_eq(vector_ipi_name(CM_ISA_X86_64), "IPI");
}
