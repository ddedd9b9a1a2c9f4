// SPDX-License-Identifier: BSD-2-Clause
/* x86_64/planted.c - the faults of ../any that take an instruction of x86-64. */
#include "guest/protocol.h"

static CM_ROUTINE void planted_undefined(const struct cm_poke *poke, uint32_t count)
{
	(void)poke;
	(void)count;
	CM_STEP("planted.undefined");
	__asm__ volatile("ud2");
}

/* No stack to push the exception on, and none for the one after it. */
static CM_ROUTINE void planted_no_stack(const struct cm_poke *poke, uint32_t count)
{
	(void)poke;
	(void)count;
	CM_STEP("planted.no_stack");
	__asm__ volatile("lidt %0; ud2" ::"m"((const struct {
		uint16_t limit;
		uint64_t base;
	} __attribute__((packed))){ 0, 0 }));
}

CM_PROTOCOL(planted_crash, "executes UD2 where no site is", .patch = planted_undefined);
CM_PROTOCOL(planted_triple_fault, "loses its IDT", .patch = planted_no_stack);
