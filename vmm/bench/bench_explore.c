// SPDX-License-Identifier: BSD-2-Clause
/* bench_explore.c - what the search over the machine costs, gains by a second worker and saves. */
#include "bench/bench_internal.h"
#include "base/affinity.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "explore/explore.h"
#include "image/isa.h"

/* What is searched, by the image's instruction set. */
struct sample {
	enum cm_isa isa;
	const char *site, *at;
	const char *certified, *model;	 /* a protocol that is safe, and under which model */
	const char *broken, *weak_model; /* one that is found out, small without reduction, too */
	uint32_t calls;
};

static const struct sample samples[] = {
	{ CM_ISA_X86_64, "nop5_jmp5", "\"cross-line\"", "int3_fixup_a0", "stale", "naive", "sc",
	  2 },
	{ CM_ISA_A64, "a64_nop_b", "60", "word_store", "arm", "word_store_no_sync", "arm", 1 },
};

struct search {
	const struct image *image;
	struct scenario certified; /* exhausted */
	struct scenario large;	   /* the same with an NMI: wide enough for two workers */
	struct scenario small;
	void *steps; /* the bare stepping loop's */
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

static bool parse(struct scenario *s, const struct image *image, const struct sample *sample,
		  bool certified, const char *nmis, struct err *e)
{
	char text[512];

	snprintf(text, sizeof(text),
		 "{\"why\":\"bench\",\"protocol\":\"%s\",\"method\":\"explore\","
		 "\"executors\":{\"calls\":%u},\"sites\":[{\"site\":\"%s\",\"at\":%s}],"
		 "\"fetch\":{\"model\":\"%s\"},\"explore\":{\"nmi\":{%s}},\"expect\":\"safe\"}",
		 certified ? sample->certified : sample->broken, sample->calls, sample->site,
		 sample->at, certified ? sample->model : sample->weak_model, nmis);
	return scenario_parse(s, "bench", text, strlen(text), image, e);
}

static const struct sample *sample_of(const struct image *image, struct err *e)
{
	for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++)
		if (samples[i].isa == image->abi.isa)
			return &samples[i];
	err_set(e, ERR_UNSUPPORTED, "no search is chosen for images of %s",
		isa_name(image->abi.isa));
	return NULL;
}

static void *search_begin(const struct bench_env *env, struct err *e)
{
	const struct sample *sample = sample_of(env->image, e);
	struct search *s = sample ? calloc(1, sizeof(*s)) : NULL;

	if (!sample)
		return NULL;
	if (!s) {
		err_set(e, ERR_HOST, "out of memory");
		return NULL;
	}
	s->image = env->image;
	if (parse(&s->certified, env->image, sample, true, "", e) &&
	    parse(&s->large, env->image, sample, true, "\"1\":1", e) &&
	    parse(&s->small, env->image, sample, false, "", e)) {
		s->certified.explore.max_states = s->large.explore.max_states =
			s->small.explore.max_states = env->states;
		s->steps = bench_steps_begin(env, e);
	}
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
	.what = "states until a routine without synchronisation is found out, without / with "
		"reduction",
	.unit = "states",
	.target = 1,
	.chunks = 1,
	.amount = 1,
	.begin = search_begin,
	.ours = reduction_ours,
	.raw = reduction_raw,
	.end = search_end,
};
