/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * run_free.h - runs a scenario at full speed: one pinned thread a vCPU, NMIs
 * and IPIs injected at a rate. What it shows is what this silicon did: counts.
 */
#ifndef CROSSMOD_RUN_FREE_H
#define CROSSMOD_RUN_FREE_H

#include "vm/arch.h"
#include "image/image.h"
#include "model/observation.h"
#include "scenario/scenario.h"

/*
 * Called about ten times a second while the run goes on; may be NULL.
 * (fraction) of the run is over, 0..1.
 */
typedef void (*free_progress)(void *arg, double fraction);

/*
 * Run (s) to its iterations or seconds, or to Ctrl-C, and fill (o). Guest
 * misbehaviour ends up in (o); false is KVM's or the host's failure. The
 * quirks in force go to (quirks), which may be NULL.
 */
bool run_free(const struct image *image, const struct scenario *s, struct observation *o,
	      struct quirks *quirks, free_progress progress, void *arg, struct err *e);

#endif
