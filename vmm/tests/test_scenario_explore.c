// SPDX-License-Identifier: BSD-2-Clause
/* test_scenario_explore.c - what scenarios of method explore are read as. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "scenario/scenario.h"
#include "test_scenario_fixture.h"

static struct scenario explored(const char *change)
{
	return example_accept(&example_image, EXPLORE_BASE, change);
}

static void assert_no_explore_options(const struct scenario *s)
{
	for (uint32_t i = 0; i < CM_MAX_VCPUS; i++)
		cr_expect_eq(s->explore.nmis[i], 0, "vCPU %u", i);
	cr_expect(s->explore.max_states == 0 && s->explore.max_seconds == 0);
	cr_expect(s->explore.max_memory_mb == 0 && !s->explore.no_reduction);
}

Test(scenario, defaults_explore)
{
	static const char *const changes[] = {
		"{}",
		"{\"explore\": {}}",
		"{\"explore\": {\"nmi\": {}}}",
		"{\"explore\": {\"reduction\": true}}",
	};

	for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		struct scenario s = explored(changes[i]);

		cr_expect(s.method == METHOD_EXPLORE);
		cr_expect_str_eq(method_name(s.method), "explore");
		cr_expect(s.pokes == 1 && s.calls == 1 && s.batch == 1);
		cr_expect(s.vcpus == 2 && s.patcher == 0 && s.executors == 0x2);
		cr_expect(s.fetch.model == FETCH_SC && s.fetch.chunk == 1);
		cr_expect(s.nmoves == 0 && s.ninjections == 0);
		cr_expect_eq(s.expect, 1u << VERDICT_SAFE);
		assert_no_explore_options(&s);
		scenario_fini(&s);
	}
}

Test(scenario, only_explore_has_explore_options)
{
	struct scenario s = example_stepped("{}");

	assert_no_explore_options(&s);
	scenario_fini(&s);
}

Test(scenario, explore_options)
{
	struct scenario s = explored(
		"{\"vcpus\": 3, \"explore\": {\"nmi\": {\"2\": 254, \"0\": \"unlimited\", \"1\": 0},"
		" \"max_states\": 9223372036854775807, \"max_seconds\": 0.25,"
		" \"max_memory_mb\": 1073741824, \"reduction\": false}}");
	const struct explore_options *x = &s.explore;

	cr_expect(x->nmis[0] == SCENARIO_NMI_UNLIMITED && x->nmis[1] == 0 && x->nmis[2] == 254);
	for (uint32_t i = 3; i < CM_MAX_VCPUS; i++)
		cr_expect_eq(x->nmis[i], 0, "vCPU %u", i);
	cr_expect_eq(x->max_states, INT64_MAX);
	cr_expect_eq(x->max_seconds, 0.25);
	cr_expect_eq(x->max_memory_mb, 1u << 30);
	cr_expect(x->no_reduction);
	scenario_fini(&s);

	s = explored(
		"{\"explore\": {\"max_states\": 1, \"max_seconds\": 60, \"max_memory_mb\": 1}}");
	cr_expect(s.explore.max_states == 1 && s.explore.max_seconds == 60);
	cr_expect(s.explore.max_memory_mb == 1 && !s.explore.no_reduction);
	scenario_fini(&s);
}

Test(scenario, explore_gives_nmis_to_every_vcpu)
{
	for (uint32_t i = 0; i < CM_MAX_VCPUS; i++) {
		struct scenario s;
		char change[100];

		snprintf(change, sizeof(change),
			 "{\"vcpus\": 16, \"explore\": {\"nmi\": {\"%u\": %u}}}", i, i + 1);
		s = explored(change);
		for (uint32_t j = 0; j < CM_MAX_VCPUS; j++)
			cr_expect_eq(s.explore.nmis[j], j == i ? i + 1 : 0, "vCPU %u, %s", j,
				     change);
		scenario_fini(&s);
	}
}

Test(scenario, explore_takes_what_stepped_takes)
{
	struct scenario s = explored(
		"{\"source\": \"a thread\", \"vcpus\": 4, \"nmi_runs_site\": true,"
		" \"ipi_runs_site\": true,"
		" \"sites\": [{\"site\": \"nop5_jmp5\", \"at\": \"cross-8\"}, {\"site\": \"nop1_int3\"}],"
		" \"patcher\": {\"vcpu\": 3, \"cpl\": 3, \"pokes\": 2, \"batch\": 2, \"pause\": 1},"
		" \"executors\": {\"vcpus\": [0, 1], \"cpl\": 3, \"calls\": 5},"
		" \"fetch\": {\"model\": \"stale\", \"chunk\": \"word\", \"delivery_syncs\": true},"
		" \"explore\": {\"nmi\": {\"3\": 1}}, \"expect\": [\"safe\", \"torn\"]}");

	cr_expect(s.vcpus == 4 && s.nmi_runs_site && s.ipi_runs_site);
	cr_expect(s.nsites == 2 && s.site[0].offset == 5);
	cr_expect(s.patcher == 3 && s.patcher_cpl == 3 && s.pokes == 2 && s.batch == 2);
	cr_expect(s.pause == 1 && s.executors == 0x3 && s.executor_cpl == 3 && s.calls == 5);
	cr_expect(s.fetch.model == FETCH_STALE && s.fetch.chunk == 4 && s.fetch.delivery_syncs);
	cr_expect_eq(s.explore.nmis[3], 1);
	cr_expect_eq(s.expect, 1u << VERDICT_SAFE | 1u << VERDICT_TORN);
	scenario_fini(&s);
}
