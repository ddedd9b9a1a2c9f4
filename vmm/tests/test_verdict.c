// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_verdict.c - the rule over its whole input product, the sentences it
 * says, and the recording of violations that it reads.
 */
#include "model/verdict.h"

#include <stdio.h>
#include <string.h>

#include <criterion/criterion.h>

/* One point of the input product. (kinds) is a mask; (first) one of them, if any. */
struct input {
	bool suspect, stepped, exhausted;
	enum run_end end;
	unsigned int kinds;
	enum violation_kind first;
	uint64_t executions, transitions;
};

static struct observation observe(const struct input *in)
{
	struct observation o = {
		.end = in->end,
		.stepped = in->stepped,
		.exhausted = in->exhausted,
		.vcpus = 2,
		.steps = 1000,
		.states = 50,
		.transitions = 70,
	};
	struct violation v = { .vcpu = 1, .step = 7, .text = "something" };

	o.cpu[0].guest.executions = in->executions / 2;
	o.cpu[1].guest.executions = in->executions - in->executions / 2;
	o.cpu[0].guest.transitions = in->transitions / 2;
	o.cpu[1].guest.transitions = in->transitions - in->transitions / 2;
	if (in->suspect)
		strcpy(o.suspect, "the control run differed");
	if (in->end == END_UNSUPPORTED)
		strcpy(o.unsupported, "no NMI here");
	for (unsigned int i = 0; i < VIOLATIONS; i++) {
		v.kind = (enum violation_kind)((in->first + i) % VIOLATIONS);
		if (in->kinds & (1u << v.kind))
			observation_add(&o, &v);
	}
	return o;
}

static enum verdict expected_violation(const struct input *in)
{
	static const enum verdict of[VIOLATIONS] = {
		[VIOLATION_TORN] = VERDICT_TORN,
		[VIOLATION_STALE] = VERDICT_STALE,
		[VIOLATION_UNHANDLED_TRAP] = VERDICT_UNHANDLED_TRAP,
		[VIOLATION_WRONG_TARGET] = VERDICT_WRONG_TARGET,
		[VIOLATION_CRASH] = VERDICT_CRASH,
		[VIOLATION_ILLEGAL_CHANGE] = VERDICT_ILLEGAL_CHANGE,
		[VIOLATION_STRAY_STORE] = VERDICT_STRAY_STORE,
	};

	if (in->stepped)
		return of[in->first];
	if (in->kinds & (1u << VIOLATION_STRAY_STORE))
		return VERDICT_STRAY_STORE;
	if (in->kinds & (1u << VIOLATION_CRASH))
		return VERDICT_CRASH;
	if (in->kinds & (1u << VIOLATION_WRONG_TARGET))
		return VERDICT_WRONG_TARGET;
	if (in->kinds & (1u << VIOLATION_UNHANDLED_TRAP))
		return VERDICT_UNHANDLED_TRAP;
	if (in->kinds & (1u << VIOLATION_TORN))
		return VERDICT_TORN;
	return in->kinds & (1u << VIOLATION_STALE) ? VERDICT_STALE : VERDICT_ILLEGAL_CHANGE;
}

/* The rule in other words than verdict.c's. */
static enum verdict expected(const struct input *in)
{
	bool ended = in->end == END_COMPLETE;
	bool enough = in->executions > 0 && in->transitions >= 50;

	if (in->suspect)
		return VERDICT_SUSPECT;
	if (in->end == END_UNSUPPORTED)
		return VERDICT_UNSUPPORTED;
	if (in->kinds)
		return expected_violation(in);
	if (in->end == END_VIOLATION)
		return VERDICT_SUSPECT;
	if (ended && in->exhausted)
		return VERDICT_SAFE;
	if (ended && (in->stepped || enough))
		return VERDICT_NOT_SEEN;
	return VERDICT_INCONCLUSIVE;
}

static void assert_verdict(const struct input *in)
{
	struct observation o = observe(in);
	enum verdict want = expected(in), got;
	char reason[256] = "";

	got = verdict_of(&o, reason, sizeof(reason));
	cr_assert_eq(got, want, "end %d stepped %d exhausted %d kinds %x first %d: %s, not %s (%s)",
		     in->end, in->stepped, in->exhausted, in->kinds, in->first, verdict_name(got),
		     verdict_name(want), reason);
	cr_assert_neq(reason[0], '\0');
	cr_assert_null(strchr(reason, '\n'));
}

/* Every recorded order starts with some kind: the first one is what counts. */
static void with_violations(struct input in)
{
	for (in.kinds = 0; in.kinds < 1u << VIOLATIONS; in.kinds++) {
		for (in.first = 0; in.first < VIOLATIONS; in.first++) {
			if (in.kinds && !(in.kinds & (1u << in.first)))
				continue;
			assert_verdict(&in);
		}
	}
}

static void with_counts(struct input in)
{
	static const uint64_t executions[] = { 0, 1, 3400000 }, transitions[] = { 0, 49, 50, 9999 };

	for (size_t i = 0; i < 3; i++) {
		for (size_t j = 0; j < 4; j++) {
			in.executions = executions[i];
			in.transitions = transitions[j];
			with_violations(in);
		}
	}
}

Test(verdict, whole_product)
{
	for (unsigned int flags = 0; flags < 8; flags++) {
		for (enum run_end end = END_COMPLETE; end <= END_UNSUPPORTED; end++) {
			struct input in = { .suspect = flags & 1,
					    .stepped = flags & 2,
					    .exhausted = flags & 4,
					    .end = end };

			with_counts(in);
		}
	}
}

static void assert_reason(const struct observation *o, enum verdict want, const char *expected_text)
{
	char reason[256];

	cr_assert_eq(verdict_of(o, reason, sizeof(reason)), want, "%s", reason);
	cr_assert_str_eq(reason, expected_text);
}

Test(verdict, reasons_of_stepped)
{
	struct observation o = { .stepped = true, .vcpus = 2, .steps = 812 };
	struct violation v = {
		.kind = VIOLATION_TORN, .vcpu = 1, .step = 811, .text = "ran e9 cc"
	};

	assert_reason(&o, VERDICT_NOT_SEEN,
		      "no violation on this schedule of 812 decisions; "
		      "other schedules were not tried");
	o.end = END_STEPS;
	assert_reason(&o, VERDICT_INCONCLUSIVE, "the bound on steps ended it after 812 decisions");
	o.end = END_INTERRUPTED;
	assert_reason(&o, VERDICT_INCONCLUSIVE, "interrupted after 812 decisions");
	o.end = END_HUNG;
	assert_reason(&o, VERDICT_INCONCLUSIVE, "a vCPU did not exit within the watchdog's time");
	o.end = END_VIOLATION;
	assert_reason(&o, VERDICT_SUSPECT, "it stopped at a violation that is not recorded");
	observation_add(&o, &v);
	assert_reason(&o, VERDICT_TORN, "after decision 811 vCPU 1: ran e9 cc");
	o.violation[0].text[0] = '\0';
	assert_reason(&o, VERDICT_TORN, "after decision 811 vCPU 1: torn");
	strcpy(o.suspect, "digest differs");
	assert_reason(&o, VERDICT_SUSPECT, "digest differs");
}

Test(verdict, reasons_of_free)
{
	struct observation o = { .vcpus = 2 };

	o.cpu[0].guest.executions = 1400000;
	o.cpu[1].guest.executions = 2000000;
	o.cpu[2].guest.executions = 99; /* not one of the two vCPUs */
	o.cpu[0].guest.transitions = 49;
	assert_reason(&o, VERDICT_INCONCLUSIVE,
		      "3400000 executions saw 49 transitions between old and new: "
		      "too few transitions to mean anything");
	o.cpu[1].guest.transitions = 1;
	assert_reason(&o, VERDICT_NOT_SEEN,
		      "no violation in 3400000 executions with 50 transitions "
		      "(95 % interval 0 - 1.1 ppm)");
	o.end = END_INTERRUPTED;
	assert_reason(&o, VERDICT_INCONCLUSIVE, "interrupted after 3400000 executions");
	o.total[VIOLATION_TORN] = 12;
	assert_reason(&o, VERDICT_TORN,
		      "12 torn of 3400000 executions: 3.5 ppm (95 % interval 2.0 - 6.2)");
	o.total[VIOLATION_UNHANDLED_TRAP] = 3400000;
	assert_reason(&o, VERDICT_UNHANDLED_TRAP,
		      "3400000 unhandled-trap of 3400000 executions: 1000000.0 ppm "
		      "(95 % interval 999998.9 - 1000000.0)");
	o.total[VIOLATION_UNHANDLED_TRAP] = 3400001;
	assert_reason(&o, VERDICT_UNHANDLED_TRAP, "3400001 unhandled-trap in 3400000 executions");
	o.total[VIOLATION_CRASH] = 1;
	assert_reason(&o, VERDICT_CRASH, "1 crash in 3400000 executions");
	o.end = END_UNSUPPORTED;
	assert_reason(&o, VERDICT_UNSUPPORTED, "this host cannot do it");
	strcpy(o.unsupported, "KVM_CAP_X is missing");
	assert_reason(&o, VERDICT_UNSUPPORTED, "KVM_CAP_X is missing");
}

/* Rates below one in a million keep the digits that count. */
Test(verdict, small_rates)
{
	struct observation o = { .vcpus = 1 };

	o.cpu[0].guest.executions = 100000000000;
	o.total[VIOLATION_STALE] = 12;
	assert_reason(&o, VERDICT_STALE,
		      "12 stale of 100000000000 executions: 0.00012 ppm "
		      "(95 % interval 6.9e-05 - 0.00021)");
}

Test(verdict, reason_of_explore)
{
	struct observation o = { .exhausted = true, .states = 50, .transitions = 70 };

	assert_reason(&o, VERDICT_SAFE, "every schedule was tried: 50 states, 70 transitions");
}

/* A short buffer is not overrun, and none is needed for the verdict. */
Test(verdict, reason_is_cut)
{
	struct observation o = { .stepped = true, .steps = 3 };
	char reason[8];

	cr_assert_eq(verdict_of(&o, reason, sizeof(reason)), VERDICT_NOT_SEEN);
	cr_assert_str_eq(reason, "no viol");
	cr_assert_eq(verdict_of(&o, NULL, 0), VERDICT_NOT_SEEN);
}

Test(verdict, names)
{
	static const char *const all[VERDICTS] = {
		"safe",		"not-seen",	"torn",	       "stale",	  "unhandled-trap",
		"wrong-target", "deadlock",	"livelock",    "crash",	  "illegal-change",
		"stray-store",	"inconclusive", "unsupported", "suspect",
	};
	enum verdict v;

	for (unsigned int i = 0; i < VERDICTS; i++) {
		cr_assert_str_eq(verdict_name((enum verdict)i), all[i]);
		cr_assert(verdict_parse(all[i], &v));
		cr_assert_eq(v, i);
	}
	cr_assert_str_eq(verdict_name(VERDICTS), "?");
	cr_assert_str_eq(verdict_name((enum verdict) - 1), "?");
	cr_assert_not(verdict_parse("", &v));
	cr_assert_not(verdict_parse("Safe", &v));
	cr_assert_not(verdict_parse("not seen", &v));
}

/* Counted always, recorded while there is room, the first ones kept. */
Test(verdict, observation_add)
{
	struct observation o = { 0 };
	struct violation v = { .kind = VIOLATION_STALE };

	for (unsigned int i = 0; i < 3 * OBSERVATION_VIOLATIONS; i++) {
		v.step = i;
		observation_add(&o, &v);
	}
	v.kind = VIOLATION_CRASH;
	observation_add(&o, &v);
	cr_assert_eq(o.total[VIOLATION_STALE], 3 * OBSERVATION_VIOLATIONS);
	cr_assert_eq(o.total[VIOLATION_CRASH], 1);
	cr_assert_eq(o.total[VIOLATION_TORN], 0);
	cr_assert_eq(o.nviolations, OBSERVATION_VIOLATIONS);
	cr_assert_eq(o.violation[0].step, 0);
	cr_assert_eq(o.violation[OBSERVATION_VIOLATIONS - 1].step, OBSERVATION_VIOLATIONS - 1);
}
