// SPDX-License-Identifier: BSD-2-Clause
/* bench_explore.c - what the search over the machine costs, gains by a second worker and saves. */
#include "bench/bench_internal.h"
#include "base/affinity.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "explore/explore.h"

struct search {
	const struct image *image;
	struct scenario certified; /* exhausted: the three-sync protocol */
	struct scenario large;	   /* the same with an NMI: wide enough for two workers */
	struct scenario small;	   /* small enough without reduction */
	void *steps;		   /* the bare stepping loop's */
};

static void search_end(void *state)
{
	struct search *s = state;

	if (s->steps)
		bench_steps_end(s->steps);
	scenario_fini(&s->certified);
	scenario_fini(&s->small);
	scenario_fini(&s->large);
	free(s);
}

static bool parse(struct scenario *s, const struct image *image, const char *protocol,
		  const char *model, const char *nmis, struct err *e)
{
	char text[512];

	snprintf(text, sizeof(text),
		 "{\"why\":\"bench\",\"protocol\":\"%s\",\"method\":\"explore\","
		 "\"executors\":{\"calls\":2},"
		 "\"sites\":[{\"site\":\"nop5_jmp5\",\"at\":\"cross-line\"}],"
		 "\"fetch\":{\"model\":\"%s\"},\"explore\":{\"nmi\":{%s}},\"expect\":\"safe\"}",
		 protocol, model, nmis);
	return scenario_parse(s, "bench", text, strlen(text), image, e);
}

static void *search_begin(const struct bench_env *env, struct err *e)
{
	struct search *s = calloc(1, sizeof(*s));

	if (!s) {
		err_set(e, ERR_HOST, "out of memory");
		return NULL;
	}
	s->image = env->image;
	if (parse(&s->certified, env->image, "int3_fixup_a0", "stale", "", e) &&
	    parse(&s->large, env->image, "int3_fixup_a0", "stale", "\"1\":1", e) &&
	    parse(&s->small, env->image, "naive", "sc", "", e))
		s->steps = bench_steps_begin(env, e);
	if (s->steps)
		return s;
	search_end(s);
	return NULL;
}

static void *search_begin_two(const struct bench_env *env, struct err *e)
{
	affinity_on_either(env->core);
	if (env->cores >= 2)
		return search_begin(env, e);
	err_set(e, ERR_UNSUPPORTED, "one processor");
	return NULL;
}

static bool search(struct search *s, const struct scenario *scenario, uint32_t jobs,
		   struct observation *o, struct err *e)
{
	struct schedule witness = { 0 };
	struct quirks quirks;
	const struct explore_request q = { .image = s->image, .scenario = scenario, .jobs = jobs };
	bool ok = explore_run(&q, o, &witness, &quirks, e);

	schedule_fini(&witness);
	return ok;
}

/* Instructions and deliveries a second inside a search. */
static bool efficiency_ours(void *state, double amount, struct bench_tally *t, struct err *e)
{
	struct search *s = state;
	struct observation o;

	(void)amount;
	if (!search(s, &s->certified, 1, &o, e))
		return false;
	t->amount += (double)o.executed;
	t->seconds += o.seconds;
	return true;
}

static bool efficiency_raw(void *state, double amount, struct bench_tally *t, struct err *e)
{
	(void)amount;
	return bench_steps_raw(((struct search *)state)->steps, 5000, t, e);
}

static bool whole_search(void *state, uint32_t jobs, struct bench_tally *t, struct err *e)
{
	struct search *s = state;
	struct observation o;

	if (!search(s, &s->large, jobs, &o, e))
		return false;
	t->amount += 1;
	t->seconds += o.seconds;
	return true;
}

static bool speedup_ours(void *state, double amount, struct bench_tally *t, struct err *e)
{
	(void)amount;
	return whole_search(state, 2, t, e);
}

static bool speedup_raw(void *state, double amount, struct bench_tally *t, struct err *e)
{
	(void)amount;
	return whole_search(state, 1, t, e);
}

/* States, as if they took a second each: the ratio is what counts. */
static bool states_of(void *state, bool no_reduction, struct bench_tally *t, struct err *e)
{
	struct search *s = state;
	struct observation o;

	s->small.explore.no_reduction = no_reduction;
	if (!search(s, &s->small, 1, &o, e))
		return false;
	t->amount += (double)o.states;
	t->seconds += 1;
	return true;
}

static bool reduction_ours(void *state, double amount, struct bench_tally *t, struct err *e)
{
	(void)amount;
	return states_of(state, true, t, e);
}

static bool reduction_raw(void *state, double amount, struct bench_tally *t, struct err *e)
{
	(void)amount;
	return states_of(state, false, t, e);
}

const struct bench_measure bench_explore_efficiency = {
	.name = "explore_efficiency",
	.what = "steps inside a search, saving, loading and hashing included / bare KVM_RUN steps",
	.unit = "1/s",
	.target = 0.7,
	.chunks = 3,
	.amount = 1,
	.begin = search_begin,
	.ours = efficiency_ours,
	.raw = efficiency_raw,
	.end = search_end,
};

const struct bench_measure bench_parallel_speedup = {
	.name = "parallel_speedup",
	.what = "the same search with two workers / with one",
	.unit = "1/s",
	.target = 1.7,
	.chunks = 1,
	.amount = 1,
	.begin = search_begin_two,
	.ours = speedup_ours,
	.raw = speedup_raw,
	.end = search_end,
};

const struct bench_measure bench_reduction_factor = {
	.name = "reduction_factor",
	.what = "states until the naive routine is found torn, without / with reduction",
	.unit = "states",
	.target = 1,
	.chunks = 1,
	.amount = 1,
	.begin = search_begin,
	.ours = reduction_ours,
	.raw = reduction_raw,
	.end = search_end,
};
