// SPDX-License-Identifier: BSD-2-Clause
/*
 * verdict.c - the rule that turns an observation into a verdict, and the one
 * sentence that says why. Pure; knows nothing of how the run was made.
 */
#include "model/verdict.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/stats.h"

/* Changes between old and new that executors must have seen for `not-seen` to say anything. */
#define TRANSITIONS_MIN 50u

static const char *const names[VERDICTS] = {
	[VERDICT_SAFE] = "safe",
	[VERDICT_NOT_SEEN] = "not-seen",
	[VERDICT_TORN] = "torn",
	[VERDICT_STALE] = "stale",
	[VERDICT_UNHANDLED_TRAP] = "unhandled-trap",
	[VERDICT_WRONG_TARGET] = "wrong-target",
	[VERDICT_DEADLOCK] = "deadlock",
	[VERDICT_LIVELOCK] = "livelock",
	[VERDICT_CRASH] = "crash",
	[VERDICT_ILLEGAL_CHANGE] = "illegal-change",
	[VERDICT_STRAY_STORE] = "stray-store",
	[VERDICT_INCONCLUSIVE] = "inconclusive",
	[VERDICT_UNSUPPORTED] = "unsupported",
	[VERDICT_SUSPECT] = "suspect",
};

static const enum verdict verdict_of_kind[VIOLATIONS] = {
	[VIOLATION_TORN] = VERDICT_TORN,
	[VIOLATION_STALE] = VERDICT_STALE,
	[VIOLATION_UNHANDLED_TRAP] = VERDICT_UNHANDLED_TRAP,
	[VIOLATION_WRONG_TARGET] = VERDICT_WRONG_TARGET,
	[VIOLATION_CRASH] = VERDICT_CRASH,
	[VIOLATION_ILLEGAL_CHANGE] = VERDICT_ILLEGAL_CHANGE,
	[VIOLATION_STRAY_STORE] = VERDICT_STRAY_STORE,
};

/* Of a free run, which shows many: the most severe first, and the cause of others before them. */
static const enum violation_kind by_severity[VIOLATIONS] = {
	VIOLATION_STRAY_STORE, VIOLATION_CRASH, VIOLATION_WRONG_TARGET,	  VIOLATION_UNHANDLED_TRAP,
	VIOLATION_TORN,	       VIOLATION_STALE, VIOLATION_ILLEGAL_CHANGE,
};

/* Where the reason goes. */
struct out {
	char *text;
	unsigned int size;
};

/* The guest's counts, over all vCPUs. */
struct sums {
	uint64_t executions;
	uint64_t transitions;
};

const char *verdict_name(enum verdict v)
{
	return (unsigned int)v < VERDICTS ? names[v] : "?";
}

bool verdict_parse(const char *name, enum verdict *v)
{
	for (unsigned int i = 0; i < VERDICTS; i++) {
		if (!strcmp(name, names[i])) {
			*v = (enum verdict)i;
			return true;
		}
	}
	return false;
}

static enum verdict say(struct out *out, enum verdict v, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static enum verdict say(struct out *out, enum verdict v, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(out->text, out->size, fmt, ap);
	va_end(ap);
	return v;
}

static struct sums sum_counts(const struct observation *o)
{
	struct sums s = { 0 };

	assert(o->vcpus <= CM_MAX_VCPUS);
	for (uint32_t i = 0; i < o->vcpus; i++) {
		s.executions += o->cpu[i].guest.executions;
		s.transitions += o->cpu[i].guest.transitions;
	}
	return s;
}

static bool any_violation(const struct observation *o)
{
	for (unsigned int i = 0; i < VIOLATIONS; i++)
		if (o->total[i])
			return true;
	return false;
}

/* A proportion in parts per million, with a digit after the point or two that count. */
static const char *ppm(double proportion, char buf[24])
{
	double x = proportion * 1e6;

	snprintf(buf, 24, x == 0 ? "%.0f" : x < 1 ? "%.2g" : "%.1f", x);
	return buf;
}

static enum verdict of_stepped_violation(const struct observation *o, struct out *out)
{
	const struct violation *v = &o->violation[0];

	assert(o->nviolations > 0);
	return say(out, verdict_of_kind[v->kind], "after decision %" PRIu64 " vCPU %u: %s", v->step,
		   v->vcpu, v->text[0] ? v->text : verdict_name(verdict_of_kind[v->kind]));
}

/* What the whole text showed at the end; no execution did. */
static enum verdict of_stray_store(const struct observation *o, struct out *out)
{
	uint32_t i = 0;

	while (i < o->nviolations && o->violation[i].kind != VIOLATION_STRAY_STORE)
		i++;
	return say(out, VERDICT_STRAY_STORE, "when the run was over: %s",
		   i < o->nviolations ? o->violation[i].text : "text of no site was changed");
}

/* A crash ends the run, so its share of the executions would mean nothing. */
static enum verdict of_free_violation(const struct observation *o, struct out *out)
{
	struct sums s = sum_counts(o);
	enum violation_kind kind;
	char rate[24], from[24], to[24];
	double low, high;
	unsigned int i = 0;
	uint64_t n;

	while (!o->total[by_severity[i]])
		i++;
	kind = by_severity[i];
	n = o->total[kind];
	if (kind == VIOLATION_STRAY_STORE)
		return of_stray_store(o, out);
	if (kind == VIOLATION_CRASH || n > s.executions)
		return say(out, verdict_of_kind[kind], "%" PRIu64 " %s in %" PRIu64 " executions",
			   n, verdict_name(verdict_of_kind[kind]), s.executions);
	stats_wilson(n, s.executions, &low, &high);
	return say(out, verdict_of_kind[kind],
		   "%" PRIu64 " %s of %" PRIu64 " executions: %s ppm (95 %% interval %s - %s)", n,
		   verdict_name(verdict_of_kind[kind]), s.executions,
		   ppm((double)n / (double)s.executions, rate), ppm(low, from), ppm(high, to));
}

/* The run ended before it was over. */
static enum verdict of_early_end(const struct observation *o, struct out *out)
{
	switch (o->end) {
	case END_HUNG:
		return say(out, VERDICT_INCONCLUSIVE,
			   "a vCPU did not exit within the watchdog's time");
	case END_STEPS:
		return say(out, VERDICT_INCONCLUSIVE,
			   "the bound on steps ended it after %" PRIu64 " decisions", o->steps);
	case END_REPEATS:
		if (o->cycle)
			return say(out, VERDICT_INCONCLUSIVE,
				   "after %" PRIu64 " decisions the last %" PRIu64
				   " have led back to the same state: they can repeat for ever",
				   o->steps, o->cycle);
		return say(out, VERDICT_INCONCLUSIVE,
			   "the same state came back after %" PRIu64
			   " decisions: with everybody in turn this run never ends",
			   o->steps);
	case END_INTERRUPTED:
		if (o->stepped)
			return say(out, VERDICT_INCONCLUSIVE,
				   "interrupted after %" PRIu64 " decisions", o->steps);
		return say(out, VERDICT_INCONCLUSIVE, "interrupted after %" PRIu64 " executions",
			   sum_counts(o).executions);
	default:
		assert(!"an early end");
		return VERDICT_SUSPECT;
	}
}

static enum verdict of_free_silence(const struct observation *o, struct out *out)
{
	struct sums s = sum_counts(o);
	char to[24];
	double low, high;

	if (!s.executions || s.transitions < TRANSITIONS_MIN)
		return say(out, VERDICT_INCONCLUSIVE,
			   "%" PRIu64 " executions saw %" PRIu64
			   " transitions between old and new: too few transitions to mean anything",
			   s.executions, s.transitions);
	stats_wilson(0, s.executions, &low, &high);
	return say(out, VERDICT_NOT_SEEN,
		   "no violation in %" PRIu64 " executions with %" PRIu64
		   " transitions (95 %% interval 0 - %s ppm)",
		   s.executions, s.transitions, ppm(high, to));
}

/* The cycle of a deadlock or livelock, when there is one. */
static const char *and_for_ever(const struct observation *o, char buf[64])
{
	buf[0] = '\0';
	if (o->cycle)
		snprintf(buf, 64, "; the last %" PRIu64 " can repeat for ever", o->cycle);
	return buf;
}

enum verdict verdict_of_violation(uint32_t kind)
{
	assert(kind < VIOLATIONS);
	return verdict_of_kind[kind];
}

enum verdict verdict_of(const struct observation *o, char *reason, unsigned int size)
{
	struct out out = { reason, size };
	char cycle[64];

	if (o->suspect[0])
		return say(&out, VERDICT_SUSPECT, "%s", o->suspect);
	if (o->end == END_UNSUPPORTED)
		return say(&out, VERDICT_UNSUPPORTED, "%s",
			   o->unsupported[0] ? o->unsupported : "this host cannot do it");
	if (any_violation(o))
		return o->stepped ? of_stepped_violation(o, &out) : of_free_violation(o, &out);
	if (o->end == END_VIOLATION)
		return say(&out, VERDICT_SUSPECT, "it stopped at a violation that is not recorded");
	if (o->explored && o->end != END_COMPLETE)
		return say(&out, VERDICT_INCONCLUSIVE,
			   "%s%s after %" PRIu64 " states, %" PRIu64
			   " transitions: not every schedule was tried",
			   o->bound ? "ended by the bound on " : "interrupted",
			   o->bound ? o->bound : "", o->states, o->transitions);
	if (o->end != END_COMPLETE)
		return of_early_end(o, &out);
	if (o->deadlock)
		return say(&out, VERDICT_DEADLOCK,
			   "after %" PRIu64
			   " decisions no role can be played to its end any more%s",
			   o->steps, and_for_ever(o, cycle));
	if (o->livelock)
		return say(&out, VERDICT_LIVELOCK,
			   "%" PRIu64
			   " decisions lead into a cycle, fair to every vCPU and IPI, on "
			   "which the roles never end although they could%s",
			   o->steps, and_for_ever(o, cycle));
	if (o->exhausted)
		return say(&out, VERDICT_SAFE,
			   "every schedule was tried: %" PRIu64 " states, %" PRIu64
			   " transitions%s%s",
			   o->states, o->transitions, o->unreduced[0] ? "; " : "", o->unreduced);
	if (o->stepped)
		return say(&out, VERDICT_NOT_SEEN,
			   "no violation on this schedule of %" PRIu64
			   " decisions; other schedules were not tried",
			   o->steps);
	return of_free_silence(o, &out);
}
