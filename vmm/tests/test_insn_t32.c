// SPDX-License-Identifier: BSD-2-Clause
/* test_insn_t32.c - T32: classes, operands, flow and text of halfwords that an assembler made. */
#include "test_insn_fixture.h"

#include <criterion/criterion.h>

#define AT 0x20001002u /* at 2 modulo 4, where half of the 32-bit instructions are */

enum { SP = 13, LR = 14 };

static void setup(void)
{
	static const struct insn_machine t32 = { CM_ISA_T32, AT, AT + 4 + 16, LR };

	insn_fixture_init(&t32);
}

TestSuite(insn_t32, .init = setup, .fini = insn_fixture_fini);

static const struct insn_class_case classes[] = {
	{ "isb sy", 0xf3bf8f6f, INSN_SYNC },
	{ "mcr p15, 0, r0, c7, c5, 4", 0xee070f95, INSN_SYNC },
	{ "subs pc, lr, #4", 0xf3de8f04, INSN_EVENT_RETURN },
	{ "eret", 0xf3de8f00, INSN_EVENT_RETURN },
	{ "rfeia r0", 0xe990c000, INSN_EVENT_RETURN },
	{ "rfeia sp!", 0xe9bdc000, INSN_EVENT_RETURN },
	{ "rfedb r1", 0xe811c000, INSN_EVENT_RETURN },
	{ "dsb sy", 0xf3bf8f4f, INSN_DSB },
	{ "dsb ish", 0xf3bf8f4b, INSN_DSB },
	{ "dsb osh", 0xf3bf8f43, INSN_DSB },
	{ "mcr p15, 0, r0, c7, c10, 4", 0xee070f9a, INSN_DSB },
	{ "dsb ishst", 0xf3bf8f4a, INSN_FENCE },
	{ "dsb ishld", 0xf3bf8f49, INSN_FENCE },
	{ "dsb nsh", 0xf3bf8f47, INSN_FENCE },
	{ "ssbb", 0xf3bf8f40, INSN_FENCE },
	{ "pssbb", 0xf3bf8f44, INSN_FENCE },
	{ "dmb ish", 0xf3bf8f5b, INSN_FENCE },
	{ "mcr p15, 0, r0, c7, c10, 5", 0xee070fba, INSN_FENCE },
	{ "sb", 0xf3bf8f70, INSN_FENCE },
	{ "clrex", 0xf3bf8f2f, INSN_PLAIN },
	{ "svc #1", 0xdf01, INSN_EXCEPTION },
	{ "hvc #2", 0xf7e08002, INSN_EXCEPTION },
	{ "smc #1", 0xf7f18000, INSN_EXCEPTION },
	{ "bkpt #3", 0xbe03, INSN_BREAKPOINT },
	{ "udf #4", 0xde04, INSN_UNDEFINED },
	{ "udf.w #5", 0xf7f0a005, INSN_UNDEFINED },
	{ "allocated to nothing", 0xffffffff, INSN_UNDEFINED },
	{ "wfe", 0xbf20, INSN_WAIT },
	{ "wfi", 0xbf30, INSN_WAIT },
	{ "wfi.w", 0xf3af8003, INSN_WAIT },
	{ "sev", 0xbf40, INSN_PLAIN },
	{ "yield", 0xbf10, INSN_PLAIN },
	{ "nop", 0xbf00, INSN_PLAIN },
	{ "nop.w", 0xf3af8000, INSN_PLAIN },
	{ "it eq", 0xbf08, INSN_PLAIN },
	{ "cps #19", 0xf3af8113, INSN_PLAIN },
	{ "msr cpsr_c, r0", 0xf3808100, INSN_PLAIN },
	{ "mcr p15, 0, r0, c8, c7, 0", 0xee080f17, INSN_PLAIN },
	{ "mcr p14, 0, r0, c7, c5, 1", 0xee070e35, INSN_PLAIN },
	{ "bl", 0xf000f808, INSN_PLAIN },
	{ "b.w", 0xf000b808, INSN_PLAIN },
	{ "beq.w", 0xf00080c8, INSN_PLAIN },
};

Test(insn_t32, classes)
{
	insn_check_classes(classes, COUNT(classes));
}

Test(insn_t32, all_of_one_or_nothing)
{
	const uint8_t isb[] = { 0xbf, 0xf3, 0x6f, 0x8f, 0x00, 0xbf };

	for (size_t size = 0; size < 4; size++) {
		struct insn insn = insn_fixture_decode(isb, size);

		cr_expect_eq(insn.class, INSN_INVALID);
		cr_expect_eq(insn.length, 0);
	}
	cr_expect_eq(insn_fixture_decode(isb, sizeof(isb)).class, INSN_SYNC);
	cr_expect_eq(insn_fixture_decode(isb + 4, 2).length, 2);
	cr_expect_eq(insn_fixture_decode(isb + 4, 1).length, 0);
	cr_expect_eq(insn_fixture_stack_pointer(), SP);
}

static const struct insn_cache_case caches[] = {
	{ "DCCMVAU r3", 0xee073f3b, MAINTAIN_CLEAN, 3 },
	{ "DCCMVAC r3", 0xee073f3a, MAINTAIN_CLEAN, 3 },
	{ "DCCIMVAC r3", 0xee073f3e, MAINTAIN_CLEAN, 3 },
	{ "ICIMVAU r3", 0xee073f35, MAINTAIN_INVALIDATE, 3 },
	{ "ICIALLU", 0xee070f15, MAINTAIN_INVALIDATE_OWN, NONE },
	{ "ICIALLUIS", 0xee070f11, MAINTAIN_INVALIDATE_ALL, NONE },
	{ "BPIALL", 0xee070fd5, MAINTAIN_NOTHING, NONE },
	{ "BPIMVA r0", 0xee070ff5, MAINTAIN_NOTHING, NONE },
	{ "BPIALLIS", 0xee070fd1, MAINTAIN_NOTHING, NONE },
	{ "DCIMVAC r2", 0xee072f36, MAINTAIN_NOTHING, NONE },
	{ "DCCSW r2", 0xee072f5a, MAINTAIN_NOTHING, NONE },
};

Test(insn_t32, cache_maintenance)
{
	insn_check_caches(caches, COUNT(caches));
}

static const struct insn_reach_case plain[] = {
	{ "add sp, #16", 0xb004, REACH_OWN, FLOW_NEXT, 0, true, 16 },
	{ "sub sp, #16", 0xb084, REACH_OWN, FLOW_NEXT, 0, true, -16 },
	{ "sub.w sp, sp, #256", 0xf5ad7d80, REACH_OWN, FLOW_NEXT, 0, true, -256 },
	{ "mov sp, r7", 0x46bd, REACH_OWN, FLOW_NEXT, 0, false, 0 },
	{ "add r0, sp, #16", 0xa804, REACH_OWN, FLOW_NEXT, W(0), true, 0 },
	{ "movs r0, #1", 0x2001, REACH_OWN, FLOW_NEXT, W(0), true, 0 },
	{ "mov r8, r9", 0x46c8, REACH_OWN, FLOW_NEXT, W(8), true, 0 },
	{ "movw r0, #0x1234", 0xf2412034, REACH_OWN, FLOW_NEXT, W(0), true, 0 },
	{ "movt r0, #0x1234", 0xf2c12034, REACH_OWN, FLOW_NEXT, W(0), true, 0 },
	{ "adds r0, r1, r2", 0x1888, REACH_OWN, FLOW_NEXT, W(0), true, 0 },
	{ "cmp r0, #1", 0x2801, REACH_OWN, FLOW_NEXT, 0, true, 0 },
	{ "lsls r0, r1, #2", 0x0088, REACH_OWN, FLOW_NEXT, W(0), true, 0 },
	{ "umull r0, r1, r2, r3", 0xfba20103, REACH_OWN, FLOW_NEXT, W(0) | W(1), true, 0 },
	{ "bfi r0, r1, #1, #2", 0xf3610042, REACH_OWN, FLOW_NEXT, W(0), true, 0 },
	{ "nop", 0xbf00, REACH_OWN, FLOW_NEXT, 0, true, 0 },
	{ "nop.w", 0xf3af8000, REACH_OWN, FLOW_NEXT, 0, true, 0 },
	{ "dmb ish", 0xf3bf8f5b, REACH_OWN, FLOW_NEXT, 0, true, 0 },
	{ "pld [r0]", 0xf890f000, REACH_OWN, FLOW_NEXT, 0, true, 0 },
	{ "b", 0xe008, REACH_OWN, FLOW_JUMP, 0, true, 0 },
	{ "b.w", 0xf000b808, REACH_OWN, FLOW_JUMP, 0, true, 0 },
	{ "beq", 0xd008, REACH_OWN, FLOW_BRANCH, 0, true, 0 },
	{ "beq.w", 0xf0008008, REACH_OWN, FLOW_BRANCH, 0, true, 0 },
	{ "cbz r0", 0xb140, REACH_OWN, FLOW_BRANCH, 0, true, 0 },
	{ "cbnz r1", 0xb941, REACH_OWN, FLOW_BRANCH, 0, true, 0 },
	{ "bl", 0xf000f808, REACH_OWN, FLOW_CALL, W(LR), true, 0 },
	{ "blx", 0xf000e808, REACH_OWN, FLOW_OTHER, W(LR), true, 0 },
	{ "bx lr", 0x4770, REACH_OWN, FLOW_RETURN, 0, true, 0 },
	{ "mov pc, lr", 0x46f7, REACH_OWN, FLOW_RETURN, 0, true, 0 },
	{ "bx r3", 0x4718, REACH_OWN, FLOW_OTHER, 0, true, 0 },
	{ "blx r4", 0x47a0, REACH_OWN, FLOW_OTHER, W(LR), true, 0 },
	{ "mov pc, r3", 0x469f, REACH_OWN, FLOW_OTHER, 0, true, 0 },
	{ "add pc, r3", 0x449f, REACH_OWN, FLOW_OTHER, 0, true, 0 },
	{ "tbb [pc, r0]", 0xe8dff000, REACH_OTHER, FLOW_NEXT, 0, false, 0 },
	{ "it eq", 0xbf08, REACH_OTHER, FLOW_NEXT, 0, false, 0 },
	{ "sev", 0xbf40, REACH_OTHER, FLOW_NEXT, 0, false, 0 },
	{ "dsb ish", 0xf3bf8f4b, REACH_OTHER, FLOW_NEXT, 0, false, 0 },
	{ "isb", 0xf3bf8f6f, REACH_OTHER, FLOW_NEXT, 0, false, 0 },
	{ "svc #1", 0xdf01, REACH_OTHER, FLOW_NEXT, 0, false, 0 },
	{ "cpsid i", 0xb672, REACH_OTHER, FLOW_NEXT, 0, false, 0 },
	{ "mrs r0, cpsr", 0xf3ef8000, REACH_OTHER, FLOW_NEXT, 0, false, 0 },
	{ "msr cpsr_c, r0", 0xf3808100, REACH_OTHER, FLOW_NEXT, 0, false, 0 },
	{ "mrc p15, 0, r0, c13, c0, 3", 0xee1d0f70, REACH_OWN, FLOW_NEXT, W(0), true, 0 },
	{ "mrc p15, 0, r1, c5, c0, 1", 0xee151f30, REACH_OWN, FLOW_NEXT, W(1), true, 0 },
	{ "mcr p15, 0, r1, c6, c0, 2", 0xee061f50, REACH_OWN, FLOW_NEXT, 0, true, 0 },
	{ "mrs r5, lr_abt", 0xf3e48530, REACH_OWN, FLOW_NEXT, W(5), true, 0 },
	{ "mrs r6, spsr_abt", 0xf3f48630, REACH_OWN, FLOW_NEXT, W(6), true, 0 },
	{ "mrs r11, spsr", 0xf3ff8b00, REACH_OWN, FLOW_NEXT, W(11), true, 0 },
	{ "msr lr_abt, r5", 0xf3858430, REACH_OWN, FLOW_NEXT, 0, true, 0 },
	{ "msr sp_usr, r2", 0xf3828520, REACH_OWN, FLOW_NEXT, 0, true, 0 },
	{ "msr spsr_fsxc, r11", 0xf39b8f00, REACH_OWN, FLOW_NEXT, 0, true, 0 },
	{ "mcr p15, 0, r0, c13, c0, 3", 0xee0d0f70, REACH_OTHER, FLOW_NEXT, 0, false, 0 },
	{ "mrc p15, 0, r0, c1, c0, 0", 0xee110f10, REACH_OTHER, FLOW_NEXT, 0, false, 0 },
	{ "mrc p15, 0, apsr_nzcv, c5, c0, 1", 0xee15ff30, REACH_OTHER, FLOW_NEXT, 0, false, 0 },
	{ "mcr p15, 0, r0, c7, c11, 1", 0xee070f3b, REACH_OTHER, FLOW_NEXT, 0, false, 0 },
	{ "mrrc p15, 1, r0, r1, c14", 0xec510f1e, REACH_OTHER, FLOW_NEXT, 0, false, 0 },
	{ "cps #19", 0xf3af8113, REACH_OTHER, FLOW_NEXT, 0, false, 0 },
	{ "srsdb sp!, #19", 0xe82dc013, REACH_OTHER, FLOW_NEXT, 0, false, 0 },
	{ "ldrex r0, [r1]", 0xe8510f00, REACH_OTHER, FLOW_NEXT, 0, false, 0 },
	{ "strex r2, r0, [r1]", 0xe8410200, REACH_OTHER, FLOW_NEXT, 0, false, 0 },
	{ "vldr d0, [r0]", 0xed900b00, REACH_OTHER, FLOW_NEXT, 0, false, 0 },
	{ "bxj r1", 0xf3c18f00, REACH_OTHER, FLOW_NEXT, 0, false, 0 },
};

Test(insn_t32, reach_flow_stack_and_registers)
{
	insn_check_reach(plain, COUNT(plain));
}

static const struct insn_operand_case operands[] = {
	{ "ldr r0, [r1, #4]",
	  0x6848,
	  { .base = 1, .index = NONE, .size = 4, .displacement = 4, .writes = W(0) } },
	{ "ldr r0, [sp, #4]",
	  0x9801,
	  { .base = SP, .index = NONE, .size = 4, .displacement = 4, .writes = W(0) } },
	{ "str r0, [sp, #4]",
	  0x9001,
	  { .base = SP, .index = NONE, .size = 4, .displacement = 4, .write = true } },
	{ "str.w r0, [r1, #256]",
	  0xf8c10100,
	  { .base = 1, .index = NONE, .size = 4, .displacement = 256, .write = true } },
	{ "str r0, [r1, #-4]",
	  0xf8410c04,
	  { .base = 1, .index = NONE, .size = 4, .displacement = -4, .write = true } },
	{ "ldrb r0, [r1]", 0x7808, { .base = 1, .index = NONE, .size = 1, .writes = W(0) } },
	{ "strh r0, [r1]", 0x8008, { .base = 1, .index = NONE, .size = 2, .write = true } },
	{ "ldrsh r0, [r1, r2]",
	  0x5e88,
	  { .base = 1, .index = 2, .scale = 1, .size = 2, .writes = W(0) } },
	{ "strb r0, [r1, r2]",
	  0x5488,
	  { .base = 1, .index = 2, .scale = 1, .size = 1, .write = true } },
	{ "ldr.w r0, [r1, r2, lsl #2]",
	  0xf8510022,
	  { .base = 1, .index = 2, .scale = 4, .size = 4, .writes = W(0) } },
	{ "ldr r0, [r1], #4",
	  0xf8510b04,
	  { .base = 1, .index = NONE, .size = 4, .writes = W(0) | W(1) } },
	{ "ldr r0, [r1, #4]!",
	  0xf8510f04,
	  { .base = 1, .index = NONE, .size = 4, .displacement = 4, .writes = W(0) | W(1) } },
	{ "str lr, [sp, #-4]!",
	  0xf84ded04,
	  { .base = SP,
	    .index = NONE,
	    .size = 4,
	    .displacement = -4,
	    .write = true,
	    .stack = -4 } },
	{ "ldr r0, [sp], #8",
	  0xf85d0b08,
	  { .base = SP, .index = NONE, .size = 4, .writes = W(0), .stack = 8 } },
	{ "ldrd r0, r1, [r2, #8]",
	  0xe9d20102,
	  { .base = 2, .index = NONE, .size = 8, .displacement = 8, .writes = W(0) | W(1) } },
	{ "strd r0, r1, [r2], #8",
	  0xe8e20102,
	  { .base = 2, .index = NONE, .size = 8, .write = true, .writes = W(2) } },
	{ "lda r0, [r1]", 0xe8d10faf, { .base = 1, .index = NONE, .size = 4, .writes = W(0) } },
	{ "stl r0, [r1]", 0xe8c10faf, { .base = 1, .index = NONE, .size = 4, .write = true } },
	/* PC is that of the next word but one, or of the one before where it lies between two. */
	{ "ldr r0, [pc, #16]",
	  0x4804,
	  { .base = NONE, .index = NONE, .size = 4, .displacement = AT + 2 + 16, .writes = W(0) } },
	{ "ldr.w r0, [pc, #-16]",
	  0xf85f0010,
	  { .base = NONE, .index = NONE, .size = 4, .displacement = AT + 2 - 16, .writes = W(0) } },
	{ "push {r4, lr}",
	  0xb510,
	  { .base = SP,
	    .index = NONE,
	    .size = 8,
	    .displacement = -8,
	    .write = true,
	    .stack = -8 } },
	{ "push.w {r0, lr}",
	  0xe92d4001,
	  { .base = SP,
	    .index = NONE,
	    .size = 8,
	    .displacement = -8,
	    .write = true,
	    .stack = -8 } },
	{ "pop {r4, r7}",
	  0xbc90,
	  { .base = SP, .index = NONE, .size = 8, .writes = W(4) | W(7), .stack = 8 } },
	{ "pop {r4, pc}",
	  0xbd10,
	  { .flow = FLOW_RETURN,
	    .base = SP,
	    .index = NONE,
	    .size = 8,
	    .writes = W(4),
	    .stack = 8,
	    .return_at = 4 } },
	{ "pop.w {r4-r8, pc}",
	  0xe8bd81f0,
	  { .flow = FLOW_RETURN,
	    .base = SP,
	    .index = NONE,
	    .size = 24,
	    .writes = 0x1f0,
	    .stack = 24,
	    .return_at = 20 } },
	{ "ldr pc, [sp], #4",
	  0xf85dfb04,
	  { .flow = FLOW_RETURN, .base = SP, .index = NONE, .size = 4, .stack = 4 } },
	{ "ldr pc, [r1], #4",
	  0xf851fb04,
	  { .flow = FLOW_OTHER, .base = 1, .index = NONE, .size = 4, .writes = W(1) } },
	{ "ldr pc, [r0]", 0xf8d0f000, { .flow = FLOW_OTHER, .base = 0, .index = NONE, .size = 4 } },
	{ "ldm r3, {r0, pc}",
	  0xe8938001,
	  { .flow = FLOW_OTHER,
	    .base = 3,
	    .index = NONE,
	    .size = 8,
	    .writes = W(0),
	    .return_at = 4 } },
	{ "ldm r0!, {r1, r2}",
	  0xc806,
	  { .base = 0, .index = NONE, .size = 8, .writes = W(0) | W(1) | W(2) } },
	{ "stm r0!, {r1, r2}",
	  0xc006,
	  { .base = 0, .index = NONE, .size = 8, .write = true, .writes = W(0) } },
	{ "ldmdb r3, {r0, r1}",
	  0xe9130003,
	  { .base = 3, .index = NONE, .size = 8, .displacement = -8, .writes = W(0) | W(1) } },
};

Test(insn_t32, the_operand_in_memory)
{
	insn_check_operands(operands, COUNT(operands));
}

Test(insn_t32, direct_target)
{
	static const struct insn_target_case table[] = {
		{ 0xe008, AT + 4 + 16 },
		{ 0xe7f6, AT + 4 - 20 },
		{ 0xd0fc, AT + 4 - 8 },
		{ 0xf000b808, AT + 4 + 16 },
		{ 0xf7febffe, AT + 4 - 4100 },
		{ 0xf47faf38, AT + 4 - 400 },
		{ 0xf000f808, AT + 4 + 16 },
		{ 0xf7fffffc, AT + 4 - 8 },
		{ 0xf300f000, AT + 4 + 0x700000 },
		{ 0xf3aff8e0, AT + 4 + 0x3af1c0 }, /* the head of NOP.W, the tail of a BL */
		{ 0xf000e808, AT + 2 + 16 },
		{ 0xb130, AT + 4 + 12 },
		{ 0x4770, 0 },
		{ 0xbd10, 0 },
		{ 0xf3af8000, 0 },
		{ 0xf3bf8f6f, 0 },
	};

	insn_check_targets(table, COUNT(table));
}

Test(insn_t32, text_and_no_memory_of_an_it)
{
	static const struct insn_text_case table[] = {
		{ 0xbf08, "it eq" },
		{ 0x2001, "movs r0, #1" },
		{ 0xbf1a, "itte ne" },
		{ 0x2002, "movs r0, #2" },
		{ 0xbf15, "itete ne" },
		{ 0xbf2f, "iteee hs" },
		{ 0xf000f808, "bl #0x20001016" },
		{ 0xf3af8000, "nop.w" },
		{ 0xffffffff, "(bad)" },
	};

	insn_check_texts(table, COUNT(table));
}
