// SPDX-License-Identifier: BSD-2-Clause
/* sync.c - stores to a site and the ways to make other vCPUs serialise. */
#include "guest/kernel.h"

/* Set by the requester, cleared by the target once it has serialised. */
uint32_t cm_sync_pending[CM_MAX_VCPUS];

void cm_poke8(const struct cm_poke *poke, uint32_t offset, uint8_t value)
{
	*(volatile uint8_t *)(poke->site->alias + offset) = value;
}

/* One store, aligned or not: what the processor makes of a crossing one is the question. */
void cm_poke32(const struct cm_poke *poke, uint32_t offset, uint32_t value)
{
	__asm__ volatile("movl %1, (%0)" ::"r"(poke->site->alias + offset), "r"(value) : "memory");
}

void cm_withdraw(const struct cm_poke *poke)
{
	CM_WRITE(poke->site->started, poke->site->started - 1);
}

static uint64_t bypass_offset(const struct cm_site *site)
{
	return ((site->text - CM_TEXT_BASE) & ~(uint64_t)(CM_SLOT_SIZE - 1)) + CM_SLOT_BYPASS;
}

uint64_t cm_bypass(const struct cm_site *site)
{
	return CM_TEXT_BASE + bypass_offset(site);
}

void cm_bypass8(const struct cm_site *site, uint32_t offset, uint8_t value)
{
	*(volatile uint8_t *)(CM_ALIAS_BASE + bypass_offset(site) + offset) = value;
}

void cm_poke_quadword(const struct cm_poke *poke)
{
	uint64_t inside = poke->site->alias & 7;
	uint64_t first = inside + poke->length <= 8 ? inside : 0;
	uint64_t address = poke->site->alias - first;
	uint64_t value = *(const volatile uint64_t *)address;

	for (uint32_t i = 0; i < poke->length; i++) {
		uint64_t shift = 8 * (first + i);

		value = (value & ~(0xffull << shift)) | (uint64_t)poke->to[i] << shift;
	}
	/* One store, as in cm_poke32(). */
	__asm__ volatile("movq %1, (%0)" ::"r"(address), "r"(value) : "memory");
}

uint8_t cm_text8(const struct cm_poke *poke, uint32_t offset)
{
	return *(const volatile uint8_t *)(poke->site->alias + offset);
}

bool cm_text8_cmpxchg(const struct cm_poke *poke, uint32_t offset, uint8_t from, uint8_t to)
{
	return __atomic_compare_exchange_n((uint8_t *)(poke->site->alias + offset), &from, to,
					   false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}

void cm_poke_head(const struct cm_poke *poke)
{
	cm_poke8(poke, 0, poke->to[0]);
}

void cm_poke_tail(const struct cm_poke *poke)
{
	uint32_t i = 1;

	for (; i + 4 <= poke->length; i += 4)
		cm_poke32(poke, i,
			  (uint32_t)poke->to[i] | (uint32_t)poke->to[i + 1] << 8 |
				  (uint32_t)poke->to[i + 2] << 16 |
				  (uint32_t)poke->to[i + 3] << 24);
	for (; i < poke->length; i++)
		cm_poke8(poke, i, poke->to[i]);
}

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
	struct cm_cpu *cpu = cm_this_cpu();

	if (!mask)
		return;
	if (cpu->user)
		cm_user_function(CM_USER_IPI, mask);
	else
		cm_ipi_now(cpu, mask, CM_VECTOR_IPI);
}

void cm_nmi(uint32_t mask)
{
	if (mask)
		cm_ipi_now(cm_this_cpu(), mask, CM_VECTOR_NMI);
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
