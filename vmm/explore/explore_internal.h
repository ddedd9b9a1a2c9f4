/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * explore_internal.h - what the two halves of exploring share: explore.c is the
 * system that is searched, explore_run.c has it searched and says what was found.
 */
#ifndef CROSSMOD_EXPLORE_INTERNAL_H
#define CROSSMOD_EXPLORE_INTERNAL_H

#include "explore/explore.h"
#include "explore/explore_local.h"

/* A state's violation is this more than its enum violation_kind: 0 is none. */
#define VIOLATION_MARK 1u

/* What is part of the state beside the machine: what may still be injected, and what was seen. */
struct budget {
	uint8_t nmis[CM_MAX_VCPUS];  /* left */
	uint8_t spent[CM_MAX_VCPUS]; /* unlimited: hit, and nothing of its own done since */
	/* The last move's. Of an illegal change neither vCPUs nor memory keep a trace. */
	uint8_t violation;
	struct contexts contexts[CM_MAX_VCPUS];
};

/* A machine that is searched, by one worker. */
struct explorer {
	struct machine *m;
	const struct explore_options *options;
	struct observation o;
	struct budget budget;
	struct local *local;
	uint8_t *executed;	   /* per byte of the image: an instruction there was */
	struct stretch stretch;	   /* scratch */
	struct search_blob packed; /* the state it is in, once it was asked for */
	struct schedule *record;   /* following a path: every decision, run-on ones too */
	bool cut;		   /* an instruction had more fetches than are listed */
};

/*
 * NULL on failure, as machine_new(). (image) and (s) must outlive it; (limits): of the
 * reduction.
 */
struct explorer *explorer_new(const struct image *image, const struct scenario *s,
			      const struct local_limits *limits, struct err *e);
void explorer_free(struct explorer *x);
struct search_system explorer_system(struct explorer *x);

/* One decision, counted and recorded. */
bool explorer_decide(struct explorer *x, const struct action *a, struct step_report *r,
		     struct err *e);

#endif
