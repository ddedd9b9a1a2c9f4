// SPDX-License-Identifier: BSD-2-Clause
/* test_insn_a64.c - A64: classes, operands, flow and text of words that an assembler made. */
#include "test_insn_fixture.h"

#include <criterion/criterion.h>

#define AT 0x20001000u
#define SP 31

static void setup(void)
{
	static const struct insn_machine a64 = { CM_ISA_A64, AT, AT + 16, 30 };

	insn_fixture_init(&a64);
}

TestSuite(insn_a64, .init = setup, .fini = insn_fixture_fini);

static const struct insn_class_case classes[] = {
	{ "isb", 0xd5033fdf, INSN_SYNC },
	{ "isb #1", 0xd50331df, INSN_SYNC },
	{ "eret", 0xd69f03e0, INSN_EVENT_RETURN },
	{ "eretaa", 0xd69f0bff, INSN_EVENT_RETURN },
	{ "eretab", 0xd69f0fff, INSN_EVENT_RETURN },
	{ "drps", 0xd6bf03e0, INSN_UNDEFINED },
	{ "dsb sy", 0xd5033f9f, INSN_DSB },
	{ "dsb ish", 0xd5033b9f, INSN_DSB },
	{ "dsb osh", 0xd503339f, INSN_DSB },
	{ "dsb #8, which is sy", 0xd503389f, INSN_DSB },
	{ "dsb ishst", 0xd5033a9f, INSN_FENCE },
	{ "dsb ishld", 0xd503399f, INSN_FENCE },
	{ "dsb nsh", 0xd503379f, INSN_FENCE },
	{ "ssbb", 0xd503309f, INSN_FENCE },
	{ "pssbb", 0xd503349f, INSN_FENCE },
	{ "dmb ish", 0xd5033bbf, INSN_FENCE },
	{ "sb", 0xd50330ff, INSN_FENCE },
	{ "clrex", 0xd5033f5f, INSN_PLAIN },
	{ "svc #1", 0xd4000021, INSN_EXCEPTION },
	{ "hvc #2", 0xd4000042, INSN_EXCEPTION },
	{ "smc #3", 0xd4000063, INSN_EXCEPTION },
	{ "brk #0x123", 0xd4202460, INSN_BREAKPOINT },
	{ "hlt #1", 0xd4400020, INSN_UNDEFINED },
	{ "dcps1", 0xd4a00001, INSN_UNDEFINED },
	{ "udf #5", 0x00000005, INSN_UNDEFINED },
	{ "a barrier with a register", 0xd5033ca5, INSN_UNDEFINED },
	{ "allocated to nothing", 0x03000000, INSN_UNDEFINED },
	{ "wfi", 0xd503207f, INSN_WAIT },
	{ "wfe", 0xd503205f, INSN_WAIT },
	{ "sev", 0xd503209f, INSN_PLAIN },
	{ "yield", 0xd503203f, INSN_PLAIN },
	{ "nop", 0xd503201f, INSN_PLAIN },
	{ "tlbi vmalle1is", 0xd508831f, INSN_PLAIN },
	{ "msr vbar_el1, x0", 0xd518c000, INSN_PLAIN },
	{ "at s1e1r, x0", 0xd5087800, INSN_PLAIN },
	{ "dc zva, x5", 0xd50b7425, INSN_PLAIN },
	{ "ldadd w0, w1, [x2]", 0xb8200041, INSN_PLAIN },
	{ "cas x0, x1, [x2]", 0xc8a07c41, INSN_PLAIN },
	{ "retaa", 0xd65f0bff, INSN_PLAIN },
	{ "bl +16", 0x94000004, INSN_PLAIN },
};

Test(insn_a64, classes)
{
	insn_check_classes(classes, COUNT(classes));
}

Test(insn_a64, all_of_a_word_or_nothing)
{
	const uint8_t isb[] = { 0xdf, 0x3f, 0x03, 0xd5, 0xff, 0xff };

	for (size_t size = 0; size < 4; size++) {
		struct insn insn = insn_fixture_decode(isb, size);

		cr_expect_eq(insn.class, INSN_INVALID);
		cr_expect_eq(insn.length, 0);
	}
	cr_expect_eq(insn_fixture_decode(isb, sizeof(isb)).class, INSN_SYNC);
	cr_expect_eq(insn_fixture_stack_pointer(), SP);
}

static const struct insn_cache_case caches[] = {
	{ "dc cvau, x3", 0xd50b7b23, MAINTAIN_CLEAN, 3 },
	{ "dc cvac, x3", 0xd50b7a23, MAINTAIN_CLEAN, 3 },
	{ "dc civac, x4", 0xd50b7e24, MAINTAIN_CLEAN, 4 },
	{ "dc cvap, x4", 0xd50b7c24, MAINTAIN_CLEAN, 4 },
	{ "dc cvadp, x4", 0xd50b7d24, MAINTAIN_CLEAN, 4 },
	{ "dc cvau, xzr", 0xd50b7b3f, MAINTAIN_CLEAN, NONE },
	{ "ic ivau, x6", 0xd50b7526, MAINTAIN_INVALIDATE, 6 },
	{ "ic iallu", 0xd508751f, MAINTAIN_INVALIDATE_OWN, NONE },
	{ "ic ialluis", 0xd508711f, MAINTAIN_INVALIDATE_ALL, NONE },
	{ "dc ivac, x4", 0xd5087624, MAINTAIN_NOTHING, NONE },
	{ "dc csw, x5", 0xd5087a45, MAINTAIN_NOTHING, NONE },
	{ "dc cisw, x5", 0xd5087e45, MAINTAIN_NOTHING, NONE },
};

Test(insn_a64, cache_maintenance)
{
	insn_check_caches(caches, COUNT(caches));
}

static const struct insn_reach_case plain[] = {
	{ "add sp, sp, #32", 0x910083ff, REACH_OWN, FLOW_NEXT, 0, true, 32 },
	{ "sub sp, sp, #48", 0xd100c3ff, REACH_OWN, FLOW_NEXT, 0, true, -48 },
	{ "sub sp, sp, #1, lsl #12", 0xd14007ff, REACH_OWN, FLOW_NEXT, 0, true, -4096 },
	{ "add x0, sp, #16", 0x910043e0, REACH_OWN, FLOW_NEXT, W(0), true, 0 },
	{ "mov sp, x9", 0x9100013f, REACH_OWN, FLOW_NEXT, 0, false, 0 },
	{ "and sp, x9, #-16", 0x927ced3f, REACH_OWN, FLOW_NEXT, 0, false, 0 },
	{ "sub sp, sp, x9", 0xcb2963ff, REACH_OWN, FLOW_NEXT, 0, false, 0 },
	{ "cmp x0, #4", 0xf100101f, REACH_OWN, FLOW_NEXT, 0, true, 0 },
	{ "tst x0, #1", 0xf240001f, REACH_OWN, FLOW_NEXT, 0, true, 0 },
	{ "cmp w0, w1", 0x6b01001f, REACH_OWN, FLOW_NEXT, 0, true, 0 },
	{ "mov x7, #5", 0xd28000a7, REACH_OWN, FLOW_NEXT, W(7), true, 0 },
	{ "adrp x0, #4096", 0xb0000000, REACH_OWN, FLOW_NEXT, W(0), true, 0 },
	{ "mul x30, x1, x2", 0x9b027c3e, REACH_OWN, FLOW_NEXT, W(30), true, 0 },
	{ "csel x0, x1, x2, eq", 0x9a820020, REACH_OWN, FLOW_NEXT, W(0), true, 0 },
	{ "nop", 0xd503201f, REACH_OWN, FLOW_NEXT, 0, true, 0 },
	{ "bti c", 0xd503245f, REACH_OWN, FLOW_NEXT, 0, true, 0 },
	{ "paciasp", 0xd503233f, REACH_OWN, FLOW_NEXT, W(30) | W(17), true, 0 },
	{ "dmb ish", 0xd5033bbf, REACH_OWN, FLOW_NEXT, 0, true, 0 },
	{ "clrex", 0xd5033f5f, REACH_OWN, FLOW_NEXT, 0, true, 0 },
	{ "mrs x1, mpidr_el1", 0xd53800a1, REACH_OWN, FLOW_NEXT, W(1), true, 0 },
	{ "mrs x0, tpidr_el1", 0xd538d080, REACH_OWN, FLOW_NEXT, W(0), true, 0 },
	{ "mrs x0, currentel", 0xd5384240, REACH_OWN, FLOW_NEXT, W(0), true, 0 },
	{ "mrs x0, tpidr_el0", 0xd53bd040, REACH_OWN, FLOW_NEXT, W(0), true, 0 },
	{ "mrs x0, tpidrro_el0", 0xd53bd060, REACH_OWN, FLOW_NEXT, W(0), true, 0 },
	{ "b +16", 0x14000004, REACH_OWN, FLOW_JUMP, 0, true, 0 },
	{ "bl +16", 0x94000004, REACH_OWN, FLOW_CALL, W(30), true, 0 },
	{ "b.eq +16", 0x54000080, REACH_OWN, FLOW_BRANCH, 0, true, 0 },
	{ "cbz x0, +16", 0xb4000080, REACH_OWN, FLOW_BRANCH, 0, true, 0 },
	{ "cbnz w1, +16", 0x35000081, REACH_OWN, FLOW_BRANCH, 0, true, 0 },
	{ "tbz x0, #37, +16", 0xb6280080, REACH_OWN, FLOW_BRANCH, 0, true, 0 },
	{ "tbnz w0, #5, +16", 0x37280080, REACH_OWN, FLOW_BRANCH, 0, true, 0 },
	{ "ret", 0xd65f03c0, REACH_OWN, FLOW_RETURN, 0, true, 0 },
	{ "ret x5", 0xd65f00a0, REACH_OWN, FLOW_OTHER, 0, true, 0 },
	{ "retaa", 0xd65f0bff, REACH_OWN, FLOW_OTHER, 0, true, 0 },
	{ "br x3", 0xd61f0060, REACH_OWN, FLOW_OTHER, 0, true, 0 },
	{ "blr x4", 0xd63f0080, REACH_OWN, FLOW_OTHER, W(30), true, 0 },
	{ "prfm pldl1keep, [x0]", 0xf9800000, REACH_OWN, FLOW_NEXT, 0, true, 0 },
	{ "dsb ish", 0xd5033b9f, REACH_OTHER, FLOW_NEXT, 0, false, 0 },
	{ "isb", 0xd5033fdf, REACH_OTHER, FLOW_NEXT, 0, false, 0 },
	{ "eret", 0xd69f03e0, REACH_OTHER, FLOW_NEXT, 0, false, 0 },
	{ "svc #1", 0xd4000021, REACH_OTHER, FLOW_NEXT, 0, false, 0 },
	{ "wfi", 0xd503207f, REACH_OTHER, FLOW_NEXT, 0, false, 0 },
	{ "sev", 0xd503209f, REACH_OTHER, FLOW_NEXT, 0, false, 0 },
	{ "esb", 0xd503221f, REACH_OTHER, FLOW_NEXT, 0, false, 0 },
	{ "msr daifset, #2", 0xd50342df, REACH_OTHER, FLOW_NEXT, 0, false, 0 },
	{ "mrs x0, cntvct_el0", 0xd53be040, REACH_OTHER, FLOW_NEXT, 0, false, 0 },
	{ "msr sp_el0, x0", 0xd5184100, REACH_OTHER, FLOW_NEXT, 0, false, 0 },
	{ "tlbi vae1is, x7", 0xd5088327, REACH_OTHER, FLOW_NEXT, 0, false, 0 },
	{ "dc zva, x5", 0xd50b7425, REACH_OTHER, FLOW_NEXT, 0, false, 0 },
	{ "ldxr w0, [x1]", 0x885f7c20, REACH_OTHER, FLOW_NEXT, 0, false, 0 },
	{ "stlxr w2, x0, [x1]", 0xc802fc20, REACH_OTHER, FLOW_NEXT, 0, false, 0 },
	{ "ldr q0, [x1]", 0x3dc00020, REACH_OTHER, FLOW_NEXT, 0, false, 0 },
	{ "fmov d0, x1", 0x9e670020, REACH_OTHER, FLOW_NEXT, 0, false, 0 },
	{ "udf #5", 0x00000005, REACH_OTHER, FLOW_NEXT, 0, false, 0 },
};

Test(insn_a64, reach_flow_stack_and_registers)
{
	insn_check_reach(plain, COUNT(plain));
}

static const struct insn_operand_case operands[] = {
	{ "ldr x0, [x1]", 0xf9400020, { .base = 1, .index = NONE, .size = 8, .writes = W(0) } },
	{ "ldr x0, [x1, #16]",
	  0xf9400820,
	  { .base = 1, .index = NONE, .size = 8, .displacement = 16, .writes = W(0) } },
	{ "ldrb w0, [x1, #4]",
	  0x39401020,
	  { .base = 1, .index = NONE, .size = 1, .displacement = 4, .writes = W(0) } },
	{ "ldrh w0, [x1, #4]",
	  0x79400820,
	  { .base = 1, .index = NONE, .size = 2, .displacement = 4, .writes = W(0) } },
	{ "ldrsw x0, [x1, #4]",
	  0xb9800420,
	  { .base = 1, .index = NONE, .size = 4, .displacement = 4, .writes = W(0) } },
	{ "ldrsb x0, [x1, #4]",
	  0x39801020,
	  { .base = 1, .index = NONE, .size = 1, .displacement = 4, .writes = W(0) } },
	{ "str x0, [sp, #16]",
	  0xf9000be0,
	  { .base = SP, .index = NONE, .size = 8, .displacement = 16, .write = true } },
	{ "strb wzr, [x2]", 0x3900005f, { .base = 2, .index = NONE, .size = 1, .write = true } },
	{ "ldur x0, [x1, #-8]",
	  0xf85f8020,
	  { .base = 1, .index = NONE, .size = 8, .displacement = -8, .writes = W(0) } },
	{ "ldr x0, [x1, #16]!",
	  0xf8410c20,
	  { .base = 1, .index = NONE, .size = 8, .displacement = 16, .writes = W(0) | W(1) } },
	{ "ldr x0, [x1], #16",
	  0xf8410420,
	  { .base = 1, .index = NONE, .size = 8, .writes = W(0) | W(1) } },
	{ "str x0, [sp, #-16]!",
	  0xf81f0fe0,
	  { .base = SP,
	    .index = NONE,
	    .size = 8,
	    .displacement = -16,
	    .write = true,
	    .stack = -16 } },
	{ "str x30, [sp], #16",
	  0xf80107fe,
	  { .base = SP, .index = NONE, .size = 8, .write = true, .stack = 16 } },
	{ "ldp x29, x30, [sp], #16",
	  0xa8c17bfd,
	  { .base = SP, .index = NONE, .size = 16, .writes = W(29) | W(30), .stack = 16 } },
	{ "stp x29, x30, [sp, #-16]!",
	  0xa9bf7bfd,
	  { .base = SP,
	    .index = NONE,
	    .size = 16,
	    .displacement = -16,
	    .write = true,
	    .stack = -16 } },
	{ "stp w1, w2, [x3, #8]",
	  0x29010861,
	  { .base = 3, .index = NONE, .size = 8, .displacement = 8, .write = true } },
	{ "ldpsw x1, x2, [x3, #8]",
	  0x69410861,
	  { .base = 3, .index = NONE, .size = 8, .displacement = 8, .writes = W(1) | W(2) } },
	{ "ldnp x0, x1, [x2]",
	  0xa8400440,
	  { .base = 2, .index = NONE, .size = 16, .writes = W(0) | W(1) } },
	{ "ldr x0, [x1, x2]",
	  0xf8626820,
	  { .base = 1, .index = 2, .scale = 1, .size = 8, .writes = W(0) } },
	{ "ldr x0, [x1, x2, lsl #3]",
	  0xf8627820,
	  { .base = 1, .index = 2, .scale = 8, .size = 8, .writes = W(0) } },
	{ "ldr x0, [x1, w2, uxtw #3]",
	  0xf8625820,
	  { .base = 1, .index = 2, .scale = 8, .extend = EXTEND_UXTW, .size = 8, .writes = W(0) } },
	{ "str w0, [x1, w2, sxtw]",
	  0xb822c820,
	  { .base = 1, .index = 2, .scale = 1, .extend = EXTEND_SXTW, .size = 4, .write = true } },
	{ "ldr x0, [x1, x2, sxtx]",
	  0xf862e820,
	  { .base = 1, .index = 2, .scale = 1, .size = 8, .writes = W(0) } },
	{ "ldr x0, [x1, xzr]",
	  0xf87f6820,
	  { .base = 1, .index = NONE, .size = 8, .writes = W(0) } },
	{ "ldr x0, +16",
	  0x58000080,
	  { .base = NONE, .index = NONE, .size = 8, .displacement = AT + 16, .writes = W(0) } },
	{ "ldrsw x0, -4",
	  0x98ffffe0,
	  { .base = NONE, .index = NONE, .size = 4, .displacement = AT - 4, .writes = W(0) } },
	{ "ldar w0, [x1]", 0x88dffc20, { .base = 1, .index = NONE, .size = 4, .writes = W(0) } },
	{ "stlr w0, [x1]", 0x889ffc20, { .base = 1, .index = NONE, .size = 4, .write = true } },
	{ "sttr x0, [x1]", 0xf8000820, { .base = 1, .index = NONE, .size = 8, .write = true } },
	{ "cas x0, x1, [x2]",
	  0xc8a07c41,
	  { .base = 2, .index = NONE, .size = 8, .write = true, .writes = W(0) } },
	{ "casp x4, x5, x6, x7, [x2]",
	  0x48247c46,
	  { .base = 2, .index = NONE, .size = 16, .write = true, .writes = W(4) | W(5) } },
	{ "swp x0, x1, [x2]",
	  0xf8208041,
	  { .base = 2, .index = NONE, .size = 8, .write = true, .writes = W(1) } },
	{ "ldaddal x0, x1, [x2]",
	  0xf8e00041,
	  { .base = 2, .index = NONE, .size = 8, .write = true, .writes = W(1) } },
	{ "ldapr x0, [x1]", 0xf8bfc020, { .base = 1, .index = NONE, .size = 8, .writes = W(0) } },
};

Test(insn_a64, the_operand_in_memory)
{
	insn_check_operands(operands, COUNT(operands));
}

Test(insn_a64, an_index_is_extended_and_scaled)
{
	struct insn_access a = insn_fixture_access(0xf8627820); /* [x1, x2, lsl #3] */

	cr_expect_eq(insn_index(&a, 0x100000002), 0x800000010);
	a = insn_fixture_access(0xf8625820); /* [x1, w2, uxtw #3] */
	cr_expect_eq(insn_index(&a, 0x1fffffffe), 0x7fffffff0);
	a = insn_fixture_access(0xb822c820); /* [x1, w2, sxtw] */
	cr_expect_eq(insn_index(&a, 0x1fffffffe), (uint64_t)-2);
}

Test(insn_a64, direct_target)
{
	static const struct insn_target_case table[] = {
		{ 0x14000004, AT + 16 },
		{ 0x17ffffff, AT - 4 },
		{ 0x15ffffff, AT + 0x7fffffc },
		{ 0x96000000, AT - 0x8000000 },
		{ 0x54000081, AT + 16 },
		{ 0xb4ffffe0, AT - 4 },
		{ 0x36280080, AT + 16 },
		{ 0xb7ffffe0, AT - 4 },
		{ 0xd65f03c0, 0 },
		{ 0xd61f0060, 0 },
		{ 0xd503201f, 0 },
		{ 0x58000080, 0 },
	};

	insn_check_targets(table, COUNT(table));
}

Test(insn_a64, text)
{
	static const struct insn_text_case table[] = {
		{ 0x94000004, "bl #0x20001010" }, { 0xd503201f, "nop" },
		{ 0xd50b7526, "ic ivau, x6" },	  { 0x00000005, "udf #0x5" },
		{ 0x00000000, "udf #0" },	  { 0xd65f0bff, "(bad)" },
	};

	insn_check_texts(table, COUNT(table));
}
