/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * explore.h - the stepped machine as a system to search: which moves there
 * are, and which instructions need no choice point.
 *
 * Reduction: behind a move the vCPU runs on through instructions that nobody
 * else can notice, decided on the decoded instruction and its effective
 * address: own registers, own stack and mailbox, read-only data. Every other
 * instruction, and every site, is a choice point.
 */
#ifndef CROSSMOD_EXPLORE_H
#define CROSSMOD_EXPLORE_H

#include "machine.h"
#include "search.h"

#define EXPLORE_JOBS_MAX 64u

/*
 * Search every schedule of (s), within (s->explore)'s budgets and bounds, with
 * (jobs) workers, each with a VM of its own. Fills (o): states, transitions,
 * exhausted; for a violation, deadlock or livelock the schedule that leads
 * there is (witness), already replayed; for the latter two with the cycle that
 * repeats. The scenario's own moves and injections are not looked at.
 */
bool explore_run(const struct image *image, const struct scenario *s, uint32_t jobs,
		 struct observation *o, struct schedule *witness, struct quirks *quirks,
		 bool (*progress)(void *arg, const struct search_progress *p), void *arg,
		 struct err *e);

#endif
