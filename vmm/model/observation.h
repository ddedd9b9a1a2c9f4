/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * observation.h - what a run showed: counts and violations, no opinion.
 *
 * Filled by the runners, read by verdict and report. Pure data.
 */
#ifndef CROSSMOD_OBSERVATION_H
#define CROSSMOD_OBSERVATION_H

#include <stdbool.h>
#include <stdint.h>

#include "guest/abi.h"

enum violation_kind {
	VIOLATION_TORN,
	VIOLATION_STALE,
	VIOLATION_UNHANDLED_TRAP,
	VIOLATION_WRONG_TARGET,
	VIOLATION_CRASH,
	VIOLATION_ILLEGAL_CHANGE,
	VIOLATION_STRAY_STORE,
	VIOLATIONS
};

/* Why a run ended. */
enum run_end {
	END_COMPLETE,	 /* every role was played to its end, or the time asked for is up */
	END_VIOLATION,	 /* stepped: stopped at the first one */
	END_STEPS,	 /* stepped: max_steps */
	END_REPEATS,	 /* stepped: a state came back, so this schedule never ends */
	END_HUNG,	 /* the watchdog fired: a vCPU did not exit */
	END_INTERRUPTED, /* Ctrl-C */
	END_UNSUPPORTED,
};

struct violation {
	enum violation_kind kind;
	uint32_t vcpu;
	uint64_t step;	       /* stepped: number of the decision after which it was seen */
	char text[320];	       /* one sentence, symbols resolved */
	struct cm_event event; /* as the guest recorded it; zero when the guest could not */
};

struct vcpu_counts {
	struct cm_counts guest;
	uint64_t nmis_requested; /* by the injector */
	uint64_t nmis_sent;	 /* the host accepted */
	uint64_t nmis_coalesced; /* sent but not delivered on its own */
	uint64_t ipis_requested;
	uint64_t ipis_sent;
	uint64_t ipis_coalesced;
};

/* free: who injected, and how exactly. */
struct injector_record {
	bool used;
	bool own_processor;
	uint32_t shared_with;		 /* vCPU, where it has no processor of its own */
	struct cm_histogram lateness_ns; /* of an event sent, behind the time it was due */
};

#define OBSERVATION_VIOLATIONS 32u

/* explore: of the protocol's own instructions, those that no schedule came by. */
#define COVERAGE_MAX 512u
struct coverage {
	uint32_t instructions; /* 0: not known */
	uint32_t never;
	uint64_t never_at[COVERAGE_MAX]; /* the first of them, by function */
};

struct observation {
	enum run_end end;
	bool stepped;	/* one given schedule; else free-running */
	bool explored;	/* every schedule was asked for: states and so on mean something */
	bool exhausted; /* explored, and no state is left */
	uint32_t kinds; /* explored: mask of 1u << enum violation_kind, those that can be reached */
	bool every;	/* explored: and no others */
	bool resumable; /* explored, and a checkpoint says how to go on */
	bool deadlock;	/* exhausted only; the schedule leads to the dead state */
	bool livelock;	/* exhausted only; the schedule leads to the cycle */
	uint32_t vcpus;
	struct vcpu_counts cpu[CM_MAX_VCPUS];
	enum cm_irqchip irqchip;	 /* free: what carried NMIs and IPIs */
	struct cm_patches patches;	 /* free */
	double tick_rate;		 /* Hz of its ticks; 0: not known */
	struct injector_record injector; /* free */
	uint64_t total[VIOLATIONS];	 /* every one, recorded or not */
	uint32_t nviolations;		 /* recorded, in the order seen */
	struct violation violation[OBSERVATION_VIOLATIONS];
	uint64_t steps;	 /* scheduling decisions taken */
	uint64_t cycle;	 /* of the steps the last so many lead back to the same state; 0: none */
	uint64_t stores; /* changes of the patched bytes */
	uint64_t states; /* explore; 0 elsewhere */
	uint64_t transitions;
	uint64_t executed; /* explore: decisions carried out, each state's anew */
	uint64_t depth;
	uint64_t memory; /* explore: bytes the search held at most */
	const char *
		bound; /* explore: which one ended it, "states", "seconds", "memory", "history", "fetches" or NULL */
	char unreduced[320]; /* explore: where the reduction does not hold, and why; "" = it does */
	struct coverage coverage;
	double seconds;
	char digest[33];   /* of the final state; stepped only, else "" */
	char suspect[200]; /* a failed self-check; "" = all held */
	char unsupported[200];
};

/* Count a violation, and record it while there is room. */
void observation_add(struct observation *o, const struct violation *v);

#endif
