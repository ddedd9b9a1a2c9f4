// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_fetch_arm.c - model arm: histories of stores, maintenance and context
 * synchronisation, and what may be fetched then; the same by chance, against
 * the rules in their plainest form. No KVM, no decoder.
 */
#include "test_fetch_fixture.h"

#include <stdio.h>
#include <string.h>

#include <criterion/criterion.h>

#define CHUNK 2u
#define HEAD  (LINE - CHUNK) /* the last halfword of a line */
#define TAIL  LINE	     /* and the first of the next */

/*
 * A history, words separated by blanks, of vCPUs 0 and 1. It is 1 whose fetches are looked at.
 *   hn tn	vCPU 0 stores 'n' to the head, to the tail; Hn Tn: vCPU 1 does
 *   C0h I0t	vCPU 0 cleans the line of the head, invalidates that of the tail
 *   A0 O0	invalidates every line: of all vCPUs, of its own
 *   B0		executes a DSB
 *   S1 D1	vCPU 1 synchronises its context, has an event delivered
 *   Fno	vCPU 1 executes head 'n' with tail 'o', which must be legal
 */
struct history {
	const char *text;
	const char *outcomes; /* of head and tail, in the order nn no on oo */
	uint32_t dline, iline;
};

static const struct history histories[] = {
	{ "", "oo", 0, 0 },
	{ "hn", "no oo", 0, 0 },
	{ "hn tn", "nn no on oo", 0, 0 },

	/* All of it, for a head and for both lines. */
	{ "hn C0h B0 I0h B0 S1", "no", 0, 0 },
	{ "hn tn C0h C0t B0 I0h I0t B0 S1", "nn", 0, 0 },
	{ "hn C0h B0 I0h B0 S1 tn C0t B0 I0t B0 S1", "nn", 0, 0 },
	{ "hn C0h B0 A0 B0 S1", "no", 0, 0 },

	/* Old and new in turn until then: having seen the new one proves nothing. */
	{ "hn Fno", "no oo", 0, 0 },
	{ "hn Fno Foo Fno", "no oo", 0, 0 },
	{ "hn C0h B0 I0h B0 Fno", "no oo", 0, 0 },
	{ "hn C0h B0 I0h B0 Fno S1", "no", 0, 0 },

	/* Synchronising alone is not enough, nor without one of the two, nor too early. */
	{ "hn S1", "no oo", 0, 0 },
	{ "hn C0h B0 S1", "no oo", 0, 0 },
	{ "hn I0h B0 S1", "no oo", 0, 0 },
	{ "hn A0 B0 S1", "no oo", 0, 0 },
	{ "hn C0h B0 I0h B0", "no oo", 0, 0 },
	{ "hn C0h B0 S1 I0h B0", "no oo", 0, 0 },
	{ "S1 hn C0h B0 I0h B0", "no oo", 0, 0 },

	/* No DSB between them, none behind, or another CPU's. */
	{ "hn C0h I0h B0 S1", "no oo", 0, 0 },
	{ "hn C0h I0h B0 S1 I0h B0 S1", "no", 0, 0 },
	{ "hn C0h B0 I0h S1", "no oo", 0, 0 },
	{ "hn C0h B0 I0h S1 B0", "no oo", 0, 0 },
	{ "hn C0h B0 I0h S1 B0 S1", "no", 0, 0 },
	{ "hn C0h B1 I0h B0 S1", "no oo", 0, 0 },
	{ "hn C0h B0 I0h B1 S1", "no oo", 0, 0 },

	/* In the wrong order. */
	{ "hn I0h B0 C0h B0 S1", "no oo", 0, 0 },
	{ "C0h B0 hn I0h B0 S1", "no oo", 0, 0 },
	{ "C0h hn B0 I0h B0 S1", "no oo", 0, 0 },
	{ "hn C0h B0 I0h hi B0 S1", "io no", 0, 0 },
	{ "hn C0h B0 hi I0h B0 S1", "io no", 0, 0 },
	{ "hn hi C0h B0 I0h B0 S1", "io", 0, 0 },

	/* One line of the two, or the other. */
	{ "hn tn C0h B0 I0h B0 S1", "nn no", 0, 0 },
	{ "hn tn C0t B0 I0t B0 S1", "nn on", 0, 0 },
	{ "hn tn C0h C0t B0 I0h B0 S1", "nn no", 0, 0 },
	{ "hn tn C0h B0 A0 B0 S1", "nn no", 0, 0 },
	{ "hn C0t B0 I0t B0 S1", "no oo", 0, 0 },

	/* The two are one line to processors with a longer one. */
	{ "hn tn C0t B0 I0h I0t B0 S1", "nn", 128, 64 },
	{ "hn tn C0h C0t B0 I0h B0 S1", "nn", 64, 128 },
	{ "hn tn C0h B0 I0t B0 S1", "nn", 128, 128 },
	{ "hn tn C0h B0 I0h B0 S1", "nn no", 32, 32 },
	{ "hn tn C0h C0t B0 I0h I0t B0 S1", "nn", 16, 16 },

	/* By whom: the CPUs may share the work; a store is cleaned whose ever it was. */
	{ "hn C0h B0 I1h B1 S1", "no", 0, 0 },
	{ "hn C1h B1 I0h B0 S1", "no", 0, 0 },
	{ "hn C1h B1 I1h B1 S1", "no", 0, 0 },
	{ "Hn C0h B0 I0h B0 S1", "no", 0, 0 },
	{ "Hn", "no oo", 0, 0 },
	{ "Hn S1", "no oo", 0, 0 },

	/* IC IALLU is the own CPU's only. */
	{ "hn C0h B0 O0 B0 S1", "no oo", 0, 0 },
	{ "hn C0h B0 O1 B1 S1", "no", 0, 0 },
	{ "hn C0h O1 B0 B1 S1", "no oo", 0, 0 },
	{ "hn C0h B0 O1 S1", "no oo", 0, 0 },

	/* Maintenance for one store says nothing of the next, and back is a change, too. */
	{ "hn C0h B0 I0h B0 S1 hi", "io no", 0, 0 },
	{ "hn C0h B0 I0h B0 S1 ho", "no oo", 0, 0 },
	{ "hn ho", "no oo", 0, 0 },
	{ "hn ho C0h B0 I0h B0 S1", "oo", 0, 0 },
	{ "hn C0h B0 I0h B0 ho S1", "no oo", 0, 0 },

	/* Exception entry synchronises where the knob says so: see entry_and_return below. */
	{ "hn C0h B0 I0h B0 D1", "no oo", 0, 0 },
};

static void play_word(struct fetch *f, const char *w)
{
	uint32_t vcpu = (uint32_t)(w[1] - '0');
	uint64_t address = TEXT + (w[1] && w[2] == 't' ? TAIL : HEAD);
	struct fetch_plan plan = { 0 };

	switch (w[0]) {
	case 'h':
	case 'H':
		history_store(f, HEAD, w[1], w[0] == 'H' ? READER : WRITER);
		break;
	case 't':
	case 'T':
		history_store(f, TAIL, w[1], w[0] == 'T' ? READER : WRITER);
		break;
	case 'C':
		fetch_clean(f, vcpu, address);
		break;
	case 'I':
		fetch_invalidate(f, vcpu, address);
		break;
	case 'A':
	case 'O':
		fetch_invalidate_all(f, vcpu, w[0] == 'A');
		break;
	case 'B':
		fetch_barrier(f, vcpu);
		break;
	case 'S':
		fetch_synchronised(f, vcpu);
		break;
	case 'D':
		fetch_delivered(f, vcpu);
		break;
	case 'F':
		for (uint32_t i = 0; i < 2; i++) {
			uint32_t offset = i ? TAIL : HEAD, choice[8], k = 0,
				 n = fetch_choices(f, READER, &plan, offset, choice, 8);

			while (k < n && history_byte(f, choice[k], offset) != w[1 + i])
				k++;
			cr_assert_lt(k, n, "%.3s is not legal", w);
			fetch_plan_add(f, &plan, offset, choice[k]);
		}
		fetch_done(f, READER, &plan);
		break;
	default:
		cr_assert_fail("word %s", w);
	}
}

/* What (vcpu) may fetch at (offset), sorted by letter. */
static void contents(const struct fetch *f, uint32_t vcpu, uint32_t offset, char text[8])
{
	const struct fetch_plan none = { 0 };
	uint32_t choice[8], n = fetch_choices(f, vcpu, &none, offset, choice, 8), used = 0;

	for (char c = 'a'; c <= 'z'; c++)
		for (uint32_t i = 0; i < n; i++)
			if (history_byte(f, choice[i], offset) == c)
				text[used++] = c;
	text[used] = '\0';
}

static void assert_outcomes(const struct fetch *f, const char *expected, const char *what)
{
	char head[8], tail[8], line[64] = "";

	contents(f, READER, HEAD, head);
	contents(f, READER, TAIL, tail);
	for (const char *h = head; *h; h++)
		for (const char *t = tail; *t; t++)
			sprintf(line + strlen(line), "%s%c%c", *line ? " " : "", *h, *t);
	cr_expect_str_eq(line, expected, "\"%s\": may be \"%s\", not \"%s\"", what, line, expected);
}

static void start(struct fetch *f, uint32_t chunk)
{
	history_start(f, FETCH_ARM, chunk, TEXT, 2 * LINE);
}

/* Through its packed form and back. */
static void repack(struct fetch *f)
{
	static uint8_t bytes[FETCH_PACKED_MAX];
	size_t size = fetch_pack(f, bytes, sizeof(bytes));

	cr_assert_leq(size, sizeof(bytes));
	fetch_unpack(f, bytes, size);
}

enum manner { PLAINLY, TRIMMING, PACKING, MANNERS };

static void play(struct fetch *f, const char *text, enum manner manner)
{
	for (const char *w = text; *w; w += strcspn(w, " "), w += *w == ' ') {
		play_word(f, w);
		if (manner == TRIMMING)
			fetch_trim(f);
		if (manner == PACKING)
			repack(f);
	}
}

Test(fetch_arm, histories)
{
	static const uint32_t chunks[] = { 1, 2 };

	for (size_t i = 0; i < sizeof(histories) / sizeof(histories[0]); i++)
		for (enum manner m = 0; m < MANNERS; m++)
			for (size_t c = 0; c < 2; c++) {
				struct fetch f;

				start(&f, chunks[c]);
				f.config.dline = histories[i].dline;
				f.config.iline = histories[i].iline;
				play(&f, histories[i].text, m);
				assert_outcomes(&f, histories[i].outcomes, histories[i].text);
				fetch_fini(&f);
			}
}

Test(fetch_arm, entry_synchronises_by_a_knob)
{
	struct fetch f;

	start(&f, CHUNK);
	f.config.delivery_syncs = true;
	play(&f, "hn C0h B0 I0h B0 D1", PLAINLY);
	assert_outcomes(&f, "no", "delivery synchronises");
	fetch_fini(&f);
}

/* A chunk that is longer than a line is only as new as all of its lines. */
Test(fetch_arm, a_chunk_of_several_lines)
{
	static const struct {
		const char *text;
		uint32_t n;
	} table[] = {
		{ "hn tn C0h C0t B0 I0h I0t B0 S1", 1 },
		{ "hn tn C0h B0 I0h B0 S1", 3 },
		{ "hn tn C0t B0 I0t B0 S1", 3 },
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		const struct fetch_plan none = { 0 };
		struct fetch f;
		uint32_t choice[8];

		start(&f, FETCH_CHUNK_PAGE);
		play(&f, table[i].text, PLAINLY);
		cr_expect_eq(fetch_choices(&f, READER, &none, 0, choice, 8), table[i].n, "%s",
			     table[i].text);
		fetch_fini(&f);
	}
}

Test(fetch_arm, maintenance_elsewhere_does_nothing)
{
	struct fetch f;

	start(&f, CHUNK);
	history_store(&f, HEAD, 'n', WRITER);
	fetch_clean(&f, WRITER, TEXT + 2 * LINE);
	fetch_barrier(&f, WRITER);
	fetch_invalidate(&f, WRITER, TEXT - 1);
	fetch_barrier(&f, WRITER);
	fetch_synchronised(&f, READER);
	assert_outcomes(&f, "no oo", "other lines");
	fetch_fini(&f);
}

/* In the other models it is neither necessary nor of use. */
Test(fetch_arm, other_models_know_no_maintenance)
{
	static uint8_t before[FETCH_PACKED_MAX], after[FETCH_PACKED_MAX];

	for (enum fetch_model model = FETCH_SC; model < FETCH_ARM; model++) {
		struct fetch f;
		size_t size;

		history_start(&f, model, CHUNK, TEXT, 2 * LINE);
		play(&f, "hn tn hi", PLAINLY);
		size = fetch_pack(&f, before, sizeof(before));
		play(&f, "C0h C0t B0 I0h I0t B0 A0 O1 B0 B1", PLAINLY);
		cr_assert_eq(fetch_pack(&f, after, sizeof(after)), size);
		cr_expect_arr_eq(before, after, size, "%s", fetch_model_name(model));
		fetch_fini(&f);
	}
}

/* ---- the rules once more ---- */

/* Every bound by byte, never raised, never forgotten: what fetch_arm.c says in words. */
struct plain {
	uint32_t clean[2 * LINE];
	uint32_t cleaning[2][2 * LINE], invalidating[2][2 * LINE], own[2][2 * LINE];
	uint32_t fresh[2][2 * LINE], low[2][2 * LINE];
	char value[64][2]; /* of head and tail, by version */
	uint32_t now;
};

#define RAISE(a, b) ((a) = (a) > (b) ? (a) : (b))

static void plain_word(struct plain *p, const char *w)
{
	uint32_t v = (uint32_t)(w[1] - '0'), line = w[1] && w[2] == 't' ? 1 : 0;

	switch (w[0]) {
	case 'h':
	case 't':
		if (p->value[p->now][w[0] == 't'] == w[1])
			return;
		memcpy(p->value[p->now + 1], p->value[p->now], 2);
		p->value[++p->now][w[0] == 't'] = w[1];
		return;
	default:
		break;
	}
	for (uint32_t b = 0; b < 2 * LINE; b++) {
		bool in_line = b / LINE == line;

		if (w[0] == 'C' && in_line)
			p->cleaning[v][b] = p->now;
		if (w[0] == 'A' || (w[0] == 'I' && in_line))
			p->invalidating[v][b] = p->clean[b];
		if (w[0] == 'O')
			p->own[v][b] = p->clean[b];
		if (w[0] == 'S')
			RAISE(p->low[v][b], p->fresh[v][b]);
		if (w[0] != 'B')
			continue;
		RAISE(p->clean[b], p->cleaning[v][b]);
		RAISE(p->fresh[0][b], p->invalidating[v][b]);
		RAISE(p->fresh[1][b], p->invalidating[v][b]);
		RAISE(p->fresh[v][b], p->own[v][b]);
	}
}

static void plain_contents(const struct plain *p, uint32_t vcpu, bool tail, char text[8])
{
	uint32_t used = 0;

	for (char c = 'a'; c <= 'z'; c++) {
		bool there = false;

		for (uint32_t t = p->low[vcpu][tail ? TAIL : HEAD]; t <= p->now; t++)
			there |= p->value[t][tail] == c;
		if (there)
			text[used++] = c;
	}
	text[used] = '\0';
}

/* Seeded: the same histories every time. */
static uint32_t draw(uint32_t below)
{
	static uint64_t x = 88172645463325252u;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return (uint32_t)(x >> 32) % below;
}

static void draw_word(char w[4])
{
	static const char kinds[] = "htCCIIAOBBBSS";

	w[0] = kinds[draw(sizeof(kinds) - 1)];
	w[1] = w[0] == 'h' || w[0] == 't' ? (char)('m' + draw(3)) : (char)('0' + draw(2));
	w[2] = draw(2) ? 'h' : 't';
	w[3] = '\0';
}

Test(fetch_arm, by_chance_as_by_the_plain_rules)
{
	uint32_t newest_only = 0;

	for (unsigned int round = 0; round < 400; round++) {
		enum manner manner = round % MANNERS;
		struct plain p = { .value = { "oo" } };
		struct fetch f;

		start(&f, CHUNK);
		for (unsigned int i = 0; i < 50; i++) {
			char w[4], is[8], want[8];

			draw_word(w);
			play(&f, w, manner);
			plain_word(&p, w);
			for (uint32_t k = 0; k < 4; k++) {
				contents(&f, k & 1, k & 2 ? TAIL : HEAD, is);
				plain_contents(&p, k & 1, k & 2, want);
				cr_assert_str_eq(is, want, "round %u, word %u", round, i);
				newest_only += !is[1];
			}
		}
		fetch_fini(&f);
	}
	cr_expect_gt(newest_only, 1000, "%u", newest_only); /* some of it did synchronise */
}

/* Nothing is left of a change that is over: the state is that of a fresh start. */
Test(fetch_arm, what_is_over_is_forgotten)
{
	static uint8_t over[FETCH_PACKED_MAX], fresh[FETCH_PACKED_MAX], open[FETCH_PACKED_MAX];
	struct fetch f, g;
	size_t size;

	start(&f, CHUNK);
	start(&g, CHUNK);
	play(&f, "hn C0h B0 I0h B0 S1 ho C0h B0 I0h", PLAINLY);
	cr_expect_neq(fetch_pack(&f, open, sizeof(open)), fetch_pack(&g, fresh, sizeof(fresh)));
	play(&f, "B0 S1 S0", PLAINLY);
	size = fetch_pack(&g, fresh, sizeof(fresh));
	cr_assert_eq(fetch_pack(&f, over, sizeof(over)), size);
	cr_expect_arr_eq(over, fresh, size);
	fetch_fini(&f);
	fetch_fini(&g);
}

/* A page of byte chunks with every bound open still fits what callers make room for. */
Test(fetch_arm, the_largest_history_fits)
{
	static uint8_t bytes[FETCH_PACKED_MAX], window[FETCH_WINDOW_MAX];
	const struct fetch_config config = { .model = FETCH_ARM, .chunk = 1 };
	const struct fetch_range range = { .address = TEXT, .length = FETCH_WINDOW_MAX };
	struct fetch f;

	fetch_init(&f, &config, CM_MAX_VCPUS, &range, 1, window);
	for (uint32_t i = 0; i < FETCH_HISTORY_MAX; i++) {
		window[0] ^= 1;
		window[FETCH_WINDOW_MAX - 1] = (uint8_t)i;
		fetch_stored(&f, window, 0);
	}
	cr_expect(fetch_history_too_long(&f));
	cr_expect_leq(fetch_pack(&f, bytes, sizeof(bytes)), sizeof(bytes));
	fetch_fini(&f);
}
