/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * trace_vars.h - which variables of the guest a decision changed, by the names
 * of the image's symbol table: the protocol's own, the kernel's own, and of
 * the control block what the routine has promised and who is online.
 *
 * There are no types here, only names and sizes. A word is as wide as the
 * store that changed it, and where nobody knows that, as the bytes that changed.
 */
#ifndef CROSSMOD_TRACE_VARS_H
#define CROSSMOD_TRACE_VARS_H

#include <stddef.h>
#include <stdint.h>

#include "machine/machine.h"

/* A word that the decision changed. */
struct trace_change {
	char name[112]; /* "int3_fixup_slot+0x8", "cm_sync_pending[1]", "site0: promised" */
	char from[96];	/* a number, or the name of the address that it is */
	char to[96];
	bool count; /* only ever counts up: what it was is not worth saying */
};

struct trace_var; /* one that is watched */

/* Zeroed: watches nothing. */
struct trace_vars {
	struct trace_var *var;
	size_t nvars;
	uint8_t *seen; /* their bytes as of the last look, one after the other */
	struct trace_change *change;
	size_t nchanges, room;
};

/* From now on watch (m)'s variables, from how they are. A machine without memory has none. */
void trace_vars_watch(struct trace_vars *v, const struct machine *m);

/* (change) is what changed since the last look; (r) is the decision that did it. */
void trace_vars_look(struct trace_vars *v, struct machine *m, const struct step_report *r);
void trace_vars_fini(struct trace_vars *v);

#endif
