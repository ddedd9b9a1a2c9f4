/* SPDX-License-Identifier: BSD-2-Clause */
/* sweep_lab.h - one run of a sweep on this host's KVM. */
#ifndef CROSSMOD_SWEEP_LAB_H
#define CROSSMOD_SWEEP_LAB_H

#include "vm/host.h"
#include "image/image.h"
#include "run/run_free.h"
#include "sweep/sweep.h"

struct sweep_lab {
	const struct sweep *sweep;
	const struct image *image;
	struct host *host;	 /* quirks are filled in */
	enum cm_irqchip irqchip; /* filled in by sweep_lab_probe() */
	/* About ten times a second: (fraction) of (curve)'s run at (rate) is over. May be NULL. */
	void (*progress)(void *arg, uint32_t curve, uint32_t rate, double fraction);
	void *arg;
};

/* Find this host's quirks and interrupt controller. ERR_UNSUPPORTED: the method `free` cannot run here, and why. */
bool sweep_lab_probe(struct sweep_lab *lab, struct err *e);

/* A sweep_runner's: the scenario with the sweep's rate, seconds, distribution and targets. */
bool sweep_lab_run(void *lab, uint32_t curve, uint32_t rate, struct sweep_run *r, struct err *e);
bool sweep_lab_stopped(void *lab);

#endif
