/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * report.h - results for people and for programs. Reads results, changes
 * nothing; Jansson lives here and in scenario only.
 */
#ifndef CROSSMOD_REPORT_H
#define CROSSMOD_REPORT_H

#include <stdbool.h>
#include <stdio.h>

#include "base/err.h"
#include "vm/probe.h"
#include "run/result.h"

/* "format" of a result file. */
#define REPORT_FORMAT "crossmod-result-1"

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

/* Only make (dir) and set r->path, to know where it will be. */
bool report_name(struct result *r, const char *dir, struct err *e);

/*
 * Is the result at r->path, of report_name(), of the search that (r) is to be?
 * As far as a result tells: image, scenario, fetch model, vCPUs, budgets. If not,
 * (difference) says in words what is another, and "" that no result can be read.
 */
bool report_same_search(const struct result *r, char *difference, size_t size);

/* (text) and a newline as <dir>/<name>, in the same way. */
bool report_write_text(const char *dir, const char *name, const char *text, struct err *e);

/* What report_write() writes, two blanks an indent. Heap string; the caller frees it. */
char *report_document(const struct result *r);

/* What replay needs from a result file. Strings are owned; witness_fini() frees. */
struct witness {
	char *path;
	char *scenario_path; /* as it was given */
	char *scenario_text;
	char *schedule;
	char *verdict;
	char *reason; /* for the verdict; NULL: none was given */
	char *digest; /* of the final state */
	char *guest_digest;
	char *fetch; /* "stale/byte": as it was run, options included */
	uint64_t vcpus;
	uint32_t executors; /* mask */
	uint64_t steps;
};

/*
 * Read (path). ERR_INPUT names the file and the member at fault; a result
 * without a schedule has nothing to replay. (w) then holds nothing.
 */
bool witness_load(struct witness *w, const char *path, struct err *e);
void witness_fini(struct witness *w);

/* Scenarios that there is no result of: each failed with a message, or it never came to them. */
struct report_missing {
	size_t failed, not_run;
};

/*
 * The table at the end of a run: one row a result, then a summary line, which
 * counts (missing) too. Colour only if (colour).
 */
void report_table(FILE *out, const struct result *results, size_t n, struct report_missing missing,
		  bool colour);

/* After the table: which kinds of violation a search for every one of them reached. */
void report_kinds(FILE *out, const struct result *r);
/* After the table: which of the protocol's instructions an exhausted search never executed. */
void report_coverage(FILE *out, const struct result *r);

/* The words that results and traces share. Those into (buf) are cut to (size) and return it. */

/* "nop5_jmp5@cross-line(0x3d)", several joined by "+". */
const char *report_sites(const struct scenario *s, char *buf, size_t size);
/* "stale/byte". */
const char *report_fetch(const struct fetch_config *f, char *buf, size_t size);
/* "3 bytes before, 2 behind a 64-byte line boundary", or that nothing is crossed. */
const char *report_alignment(uint64_t address, uint32_t length, char *buf, size_t size);
const char *report_violation(enum violation_kind kind);
/* Of sites, by every vCPU. */
uint64_t report_executions(const struct observation *o);

/* The same as a Markdown table, for a README: what does not depend on the host's speed. */
void report_markdown(FILE *out, const struct result *results, size_t n);

/* The JSON of the other commands. Heap strings, freed by the caller; NULL: out of memory. */
char *report_list(const struct image *img, const struct scenario *s, size_t n);
char *report_probe(const struct probe *p);
char *report_replay(const struct witness *w, const struct result *r, bool same);

#endif
