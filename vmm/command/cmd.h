/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cmd.h - the program's commands. Each takes parsed options and returns the
 * exit status; only main.c knows the command line.
 */
#ifndef CROSSMOD_CMD_H
#define CROSSMOD_CMD_H

#include <stdbool.h>

#include "base/err.h"
#include "image/image.h"
#include "run/result.h"
#include "run/run_stepped.h"
#include "explore/search.h"

struct options {
	bool json;
	bool trace;
	bool all; /* trace every instruction */
	bool markdown;
	const char *out;   /* -o; NULL: the command's own default */
	const char *html;  /* --html; NULL: no page */
	const char *guest; /* --guest; NULL: the one built with the program */
	/* explore: overrides of the scenario, as they were typed; NULL: none */
	const char *fetch, *vcpus, *max_states, *max_seconds, *max_memory, *expect, *jobs;
	const char *nmi[16];
	int nnmi;
	bool no_reduction;
	bool every;	     /* explore: do not stop at the first violation */
	bool resume;	     /* explore, sweep: go on with what an earlier one left */
	const char *seconds; /* sweep: of each run; survey: of all; NULL: the default */
	/* sweep: as they were typed; NULL: the default */
	const char *rates, *repeat, *distribution, *target;
	bool quick;
	const char *protocol[64]; /* matrix: --protocol, names or globs */
	int nprotocol;
	/* survey: as typed; NULL: the default */
	const char *offsets, *widths, *kinds, *pauses, *cpl;
	bool compare;
	char **file;
	int files;
};

enum { EXIT_AS_EXPECTED = 0, EXIT_NOT_EXPECTED = 1, EXIT_NOTHING_RAN = 77, EXIT_STOPPED = 130 };

int cmd_run(const struct options *o);
int cmd_explore(const struct options *o);
int cmd_matrix(const struct options *o);
int cmd_sweep(const struct options *o);
int cmd_replay(const struct options *o);
int cmd_check(const struct options *o);
int cmd_list(const struct options *o);
int cmd_probe(const struct options *o);
int cmd_survey(const struct options *o);
int cmd_bench(const struct options *o);

/* Print "crossmod: <text>" and return the exit status that belongs to it. */
int cmd_fail(const struct err *e);

/* Print (line), which is freed, and return (status); exit status 3 when there is none. */
int cmd_print(char *line, int status);

/* Load --guest, or the image beside the program, or the installed one. */
bool cmd_load_image(struct image *img, const struct options *o, struct err *e);

/*
 * The guest images that scenarios run on: the one that the user names, else the
 * usual one and, where arch_other_guest() says so, the one with the other kind
 * of kernel, which is read when somebody wants it. Freed by cmd_free_images().
 */
struct images {
	const char *chosen; /* NULL: the user names none */
	struct image usual;
	struct image other; /* (memory) NULL: not read */
};
bool cmd_load_images(struct images *g, const struct options *o, struct err *e);
void cmd_free_images(struct images *g);
/* NULL where there is none, which (e) says why. */
const struct image *cmd_other_image(struct images *g, struct err *e);

/* scenario_load() on the image that the scenario is for, which is then (s->image). */
bool cmd_load_scenario(struct scenario *s, const char *path, struct images *g, struct err *e);

/* The .json files under the arguments, directories walked in order. Freed by cmd_free_paths(). */
struct paths {
	char **path;
	size_t count;
};
bool cmd_scenario_paths(struct paths *p, char *const *file, int files, struct err *e);
void cmd_free_paths(struct paths *p);

/*
 * Load the scenarios at (p) into (s), which has room for all; how many. Those
 * for another architecture are passed over, which one line says: (*status) is
 * EXIT_NOTHING_RAN if there are no others. Other failures are printed and set it.
 */
size_t cmd_load_scenarios(struct scenario *s, const struct paths *p, struct images *g, int *status);

/* Where the shipped scenarios are: ./scenarios, or the installed ones; NULL: neither. */
const char *cmd_scenario_dir(void);

/* Decimal digits, nothing else, to at most (max). */
bool cmd_parse_number(const char *text, uint64_t max, uint64_t *value);

/* "stale/byte" or "stale" into (f). ERR_INPUT says what there is. */
bool cmd_parse_fetch(struct fetch_config *f, const char *text, struct err *e);

/* Workers of a search when nobody says how many: one a processor. */
uint32_t cmd_jobs(const struct host *host);

/* A search's progress callback: a line on a terminal; true when the user wants to stop. */
bool cmd_explore_progress(void *name, const struct search_progress *p);

/* A step_watcher: (arg) is a struct trace. */
void cmd_trace(void *arg, struct machine *m, const struct step_report *r);

/* Verdict, reason and as_expected from the observation. */
void cmd_judge(struct result *r);

#endif
