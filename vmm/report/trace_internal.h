/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * trace_internal.h - what the trace's files share: trace_line.c makes a line,
 * trace_remarks.c says what is worth saying on it, trace_vars.c watches the
 * variables for both.
 */
#ifndef CROSSMOD_TRACE_INTERNAL_H
#define CROSSMOD_TRACE_INTERNAL_H

#include "report/trace_line.h"

/* A line in the making. */
struct trace_maker {
	struct trace_line *l;
	struct machine *m;
	const struct step_report *r;
	const struct trace_vars *vars;
};

/* The name of (address), "site0+0x1" or "cm_cpu_id+0x4", into (buf); false where it has none. */
bool trace_address(const struct machine *m, uint64_t address, char *buf, size_t size);

/* Begin another remark on the line, and go on with it. */
void trace_remark(struct trace_maker *k, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
void trace_add(struct trace_maker *k, enum trace_tone tone, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* The bytes that an instruction at a site was fetched as, up to its end or the site's. */
struct trace_fetch {
	const struct site *site;
	uint32_t length;
	uint32_t version[INSN_LENGTH_MAX];
	bool newest; /* the bytes are those of the newest version, as far as that is known */
};

void trace_find_fetch(const struct machine *m, const struct step_report *r, struct trace_fetch *x);

/* All that there is to say. */
void trace_say(struct trace_maker *k);

#endif
