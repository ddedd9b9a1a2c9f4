// SPDX-License-Identifier: BSD-2-Clause
/* abi.c - the image's description of itself, read by the host before anything else. */
#include "guest/kernel.h"

extern const uint8_t cm_ghost_start[], cm_ghost_end[];

const struct cm_abi cm_abi __attribute__((used)) = {
	.magic = CM_ABI_MAGIC,
	.version = CM_ABI_VERSION,
	.isa = CM_ISA,
	.control_size = sizeof(struct cm_control),
	.cpu_size = sizeof(struct cm_cpu),
	.counts_size = sizeof(struct cm_counts),
	.site_record_size = sizeof(struct cm_site_record),
	.patches_size = sizeof(struct cm_patches),
	.start = (uint64_t)cm_start,
	.vectors = (uint64_t)cm_vectors,
	.vectors_stepped = (uint64_t)cm_vectors_stepped,
	.control = (uint64_t)&cm_control,
	.cpu = (uint64_t)cm_cpu,
	.counts = (uint64_t)cm_counts,
	.patches = (uint64_t)&cm_patches,
	.stacks = (uint64_t)cm_stacks,
	.loop = (uint64_t)cm_executor_loop,
	.ghost_start = (uint64_t)cm_ghost_start,
	.ghost_end = (uint64_t)cm_ghost_end,
	.selfcheck = (uint64_t)cm_selfcheck,
};
