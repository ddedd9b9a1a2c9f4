// SPDX-License-Identifier: BSD-2-Clause
/* test_scenario_schedule.c - what moves, injections and their points are read as. */
#include <criterion/criterion.h>

#include "scenario/scenario.h"
#include "test_scenario_fixture.h"

Test(scenario, moves_that_run)
{
	struct scenario s = example_stepped(
		"{\"schedule\": [{\"vcpu\": 1, \"steps\": 3, \"hold_ipis\": true},"
		" {\"vcpu\": \"all\", \"steps\": 5},"
		" {\"vcpu\": 1, \"until\": \"int3_fixup.tail\"},"
		" {\"vcpu\": 1, \"until\": \"naive_patch+0x10\", \"hit\": 3},"
		" {\"vcpu\": 1, \"until_stores\": 2},"
		" {\"vcpu\": 1, \"until_variable\": {\"name\": \"patch_state\", \"equals\": 7}},"
		" {\"vcpu\": 1, \"until_variable\": {\"name\": \"unsized\", \"equals\": 0}},"
		" {\"vcpu\": \"all\", \"until_done\": true}]}");
	const struct move *m = s.move;

	cr_assert_eq(s.nmoves, 8);
	for (size_t i = 0; i < s.nmoves; i++)
		cr_expect(m[i].kind == MOVE_RUN && m[i].until.site == -1, "move %zu", i);
	cr_expect(m[0].vcpu == 1 && m[0].steps == 3 && m[0].hold_ipis && !m[0].all);
	cr_expect(m[0].until.kind == POINT_NONE);
	cr_expect(m[1].all && m[1].steps == 5 && !m[1].hold_ipis);
	cr_expect(m[2].until.kind == POINT_ADDRESS && m[2].until.address == CODE + 0x200);
	cr_expect(m[2].until.hit == 1 && m[2].until.vcpu == 1 && m[2].steps == 0);
	cr_expect_str_eq(m[2].until.text, "int3_fixup.tail");
	cr_expect(m[3].until.address == CODE + 0x110 && m[3].until.hit == 3);
	cr_expect(m[4].until.kind == POINT_STORES && m[4].until.value == 2);
	cr_expect_str_eq(m[4].until.text, "store 2");
	cr_expect(m[5].until.kind == POINT_VARIABLE && m[5].until.address == DATA);
	cr_expect_eq(m[5].until.value, 7);
	cr_expect_str_eq(m[5].until.text, "patch_state = 7");
	cr_expect_eq(m[6].until.address, DATA + 8);
	cr_expect(m[7].all && m[7].until.kind == POINT_DONE);
	scenario_fini(&s);
}

Test(scenario, points_at_sites)
{
	struct scenario s = example_stepped("{\"sites\": [{\"site\": \"nop5_jmp5\"},"
					    " {\"site\": \"nop5_jmp5\"}], \"schedule\": ["
					    " {\"vcpu\": 0, \"until\": \"site0\"},"
					    " {\"vcpu\": 0, \"until\": \"site1+0x2\"},"
					    " {\"vcpu\": 0, \"until\": \"site1+12\", \"hit\": 2},"
					    " {\"vcpu\": 0, \"until\": \"site_table\"}]}");
	const struct move *m = s.move;

	for (size_t i = 0; i < 4; i++)
		cr_expect(m[i].until.kind == POINT_ADDRESS);
	cr_expect(m[0].until.site == 0 && m[0].until.offset == 0 && m[0].until.address == 0);
	cr_expect(m[1].until.site == 1 && m[1].until.offset == 2);
	cr_expect(m[2].until.site == 1 && m[2].until.offset == 12 && m[2].until.hit == 2);
	cr_expect(m[3].until.site == -1 && m[3].until.address == CODE + 0x300);
	scenario_fini(&s);
}

Test(scenario, moves_that_fetch)
{
	struct scenario s =
		example_stepped("{\"fetch\": {\"model\": \"stale\"}, \"schedule\": ["
				" {\"vcpu\": 1, \"fetch\": {\"head\": \"old\", \"tail\": \"new\"}},"
				" {\"vcpu\": 1, \"fetch\": [0, \"old\", 65535]}]}");
	const struct move *m = s.move;

	cr_expect(m[0].kind == MOVE_FETCH && m[0].head_tail && m[0].nchunks == 2);
	cr_expect(m[0].chunk[0].which == FORCED_OLDEST && m[0].chunk[1].which == FORCED_NEWEST);
	cr_expect(m[1].kind == MOVE_FETCH && !m[1].head_tail && m[1].nchunks == 3);
	cr_expect(m[1].chunk[0].which == FORCED_INDEX && m[1].chunk[0].index == 0);
	cr_expect(m[1].chunk[1].which == FORCED_OLDEST);
	cr_expect(m[1].chunk[2].which == FORCED_INDEX && m[1].chunk[2].index == 65535);
	scenario_fini(&s);

	s = example_stepped("{\"schedule\": [{\"vcpu\": 1, \"fetch\": [\"new\"]}]}");
	cr_expect(s.move[0].chunk[0].which == FORCED_NEWEST && s.move[0].nchunks == 1);
	scenario_fini(&s);

	s = example_stepped("{\"fetch\": {\"model\": \"desc\"}, \"schedule\": ["
			    " {\"vcpu\": 1, \"latch\": 2}]}");
	cr_expect(s.move[0].kind == MOVE_LATCH && s.move[0].steps == 2 && s.move[0].vcpu == 1);
	scenario_fini(&s);
}

Test(scenario, moves_that_deliver)
{
	struct scenario s = example_stepped("{\"schedule\": [{\"vcpu\": 1, \"deliver\": \"ipi\"},"
					    " {\"vcpu\": 1, \"deliver\": \"nmi\"},"
					    " {\"vcpu\": 0, \"deliver\": \"raised-ipi\"}]}");

	cr_expect(s.move[0].kind == MOVE_IPI && s.move[0].vcpu == 1);
	cr_expect(s.move[1].kind == MOVE_NMI);
	cr_expect(s.move[2].kind == MOVE_RAISE && s.move[2].vcpu == 0);
	scenario_fini(&s);
}

Test(scenario, injections)
{
	struct scenario s = example_stepped(
		"{\"inject\": [{\"what\": \"nmi\", \"vcpu\": 1, \"at\": \"site0+1\"},"
		" {\"what\": \"ipi\", \"vcpu\": 1, \"at\": \"naive_patch+4\", \"on\": 0, \"hit\": 2},"
		" {\"what\": \"stall\", \"vcpu\": 0, \"at_stores\": 1, \"steps\": 50},"
		" {\"what\": \"nmi\", \"vcpu\": 0,"
		"  \"when\": {\"name\": \"patch_state\", \"equals\": 1}}]}");
	const struct injection *inj = s.injection;

	cr_assert_eq(s.ninjections, 4);
	cr_expect(inj[0].kind == INJECT_NMI && inj[0].vcpu == 1 && inj[0].at.vcpu == 1);
	cr_expect(inj[0].at.kind == POINT_ADDRESS && inj[0].at.site == 0 && inj[0].at.offset == 1);
	cr_expect(inj[0].at.hit == 1 && inj[0].steps == 0);
	cr_expect(inj[1].kind == INJECT_IPI && inj[1].vcpu == 1 && inj[1].at.vcpu == 0);
	cr_expect(inj[1].at.address == CODE + 0x104 && inj[1].at.hit == 2 && inj[1].at.site == -1);
	cr_expect(inj[2].kind == INJECT_STALL && inj[2].steps == 50);
	cr_expect(inj[2].at.kind == POINT_STORES && inj[2].at.value == 1);
	cr_expect(inj[3].at.kind == POINT_VARIABLE && inj[3].at.address == DATA);
	cr_expect_eq(inj[3].at.value, 1);
	scenario_fini(&s);
}
