// SPDX-License-Identifier: BSD-2-Clause
/*
 * flush.c - cache maintenance after a store to text, in the order of DDI 0487,
 * B2.7.4.2 and E2.2.5: clean, DSB, invalidate, DSB, ISB. By the alias for data
 * and by the executed address for instructions; both are the same physical line.
 * Of the A64 and of the AArch32 kernel, where EL0 asks the kernel to do it.
 */
#include "guest/kernel.h"

#define LINE 64u /* as the machine models it, whatever CTR_EL0 of this core says */

static uint64_t first_line(uint64_t address)
{
	return address & ~(uint64_t)(LINE - 1);
}

static bool asks_kernel(void)
{
	return !CM_EL0_MAINTAINS && cm_this_cpu()->user;
}

static void clean_line(uint64_t address)
{
	if (asks_kernel())
		cm_user_function(CM_USER_CLEAN, address);
	else
		cm_clean_line(address);
}

static void invalidate_line(uint64_t address)
{
	if (asks_kernel())
		cm_user_function(CM_USER_INVALIDATE, address);
	else
		cm_invalidate_line(address);
}

void cm_clean(const struct cm_poke *poke, uint32_t offset, uint32_t length)
{
	uint64_t start = poke->site->alias + offset;

	for (uint64_t line = first_line(start); line < start + length; line += LINE)
		clean_line(line);
	cm_dsb();
}

void cm_invalidate(const struct cm_poke *poke, uint32_t offset, uint32_t length)
{
	uint64_t start = poke->site->text + offset;

	for (uint64_t line = first_line(start); line < start + length; line += LINE)
		invalidate_line(line);
	cm_dsb();
}

void cm_flush(const struct cm_poke *poke, uint32_t offset, uint32_t length)
{
	cm_clean(poke, offset, length);
	cm_invalidate(poke, offset, length);
	cm_sync_core();
}
