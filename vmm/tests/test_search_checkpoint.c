// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_search_checkpoint.c - a search that was stopped and resumed comes to what
 * an undisturbed one does, wherever it is stopped, however often, with any number
 * of workers; and no file, however damaged, does worse than an error.
 */
#include "explore/search.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>
#include <xxhash.h>

#include "tests/toys.h"

TestSuite(search_checkpoint, .timeout = 120);

static const struct example {
	const struct toy_kind *kind;
	uint32_t n, variant, states;
} examples[] = {
	{ &toy_ring, 700, 0, 700 },	  { &toy_peterson, 0, 1, 20 },
	{ &toy_philosophers, 5, 0, 392 }, { &toy_philosophers, 3, 2, 24 },
	{ &toy_philosophers, 5, 3, 96 },  { &toy_buffer, 3, 0, 441 },
	{ &toy_polite, 0, 0, 24 },	  { &toy_counters, 4, 0, 256 },
	{ &toy_counters, 5, 2, 21 },	  { &toy_rope, 40, 1, 41 },
};

#define EXAMPLES (sizeof(examples) / sizeof(examples[0]))

static void assert_same_path(const struct search_path *a, const struct search_path *b)
{
	cr_assert_eq(a->count, b->count);
	for (size_t i = 0; i < a->count; i++)
		cr_assert_eq(a->index[i], b->index[i], "move %zu", i);
}

static void assert_same(const struct search_result *a, const struct search_result *b)
{
	cr_assert(a->end == b->end && a->violation == b->violation);
	cr_assert_eq(a->states, b->states, "%lu, %lu", (long)a->states, (long)b->states);
	cr_assert_eq(a->transitions, b->transitions);
	cr_assert_eq(a->depth, b->depth, "%lu, %lu", (long)a->depth, (long)b->depth);
	cr_assert(a->deadlock == b->deadlock && a->livelock == b->livelock);
	cr_assert(a->minimised == b->minimised && !a->saved && !b->saved);
	assert_same_path(&a->path, &b->path);
	assert_same_path(&a->cycle, &b->cycle);
}

/* From (*file), NULL for the start, within (bounds); (*file) is then the next checkpoint. */
static struct search_result go_on(const struct toy *t, uint32_t jobs, struct search_bounds bounds,
				  FILE **file)
{
	struct search_options options = { .bounds = bounds, .resume = *file };
	struct search_result r;
	struct err e;

	options.checkpoint = tmpfile();
	cr_assert(options.checkpoint);
	cr_assert(toy_search_with(t, jobs, &options, &r, &e), "%s", e.text);
	if (*file)
		fclose(*file);
	rewind(options.checkpoint);
	*file = options.checkpoint;
	return r;
}

static struct search_result undisturbed(const struct example *x, struct toy *t)
{
	struct search_result r;
	struct err e;

	toy_init(t, x->kind, x->n, x->variant);
	cr_assert(toy_search(t, 1, NULL, &r, &e), "%s", e.text);
	cr_assert_eq(r.states, x->states, "%s: %lu", x->kind->name, (long)r.states);
	return r;
}

/* Stopped at every number of states there is, with a violation at hand or not. */
Test(search_checkpoint, stopped_anywhere)
{
	static const struct search_bounds none;
	uint32_t with_violation = 0;

	for (size_t i = 0; i < EXAMPLES; i++) {
		struct toy t;
		struct search_result whole = undisturbed(&examples[i], &t);

		for (uint32_t states = 1; states < examples[i].states; states++) {
			struct search_bounds bounds = { .states = states };
			FILE *file = NULL;
			struct search_result r = go_on(&t, 1 + states % 3, bounds, &file);

			cr_assert(r.saved && r.states == states);
			cr_assert(r.violation || r.end == SEARCH_BOUND);
			cr_assert(!r.violation || !r.minimised);
			with_violation += r.violation != 0;
			search_fini(&r);
			r = go_on(&t, 1 + states / 3 % 3, none, &file);
			assert_same(&whole, &r);
			search_fini(&r);
			fclose(file);
		}
		search_fini(&whole);
	}
	cr_assert_gt(with_violation, 5, "%u", with_violation);
}

/* Many times in one search, sometimes with a bound that is met already. */
Test(search_checkpoint, stopped_again_and_again)
{
	for (size_t i = 0; i < EXAMPLES; i++) {
		struct toy t;
		struct search_result whole = undisturbed(&examples[i], &t), r;
		struct search_bounds bounds = { .states = 1 };
		uint32_t stops = 0;
		FILE *file = NULL;

		for (r = go_on(&t, 1, bounds, &file); r.saved; stops++) {
			cr_assert_eq(r.states, bounds.states);
			search_fini(&r);
			bounds.states += stops % 4 * (1 + examples[i].states / 100);
			r = go_on(&t, 1 + stops % 4, bounds, &file);
		}
		assert_same(&whole, &r);
		cr_assert_gt(stops, 4);
		search_fini(&r);
		search_fini(&whole);
		fclose(file);
	}
}

/* Between two batches. */
Test(search_checkpoint, stopped_by_memory)
{
	static const struct example counters = { &toy_counters, 6, 0, 4096 };
	uint32_t stops = 0;
	struct toy t;
	struct search_result whole = undisturbed(&counters, &t);

	for (uint64_t memory = 60000; memory < whole.memory; memory += memory / 16) {
		struct search_bounds bounds = { .memory = memory };
		FILE *file = NULL;
		struct search_result r = go_on(&t, 1 + stops % 3, bounds, &file);

		cr_assert(r.end == SEARCH_BOUND && r.saved && !strcmp(r.bound, "memory"));
		search_fini(&r);
		bounds.memory = stops++ % 2 ? 0 : whole.memory * 2;
		r = go_on(&t, 2, bounds, &file);
		assert_same(&whole, &r);
		search_fini(&r);
		fclose(file);
	}
	cr_assert_gt(stops, 10, "%u", stops);
	search_fini(&whole);
}

/* All is explored, and only the judgement has no room. */
Test(search_checkpoint, judged_later)
{
	static const struct example ring = { &toy_ring, 20000, 0, 20000 };
	struct toy t;
	struct search_result whole = undisturbed(&ring, &t), r;
	struct search_bounds bounds = { .memory = whole.memory - 1 };
	FILE *file = NULL;

	r = go_on(&t, 1, bounds, &file);
	cr_assert(r.end == SEARCH_BOUND && r.saved && !strcmp(r.bound, "memory"));
	cr_assert(r.states == whole.states && r.transitions == whole.transitions);
	search_fini(&r);
	bounds.memory = 0;
	r = go_on(&t, 1, bounds, &file);
	assert_same(&whole, &r);
	search_fini(&r);
	search_fini(&whole);
	fclose(file);
}

static bool stop_now(void *arg, const struct search_progress *p)
{
	(void)arg;
	(void)p;
	return true;
}

/* By the user, amid the time that the bound leaves; time goes on where it stood. */
Test(search_checkpoint, interrupted)
{
	struct search_options options = { .progress = stop_now, .checkpoint = tmpfile() };
	struct search_result whole, r;
	struct toy t, slow;
	struct err e;

	toy_init(&t, &toy_counters, 6, 0);
	cr_assert(toy_search(&t, 1, NULL, &whole, &e));
	slow = t;
	slow.busy_seconds = 1e-3;
	cr_assert(toy_search_with(&slow, 2, &options, &r, &e), "%s", e.text);
	cr_assert(r.end == SEARCH_INTERRUPTED && r.saved && r.states < 4096);
	search_fini(&r);
	rewind(options.checkpoint);
	options = (struct search_options){ .resume = options.checkpoint };
	cr_assert(toy_search_with(&t, 3, &options, &r, &e), "%s", e.text);
	assert_same(&whole, &r);
	cr_assert(r.seconds >= 0.5, "%g", r.seconds);
	search_fini(&r);
	search_fini(&whole);
	fclose(options.resume);
}

/* ---- refused -------------------------------------------------------------- */

struct bytes {
	uint8_t *at;
	size_t size;
};

/* A checkpoint of four counters, stopped within a level with a row merged in part. */
static struct bytes checkpoint(struct toy *t)
{
	struct search_bounds bounds = { .states = 100 };
	struct search_result r;
	struct bytes b;
	FILE *file = NULL;

	toy_init(t, &toy_counters, 4, 0);
	r = go_on(t, 1, bounds, &file);
	search_fini(&r);
	fseek(file, 0, SEEK_END);
	b.size = (size_t)ftell(file);
	b.at = malloc(b.size);
	rewind(file);
	cr_assert_eq(fread(b.at, 1, b.size, file), b.size);
	fclose(file);
	return b;
}

/* Resume from the first (size) of these bytes; at most 300 states, as the system may be nonsense. */
static bool resume(const struct toy *t, const uint8_t *bytes, size_t size,
		   struct search_options options, struct err *e)
{
	struct search_result r;
	bool ok;

	options.bounds.states = 300;
	options.resume = tmpfile();
	cr_assert(options.resume);
	cr_assert_eq(fwrite(bytes, 1, size, options.resume), size);
	rewind(options.resume);
	*e = (struct err){ 0 };
	ok = toy_search_with(t, 1, &options, &r, e);
	cr_assert(ok || e->code == ERR_INPUT, "%s", e->text);
	cr_assert(ok || (!r.states && !r.path.index));
	search_fini(&r);
	fclose(options.resume);
	return ok;
}

static void sign(const struct bytes *b)
{
	uint64_t sum = XXH3_64bits(b->at, b->size - sizeof(sum));

	memcpy(b->at + b->size - sizeof(sum), &sum, sizeof(sum));
}

Test(search_checkpoint, every_length_and_every_byte)
{
	static const struct search_options none;
	struct toy t;
	struct bytes b = checkpoint(&t);
	struct err e;

	cr_assert(resume(&t, b.at, b.size, none, &e), "%s", e.text);
	for (size_t size = 0; size < b.size; size++)
		cr_assert(!resume(&t, b.at, size, none, &e), "%zu bytes of %zu", size, b.size);
	cr_assert(strstr(e.text, "cut off"), "%s", e.text);
	for (size_t i = 0; i < b.size; i++) {
		b.at[i] ^= (uint8_t)(1u << i % 8);
		cr_assert(!resume(&t, b.at, b.size, none, &e), "byte %zu", i);
		b.at[i] ^= (uint8_t)(1u << i % 8);
	}
	free(b.at);
}

enum {
	VERSION = 8,
	BYTES = 16,
	STATES = 32,
	EDGES = 40,
	EXPANDED = 48,
	DEPTH = 56,
	SECONDS = 64,
	RECORDS = 72,
	RECORD = 24,
	FIRST = RECORDS + 100 * RECORD
};

static uint64_t get64(const struct bytes *b, size_t at)
{
	uint64_t value;

	memcpy(&value, b->at + at, sizeof(value));
	return value;
}

/* That (size) bytes at (at) being (value) is refused with (why), the checksum being right. */
static void refuses(const struct toy *t, const struct bytes *b, size_t at, uint64_t value,
		    size_t size, const char *why)
{
	static const struct search_options none;
	uint64_t old = 0;
	struct err e;

	memcpy(&old, b->at + at, size);
	cr_assert_neq(old, value);
	memcpy(b->at + at, &value, size);
	sign(b);
	cr_assert(!resume(t, b->at, b->size, none, &e), "%zu: %s", at, why);
	cr_assert(strstr(e.text, why), "%zu: %s instead of %s", at, e.text, why);
	memcpy(b->at + at, &old, size);
}

Test(search_checkpoint, damage_under_a_right_checksum)
{
	struct toy t;
	struct bytes b = checkpoint(&t);
	uint64_t expanded = get64(&b, EXPANDED), edges = get64(&b, EDGES);
	size_t edge = FIRST + 8 * (expanded + 1), blob = edge + 8 * edges;

	refuses(&t, &b, 0, 'X', 1, "no checkpoint of a search");
	refuses(&t, &b, VERSION, 3, 8, "format 3, not 2");
	refuses(&t, &b, BYTES, b.size + 1, 8, "cut off");
	refuses(&t, &b, BYTES, 79, 8, "its size");
	refuses(&t, &b, BYTES, b.size - 8, 8, "the size of a snapshot");
	refuses(&t, &b, STATES, 0, 8, "its counts");
	refuses(&t, &b, STATES, 1u << 20, 8, "its counts");
	refuses(&t, &b, STATES, UINT64_MAX, 8, "its counts");
	refuses(&t, &b, EDGES, UINT64_MAX, 8, "its counts");
	refuses(&t, &b, EDGES, edges - 1, 8, "the number of moves");
	refuses(&t, &b, EXPANDED, 101, 8, "its counts");
	refuses(&t, &b, DEPTH, 0, 8, "the level");
	refuses(&t, &b, DEPTH, UINT64_MAX, 8, "the level");
	refuses(&t, &b, SECONDS, UINT64_MAX, 8, "its counts");
	refuses(&t, &b, RECORDS, 0, 8, "another system");
	refuses(&t, &b, RECORDS + 16, 0, 4, "a state's record");
	/* The second state's parent, action and flags; that its hash is the first one's. */
	refuses(&t, &b, RECORDS + RECORD + 16, 1, 4, "a state's record");
	refuses(&t, &b, RECORDS + RECORD + 20, SEARCH_ACTIONS_MAX, 2, "a state's record");
	refuses(&t, &b, RECORDS + RECORD + 20, 3, 2, "how a state was come to");
	refuses(&t, &b, RECORDS + RECORD + 23, 2, 1, "a state's record");
	refuses(&t, &b, RECORDS + 50 * RECORD + 16, 0, 4, "a state's record");
	refuses(&t, &b, FIRST, 1, 8, "the number of moves");
	refuses(&t, &b, FIRST + 8, SEARCH_ACTIONS_MAX + 1000, 8, "the length of a state's row");
	refuses(&t, &b, FIRST + 8, UINT64_MAX, 8, "the length of a state's row");
	refuses(&t, &b, edge, 100, 4, "a move");
	refuses(&t, &b, edge, 2, 4, "how a state was come to");
	refuses(&t, &b, edge + 4, 64, 1, "a move");
	refuses(&t, &b, edge + 5, 64, 1, "a move");
	refuses(&t, &b, edge + 6, 8, 1, "a move");
	refuses(&t, &b, edge + 7, 1, 1, "a move");
	refuses(&t, &b, blob, UINT64_MAX, 8, "the size of a snapshot");
	refuses(&t, &b, blob, 15, 8, "the size of a snapshot");
	free(b.at);
}

/* Any result or ERR_INPUT will do; nothing may crash. */
Test(search_checkpoint, random_damage)
{
	static const struct search_options none;
	struct toy t;
	struct bytes b = checkpoint(&t), damaged = { malloc(b.size), b.size };
	uint32_t seed = 1, accepted = 0;
	struct err e;

	for (uint32_t i = 0; i < 5000; i++) {
		memcpy(damaged.at, b.at, b.size);
		for (uint32_t k = 0; k <= i % 4; k++) {
			seed = seed * 1664525u + 1013904223u;
			damaged.at[(seed >> 8) % b.size] = (uint8_t)(seed >> 24 ^ seed >> 5);
		}
		sign(&damaged);
		accepted += resume(&t, damaged.at, damaged.size, none, &e);
	}
	fprintf(stderr, "search: of 5000 damaged checkpoints %u could be used\n", accepted);
	cr_assert(accepted > 50 && accepted < 4500);
	free(damaged.at);
	free(b.at);
}

Test(search_checkpoint, another_system)
{
	struct search_options options = { .identity = 1 };
	struct toy t;
	struct bytes b = checkpoint(&t);
	struct err e;

	cr_assert(!resume(&t, b.at, b.size, options, &e));
	cr_assert_str_eq(e.text, "the checkpoint is of another system");
	options.identity = 0;
	t.start_at = 1;
	cr_assert(!resume(&t, b.at, b.size, options, &e));
	cr_assert_str_eq(e.text, "the checkpoint is of another system");
	free(b.at);
}

/* The caller's own lines may stand before it, and anything behind it. */
Test(search_checkpoint, within_a_file)
{
	struct search_options options = { .bounds.states = 50, .checkpoint = tmpfile() };
	struct search_result r;
	struct toy t;
	struct err e;
	long at;

	toy_init(&t, &toy_counters, 4, 0);
	fputs("whose it is\n", options.checkpoint);
	at = ftell(options.checkpoint);
	cr_assert(toy_search_with(&t, 1, &options, &r, &e) && r.saved);
	search_fini(&r);
	fputs("what else there is to say\n", options.checkpoint);
	fseek(options.checkpoint, at, SEEK_SET);
	options = (struct search_options){ .resume = options.checkpoint };
	cr_assert(toy_search_with(&t, 1, &options, &r, &e), "%s", e.text);
	cr_assert(r.end == SEARCH_EXHAUSTED && r.states == 256 && !r.saved);
	search_fini(&r);
	fclose(options.resume);
}

Test(search_checkpoint, cannot_be_written)
{
	struct search_options options = { .bounds.states = 50,
					  .checkpoint = fopen("/dev/full", "w") };
	struct search_result r;
	struct toy t;
	struct err e;

	cr_assert(options.checkpoint);
	toy_init(&t, &toy_counters, 4, 0);
	cr_assert(!toy_search_with(&t, 1, &options, &r, &e));
	cr_assert_eq(e.code, ERR_HOST);
	cr_assert_str_eq(e.text,
			 "search: the checkpoint cannot be written: No space left on device");
	fclose(options.checkpoint);
}
