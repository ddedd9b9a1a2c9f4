// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_bypass.c - a site's bypass: who has one, what its bytes are called, and
 * that it is fetched under the rules a site is fetched under.
 */
#include <criterion/criterion.h>
#include <string.h>

#include "kvmtest.h"
#include "report/trace_internal.h"

TestSuite(bypass, .init = kvmtest_needs_kvm, .timeout = 60);

#define SHAPE                                                                  \
	"'protocol': '%s', 'method': 'stepped', 'fetch': {'model': 'stale'}, " \
	"'sites': [{'site': 'mov_imm32', 'at': 'cross-line'}, {'site': 'mov_imm32'}]"

static const char *name_of(struct rig *r, uint64_t address)
{
	static char buf[64];

	trace_address(r->machine, address, buf, sizeof(buf));
	return buf;
}

Test(bypass, only_a_protocol_that_asks_has_it)
{
	struct rig r = { 0 };

	rig_set_up(&r, SHAPE, "naive");
	cr_expect_eq(r.machine->site[0].bypass, 0);
	cr_expect_eq(r.machine->fetch.nranges, 2);
	rig_tear_down(&r);
	rig_set_up(&r, SHAPE, "immediate_bypass");
	for (uint32_t i = 0; i < 2; i++) {
		uint64_t slot = CM_TEXT_BASE + i * CM_SLOT_SIZE;

		cr_expect_eq(r.machine->site[i].bypass, slot + CM_SLOT_BYPASS);
		cr_expect_geq(fetch_offset(&r.machine->fetch, slot + CM_SLOT_BYPASS), 0);
	}
	cr_expect_eq(r.machine->fetch.nranges, 4);
	rig_tear_down(&r);
}

Test(bypass, its_bytes_and_addresses_have_the_site_s_names)
{
	struct rig r = { 0 };
	struct insn_decoder *d;
	const struct site *s;
	uint8_t bytes[CM_MAX_SITE_LEN];
	char buf[64];

	rig_set_up(&r, SHAPE, "immediate_bypass");
	d = &r.machine->decoder;
	s = &r.machine->site[0];
	memcpy(bytes, s->placed.old_bytes, sizeof(bytes));
	cr_expect_eq(site_form(s, d, s->bypass, bytes, 5), FORM_OLD);
	cr_expect_eq(site_form(s, d, s->bypass, s->placed.new_bytes, 5), FORM_NEW);
	cr_expect_eq(site_form(s, d, s->bypass, (const uint8_t *)"\xcc", 1), FORM_BREAKPOINT);
	bytes[1] = s->placed.new_bytes[1];
	cr_expect_eq(site_form(s, d, s->bypass, bytes, 5), FORM_TORN);
	cr_expect_eq(site_form(s, d, s->bypass + 5, bytes, 5), FORM_OUTSIDE);
	cr_expect_eq(site_offset(s, s->bypass + 4), 4);
	cr_expect_eq(site_offset(s, s->placed.text + 4), 4);
	cr_expect_eq(site_offset(s, s->bypass + 5), -1);
	cr_expect_str_eq(name_of(&r, s->bypass), "site0's bypass");
	cr_expect_str_eq(name_of(&r, s->bypass + 5), "site0's bypass+0x5");
	cr_expect_str_eq(name_of(&r, s->placed.text + 5), "site0+0x5");
	cr_expect_str_eq(site_name_address(s, 1, r.machine->image, s->bypass + 1, buf, 64),
			 "site0's bypass+1");
	rig_tear_down(&r);
}

/* What the patcher has stored there the others may fetch, or not yet. */
Test(bypass, is_fetched_by_version)
{
	struct fetch_plan none = { 0 };
	uint32_t versions[4], offset;
	struct rig r = { 0 };
	const struct fetch *f;

	rig_set_up(&r, SHAPE, "immediate_bypass");
	f = &r.machine->fetch;
	offset = (uint32_t)fetch_offset(f, r.machine->site[0].bypass);
	cr_expect_eq(fetch_choices(f, 1, &none, offset, versions, 4), 1);
	rig_step_to_symbol(&r, 0, "immediate_bypass.register");
	cr_expect_eq(r.observation.stores, 5);
	cr_expect_arr_eq(machine_window(r.machine) + offset, "\xb8\x11\x11\x11\x11\xcc", 6);
	cr_assert_eq(fetch_choices(f, 1, &none, offset, versions, 4), 2);
	cr_expect_eq(fetch_window(f, versions[0])[offset], 0xb8);
	cr_expect_eq(fetch_window(f, versions[1])[offset], 0xcc);
	rig_tear_down(&r);
}
