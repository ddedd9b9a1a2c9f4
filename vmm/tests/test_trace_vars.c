// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_trace_vars.c - which variables are watched, how wide a changed word is,
 * and how it is written.
 *
 * Owns a guest's memory built by hand, with a symbol for everything in it; it
 * has no VM, the tests store into it themselves.
 */
#include "report/trace.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define CODE	CM_IMAGE_BASE
#define DATA	(CM_IMAGE_BASE + 0x1000)
#define SLOT	(DATA + 0x10)
#define PENDING (DATA + 0x40)
#define BYTES	(DATA + 0x81) /* on no boundary */
#define WORD	(DATA + 0x90)
#define CONTROL (DATA + 0x400)
#define MAILBOX (DATA + 0x800)
#define STACKS	(DATA + 0x1000)
#define GHOST	(STACKS + CM_MAX_VCPUS * CM_STACKS * CM_STACK_SIZE)
#define SIZE	(GHOST + 0x1000 - CM_IMAGE_BASE)
#define AT	(CM_TEXT_BASE + CM_SLOT_ORIGIN + 8)

static char image_path[] = "hand-built.elf", protocol_name[] = "mine";
static struct image_segment segments[] = {
	{ .address = CODE, .size = 0x1000, .execute = true },
	{ .address = DATA, .size = SIZE - 0x1000, .write = true },
};
static struct image_symbol symbols[] = {
	{ .name = "mine_poke", .address = CODE, .size = 0x40, .function = true },
	{ .name = "constant", .address = CODE + 0x800, .size = 8 },
	{ .name = "label", .address = DATA },
	{ .name = "mine_slot", .address = SLOT, .size = 16 },
	{ .name = "same_slot", .address = SLOT, .size = 16 },
	{ .name = "mine_pending", .address = PENDING, .size = 4 * CM_MAX_VCPUS },
	{ .name = "bytes", .address = BYTES, .size = 9 },
	{ .name = "word", .address = WORD, .size = 2 },
	{ .name = "cm_control", .address = CONTROL, .size = sizeof(struct cm_control) },
	{ .name = "cm_cpu", .address = MAILBOX, .size = 16 * sizeof(struct cm_cpu) },
	{ .name = "cm_stacks", .address = STACKS, .size = GHOST - STACKS },
	{ .name = "cm_counts", .address = GHOST, .size = 0x100 },
};
static const struct image image = {
	.path = image_path,
	.segments = segments,
	.nsegments = COUNT(segments),
	.symbols = symbols,
	.nsymbols = COUNT(symbols),
	.abi = { .control = CONTROL,
		 .cpu = MAILBOX,
		 .stacks = STACKS,
		 .ghost_start = GHOST,
		 .ghost_end = GHOST + 0x1000 },
};
static const struct image_site kind = {
	.name = "nop5_jmp5",
	.record = { .isa = CM_ISA_X86_64,
		    .length = 5,
		    .old_bytes = { 0x0f, 0x1f, 0x44, 0x00, 0x00 },
		    .new_bytes = { 0xe9, 0x0b, 0x00, 0x00, 0x00 } },
};

static struct scenario scenario;
static struct vm_memory memory;
static struct machine machine;
static struct trace_vars vars;

static void set_up(void)
{
	struct fetch_range line = { AT & ~63u, 64, 0 };
	uint8_t window[64] = { 0 };
	struct err e;

	scenario = (struct scenario){
		.protocol_name = protocol_name,
		.site = { { .site = &kind, .offset = 8 } },
		.nsites = 1,
		.vcpus = 2,
		.fetch = { .model = FETCH_SC, .chunk = 1 },
	};
	memory = (struct vm_memory){ .image = calloc(1, SIZE), .image_size = SIZE };
	cr_assert(memory.image);
	machine = (struct machine){ .image = &image, .scenario = &scenario, .memory = &memory };
	cr_assert(insn_init(&machine.decoder, CM_ISA_X86_64, &e), "%s", e.text);
	site_place(&machine.site[0], &kind, 0, 8);
	memcpy(window + 8, kind.record.old_bytes, 5);
	fetch_init(&machine.fetch, &scenario.fetch, 2, &line, 1, window);
	trace_vars_watch(&vars, &machine);
}

static void tear_down(void)
{
	trace_vars_fini(&vars);
	fetch_fini(&machine.fetch);
	insn_fini(&machine.decoder);
	free(memory.image);
}

TestSuite(trace_vars, .init = set_up, .fini = tear_down);

/* ---- helpers ---- */

static void put(uint64_t address, const void *bytes, size_t size)
{
	memcpy(memory.image + (address - CM_IMAGE_BASE), bytes, size);
}

static void put32(uint64_t address, uint32_t value)
{
	put(address, &value, sizeof(value));
}

static void put64(uint64_t address, uint64_t value)
{
	put(address, &value, sizeof(value));
}

/* A store of (width) bytes; 0: a decision that is no instruction. */
static struct step_report store(uint32_t width)
{
	static const struct {
		uint32_t width;
		const char *bytes;
		uint8_t length;
	} stores[] = {
		{ 0, "", 0 },
		{ 1, "\x88\x07", 2 },	  /* mov byte ptr [rdi], al */
		{ 2, "\x66\x89\x07", 3 }, /* mov word ptr [rdi], ax */
		{ 4, "\x89\x07", 2 },	  /* mov dword ptr [rdi], eax */
		{ 8, "\x48\x89\x07", 3 }, /* mov qword ptr [rdi], rax */
	};
	struct step_report r = { .pc = CODE, .executed = width != 0 };

	for (size_t i = 0; i < COUNT(stores); i++)
		if (stores[i].width == width) {
			r.length = stores[i].length;
			memcpy(r.bytes, stores[i].bytes, stores[i].length);
		}
	return r;
}

/* Since the last look (expected) changed: "name: from -> to", joined by "; ". */
static void assert_changes(uint32_t width, const char *expected)
{
	struct step_report r = store(width);
	char text[1024] = "";

	trace_vars_look(&vars, &machine, &r);
	for (size_t i = 0; i < vars.nchanges; i++) {
		const struct trace_change *c = &vars.change[i];

		snprintf(text + strlen(text), sizeof(text) - strlen(text),
			 c->count ? "%s%s%.0s %s" : "%s%s: %s -> %s", i ? "; " : "", c->name,
			 c->from, c->to);
	}
	cr_expect_str_eq(text, expected);
}

/* ---- tests ---- */

Test(trace_vars, watches_data_and_no_more)
{
	put64(CODE + 0x800, 1);
	put64(DATA, 1);
	put64(CONTROL, 1);
	put64(MAILBOX + 8, 1);
	put64(STACKS + 8, 1);
	put64(GHOST - 8, 1);
	put64(GHOST, 1);
	assert_changes(8, "");
	put64(SLOT, 1);
	assert_changes(8, "mine_slot: 0 -> 1");
	assert_changes(8, "");
}

Test(trace_vars, words_are_as_wide_as_the_store)
{
	put64(SLOT + 8, 0x1122);
	assert_changes(8, "mine_slot+0x8: 0x0 -> 0x1122");
	put32(SLOT + 12, 7);
	assert_changes(4, "mine_slot+0xc: 0 -> 7");
	put(SLOT + 1, "\x05", 1);
	assert_changes(1, "mine_slot+0x1: 0 -> 5");
	put(WORD, "\x0a", 1);
	assert_changes(2, "word: 0x0 -> 0xa");
}

Test(trace_vars, else_as_wide_as_what_changed)
{
	put32(SLOT + 8, 0x01020304);
	assert_changes(0, "mine_slot+0x8: 0x0 -> 0x1020304");
	put(SLOT + 10, "\x09", 1);
	assert_changes(0, "mine_slot+0xa: 2 -> 9");
	put(SLOT + 3, "\x01\x01", 2); /* in no aligned word but the eight bytes */
	assert_changes(0, "mine_slot: 0x0 -> 0x101000000");
	put64(SLOT, 0);
	put64(SLOT + 8, 1);
	assert_changes(0, "mine_slot: 0x101000000 -> 0x0; mine_slot+0x8: 0x1090304 -> 0x1");
}

/* Words that would begin before the object, or end behind it, are not its own. */
Test(trace_vars, words_stay_inside_the_object)
{
	put(BYTES, "\x01", 1);
	put(BYTES + 8, "\x02", 1);
	assert_changes(8, "bytes: 0 -> 1; bytes+0x8: 0 -> 2");
	put(WORD + 1, "\x01", 1);
	assert_changes(4, "word+0x1: 0 -> 1");
}

Test(trace_vars, one_word_a_vcpu_is_an_array)
{
	put32(PENDING + 4, 1);
	put32(PENDING + 60, 1);
	assert_changes(4, "mine_pending[1]: 0 -> 1; mine_pending[15]: 0 -> 1");
	put64(PENDING, 0);
	assert_changes(8, "mine_pending: 0x100000000 -> 0x0");
}

Test(trace_vars, addresses_have_names)
{
	put64(SLOT, AT + 1);
	put64(SLOT + 8, AT - 2);
	assert_changes(8, "mine_slot: 0x0 -> site0+0x1; mine_slot+0x8: 0x0 -> site0-0x2");
	put64(SLOT, CODE + 4);
	put64(SLOT + 8, PENDING);
	assert_changes(8, "mine_slot: site0+0x1 -> mine_poke+0x4; "
			  "mine_slot+0x8: site0-0x2 -> mine_pending");
	put64(SLOT, CM_TEXT_BASE + CM_SLOT_SIZE); /* the slot of no site */
	put64(SLOT + 8, AT | 1ull << 32);
	assert_changes(8, "mine_slot: mine_poke+0x4 -> 0x20008000; "
			  "mine_slot+0x8: mine_pending -> 0x120001008");
}

Test(trace_vars, of_the_control_block)
{
	put32(CONTROL + offsetof(struct cm_control, online), 3);
	assert_changes(4, "online mask: 0x0 -> 0x3");
	put32(CONTROL + offsetof(struct cm_control, site[0].started), 256);
	put32(CONTROL + offsetof(struct cm_control, site[0].promised), 12);
	put32(CONTROL + offsetof(struct cm_control, site[1].promised), 12); /* there is one site */
	assert_changes(4, "site0: started 256; site0: promised 12");
}

Test(trace_vars, starting_again)
{
	put64(SLOT, 1);
	trace_vars_watch(&vars, &machine);
	assert_changes(8, "");
	machine.memory = NULL;
	trace_vars_watch(&vars, &machine);
	assert_changes(8, "");
}

/* A decision that changes a variable is not skipped. */
Test(trace_vars, a_line)
{
	struct trace trace = { 0 };
	struct step_report r = store(8);
	size_t size;
	char *text;

	trace.out = open_memstream(&text, &size);
	cr_assert(trace.out);
	trace_start(&trace, &machine);
	trace_step(&trace, &machine, &r);
	put64(SLOT, AT + 1);
	trace_step(&trace, &machine, &r);
	put32(CONTROL + offsetof(struct cm_control, site[0].promised), 1);
	r.synchronised = true;
	trace_step(&trace, &machine, &r);
	fclose(trace.out);
	cr_expect_str_eq(
		text, "        ... vCPU 0: 1 instruction\n"
		      "     0  0  |  mine_poke                   mov qword ptr [rdi], rax         "
		      "     mine_slot: 0x0 -> site0+0x1\n"
		      "     0  0  |  mine_poke                   mov qword ptr [rdi], rax         "
		      "     site0: promised 1; serialises\n");
	free(text);
	trace_fini(&trace);
}
