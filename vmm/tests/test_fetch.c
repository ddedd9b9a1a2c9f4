// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_fetch.c - the window and its versions, whatever the model: chunks,
 * pieces, order of choices, trimming, copying. No KVM, no decoder. The models
 * themselves are in test_fetch_models.c.
 */
#include "test_fetch_fixture.h"

#include <signal.h>
#include <string.h>

#include <criterion/criterion.h>

Test(fetch, names)
{
	enum fetch_model model;

	for (unsigned int i = 0; i < FETCH_MODELS; i++) {
		cr_assert(fetch_model_parse(fetch_model_name((enum fetch_model)i), &model));
		cr_assert_eq(model, i);
	}
	cr_assert_str_eq(fetch_model_name(FETCH_ORDERED), "ordered");
	cr_assert_str_eq(fetch_model_name(FETCH_MODELS), "?");
	cr_assert_str_eq(fetch_model_name((enum fetch_model) - 1), "?");
	cr_assert_not(fetch_model_parse("riscv", &model));
	cr_assert_not(fetch_model_parse("", &model));
	cr_assert_not(fetch_model_parse("SC", &model));
}

static void assert_nchunks(uint32_t chunk, uint64_t address, uint32_t length, uint32_t expected)
{
	struct fetch f;

	history_start(&f, FETCH_STALE, chunk, address, length);
	cr_assert_eq(f.nchunks, expected, "chunk %u at 0x%lx: %u chunks, not %u", chunk,
		     (unsigned long)address, f.nchunks, expected);
	for (uint32_t i = 0; i < f.size; i++) {
		uint64_t unit = (address + i) / chunk - address / chunk;

		cr_assert_eq(f.chunk_of[i], unit);
	}
	fetch_fini(&f);
}

Test(fetch, chunk_sizes)
{
	static const uint32_t sizes[] = { 1, 2, 4, 8, 16, 64 };

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		assert_nchunks(sizes[i], TEXT, LINE, LINE / sizes[i]);
		assert_nchunks(sizes[i], TEXT - LINE, 2 * LINE, 2 * LINE / sizes[i]);
	}
	assert_nchunks(FETCH_CHUNK_PAGE, TEXT, 2 * LINE, 1);
	assert_nchunks(FETCH_CHUNK_PAGE, TEXT - LINE, 2 * LINE, 2);
	assert_nchunks(1, TEXT, FETCH_WINDOW_MAX, FETCH_WINDOW_MAX);
}

/* Three lines: two in one page, one in the next but one. */
Test(fetch, several_pieces)
{
	static const struct fetch_range ranges[] = {
		{ TEXT, LINE, 0 },
		{ TEXT + 4 * LINE, LINE, LINE },
		{ TEXT + 2 * FETCH_CHUNK_PAGE, LINE, 2 * LINE },
	};
	struct fetch_config config = { .model = FETCH_STALE, .chunk = FETCH_CHUNK_PAGE };
	uint8_t bytes[3 * LINE] = { 0 };
	struct fetch_plan none = { 0 };
	uint32_t versions[4];
	struct fetch f;

	fetch_init(&f, &config, 2, ranges, 3, bytes);
	cr_assert_eq(f.nchunks, 2);
	cr_assert_eq(f.chunk_of[0], f.chunk_of[2 * LINE - 1]);
	cr_assert_neq(f.chunk_of[0], f.chunk_of[2 * LINE]);
	cr_assert_eq(fetch_offset(&f, TEXT), 0);
	cr_assert_eq(fetch_offset(&f, TEXT + LINE - 1), LINE - 1);
	cr_assert_eq(fetch_offset(&f, TEXT + LINE), -1);
	cr_assert_eq(fetch_offset(&f, TEXT - 1), -1);
	cr_assert_eq(fetch_offset(&f, TEXT + 4 * LINE + 3), LINE + 3);
	cr_assert_eq(fetch_offset(&f, TEXT + 2 * FETCH_CHUNK_PAGE + LINE - 1), 3 * LINE - 1);
	cr_assert_eq(fetch_offset(&f, UINT64_MAX), -1);
	/* A store to the second line is a new version of the page the first one is in. */
	history_store(&f, LINE, 'n', WRITER);
	cr_assert_eq(fetch_choices(&f, READER, &none, 0, versions, 4), 2);
	cr_assert_eq(fetch_choices(&f, READER, &none, 2 * LINE, versions, 4), 1);
	fetch_fini(&f);
}

/* An instruction over a page border, fetched page by page. */
Test(fetch, cross_page)
{
	uint32_t versions[4], border = LINE;
	struct fetch_plan plan = { 0 };
	struct fetch f;

	history_start(&f, FETCH_ORDERED, FETCH_CHUNK_PAGE, TEXT - LINE, 2 * LINE);
	history_store(&f, border, 'n', WRITER);
	history_store(&f, border - 1, 'n', WRITER);
	cr_assert_eq(fetch_choices(&f, READER, &plan, border - 1, versions, 4), 2);
	cr_assert_eq(versions[0], 2);
	cr_assert_eq(versions[1], 0);
	fetch_plan_add(&f, &plan, border - 1, 2);
	cr_assert_eq(plan.chunk[0], 0);
	cr_assert_eq(fetch_choices(&f, READER, &plan, border, versions, 4), 1);
	cr_assert_eq(versions[0], 2);
	fetch_plan_add(&f, &plan, border, 2);
	cr_assert_eq(plan.chunk[1], 1);
	fetch_fini(&f);
}

Test(fetch, stored)
{
	uint8_t window[LINE];
	struct fetch f;

	history_start(&f, FETCH_STALE, 1, TEXT, LINE);
	memset(window, 'o', sizeof(window));
	cr_assert_not(fetch_stored(&f, window, -1));
	cr_assert_eq(fetch_now(&f), 0);
	window[3] = 'n';
	cr_assert(fetch_stored(&f, window, -1));
	cr_assert_eq(fetch_now(&f), 1);
	cr_assert_not(fetch_stored(&f, window, -1));
	cr_assert_eq(history_byte(&f, 0, 3), 'o');
	cr_assert_eq(history_byte(&f, 1, 3), 'n');
	fetch_fini(&f);
}

/* Many more versions than the first allocation holds, all of which stay. */
Test(fetch, long_history)
{
	uint32_t versions[300];
	struct fetch_plan none = { 0 };
	struct fetch f;

	history_start(&f, FETCH_STALE, 2, TEXT, LINE);
	for (unsigned int i = 1; i < 200; i++)
		history_store(&f, i % 2, (char)i, WRITER);
	cr_assert_eq(fetch_now(&f), 199);
	cr_assert_eq(fetch_choices(&f, READER, &none, 0, versions, 300), 200);
	for (uint32_t i = 0; i < 200; i++)
		cr_assert_eq(versions[i], 199 - i);
	/* Fewer than there are may be asked for; the number does not change. */
	versions[2] = 77;
	cr_assert_eq(fetch_choices(&f, READER, &none, 0, versions, 2), 200);
	cr_assert_eq(versions[2], 77);
	fetch_fini(&f);
}

/* Content newest first, of equal content the oldest version. */
Test(fetch, choices_order)
{
	uint32_t versions[8];
	struct fetch_plan none = { 0 };
	struct fetch f;

	history_start(&f, FETCH_STALE, 1, TEXT, LINE);
	for (const char *p = "noin"; *p; p++)
		history_store(&f, 0, *p, WRITER);
	cr_assert_eq(fetch_choices(&f, READER, &none, 0, versions, 8), 3);
	cr_assert_eq(versions[0], 1); /* n, which is there now, was so as of 1 */
	cr_assert_eq(versions[1], 3); /* i */
	cr_assert_eq(versions[2], 0); /* o, also as of 2 */
	fetch_fini(&f);
}

static void assert_held(const struct fetch *f, uint32_t first, uint32_t count)
{
	cr_assert_eq(f->first, first, "first is %u, not %u", f->first, first);
	cr_assert_eq(f->count, count, "count is %u, not %u", f->count, count);
}

Test(fetch, trim_waits_for_everybody)
{
	struct fetch f;

	history_start(&f, FETCH_STALE, 1, TEXT, LINE);
	history_store(&f, 0, 'a', WRITER);
	history_store(&f, 0, 'b', WRITER);
	fetch_trim(&f);
	assert_held(&f, 0, 3);
	fetch_synchronised(&f, READER);
	fetch_trim(&f);
	assert_held(&f, 0, 3);
	fetch_synchronised(&f, WRITER);
	history_store(&f, 0, 'c', WRITER);
	fetch_trim(&f);
	assert_held(&f, 2, 2);
	cr_assert_eq(fetch_now(&f), 3);
	cr_assert_eq(history_byte(&f, 2, 0), 'b');
	cr_assert_eq(history_byte(&f, 3, 0), 'c');
	fetch_fini(&f);
}

Test(fetch, trim_keeps_the_latched)
{
	struct fetch_plan plan = { 0 };
	struct fetch f;
	struct err e;

	history_start(&f, FETCH_ASC, 1, TEXT, LINE);
	history_store(&f, 0, 'a', WRITER);
	cr_assert(fetch_latch(&f, READER, 0, 2, &e));
	history_store(&f, 0, 'b', WRITER);
	history_store(&f, 1, 'b', WRITER);
	fetch_trim(&f);
	assert_held(&f, 1, 3);
	fetch_plan_add(&f, &plan, 0, 1);
	fetch_plan_add(&f, &plan, 1, 3);
	fetch_done(&f, READER, &plan);
	fetch_trim(&f);
	assert_held(&f, 3, 1);
	fetch_fini(&f);
}

/* sc keeps nothing: what nobody may fetch goes with the next trim. */
Test(fetch, trim_newest_models)
{
	for (enum fetch_model m = FETCH_SC; m <= FETCH_DESC; m++) {
		struct fetch f;

		history_start(&f, m, 1, TEXT, LINE);
		for (unsigned int i = 0; i < 100; i++) {
			history_store(&f, i % 7, (char)i, i % 2 ? WRITER : -1);
			fetch_trim(&f);
			assert_held(&f, i + 1, 1);
		}
		fetch_fini(&f);
	}
}

/* An instruction outside the window changes nothing. */
Test(fetch, done_of_nothing)
{
	for (enum fetch_model m = 0; m < FETCH_MODELS; m++) {
		struct fetch_plan none = { 0 };
		uint32_t low[LINE];
		struct fetch f;

		history_start(&f, m, 1, TEXT, LINE);
		history_store(&f, 0, 'n', WRITER);
		memcpy(low, f.low[READER], sizeof(low));
		fetch_done(&f, READER, &none);
		cr_assert_arr_eq(low, f.low[READER], sizeof(low));
		fetch_fini(&f);
	}
}

Test(fetch, copy_is_deep)
{
	struct fetch f, copy = { 0 };

	history_start(&f, FETCH_STALE, 1, TEXT, LINE);
	history_store(&f, 0, 'n', WRITER);
	fetch_copy(&copy, &f);
	history_store(&f, 0, 'x', WRITER);
	fetch_synchronised(&f, READER);
	cr_assert_eq(fetch_now(&copy), 1);
	cr_assert_eq(history_byte(&copy, 1, 0), 'n');
	cr_assert_eq(copy.low[READER][0], 0);
	/* And into one that holds something of another size. */
	fetch_fini(&copy);
	history_start(&copy, FETCH_SC, 2, TEXT, 2 * LINE);
	fetch_copy(&copy, &f);
	cr_assert_eq(copy.size, LINE);
	cr_assert_eq(history_byte(&copy, 2, 0), 'x');
	history_store(&copy, 1, 'y', WRITER);
	cr_assert_eq(fetch_now(&f), 2);
	fetch_fini(&f);
	fetch_fini(&copy);
}

Test(fetch, fini_of_zeroed)
{
	struct fetch f = { 0 };

	fetch_fini(&f);
}

Test(fetch, asserts_chunk_size, .signal = SIGABRT)
{
	struct fetch f;

	history_start(&f, FETCH_SC, 3, TEXT, LINE);
}

Test(fetch, asserts_address_order, .signal = SIGABRT)
{
	static const struct fetch_range ranges[] = { { TEXT, LINE, 0 },
						     { TEXT + LINE, LINE, LINE } };
	struct fetch_config config = { .model = FETCH_SC, .chunk = 1 };
	uint8_t bytes[2 * LINE] = { 0 };
	struct fetch f;

	fetch_init(&f, &config, 1, ranges, 2, bytes);
}

Test(fetch, asserts_plan_order, .signal = SIGABRT)
{
	struct fetch_plan plan = { 0 };
	struct fetch f;

	history_start(&f, FETCH_SC, 1, TEXT, LINE);
	fetch_plan_add(&f, &plan, 1, 0);
	fetch_plan_add(&f, &plan, 0, 0);
}

Test(fetch, asserts_forgotten_version, .signal = SIGABRT)
{
	struct fetch f;

	history_start(&f, FETCH_SC, 1, TEXT, LINE);
	history_store(&f, 0, 'n', WRITER);
	fetch_trim(&f);
	fetch_window(&f, 0);
}
