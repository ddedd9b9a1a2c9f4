/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * run_stepped.h - plays a schedule on the stepped machine: the scenario's own
 * moves and injections, or decisions recorded earlier.
 *
 * Chooses, records and stops; how a decision is carried out is the machine's
 * business. The run ends at the first violation, when every role is played,
 * or at a bound.
 */
#ifndef CROSSMOD_RUN_STEPPED_H
#define CROSSMOD_RUN_STEPPED_H

#include "machine/machine.h"

/* Called when the machine is reset, with a NULL (r), and after every decision. May be NULL. */
typedef void (*step_watcher)(void *arg, struct machine *m, const struct step_report *r);

/*
 * Play (m->scenario): its moves, then round-robin until everybody is done.
 * (taken) gets every decision, its versions resolved. False for a schedule
 * that cannot be played (ERR_INPUT names the move), or for KVM's sake.
 */
bool run_stepped(struct machine *m, struct observation *o, struct schedule *taken,
		 step_watcher watch, void *arg, struct err *e);

/*
 * Play (given), decision by decision, and stop where it stops. What repeats is
 * played until the state comes back: END_REPEATS; or suspect, when it does not.
 */
bool run_replay(struct machine *m, const struct schedule *given, struct observation *o,
		step_watcher watch, void *arg, struct err *e);

#endif
