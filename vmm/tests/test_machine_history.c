// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_machine_history.c - the planted fault of `illegal-change`: changes of
 * Arm code that are executed too early, on a machine that is built by hand and
 * never runs. No KVM.
 */
#include "machine/machine_internal.h"

#include <string.h>

#include <criterion/criterion.h>

#define TEXT 0x20001000u
#define LINE 64u
enum { WRITER, READER };

static struct image_site kind = { .name = "nop_bl" };
static struct scenario scenario;
static struct observation observation;
static struct machine machine;
static const struct fetch_range range = { .address = TEXT, .length = LINE };
static uint8_t window[FETCH_WINDOW_MAX];

/* One site at TEXT, holding (bytes). */
static void build(enum cm_isa isa, enum fetch_model model, const char *bytes, uint32_t length)
{
	struct err e;

	memset(&machine, 0, sizeof(machine));
	memset(&observation, 0, sizeof(observation));
	scenario = (struct scenario){
		.isa = isa,
		.vcpus = 2,
		.nsites = 1,
		.fetch = { .model = model, .chunk = 4, .delivery_syncs = true },
		.check_changes = true,
	};
	kind.record.isa = isa;
	machine.scenario = &scenario;
	machine.observation = &observation;
	machine.site[0] =
		(struct site){ .kind = &kind,
			       .placed = { .text = TEXT, .length = length, .isa = (uint16_t)isa } };
	memset(window, 0, sizeof(window));
	memcpy(window, bytes, length);
	cr_assert(insn_init(machine_decoder(&machine, isa), isa, &e), "%s", e.text);
	machine_start_history(&machine, &range, 1, window);
}

static void drop(void)
{
	insn_fini(&machine.decoder);
	insn_fini(&machine.narrow);
	fetch_fini(&machine.fetch);
	fetch_fini(&machine.changes);
}

static void store(const char *bytes)
{
	memcpy(window, bytes, machine.site[0].placed.length);
	cr_assert(machine_note_stored(&machine, WRITER, window));
}

/* An execution of (length) bytes at the site, well-behaved or a mixture. How many violations now? */
static uint32_t execute(uint32_t vcpu, uint8_t length, enum site_form form)
{
	struct step_report r = { .pc = TEXT, .length = length, .form = form };

	uint32_t before = observation.nviolations;

	machine_check_change(&machine, vcpu, &r);
	cr_expect_eq(r.violation, observation.nviolations > before);
	return observation.nviolations;
}

static void operation(enum insn_class class, enum insn_maintenance maintenance, uint64_t address)
{
	const struct insn insn = { .class = class, .maintenance = maintenance };

	machine_note_maintenance(&machine, WRITER, &insn, address);
}

/* As a routine does it, writing and cleaning by way of the alias. */
static void maintain(uint64_t clean, uint64_t invalidate)
{
	operation(INSN_CACHE, MAINTAIN_CLEAN, clean);
	operation(INSN_DSB, MAINTAIN_NOTHING, 0);
	operation(INSN_CACHE, MAINTAIN_INVALIDATE, invalidate);
	operation(INSN_DSB, MAINTAIN_NOTHING, 0);
}

#define ALIAS (TEXT - CM_TEXT_BASE + CM_ALIAS_BASE)

/* NOP.W to BL by one aligned word: single-copy atomic, executed well under sc, and not allowed. */
Test(machine_history, an_illegal_change_that_came_out_well)
{
	build(CM_ISA_T32, FETCH_SC, "\xaf\xf3\x00\x80", 4);
	cr_expect_eq(execute(READER, 4, FORM_OLD), 0);
	store("\x00\xf0\x08\xf8");
	cr_expect_eq(execute(READER, 4, FORM_NEW), 1);
	cr_expect_eq(observation.violation[0].kind, VIOLATION_ILLEGAL_CHANGE);
	cr_expect_eq(observation.violation[0].vcpu, READER);
	cr_expect_str_eq(observation.violation[0].text,
			 "site0 was executed before store 1 was synchronised, af f3 00 80 (nop.w) "
			 "-> 00 f0 08 f8 (bl #0x20001014): outside E2.2.5: of 32-bit T32 "
			 "instructions hw1 may change from BL to BL, from BLX to BLX, and between "
			 "these and a 16-bit B, BX, BLX, BKPT or SVC",
			 "%s", observation.violation[0].text);
	drop();
}

Test(machine_history, an_allowed_change_and_a_synchronised_one)
{
	build(CM_ISA_T32, FETCH_STALE, "\x00\xf0\x08\xf8", 4);
	store("\x01\xf0\x08\xf8"); /* BL to BL */
	cr_expect_eq(execute(READER, 4, FORM_NEW), 0);
	store("\xaf\xf3\x00\x80"); /* to NOP.W, which nobody executes */
	maintain(ALIAS, TEXT);
	machine_note_delivered(&machine, READER);
	cr_expect_eq(execute(READER, 4, FORM_NEW), 0, "%s", observation.violation[0].text);
	cr_expect_eq(execute(WRITER, 4, FORM_NEW), 1, "it has not synchronised itself");
	drop();
}

/* An invalidation by way of the alias is of other instructions; FEAT_ExS does not synchronise. */
Test(machine_history, what_does_not_synchronise)
{
	build(CM_ISA_A64, FETCH_SC, "\x1f\x20\x03\xd5", 4);
	store("\xa0\x00\x80\xd2");
	maintain(ALIAS, ALIAS);
	machine_note_synchronised(&machine, READER);
	cr_expect_eq(execute(READER, 4, FORM_NEW), 1);
	maintain(TEXT, TEXT);
	cr_expect_eq(execute(READER, 4, FORM_NEW), 2);
	machine.changes.config.delivery_syncs = false;
	machine_note_delivered(&machine, READER);
	cr_expect_eq(execute(READER, 4, FORM_NEW), 3);
	machine_note_synchronised(&machine, READER);
	cr_expect_eq(execute(READER, 4, FORM_NEW), 3);
	drop();
}

Test(machine_history, a_mixture_is_torn_and_a_knob_turns_it_off)
{
	build(CM_ISA_T32, FETCH_STALE, "\xaf\xf3\x00\x80", 4);
	store("\x00\xf0\x08\xf8");
	cr_expect_eq(execute(READER, 4, FORM_TORN), 0);
	cr_expect_eq(execute(READER, 4, FORM_OUTSIDE), 0);
	drop();
	build(CM_ISA_T32, FETCH_STALE, "\xaf\xf3\x00\x80", 4);
	scenario.check_changes = false;
	machine_start_history(&machine, &range, 1, window);
	store("\x00\xf0\x08\xf8");
	cr_expect_eq(execute(READER, 4, FORM_NEW), 0);
	cr_expect_eq(machine.changes.size, 0);
	drop();
}

/* Both histories come back from a packed state, and what is unsynchronised is part of it. */
Test(machine_history, is_state)
{
	static uint8_t before[MACHINE_HISTORY_MAX], after[MACHINE_HISTORY_MAX];
	size_t size, old;

	build(CM_ISA_A64, FETCH_SC, "\x1f\x20\x03\xd5", 4);
	old = machine_pack_history(&machine, before, sizeof(before));
	store("\xa0\x00\x80\xd2");
	size = machine_pack_history(&machine, after, sizeof(after));
	cr_expect_gt(size, old);
	machine_unpack_history(&machine, before, old);
	cr_expect_eq(execute(READER, 4, FORM_OLD), 0);
	machine_unpack_history(&machine, after, size);
	cr_expect_eq(execute(READER, 4, FORM_NEW), 1);
	drop();
}
