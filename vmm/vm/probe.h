/* SPDX-License-Identifier: BSD-2-Clause */
/* probe.h - what `crossmod probe` found out about this host. Plain data. */
#ifndef CROSSMOD_PROBE_H
#define CROSSMOD_PROBE_H

#include "vm/arch.h"
#include "vm/host.h"

#define PROBE_CAPABILITIES 16u

struct probe_method {
	bool works;
	char reason[200]; /* why not */
};

/* An image that this host may run, by the kernel in it. */
#define PROBE_KERNELS 2u
struct probe_kernel {
	const char *name; /* "aarch64" */
	struct probe_method boots;
};

struct probe {
	struct host host;
	struct arch_capability capability[PROBE_CAPABILITIES];
	size_t ncapabilities;
	struct probe_method stepped;
	struct probe_method free;
	struct probe_kernel kernel[PROBE_KERNELS]; /* where there is more than one kind */
	size_t nkernels;
	enum cm_irqchip irqchip; /* of free runs; CM_IRQCHIP_NONE where there are none */
};

#endif
