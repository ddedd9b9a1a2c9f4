/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * trace.h - a stepped run told to a person: who did what, the bytes at the
 * site before and after, what was fetched, in plain words.
 */
#ifndef CROSSMOD_TRACE_H
#define CROSSMOD_TRACE_H

#include <stdbool.h>
#include <stdio.h>

#include "machine.h"

struct trace {
	FILE *out;
	bool colour;
	bool all;			/* every instruction, not only those that matter */
	uint64_t skipped[CM_MAX_VCPUS]; /* uninteresting ones since the last line */
};

/*
 * The protocol, the fetch model, the roles and the sites; before machine_reset()
 * or after it. None of these three functions moves the machine; it is not const
 * for its decoder's sake.
 */
void trace_begin(struct trace *t, struct machine *m);
/* One decision; to be called after each machine_apply(). */
void trace_step(struct trace *t, struct machine *m, const struct step_report *r);
/* The violations at the end, or that there was none. After machine_close(). */
void trace_end(struct trace *t, struct machine *m, const struct observation *o);

#endif
