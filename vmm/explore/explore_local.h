/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * explore_local.h - which instructions nobody else can notice: decided on the
 * decoded instruction and its effective address, not on symbol names. What the
 * search may run through without a choice point.
 */
#ifndef CROSSMOD_EXPLORE_LOCAL_H
#define CROSSMOD_EXPLORE_LOCAL_H

#include "explore/explore_context.h"
#include "machine/machine.h"

struct local;

/*
 * Where the reduction does not hold: everywhere, when a vCPU touches another's
 * stack or mailbox or writes what is taken for fixed; or, by the kind of event,
 * on those vCPUs whose handlers look at what they interrupted, its stack or its
 * saved registers. There every instruction is a choice point while such an event
 * can come. Plain bytes.
 */
struct local_limits {
	uint16_t handlers[2]; /* by enum event_kind, a mask of vCPUs */
	uint16_t everywhere;
};

/*
 * For the machine (m), within (limits); (contexts) are its vCPUs'. All but (limits)
 * must outlive it. NULL: out of memory.
 */
struct local *local_new(struct machine *m, const struct contexts *contexts,
			const struct local_limits *limits, struct err *e);
void local_free(struct local *l);

/* What has been met so far, (limits) included. */
struct local_limits local_met(const struct local *l);
/* Is that more than (limits)? For any thread. */
bool local_exceeded(const struct local *l);

/*
 * Can nobody else notice when (vcpu) executes its next instruction? To be asked
 * of every instruction before it is executed: it watches what is met.
 */
bool local_is(struct local *l, uint32_t vcpu);
/* And is where it stands within the limits, so that it need not be a choice point? */
bool local_reduces(const struct local *l, uint32_t vcpu);

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

#endif
