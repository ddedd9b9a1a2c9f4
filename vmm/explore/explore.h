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

#include "machine/machine.h"
#include "explore/search.h"

#define EXPLORE_JOBS_MAX 64u

struct explore_request {
	const struct image *image;
	const struct scenario *scenario; /* whose own moves and injections are not looked at */
	uint32_t jobs;			 /* workers, each with a VM of its own */
	/*
	 * A file to keep an unfinished search in, by a temporary name; NULL: nowhere.
	 * With (resume) the search goes on from there; when it is finished the file goes.
	 */
	const char *checkpoint;
	bool resume;
	/* About twice a second; true to stop. May be NULL. */
	bool (*progress)(void *arg, const struct search_progress *p);
	void *arg;
};

/*
 * Search every schedule of the scenario, within its budgets and bounds. Fills
 * (o): states, transitions, exhausted, coverage; for a violation, deadlock or
 * livelock the schedule that leads there is (witness), already replayed; for the
 * latter two with the cycle that repeats.
 */
bool explore_run(const struct explore_request *q, struct observation *o, struct schedule *witness,
		 struct quirks *quirks, struct err *e);

#endif
