/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * trace.h - a stepped run told to a person: who did what, the bytes at the
 * site before and after, what was fetched, which variables changed, in plain
 * words.
 */
#ifndef CROSSMOD_TRACE_H
#define CROSSMOD_TRACE_H

#include <stdbool.h>
#include <stdio.h>

#include "machine/machine.h"
#include "report/trace_line.h"

struct trace {
	FILE *out; /* NULL: no text */
	bool colour;
	bool repeats; /* the decisions from number (cycle) on, for ever */
	uint64_t cycle;
	bool all;			/* every instruction, not only those that matter */
	uint64_t skipped[CM_MAX_VCPUS]; /* uninteresting ones since the last line */
	struct trace_vars vars;
	/* Gets every line as data, besides the text; may be NULL. */
	void (*take)(void *arg, const struct trace_line *l);
	void *arg;
};

/*
 * The protocol, the fetch model, the roles and the sites; before machine_reset()
 * or after it. None of these functions moves the machine; it is not const for
 * its decoder's sake.
 */
void trace_begin(struct trace *t, struct machine *m);
/* The first decision is about to be taken: from here on variables are watched. */
void trace_start(struct trace *t, const struct machine *m);
/* One decision; to be called after each machine_apply(). */
void trace_step(struct trace *t, struct machine *m, const struct step_report *r);
/* The violations at the end, or that there was none. After machine_close(). */
void trace_end(struct trace *t, struct machine *m, const struct observation *o);
/* Free what it has watched. Safe at any time, and on a zeroed struct. */
void trace_fini(struct trace *t);

#endif
