/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * verdict.h - from an observation to a verdict, by one pure function.
 *
 * Owns the names of verdicts and the rule that chooses one. Knows nothing of
 * how the observation came about.
 */
#ifndef CROSSMOD_VERDICT_H
#define CROSSMOD_VERDICT_H

#include <stdbool.h>
#include <stdint.h>

#include "model/observation.h"

enum verdict {
	VERDICT_SAFE,		/* explore, exhausted: no violation is reachable */
	VERDICT_NOT_SEEN,	/* none on this schedule, or in these executions */
	VERDICT_TORN,		/* neither old nor new ran */
	VERDICT_STALE,		/* old ran after the routine promised otherwise */
	VERDICT_UNHANDLED_TRAP, /* a trap at a site that no hook claimed */
	VERDICT_WRONG_TARGET,	/* resumed at another site's, or nobody's, continuation */
	VERDICT_DEADLOCK,
	VERDICT_LIVELOCK,
	VERDICT_CRASH,		/* triple fault, exception outside any site */
	VERDICT_ILLEGAL_CHANGE, /* Arm: outside the list of concurrently modifiable instructions */
	VERDICT_STRAY_STORE,	/* text was written that is no site's */
	VERDICT_INCONCLUSIVE,	/* a bound, time or memory ended it first */
	VERDICT_UNSUPPORTED,
	VERDICT_SUSPECT, /* a self-check of crossmod failed */
	VERDICTS
};

const char *verdict_name(enum verdict v);
bool verdict_parse(const char *name, enum verdict *v);

/* The verdict that a violation of (kind), an enum violation_kind, is. */
enum verdict verdict_of_violation(uint32_t kind);

/* The rule. (reason) gets one sentence. First match in the order of the design's severity. */
enum verdict verdict_of(const struct observation *o, char *reason, unsigned int size);

#endif
