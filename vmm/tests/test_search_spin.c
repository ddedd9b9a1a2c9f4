// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_search_spin.c - Spin stores as many states of each model in tests/spin/
 * as the search finds in its toy. Without spin installed it says so and skips.
 */
#include "explore/search.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "tests/toys.h"

/*
 * -o1 -o2 -o3: no resetting of dead variables, no merging of statements: Spin's
 * states are the model's. -DNOREDUCE: all interleavings. -E: an invalid end
 * state is no reason to stop. -n: no list of unreached statements.
 */
#define BUILD                                                                     \
	"cd %s && spin %s -a -o1 -o2 -o3 %s/vmm/tests/spin/%s.pml > log 2>&1 && " \
	"gcc -w -DSAFETY -DNOREDUCE -o pan pan.c >> log 2>&1 && ./pan -E -n"

static const struct model {
	const char *name, *options;
	const struct toy_kind *kind;
	uint32_t n, variant;
} models[] = {
	{ "peterson", "", &toy_peterson, 0, 0 },
	{ "philosophers", "-DN=3", &toy_philosophers, 3, 0 },
	{ "philosophers", "-DN=4", &toy_philosophers, 4, 0 },
	{ "philosophers", "-DN=5", &toy_philosophers, 5, 0 },
	{ "philosophers", "-DN=4 -DLEFT=1", &toy_philosophers, 4, 1 },
	{ "philosophers", "-DN=5 -DLEFT=1", &toy_philosophers, 5, 1 },
	{ "buffer", "-DN=2", &toy_buffer, 2, 0 },
	{ "buffer", "-DN=4", &toy_buffer, 4, 0 },
};

/* What pan says it stored and took; 0 when it did not say. */
static void run_spin(const struct model *m, const char *dir, unsigned long *states,
		     unsigned long *transitions)
{
	char command[2048], line[256], top[512];
	FILE *pan;

	cr_assert(getcwd(top, sizeof(top)));
	snprintf(command, sizeof(command), BUILD, dir, m->options, top, m->name);
	*states = *transitions = 0;
	pan = popen(command, "r");
	cr_assert(pan);
	while (fgets(line, sizeof(line), pan)) {
		if (strstr(line, " states, stored"))
			*states = strtoul(line, NULL, 10);
		if (strstr(line, " transitions (= stored+matched)"))
			*transitions = strtoul(line, NULL, 10);
	}
	cr_assert_eq(pclose(pan), 0, "%s", command);
}

Test(search, spin_counts)
{
	char dir[] = "/tmp/crossmod-spin-XXXXXX", command[128];

	if (system("command -v spin > /dev/null 2>&1")) {
		fprintf(stderr, "search: SKIPPED: spin is not installed, no count is compared\n");
		cr_skip_test("spin is not installed");
	}
	cr_assert(mkdtemp(dir));
	for (size_t i = 0; i < sizeof(models) / sizeof(models[0]); i++) {
		const struct model *m = &models[i];
		unsigned long states, transitions;
		struct search_result r;
		struct toy t;
		struct err e;

		toy_init(&t, m->kind, m->n, m->variant);
		cr_assert(toy_search(&t, 1, NULL, &r, &e));
		run_spin(m, dir, &states, &transitions);
		cr_assert_eq(r.states, states, "%s %s: Spin %lu", m->name, m->options, states);
		/* Spin counts the step into the initial state too. */
		cr_assert_eq(r.transitions + 1, transitions, "%s: %lu", m->name, transitions);
		search_fini(&r);
	}
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	cr_assert_eq(system(command), 0);
}
