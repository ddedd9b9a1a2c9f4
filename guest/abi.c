// SPDX-License-Identifier: BSD-2-Clause
/* abi.c - the image's description of itself, read by the host before anything else. */
#include <stdint.h>

/* A compiler for 32 bits does not widen an address in an initialiser: two words, the low one first. */
#if UINTPTR_MAX == UINT32_MAX
#define CM_ABI_ADDRESS           \
	struct {                 \
		const void *low; \
		uint32_t high;   \
	} __attribute__((aligned(8)))
#define ADDRESS(x)                   \
	{                            \
		(const void *)(x), 0 \
	}
#else
#define ADDRESS(x) (uint64_t)(x)
#endif

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
	.start = ADDRESS(cm_start),
	.vectors = ADDRESS(cm_vectors),
	.vectors_stepped = ADDRESS(cm_vectors_stepped),
	.control = ADDRESS(&cm_control),
	.cpu = ADDRESS(cm_cpu),
	.counts = ADDRESS(cm_counts),
	.patches = ADDRESS(&cm_patches),
	.stacks = ADDRESS(cm_stacks),
	.loop = ADDRESS(cm_executor_loop),
	.ghost_start = ADDRESS(cm_ghost_start),
	.ghost_end = ADDRESS(cm_ghost_end),
	.selfcheck = ADDRESS(cm_selfcheck),
};
