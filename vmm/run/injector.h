/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * injector.h - the host thread that sends NMIs and IPIs to running vCPUs at
 * their times. Owns that thread and how late it is; must not know what the
 * guest does with an event.
 *
 * Due times are absolute, so that being late once shifts no later event. It
 * sleeps by clock_nanosleep() and, on a processor of its own, spins for the
 * last stretch.
 */
#ifndef CROSSMOD_INJECTOR_H
#define CROSSMOD_INJECTOR_H

#include <stdbool.h>

#include "vm/arch.h"
#include "model/observation.h"
#include "scenario/scenario.h"

/* Events of one kind for one vCPU. */
struct injector_source {
	enum event_kind kind;
	uint32_t vcpu;
	double rate;	    /* a second, > 0 */
	uint64_t requested; /* fell due; set by injector_stop() */
	uint64_t sent;	    /* of them: those that fell due together are sent as one */
};

#define INJECTOR_SOURCES_MAX (2 * CM_MAX_VCPUS)

struct injector;

/* One behind those of the (vcpus), of (cores) usable by this process? */
static inline bool injector_has_processor(uint32_t cores, uint32_t vcpus)
{
	return cores > vcpus;
}

/*
 * Start to send the (n) sources' events, from now on, to the vCPUs of (vm) on
 * the (index)-th processor this process may use. With none to send it does
 * nothing, and no thread. NULL: ERR_HOST. (source) stays the caller's and must
 * outlive the injector.
 */
struct injector *injector_start(struct vm *vm, struct injector_source *source, uint32_t n,
				enum distribution distribution, uint32_t index, bool own_processor,
				struct err *e);

/* Has it given up? injector_stop() tells why. */
bool injector_failed(const struct injector *i);

/* End the thread, complete the sources' counts, fill in (lateness_ns), free (i), which may be NULL. */
bool injector_stop(struct injector *i, struct cm_histogram *lateness_ns, struct err *e);

#endif
