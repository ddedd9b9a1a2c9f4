// SPDX-License-Identifier: BSD-2-Clause
/* test_schedule.c - the text form, both ways. */
#include "scenario/schedule.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include "guest/abi.h"

static void assert_canonical(const char *text, size_t count)
{
	struct schedule s;
	struct err e;
	char *again;

	cr_assert(schedule_decode(&s, text, &e), "%s", e.text);
	cr_assert_eq(s.count, count, "\"%s\": %zu decisions", text, s.count);
	again = schedule_encode(&s);
	cr_assert_str_eq(again, text);
	free(again);
	schedule_fini(&s);
}

Test(schedule, canonical)
{
	assert_canonical("", 0);
	assert_canonical("0s", 1);
	assert_canonical("0s*37", 37);
	assert_canonical("1s@0,2,2", 1);
	assert_canonical("1s@0,2,2*3 1s@0,2", 4);
	assert_canonical("15s@65533", 1);
	assert_canonical("1l 1n 1i 1r", 4);
	assert_canonical("0s 1s 0s*2 1n*2", 6);
	assert_canonical("0s@0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15", 1);
	assert_canonical("0s*10000000", 10000000);
	assert_canonical("2o 1s", 2);
	assert_canonical("0s*5 ( 0s 1s*2 )", 8);
	assert_canonical("( 1s )", 1);
}

/* What is accepted without being canonical. */
Test(schedule, lenient)
{
	struct schedule s;
	struct err e;
	char *text;

	cr_assert(schedule_decode(&s, "\n 0s\t0s*1  0s*2\r\n1n ", &e), "%s", e.text);
	text = schedule_encode(&s);
	cr_assert_str_eq(text, "0s*4 1n");
	free(text);
	schedule_fini(&s);
	cr_assert(schedule_decode(&s, " \n", &e));
	cr_assert_eq(s.count, 0);
	schedule_fini(&s);
}

Test(schedule, fields)
{
	struct schedule s;
	struct err e;

	cr_assert(schedule_decode(&s, "3s@7,9 2l 1n 0i 4r", &e));
	cr_assert_eq(s.action[0].kind, ACTION_STEP);
	cr_assert_eq(s.action[0].vcpu, 3);
	cr_assert_eq(s.action[0].nversions, 2);
	cr_assert_eq(s.action[0].version[0], 7);
	cr_assert_eq(s.action[0].version[1], 9);
	cr_assert_eq(s.action[1].kind, ACTION_LATCH);
	cr_assert_eq(s.action[1].vcpu, 2);
	cr_assert_eq(s.action[2].kind, ACTION_NMI);
	cr_assert_eq(s.action[3].kind, ACTION_IPI);
	cr_assert_eq(s.action[4].kind, ACTION_RAISE);
	cr_assert_eq(s.action[4].nversions, 0);
	schedule_fini(&s);
}

/* The stem ends where the bracket opens, also between equal decisions. */
Test(schedule, a_cycle)
{
	struct schedule s;
	struct err e;

	cr_assert(schedule_decode(&s, "1s*3 ( 1s*2 0i )", &e), "%s", e.text);
	cr_expect_eq(s.count, 6);
	cr_expect(s.repeats);
	cr_expect_eq(s.cycle, 3);
	schedule_fini(&s);
	cr_expect_not(s.repeats);
	cr_assert_not(schedule_decode(&s, "1s ( 0s", &e));
	cr_expect_str_eq(e.text, "schedule: the bracket is not closed");
	cr_expect_null(s.action);
}

/* (text) is refused for its word number (word), which is (bad). */
static void assert_rejects(const char *text, unsigned int word, const char *bad)
{
	struct schedule s;
	char where[128];
	struct err e;

	cr_assert_not(schedule_decode(&s, text, &e), "\"%s\"", text);
	cr_assert_eq(e.code, ERR_INPUT);
	snprintf(where, sizeof(where), "schedule: word %u, '%s', ", word, bad);
	cr_assert(!strncmp(e.text, where, strlen(where)), "\"%s\": %s", text, e.text);
	cr_assert_null(s.action);
	cr_assert_eq(s.count, 0);
	cr_assert_not(schedule_decode(&s, text, NULL));
}

Test(schedule, rejects)
{
	static const char *const words[] = { "s",	    "0",
					     "0x",	    "x0",
					     "16s",	    "99999999999999999999s",
					     "-1s",	    "+1s",
					     "00s",	    "01s",
					     "0S",	    "0s,",
					     "0s@",	    "0s@,",
					     "0s@1,",	    "0s@1,,2",
					     "0s@65534",    "0s@65535",
					     "0s@65536",    "0s@-1",
					     "0s@01",	    "0s*",
					     "0s*0",	    "0s*01",
					     "0s*10000001", "0s*99999999999999999999",
					     "0s*-1",	    "0s*2*3",
					     "0s*2@1",	    "0n@1",
					     "0l@0",	    "0s0s",
					     "0s1",	    "0s\x01",
					     "\xff",	    "0s@0x1",
					     "0s*2x" };

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		char text[128];

		assert_rejects(words[i], 1, words[i]);
		snprintf(text, sizeof(text), "0s*3 1n %s 0s", words[i]);
		assert_rejects(text, 3, words[i]);
	}
	assert_rejects("0s@1 ,2", 2, ",2");
	assert_rejects("0s *2", 2, "*2");
	assert_rejects("0s ( )", 3, ")");
	assert_rejects("0s )", 2, ")");
	assert_rejects("0s ( 1s ) 0s", 5, "0s");
	assert_rejects("( 0s ( 1s ) )", 3, "(");
	assert_rejects("( 0s ) ( 1s )", 4, "(");
	assert_rejects("( 0s ) )", 4, ")");
	assert_rejects("0s@0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16", 1,
		       "0s@0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16");
}

/* The bound is on the whole text, not on each word only. */
Test(schedule, rejects_too_long)
{
	assert_rejects("0s*5000000 1s*5000001", 2, "1s*5000001");
	assert_rejects("0s*10000000 1s", 2, "1s");
}

Test(schedule, long_word_is_cut_in_the_message)
{
	char text[1000];
	struct schedule s;
	struct err e;

	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	cr_assert_not(schedule_decode(&s, text, &e));
	cr_assert(strlen(e.text) < 300, "%s", e.text);
}

Test(schedule, equal)
{
	struct action a = { .kind = ACTION_STEP, .vcpu = 1, .nversions = 1, .version = { 5, 6 } };
	struct action b = a;

	b.version[1] = 7; /* past nversions: no part of it */
	cr_assert(action_equal(&a, &b));
	b.version[0] = 7;
	cr_assert_not(action_equal(&a, &b));
	b = a;
	b.vcpu = 2;
	cr_assert_not(action_equal(&a, &b));
	b = a;
	b.kind = ACTION_NMI;
	cr_assert_not(action_equal(&a, &b));
	b = a;
	b.nversions = 2;
	cr_assert_not(action_equal(&a, &b));
}

static uint32_t draw(uint32_t below)
{
	static uint64_t x = 88172645463325252u;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return (uint32_t)(x >> 32) % below;
}

/* Few different ones, so that equal ones follow each other. */
static struct action random_action(void)
{
	struct action a = { .kind = (uint8_t)draw(5), .vcpu = (uint8_t)draw(CM_MAX_VCPUS) };

	if (a.kind == ACTION_STEP && draw(2))
		a.nversions = (uint8_t)draw(ACTION_VERSIONS_MAX + 1);
	for (unsigned int i = 0; i < a.nversions; i++)
		a.version[i] = (uint16_t)draw(draw(2) ? 3 : ACTION_OLDEST);
	return a;
}

Test(schedule, round_trip)
{
	for (unsigned int round = 0; round < 500; round++) {
		struct schedule s = { 0 }, back, again;
		unsigned int words = draw(20);
		char *text, *second;
		struct err e;

		for (unsigned int i = 0; i < words; i++) {
			struct action a = random_action();

			for (uint32_t n = draw(4) ? 1 : draw(100); n > 0; n--)
				schedule_add(&s, &a);
		}
		text = schedule_encode(&s);
		cr_assert(schedule_decode(&back, text, &e), "%s", e.text);
		cr_assert_eq(back.count, s.count, "%s", text);
		for (size_t i = 0; i < s.count; i++)
			cr_assert(action_equal(&s.action[i], &back.action[i]), "%s", text);
		second = schedule_encode(&back);
		cr_assert_str_eq(second, text);
		cr_assert(schedule_decode(&again, second, &e));
		free(text);
		free(second);
		schedule_fini(&s);
		schedule_fini(&back);
		schedule_fini(&again);
	}
}

Test(schedule, fini_of_zeroed)
{
	struct schedule s = { 0 };

	schedule_fini(&s);
}
