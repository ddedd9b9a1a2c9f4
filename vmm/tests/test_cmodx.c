// SPDX-License-Identifier: BSD-2-Clause
/* test_cmodx.c - the lists as tables of (old, new), and histories of what was executed meanwhile. */
#include "model/cmodx.h"

#include "test_fetch_fixture.h"

#include <string.h>

#include <criterion/criterion.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* A64 and A32: one word. T32: two halfwords, the first on top, whatever they are. */
static void put_code(enum cm_isa isa, uint32_t code, uint8_t bytes[4])
{
	uint32_t word = isa == CM_ISA_T32 ? code >> 16 | code << 16 : code;

	for (uint32_t i = 0; i < 4; i++)
		bytes[i] = (uint8_t)(word >> 8 * i);
}

static struct cmodx check(enum cm_isa isa, uint32_t before, uint32_t after)
{
	uint8_t a[4], b[4];

	put_code(isa, before, a);
	put_code(isa, after, b);
	return cmodx_check(isa, a, b, 4);
}

struct named {
	const char *name;
	uint32_t code;
};

/* Each of the list to each, and nothing else to or from any of them. */
static void assert_list(enum cm_isa isa, const struct named *listed, size_t nlisted,
			const struct named *others, size_t nothers)
{
	for (size_t i = 0; i < nlisted; i++) {
		for (size_t k = 0; k < nlisted; k++)
			cr_expect(check(isa, listed[i].code, listed[k].code).allowed, "%s -> %s",
				  listed[i].name, listed[k].name);
		for (size_t k = 0; k < nothers; k++) {
			struct cmodx c = check(isa, listed[i].code, others[k].code);

			cr_expect_not(c.allowed, "%s -> %s", listed[i].name, others[k].name);
			cr_expect(strstr(c.rule, "outside"), "%s", c.rule);
			cr_expect_not(check(isa, others[k].code, listed[i].code).allowed,
				      "%s -> %s", others[k].name, listed[i].name);
		}
	}
	for (size_t i = 0; i < nothers; i++)
		for (size_t k = 0; k < nothers; k++)
			cr_expect_eq(check(isa, others[i].code, others[k].code).allowed, i == k,
				     "%s -> %s", others[i].name, others[k].name);
}

Test(cmodx, a64)
{
	static const struct named listed[] = {
		{ "nop", 0xd503201f },	  { "b", 0x14000004 },		{ "b back", 0x17ffffff },
		{ "bl", 0x94000004 },	  { "b.eq", 0x54000080 },	{ "b.al", 0x5400008e },
		{ "cbz x0", 0xb4000080 }, { "cbnz w1", 0x35000081 },	{ "tbz", 0xb6280080 },
		{ "tbnz", 0x37280080 },	  { "svc #1", 0xd4000021 },	{ "hvc #2", 0xd4000042 },
		{ "smc #3", 0xd4000063 }, { "brk #0x123", 0xd4202460 }, { "isb", 0xd5033fdf },
		{ "isb #1", 0xd50331df },
	};
	static const struct named others[] = {
		{ "udf", 0x00000000 },	       { "hlt #1", 0xd4400020 },
		{ "dcps1", 0xd4a00001 },       { "yield", 0xd503203f },
		{ "bti c", 0xd503245f },       { "dsb sy", 0xd5033f9f },
		{ "dmb ish", 0xd5033bbf },     { "sb", 0xd50330ff },
		{ "br x3", 0xd61f0060 },       { "blr x4", 0xd63f0080 },
		{ "ret", 0xd65f03c0 },	       { "eret", 0xd69f03e0 },
		{ "mov x0, #5", 0xd28000a0 },  { "adr x0", 0x10000080 },
		{ "ldr x0, lit", 0x58000080 }, { "bc.eq", 0x54000090 },
		{ "mov x0, x1", 0xaa0103e0 },
	};

	assert_list(CM_ISA_A64, listed, COUNT(listed), others, COUNT(others));
}

Test(cmodx, a32)
{
	static const struct named listed[] = {
		{ "nop", 0xe320f000 },	    { "b", 0xea000002 },       { "bl", 0xeb000002 },
		{ "beq", 0x0a000002 },	    { "bkpt #1", 0xe1200071 }, { "hvc #1", 0xe1400071 },
		{ "isb sy", 0xf57ff06f },   { "smc #1", 0xe1600071 },  { "svc #1", 0xef000001 },
		{ "svceq #1", 0x0f000001 },
	};
	static const struct named others[] = {
		{ "blx", 0xfa000002 },	      { "bx lr", 0xe12fff1e },	  { "dsb sy", 0xf57ff04f },
		{ "mov r0, r0", 0xe1a00000 }, { "yield", 0xe320f001 },	  { "udf #1", 0xe7f000f1 },
		{ "mov r0, r1", 0xe1a00001 }, { "all ones", 0xffffffff },
	};

	assert_list(CM_ISA_A32, listed, COUNT(listed), others, COUNT(others));
}

/* Of 16 bits, followed by a halfword that stays. */
Test(cmodx, t32_of_16_bits)
{
	static const struct named listed[] = {
		{ "b", 0xe0084770 },	   { "b back", 0xe7f64770 }, { "beq", 0xd0084770 },
		{ "bkpt #3", 0xbe034770 }, { "blx r4", 0x47a04770 }, { "bx lr", 0x47704770 },
		{ "bx r3", 0x47184770 },   { "nop", 0xbf004770 },    { "svc #1", 0xdf014770 },
	};
	static const struct named others[] = {
		{ "udf #4", 0xde044770 },      { "cbz r0", 0xb1404770 },
		{ "cbnz r1", 0xb9414770 },     { "yield", 0xbf104770 },
		{ "wfi", 0xbf304770 },	       { "it eq", 0xbf084770 },
		{ "movs r0, #1", 0x20014770 }, { "mov r8, r8", 0x46c04770 },
		{ "pop {pc}", 0xbd004770 },    { "cpsid i", 0xb6724770 },
	};

	assert_list(CM_ISA_T32, listed, COUNT(listed), others, COUNT(others));
}

/* With a 32-bit instruction on one side, or on both. */
static const struct {
	const char *what;
	uint32_t before, after;
	bool allowed;
} t32[] = {
	{ "nop.w -> bl, whole", 0xf3af8000, 0xf000f808, false },
	{ "nop.w -> bl, hw1", 0xf3af8000, 0xf0008000, false },
	{ "nop.w -> bl, hw2", 0xf3af8000, 0xf3aff808, false },
	{ "bl -> nop.w, whole", 0xf000f808, 0xf3af8000, false },
	{ "nop.w -> b.w", 0xf3af8000, 0xf000b808, false },
	{ "b.w -> nop.w", 0xf000b808, 0xf3af8000, false },
	{ "nop.w -> bkpt over it", 0xf3af8000, 0xbe008000, false },
	{ "nop.w -> b over it", 0xf3af8000, 0xe0008000, false },
	{ "bl -> bl, hw1", 0xf000f808, 0xf001f808, true },
	{ "bl -> bl, hw2", 0xf000f808, 0xf000f810, true },
	{ "bl -> bl, both", 0xf000f808, 0xf001f810, true },
	{ "blx -> blx, hw1", 0xf000e808, 0xf001e808, true },
	{ "blx -> blx, hw2", 0xf000e808, 0xf000e810, true },
	{ "bl -> blx", 0xf000f808, 0xf000e808, false },
	{ "blx -> bl", 0xf000e808, 0xf000f808, false },
	{ "bl -> b.w", 0xf000f808, 0xf000b808, false },
	{ "b.w -> b.w, hw2", 0xf000b808, 0xf000b810, true },
	{ "b.w -> b.w, hw1", 0xf000b808, 0xf001b808, false },
	{ "b.w -> b.w, both", 0xf000b808, 0xf001b810, false },
	{ "beq.w -> beq.w, hw2", 0xf0008008, 0xf0008010, true },
	{ "beq.w -> bne.w, hw1", 0xf0008008, 0xf0408008, false },
	{ "beq.w -> beq.w, hw1", 0xf0008008, 0xf0018008, false },
	{ "beq.w -> b.w, hw2", 0xf0008008, 0xf0009008, false },
	{ "b.w -> beq.w, hw2", 0xf0009008, 0xf0008008, false },
	{ "hw1 of bl -> b", 0xf000f808, 0xe000f808, true },
	{ "hw1 of bl -> beq", 0xf000f808, 0xd000f808, true },
	{ "hw1 of bl -> bkpt", 0xf000f808, 0xbe00f808, true },
	{ "hw1 of bl -> bx", 0xf000f808, 0x4770f808, true },
	{ "hw1 of bl -> blx r4", 0xf000f808, 0x47a0f808, true },
	{ "hw1 of bl -> svc", 0xf000f808, 0xdf01f808, true },
	{ "hw1 of bl -> nop", 0xf000f808, 0xbf00f808, false },
	{ "hw1 of bl -> udf", 0xf000f808, 0xde00f808, false },
	{ "b -> hw1 of bl", 0xe000f808, 0xf000f808, true },
	{ "bkpt -> hw1 of blx", 0xbe00e808, 0xf000e808, true },
	{ "nop -> hw1 of bl", 0xbf00f808, 0xf000f808, false },
	{ "udf -> hw1 of bl", 0xde00f808, 0xf000f808, false },
	{ "b -> bl, both halfwords at once", 0xe0008000, 0xf000f808, false },
	{ "hw1 of b.w -> b", 0xf000b808, 0xe000b808, false },
	{ "hw1 of b.w -> bkpt", 0xf000b808, 0xbe00b808, false },
	{ "nop; nop -> bl", 0xbf00bf00, 0xf000f808, false },
	{ "nop; nop -> b; nop", 0xbf00bf00, 0xe000bf00, true },
	{ "nop; nop -> b; bkpt", 0xbf00bf00, 0xe000be00, true },
	{ "b; nop -> b; movs", 0xe000bf00, 0xe0002001, false },
	{ "isb -> nop.w", 0xf3bf8f6f, 0xf3af8000, false },
	{ "isb -> dsb", 0xf3bf8f6f, 0xf3bf8f4f, false },
	{ "udf.w -> bl", 0xf7f0a000, 0xf7f0f800, false },
	{ "hvc -> hvc", 0xf7e08002, 0xf7e08003, false },
	{ "smc -> nop.w", 0xf7f18000, 0xf3af8000, false },
	{ "movw -> movw", 0xf2412034, 0xf2412035, false },
	{ "nothing", 0xf3af8000, 0xf3af8000, true },
};

Test(cmodx, t32_of_32_bits)
{
	for (size_t i = 0; i < COUNT(t32); i++) {
		struct cmodx c = check(CM_ISA_T32, t32[i].before, t32[i].after);

		cr_expect_eq(c.allowed, t32[i].allowed, "%s: %s", t32[i].what, c.rule);
	}
}

Test(cmodx, names_the_instruction_and_the_sentence)
{
	struct cmodx c = check(CM_ISA_T32, 0xe000bf00, 0xe0002001);

	cr_expect_eq(c.offset, 2);
	cr_expect(strstr(c.rule, "E2.2.5, which lists 16-bit"), "%s", c.rule);
	c = check(CM_ISA_T32, 0xf3af8000, 0xf000f808);
	cr_expect_eq(c.offset, 0);
	cr_expect(strstr(c.rule, "hw1 may change"), "%s", c.rule);
	c = check(CM_ISA_T32, 0xf3af8000, 0xf3af8001);
	cr_expect(strstr(c.rule, "hw2 may change"), "%s", c.rule);
	c = check(CM_ISA_A64, 0xd503201f, 0xd503203f);
	cr_expect(strstr(c.rule, "B2.2.5"), "%s", c.rule);
}

/* ---- histories ---- */

enum { WINDOW = LINE };

static struct fetch history;

static void start(enum cm_isa isa, uint32_t code)
{
	const struct fetch_config config = { .model = FETCH_ARM,
					     .chunk = isa == CM_ISA_T32 ? 2 : 4 };
	const struct fetch_range range = { .address = TEXT, .length = WINDOW };
	uint8_t bytes[WINDOW] = { 0 };

	put_code(isa, code, bytes);
	fetch_fini(&history);
	fetch_init(&history, &config, 2, &range, 1, bytes);
}

static void store(enum cm_isa isa, uint32_t code)
{
	uint8_t bytes[WINDOW] = { 0 };

	put_code(isa, code, bytes);
	fetch_stored(&history, bytes, WRITER);
}

/* All that the writer owes, of the one line. */
static void maintain(void)
{
	fetch_clean(&history, WRITER, TEXT);
	fetch_barrier(&history, WRITER);
	fetch_invalidate(&history, WRITER, TEXT);
	fetch_barrier(&history, WRITER);
}

static uint32_t executed(enum cm_isa isa, uint32_t vcpu, uint32_t offset, uint32_t length)
{
	struct cmodx_change c;

	return cmodx_executed(&history, vcpu, isa, TEXT, 4, TEXT + offset, length, &c) ? c.version :
											 0;
}

Test(cmodx, a_change_outside_the_list_is_synchronised_before_it_is_executed)
{
	start(CM_ISA_A64, 0xd503201f); /* nop */
	cr_expect_eq(executed(CM_ISA_A64, READER, 0, 4), 0);
	store(CM_ISA_A64, 0xd28000a0); /* mov x0, #5 */
	cr_expect_eq(executed(CM_ISA_A64, READER, 0, 4), 1, "whichever of them ran");
	cr_expect_eq(executed(CM_ISA_A64, WRITER, 0, 4), 1, "the writer itself, too");
	fetch_synchronised(&history, READER);
	cr_expect_eq(executed(CM_ISA_A64, READER, 0, 4), 1, "no maintenance");
	maintain();
	cr_expect_eq(executed(CM_ISA_A64, READER, 0, 4), 1, "no context synchronisation");
	fetch_synchronised(&history, READER);
	cr_expect_eq(executed(CM_ISA_A64, READER, 0, 4), 0);
	cr_expect_eq(executed(CM_ISA_A64, WRITER, 0, 4), 1, "each CPU for itself");
	fetch_fini(&history);
}

Test(cmodx, a_listed_change_may_be_executed_at_any_time)
{
	start(CM_ISA_A64, 0xd503201f);
	store(CM_ISA_A64, 0x94000004); /* bl */
	store(CM_ISA_A64, 0xd4202460); /* brk */
	cr_expect_eq(executed(CM_ISA_A64, READER, 0, 4), 0);
	store(CM_ISA_A64, 0xd65f03c0); /* ret */
	cr_expect_eq(executed(CM_ISA_A64, READER, 0, 4), 3, "the one of three that is not");
	fetch_fini(&history);
}

/* Rostedt's order from BL to BL', and from NOP.W, of which the first step is not on the list. */
Test(cmodx, t32_step_by_step)
{
	start(CM_ISA_T32, 0xf000f808);
	store(CM_ISA_T32, 0xbe00f808); /* hw1: BKPT */
	cr_expect_eq(executed(CM_ISA_T32, READER, 0, 2), 0);
	maintain();
	fetch_synchronised(&history, READER);
	store(CM_ISA_T32, 0xbe00f810); /* hw2, which nobody executes */
	cr_expect_eq(executed(CM_ISA_T32, READER, 0, 2), 0, "only hw1 was executed");
	maintain();
	fetch_synchronised(&history, READER);
	store(CM_ISA_T32, 0xf000f810); /* hw1: BL */
	cr_expect_eq(executed(CM_ISA_T32, READER, 0, 2), 0);
	cr_expect_eq(executed(CM_ISA_T32, READER, 0, 4), 0);

	start(CM_ISA_T32, 0xf3af8000);
	store(CM_ISA_T32, 0xbe008000);
	cr_expect_eq(executed(CM_ISA_T32, READER, 0, 2), 1);
	fetch_fini(&history);
}

/* Without the sync behind hw2 it was not synchronised before BL was executed. */
Test(cmodx, t32_tail_without_its_sync)
{
	start(CM_ISA_T32, 0xf000f808);
	store(CM_ISA_T32, 0xbe00f808);
	maintain();
	fetch_synchronised(&history, READER);
	store(CM_ISA_T32, 0xbe008000); /* no BL's */
	store(CM_ISA_T32, 0xbe00f810);
	store(CM_ISA_T32, 0xf000f810);
	cr_expect_eq(executed(CM_ISA_T32, READER, 0, 2), 0);
	cr_expect_eq(executed(CM_ISA_T32, READER, 0, 4), 2);
	fetch_fini(&history);
}

Test(cmodx, elsewhere_is_nobodys_business)
{
	struct cmodx_change c;

	start(CM_ISA_A64, 0xd503201f);
	store(CM_ISA_A64, 0xd28000a0);
	cr_expect_not(cmodx_executed(&history, READER, CM_ISA_A64, TEXT, 4, TEXT + 4, 4, &c));
	cr_expect_not(cmodx_executed(&history, READER, CM_ISA_A64, TEXT, 4, TEXT - 4, 4, &c));
	cr_expect_not(cmodx_executed(&history, READER, CM_ISA_A64, TEXT + LINE, 4, TEXT, 4, &c));
	cr_assert(cmodx_executed(&history, READER, CM_ISA_A64, TEXT, 4, TEXT, 8, &c));
	cr_expect_eq(c.before[0], 0x1f);
	cr_expect_eq(c.after[0], 0xa0);
	fetch_fini(&history);
}
