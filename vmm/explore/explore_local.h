/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * explore_local.h - which instructions nobody else can notice: decided on the
 * decoded instruction and its effective address, not on symbol names. What the
 * search may run through without a choice point.
 */
#ifndef CROSSMOD_EXPLORE_LOCAL_H
#define CROSSMOD_EXPLORE_LOCAL_H

#include "machine/machine.h"

struct local;

/* For the machine (m), which must outlive it. NULL: out of memory. */
struct local *local_new(struct machine *m, struct err *e);
void local_free(struct local *l);

/* Can nobody else notice when (vcpu) executes its next instruction? */
bool local_is(struct local *l, uint32_t vcpu);

/*
 * A stretch of instructions that are local whatever they compute; the first
 * may be any that touches memory and cannot fault. They lead a vCPU from where it stands
 * along one of the paths to its end, and which one is known by where it stops.
 */
#define STRETCH_MAX 64u

struct path {
	uint64_t end;
	uint32_t count;
	uint64_t pc[STRETCH_MAX]; /* of the instructions executed */
};

struct stretch {
	uint32_t paths;
	struct path path[VCPU_STOPS_MAX];
};

/*
 * The stretch from here on, its first instruction (any) or local as the others,
 * of at most (limit) instructions. False: there is none, or this host cannot run
 * to a stop.
 */
bool local_stretch(struct local *l, uint32_t vcpu, bool any, uint32_t limit,
		   struct stretch *stretch);

/*
 * Did a vCPU touch what the reduction takes for another's own, or write what it
 * takes for fixed? Then what was called local was not.
 */
bool local_unsound(const struct local *l);

#endif
