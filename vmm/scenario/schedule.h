/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * schedule.h - who moves next: the alphabet of scheduling decisions and the
 * recorded sequence of them, with a text form to paste into a mail.
 *
 * Pure data. A schedule replayed on the same image and scenario reaches the
 * same state, byte for byte.
 */
#ifndef CROSSMOD_SCHEDULE_H
#define CROSSMOD_SCHEDULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define ACTION_VERSIONS_MAX 16u

/* In place of a version: the newest, or the oldest, that is legal. Never recorded. */
#define ACTION_NEWEST 0xffffu
#define ACTION_OLDEST 0xfffeu

enum action_kind {
	ACTION_STEP,   /* one instruction, fetching the newest bytes or as (version) says */
	ACTION_LATCH,  /* fetch one chunk of the next instruction, execute nothing */
	ACTION_NMI,    /* make an NMI pending and let it be delivered if it is not masked */
	ACTION_IPI,    /* deliver the pending IPI */
	ACTION_RAISE,  /* make an IPI pending that no vCPU sent */
	ACTION_ONLINE, /* let an offline vCPU come up */
};

struct action {
	uint8_t kind;
	uint8_t vcpu;
	uint8_t nversions;		       /* 0: all newest */
	uint16_t version[ACTION_VERSIONS_MAX]; /* per chunk of the instruction, in address order */
};

struct schedule {
	struct action *action;
	size_t count;
	size_t allocated;
	bool repeats; /* what follows from (cycle) on is done again and again, for ever */
	size_t cycle;
};

void schedule_fini(struct schedule *s);
void schedule_add(struct schedule *s, const struct action *a);
/* What is added from here on repeats for ever; at most once. */
void schedule_begin_cycle(struct schedule *s);
bool action_equal(const struct action *a, const struct action *b);

/*
 * The text form: decisions separated by blanks, each "<vcpu><what>":
 *   0s		vCPU 0 steps			0s*37	37 times
 *   1s@0,2,2	vCPU 1 steps, its fetch taking version 0 of the first chunk ...
 *   1l		vCPU 1 latches one chunk
 *   1n 1i 1r 1o	NMI, IPI delivery, IPI raised from outside, comes online
 *   ( 0s 1s )	for ever, as the last of a schedule: a stem and its cycle
 * Returns a heap string the caller frees.
 */
char *schedule_encode(const struct schedule *s);

/* The inverse. ERR_INPUT names the word that does not parse; (s) is then empty. */
bool schedule_decode(struct schedule *s, const char *text, struct err *e);

#endif
