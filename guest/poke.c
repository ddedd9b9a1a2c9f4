// SPDX-License-Identifier: BSD-2-Clause
/* poke.c - stores to a site and its bypass, through the writable alias. */
#include "guest/kernel.h"

void cm_poke8(const struct cm_poke *poke, uint32_t offset, uint8_t value)
{
	*(volatile uint8_t *)(poke->site->alias + offset) = value;
}

/* One store, aligned or not: what the processor makes of a crossing one is the question. */
void cm_poke16(const struct cm_poke *poke, uint32_t offset, uint16_t value)
{
	cm_store16(poke->site->alias + offset, value);
}

void cm_poke32(const struct cm_poke *poke, uint32_t offset, uint32_t value)
{
	cm_store32(poke->site->alias + offset, value);
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
	cm_store64(address, value);
}

uint8_t cm_text8(const struct cm_poke *poke, uint32_t offset)
{
	return *(const volatile uint8_t *)(poke->site->alias + offset);
}

/* As much as is stored, and fetched, at a time: the unit that head and tail are of. */
static void poke_chunk(const struct cm_poke *poke, uint32_t offset)
{
	const uint8_t *to = poke->to + offset;

	switch (cm_chunk(poke->site)) {
	case 1:
		cm_poke8(poke, offset, to[0]);
		break;
	case 2:
		cm_poke16(poke, offset, (uint16_t)(to[0] | to[1] << 8));
		break;
	default:
		cm_poke32(poke, offset,
			  (uint32_t)to[0] | (uint32_t)to[1] << 8 | (uint32_t)to[2] << 16 |
				  (uint32_t)to[3] << 24);
	}
}

void cm_poke_head(const struct cm_poke *poke)
{
	poke_chunk(poke, 0);
}

void cm_poke_tail(const struct cm_poke *poke)
{
	uint32_t chunk = cm_chunk(poke->site), i = chunk;

	for (; i + 4 <= poke->length; i += 4)
		cm_poke32(poke, i,
			  (uint32_t)poke->to[i] | (uint32_t)poke->to[i + 1] << 8 |
				  (uint32_t)poke->to[i + 2] << 16 |
				  (uint32_t)poke->to[i + 3] << 24);
	for (; i < poke->length; i += chunk)
		poke_chunk(poke, i);
}
