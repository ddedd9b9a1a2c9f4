// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_trace.c - what is worth a line, and how it reads.
 *
 * Owns a machine built by hand around a real site, decoder and fetch history;
 * it has no VM, so that what is traced is what the tests say happened.
 */
#include "report/trace.h"

#include <criterion/criterion.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define CODE   CM_IMAGE_BASE
#define OFFSET 0x3du
#define AT     (CM_TEXT_BASE + CM_SLOT_ORIGIN + OFFSET)
#define LINES  (AT & ~63u)

/* ---- the machine ---- */

static char image_path[] = "hand-built.elf", protocol_name[] = "int3_fixup_a2";
static struct image_segment segments[] = {
	{ .address = CODE, .size = 0x1000, .execute = true },
};
static struct image_symbol symbols[] = {
	{ .name = "cm_cpu_id", .address = CODE, .size = 16, .function = true },
	{ .name = "int3_poke", .address = CODE + 0x20, .size = 0x40, .function = true },
	{ .name = "int3_fixup.slot", .address = CODE + 0x20 },
	{ .name = "int3_fixup.tail", .address = CODE + 0x30 },
};
static const struct image_protocol protocol = { protocol_name, "one sync (Anvin)", CODE, false, 0 };
static const struct image image = {
	.path = image_path,
	.segments = segments,
	.nsegments = COUNT(segments),
	.symbols = symbols,
	.nsymbols = COUNT(symbols),
};
static const struct image_site kind = {
	.name = "nop5_jmp5",
	.record = { .isa = CM_ISA_X86_64,
		    .length = 5,
		    .old_bytes = { 0x0f, 0x1f, 0x44, 0x00, 0x00 },
		    .new_bytes = { 0xe9, 0x0b, 0x00, 0x00, 0x00 } },
};

static struct scenario scenario;
static struct observation observation;
static struct machine machine;
static uint8_t window[128];
static struct trace trace;
static char *text;
static size_t text_size;

static void set_up(void)
{
	struct fetch_range lines = { LINES, sizeof(window), 0 };
	struct err e;

	scenario = (struct scenario){
		.protocol_name = protocol_name,
		.protocol = &protocol,
		.site = { { .site = &kind, .offset = OFFSET } },
		.nsites = 1,
		.vcpus = 3,
		.pokes = 1,
		.executors = 2,
		.executor_cpl = 3,
		.calls = 2,
		.fetch = { .model = FETCH_STALE, .chunk = 1, .mfence_syncs = true },
	};
	machine = (struct machine){ .image = &image,
				    .scenario = &scenario,
				    .observation = &observation };
	cr_assert(insn_init(&machine.decoder, CM_ISA_X86_64, &e), "%s", e.text);
	site_place(&machine.site[0], &kind, 0, OFFSET);
	memset(window, 0xcc, sizeof(window));
	memcpy(window + OFFSET, kind.record.old_bytes, 5);
	fetch_init(&machine.fetch, &scenario.fetch, 3, &lines, 1, window);
	trace = (struct trace){ .out = open_memstream(&text, &text_size) };
	cr_assert(trace.out);
}

static void tear_down(void)
{
	fclose(trace.out);
	free(text);
	fetch_fini(&machine.fetch);
	insn_fini(&machine.decoder);
}

TestSuite(trace, .init = set_up, .fini = tear_down);

/* ---- helpers ---- */

static void trace_anew(void)
{
	free(text);
	trace.out = open_memstream(&text, &text_size);
	cr_assert(trace.out);
}

/* What has been traced since the last time is exactly (expected). */
static void assert_text(const char *expected)
{
	fclose(trace.out);
	cr_expect_str_eq(text, expected);
	trace_anew();
}

/* What has been traced since the last time holds every one of the NULL-terminated list. */
static void assert_says(const char *first, ...)
{
	va_list ap;

	fclose(trace.out);
	va_start(ap, first);
	for (const char *s = first; s; s = va_arg(ap, const char *))
		cr_expect(strstr(text, s), "expected \"%s\"\n  in \"%s\"", s, text);
	va_end(ap);
	trace_anew();
}

static struct step_report step(uint8_t vcpu, uint64_t pc, const char *bytes, uint8_t length)
{
	struct step_report r = { .pc = pc, .executed = true, .length = length };

	r.action.vcpu = vcpu;
	memcpy(r.bytes, bytes, length);
	return r;
}

static struct step_report nop(uint8_t vcpu, uint64_t pc)
{
	return step(vcpu, pc, "\x90", 1);
}

/* At the site, its head as of version (head), its other bytes as of (tail). */
static struct step_report site_step(enum site_form form, const char *bytes, uint8_t length,
				    uint16_t head, uint16_t tail)
{
	struct step_report r = step(1, AT, bytes, length);

	r.form = form;
	r.action.nversions = 5;
	for (int i = 0; i < 5; i++)
		r.action.version[i] = i ? tail : head;
	return r;
}

static void store(uint32_t offset, const char *bytes, size_t size)
{
	memcpy(window + offset, bytes, size);
	cr_assert(fetch_stored(&machine.fetch, window, 0));
}

static void traced(struct step_report r)
{
	trace_step(&trace, &machine, &r);
}

/* ---- tests ---- */

/* Before the machine is reset: nothing is placed yet. */
Test(trace, header)
{
	memset(machine.site, 0, sizeof(machine.site));
	trace_begin(&trace, &machine);
	assert_text("protocol int3_fixup_a2: one sync (Anvin)\n"
		    "fetch    stale/byte; delivery of an event does not synchronise, MFENCE "
		    "serialises, own stores through the alias are not fetched at once\n"
		    "vCPU 0   patches at CPL 0, 1 poke\n"
		    "vCPU 1   executes the sites at CPL 3, 2 rounds\n"
		    "vCPU 2   idle\n"
		    "site0    nop5_jmp5 at 0x2000103d, 3 bytes before, 2 behind a 64-byte line "
		    "boundary\n"
		    "         old  0f 1f 44 00 00  nop dword ptr [rax + rax]\n"
		    "         new  e9 0b 00 00 00  jmp 0x2000104d\n"
		    "\n");
}

Test(trace, several_instructions)
{
	static const struct image_site nops = {
		.name = "nop1x5_jmp5",
		.record = { .length = 5,
			    .old_bytes = { 0x90, 0x90, 0x90, 0x90, 0x90 },
			    .new_bytes = { 0xe9, 0x0b, 0x00, 0x00, 0x00 } },
	};

	scenario.site[0] = (struct placement){ .site = &nops, .offset = 8 };
	trace_begin(&trace, &machine);
	assert_says("nop1x5_jmp5 at 0x20001008, inside an 8-byte word\n",
		    "old  90 90 90 90 90  nop; nop; nop; nop; nop\n", NULL);
}

Test(trace, skips)
{
	struct step_report r = nop(0, CODE + 4);

	for (int i = 0; i < 14; i++)
		traced(nop(0, CODE + 4));
	traced(nop(1, CODE + 4));
	assert_text("");
	r = nop(2, CODE + 0x30);
	r.number = 15;
	traced(r);
	assert_text("        ... vCPU 0: 14 instructions, vCPU 1: 1 instruction\n"
		    "    15  |  |  2  int3_fixup.tail             nop\n");
	trace.all = true;
	traced(nop(1, CODE + 4));
	assert_text("     0  |  1  |  cm_cpu_id+0x4               nop\n");
}

/* A step's label is shown even where a function starts. */
Test(trace, places)
{
	trace.all = true;
	traced(nop(0, CODE + 0x20));
	assert_says("int3_fixup.slot ", NULL);
	traced(nop(0, CODE + 0x31));
	assert_says("int3_poke+0x11 ", NULL);
	traced(nop(0, AT));
	assert_says(" site0  ", NULL);
	traced(nop(0, AT + 0x440b));
	assert_says(" site0+0x440b ", NULL);
	traced(nop(0, AT - 1));
	assert_says(" site0-0x1 ", NULL);
	traced(nop(0, CM_TEXT_BASE + CM_SLOT_SIZE));
	assert_says(" 0x20008000 ", NULL);
	traced(step(0, 0x1234, "", 0));
	assert_says(" 0x1234 ", "(bad)\n", NULL);
}

Test(trace, stores)
{
	struct step_report r = step(0, CODE, "\x88\x07", 2);

	r.stored = true;
	store(OFFSET, "\xcc", 1);
	traced(r);
	assert_says("mov byte ptr [rdi], al", "  store 1: site0 0f 1f 44 00 00 -> cc 1f 44 00 00\n",
		    NULL);
	store(OFFSET + 5, "\x90", 1);
	traced(r);
	assert_says("store 2: beside the sites, in their lines\n", NULL);
	for (uint32_t i = 0; i < 3; i++)
		fetch_synchronised(&machine.fetch, i);
	store(OFFSET, "\xe9\x0b\x00", 3);
	for (uint32_t i = 0; i < 3; i++)
		fetch_synchronised(&machine.fetch, i);
	fetch_trim(&machine.fetch);
	traced(r);
	assert_says("store 3: site0 e9 0b 00 00 00\n", NULL);
}

Test(trace, newest_fetches)
{
	traced(site_step(FORM_OLD, "\x0f\x1f\x44\x00\x00", 5, 0, 0));
	assert_says("  old: 0f 1f 44 00 00\n", NULL);
	store(OFFSET, "\xcc", 1);
	traced(site_step(FORM_BREAKPOINT, "\xcc", 1, 1, 0));
	assert_says("  breakpoint: cc\n", NULL);
	/* Older versions of equal bytes are no news. */
	store(OFFSET, "\xe9\x0b\x00", 3);
	store(OFFSET + 9, "\x90", 1);
	traced(site_step(FORM_NEW, "\xe9\x0b\x00\x00\x00", 5, 2, 2));
	assert_says("  new: e9 0b 00 00 00\n", NULL);
}

Test(trace, forced_fetches)
{
	struct step_report r;

	store(OFFSET, "\xcc", 1);
	store(OFFSET + 1, "\x0b\x00\x00\x00", 4);
	store(OFFSET, "\xe9", 1);
	traced(site_step(FORM_TORN, "\xe9\x1f\x44\x00\x00", 5, 3, 0));
	assert_says("fetches head as of store 3 (new), tail as of store 0 (old): torn: "
		    "e9 1f 44 00 00 = jmp 0x20005461\n",
		    NULL);
	traced(site_step(FORM_TORN, "\x0f\x0b", 2, 0, 2));
	assert_says("fetches head as of store 0 (old), tail as of store 2 (new): torn: "
		    "0f 0b = ud2\n",
		    NULL);
	traced(site_step(FORM_OLD, "\x0f\x1f\x44\x00\x00", 5, 0, 0));
	assert_says("  fetches all as of store 0 (old): 0f 1f 44 00 00\n", NULL);
	traced(site_step(FORM_BREAKPOINT, "\xcc", 1, 1, 0));
	assert_says("  fetches all as of store 1 (breakpoint): cc\n", NULL);
	r = site_step(FORM_TORN, "\xe9\x0b\x44\x00\x00", 5, 3, 0);
	r.action.version[1] = 2;
	traced(r);
	assert_says("head as of store 3 (new), byte 1 as of store 2 (new), "
		    "bytes 2-4 as of store 0 (old): torn",
		    NULL);
}

/* Naive: the mixture is in memory, so that even the newest fetch is torn. */
Test(trace, torn_in_memory)
{
	struct step_report r;

	store(OFFSET, "\xe9", 1);
	traced(site_step(FORM_TORN, "\xe9\x1f\x44\x00\x00", 5, 1, 1));
	assert_says("fetches all as of store 1 (a mixture in memory): torn: e9 1f 44", NULL);
	/* Not an instruction: up to the end of the site. */
	r = site_step(FORM_TORN, "", 0, 1, 1);
	memcpy(r.bytes, "\xff\xff\xff\xff\xff\xff", 6);
	traced(r);
	assert_says("torn: ff ff ff ff ff = (bad)\n", NULL);
}

Test(trace, chunks_of_a_line)
{
	struct fetch_range lines = { LINES, sizeof(window), 0 };
	struct step_report r;

	scenario.fetch.chunk = 64;
	fetch_fini(&machine.fetch);
	fetch_init(&machine.fetch, &scenario.fetch, 3, &lines, 1, window);
	store(OFFSET, "\xe9\x0b\x00\x00\x00", 5);
	r = site_step(FORM_TORN, "\x0f\x1f\x44\x00\x00", 5, 0, 1);
	r.action.nversions = 2;
	traced(r);
	assert_says("fetches bytes 0-2 as of store 0 (old), "
		    "bytes 3-4 as of store 1 (old and new alike): torn: ",
		    NULL);
}

static struct step_report event(enum action_kind what, bool delivered, uint8_t vector)
{
	struct step_report r = { .pc = CODE, .delivered = delivered, .vector = vector };

	r.action.kind = (uint8_t)what;
	r.action.vcpu = 1;
	return r;
}

Test(trace, events)
{
	struct step_report r;

	traced(event(ACTION_NMI, true, 2));
	assert_says("(NMI) ", "  NMI delivered\n", NULL);
	machine.cpu[1].nmi_latched = true;
	traced(event(ACTION_NMI, false, 0));
	assert_says("(NMI) ", "  NMI latched (masked)\n", NULL);
	traced(event(ACTION_IPI, true, CM_VECTOR_IPI));
	assert_says("(IPI) ", "  IPI delivered\n", NULL);
	traced(event(ACTION_RAISE, false, 0));
	assert_says("(IPI raised) ", "  an IPI that no vCPU sent is pending\n", NULL);
	r = event(ACTION_STEP, true, 3);
	r.length = 1;
	r.bytes[0] = 0xcc;
	traced(r);
	assert_says("int3 ", "  #BP delivered\n", NULL);
	r = event(ACTION_STEP, true, 99);
	traced(r);
	assert_says("vector 99 delivered\n", NULL);
	r = event(ACTION_STEP, true, 2);
	r.nmi_after = r.synchronised = true;
	scenario.fetch.delivery_syncs = true;
	traced(r);
	assert_says("serialises: it fetches nothing older than store 0 from here on; "
		    "latched NMI delivered, which synchronises\n",
		    NULL);
}

Test(trace, doors)
{
	static const struct {
		uint8_t door;
		const char *says;
	} doors[] = {
		{ CM_DOOR_IPI, "  sends IPI to vCPU 1, 2\n" },
		{ CM_DOOR_DONE, "  role played\n" },
		{ CM_DOOR_CRASH, "  reports an exception outside any site\n" },
		{ CM_DOOR_ASSERT, "  a self-check of the guest failed\n" },
		{ 77, "  rings doorbell 77\n" },
	};

	for (size_t i = 0; i < COUNT(doors); i++) {
		struct step_report r = nop(0, CODE);

		r.door = doors[i].door;
		r.ipi_mask = 6;
		traced(r);
		assert_says(doors[i].says, NULL);
	}
}

Test(trace, latch)
{
	struct fetch_range lines = { LINES, sizeof(window), 0 };
	struct step_report r = event(ACTION_LATCH, false, 0);

	scenario.fetch.model = FETCH_ASC;
	fetch_fini(&machine.fetch);
	fetch_init(&machine.fetch, &scenario.fetch, 3, &lines, 1, window);
	cr_assert(fetch_latch(&machine.fetch, 1, OFFSET, 5, NULL));
	traced(r);
	assert_says("(fetch) ", "  fetches a chunk ahead, as of store 0: 1 latched\n", NULL);
	r = nop(0, CODE);
	r.synchronised = true;
	traced(r);
	assert_says("  serialises\n", NULL);
}

/* Five vCPUs, four lanes. */
Test(trace, lanes)
{
	trace.all = true;
	scenario.vcpus = 12;
	traced(nop(11, CODE));
	assert_says("     0  |  |  |  11 cm_cpu_id ", NULL);
	scenario.vcpus = 1;
	traced(nop(0, CODE));
	assert_says("     0  0  cm_cpu_id ", NULL);
}

Test(trace, colour)
{
	struct step_report r = site_step(FORM_OLD, "\x0f\x1f\x44\x00\x00", 5, 0, 0);

	trace.colour = true;
	traced(r);
	assert_says("\033[36m0f 1f 44 00 00\033[0m\n", NULL);
	store(OFFSET, "\xcc", 1);
	r = nop(0, CODE);
	r.stored = true;
	traced(r);
	assert_says("\033[36m0f 1f 44 00 00\033[0m -> \033[33mcc 1f 44 00 00\033[0m\n", NULL);
	store(OFFSET, "\xe9", 1);
	traced(r);
	assert_says(" -> \033[1;31me9 1f 44 00 00\033[0m\n", NULL);
	store(OFFSET, "\xe9\x0b\x00", 3);
	traced(r);
	assert_says(" -> \033[32me9 0b 00 00 00\033[0m\n", NULL);
}

/* What is shown elsewhere: the bytes, and what each of them is. */
static void take(void *arg, const struct trace_line *l)
{
	char *letters = arg;

	cr_expect_eq(l->number, 7);
	cr_expect_eq(l->skipped[0], 2);
	cr_expect_str_eq(l->place, "site0");
	cr_expect_eq(l->nsites, 1);
	cr_expect_eq(l->memory[0].form, FORM_BREAKPOINT);
	cr_expect(l->at_site && l->fetched.form == FORM_TORN);
	sprintf(letters, "%s %s", l->fetched.letters, l->memory[0].letters);
}

Test(trace, taken_as_data)
{
	char letters[64] = "";
	struct step_report r = site_step(FORM_TORN, "\xe9\x1f\x44\x77\x00", 5, 3, 0);

	trace.take = take;
	trace.arg = letters;
	store(OFFSET, "\xcc\x0b", 2);
	traced(nop(0, CODE + 4));
	traced(nop(0, CODE + 4));
	r.number = 7;
	traced(r);
	cr_expect_str_eq(letters, "NOO?= BNO==");
}

Test(trace, end)
{
	struct violation v = {
		.kind = VIOLATION_TORN, .vcpu = 1, .step = 57, .text = "left by the wrong pad"
	};
	struct step_report r = nop(1, CODE);

	memset(&observation, 0, sizeof(observation));
	traced(nop(0, CODE));
	trace_end(&trace, &machine, &observation);
	assert_text("        ... vCPU 0: 1 instruction\n\nno violation on this schedule\n");
	observation_add(&observation, &v);
	r.violation = true;
	traced(r);
	assert_says("  violation: torn\n", NULL);
	observation.total[VIOLATION_STALE] = 2;
	trace_end(&trace, &machine, &observation);
	assert_text("\ntorn, vCPU 1, after decision 57\n"
		    "    what the vCPU really did: left by the wrong pad\n"
		    "and 2 more\n");
	memset(&observation, 0, sizeof(observation));
	strcpy(observation.suspect, "it does not add up");
	trace_end(&trace, &machine, &observation);
	assert_says("suspect: it does not add up\n", NULL);
}
