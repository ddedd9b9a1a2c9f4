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
	bool all;		/* every instruction, not only those that matter */
	uint64_t skipped;	/* uninteresting ones since the last line */
	uint32_t skipped_vcpu;
};

void trace_begin(struct trace *t, const struct machine *m);
/* One decision; to be called after each machine_apply(). */
void trace_step(struct trace *t, const struct machine *m, const struct step_report *r);
/* The violation at the end, or that there was none. */
void trace_end(struct trace *t, const struct machine *m, const struct observation *o);

#endif
