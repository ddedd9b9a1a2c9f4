/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * report.h - results for people and for programs. Reads results, changes
 * nothing; Jansson lives here and in scenario only.
 */
#ifndef CROSSMOD_REPORT_H
#define CROSSMOD_REPORT_H

#include <stdbool.h>
#include <stdio.h>

#include "err.h"
#include "result.h"

/*
 * The one JSON line of --json: scenario protocol site method fetch verdict
 * expected as_expected reason exhausted states transitions steps seconds
 * witness host. Heap string without newline; the caller frees it.
 */
char *report_line(const struct result *r);

/*
 * Write the whole result as JSON to <dir>/<scenario name with / as ->.json:
 * everything a verdict must state, the scenario's text, the guest's digest,
 * the host block, the schedule (stepped), counts and violations. Makes (dir)
 * if it is missing; writes a temporary file beside it and renames. Sets
 * r->path. False (ERR_HOST) leaves no file behind.
 */
bool report_write(struct result *r, const char *dir, struct err *e);

/* What replay needs from a result file. Strings are owned; witness_fini() frees. */
struct witness {
	char *path;
	char *scenario_path;	/* as it was given */
	char *scenario_text;
	char *schedule;
	char *verdict;
	char *digest;		/* of the final state */
	char *guest_digest;
	uint64_t steps;
};
bool witness_load(struct witness *w, const char *path, struct err *e);
void witness_fini(struct witness *w);

/* The table at the end of a run: one row a result, then a summary line. Colour only if (colour). */
void report_table(FILE *out, const struct result *results, size_t n, bool colour);

#endif
