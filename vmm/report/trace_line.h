/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * trace_line.h - one decision of a stepped run as data: who did what where,
 * what there is to say about it, and the bytes of the sites. How a line looks
 * is the business of whoever shows it.
 */
#ifndef CROSSMOD_TRACE_LINE_H
#define CROSSMOD_TRACE_LINE_H

#include <stdbool.h>
#include <stdint.h>

#include "machine/machine.h"
#include "report/trace_vars.h"

/* What a piece of a remark is about. */
enum trace_tone {
	TONE_PLAIN,
	TONE_OLD,
	TONE_NEW,
	TONE_BREAKPOINT,
	TONE_TORN,
	TONE_ALARM,
	TRACE_TONES
};

/* A remark is one piece or several, each of one tone. */
struct trace_piece {
	char *text; /* owned by the line */
	enum trace_tone tone;
	bool first; /* begins a remark */
};

/* Bytes of a site: those in memory, or those that an instruction was fetched as. */
struct trace_bytes {
	uint32_t site;
	uint32_t at; /* of the first, from the site's first byte */
	uint32_t length;
	uint8_t bytes[CM_MAX_SITE_LEN];
	/* What each is, a letter a byte: O old, N new, = both alike, B breakpoint, ? none of them. */
	char letters[CM_MAX_SITE_LEN + 1];
	enum site_form form; /* of all of them together */
};

struct trace_line {
	uint64_t number; /* of the decision, from 0 */
	uint32_t vcpu;
	uint64_t skipped[CM_MAX_VCPUS]; /* instructions without a line since the last one */
	char place[96];
	char deed[96];
	struct trace_piece *piece;
	size_t npieces;
	bool stored;
	bool violation;
	bool at_site; /* (fetched) is what the instruction was fetched as */
	struct trace_bytes fetched;
	uint32_t nsites;
	struct trace_bytes memory[CM_MAX_SITES]; /* after the decision */
	const struct trace_change *change;	 /* of variables; the watch's own */
	size_t nchanges;
};

/*
 * Does the decision deserve a line of its own? So it does when it changed one
 * of (vars), which trace_vars_look() has just looked at.
 */
bool trace_line_matters(const struct machine *m, const struct step_report *r,
			const struct trace_vars *vars);

/*
 * Fill (l) with what (r) did, before the next decision is carried out; (skipped)
 * stays the caller's to fill. Freed by trace_line_fini(), before (vars) looks again.
 */
void trace_line_make(struct trace_line *l, struct machine *m, const struct step_report *r,
		     const struct trace_vars *vars);
void trace_line_fini(struct trace_line *l);

enum trace_tone trace_tone_of(enum site_form form);

/* Every instruction of a form of (p), "nop; nop": a site may hold several. Returns (buf). */
const char *trace_disassemble(struct machine *m, const struct cm_site *p, const uint8_t *bytes,
			      char *buf, size_t size);

#endif
