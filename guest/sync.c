// SPDX-License-Identifier: BSD-2-Clause
/* sync.c - the ways to make other vCPUs serialise. */
#include "guest/kernel.h"

/* Set by the requester, cleared by the target once it has serialised. */
uint32_t cm_sync_pending[CM_MAX_VCPUS];

/* Locked: two CPUs may come up at once. */
void cm_set_online(void)
{
	cm_fetch_or32(&cm_control.online, 1u << cm_cpu_id());
}

/* Under a schedule a count that grows for ever would make every round a new state. */
void cm_retry(void)
{
	if (cm_control.free_running)
		cm_patches.all_retries++;
}

void cm_relax(void)
{
	if (cm_protocol()->spin)
		cm_protocol()->spin();
	cm_pause();
}

void cm_ipi(uint32_t mask)
{
	if (!mask)
		return;
	if (cm_this_cpu()->user)
		cm_user_function(CM_USER_IPI, mask);
	else
		cm_ipi_now(mask, CM_VECTOR_IPI);
}

void cm_nmi(uint32_t mask)
{
	if (mask)
		cm_ipi_now(mask, CM_VECTOR_NMI);
}

void cm_sync_all(void)
{
	uint32_t others = cm_others();

	for (uint32_t i = 0; i < cm_cpus(); i++)
		if (others & (1u << i))
			CM_WRITE(cm_sync_pending[i], 1);
	cm_wmb();
	cm_ipi(others);
	cm_sync_core();
	for (uint32_t i = 0; i < cm_cpus(); i++)
		while (others & (1u << i) && CM_READ(cm_sync_pending[i]))
			cm_relax();
}

void cm_sync_notified(struct cm_frame *frame)
{
	uint32_t self = cm_cpu_id();

	(void)frame;
	if (!CM_READ(cm_sync_pending[self]))
		return;
	/* Serialise before the acknowledgement: see the README on early acknowledgement. */
	cm_sync_core();
	CM_WRITE(cm_sync_pending[self], 0);
}
