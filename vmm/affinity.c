// SPDX-License-Identifier: BSD-2-Clause
/* affinity.c - sched_setaffinity(2). */
#include "affinity.h"

#include <sched.h>

uint32_t affinity_count(void)
{
	cpu_set_t may;

	return sched_getaffinity(0, sizeof(may), &may) ? 0 : (uint32_t)CPU_COUNT(&may);
}

void affinity_pin(uint32_t index)
{
	cpu_set_t may, one;
	uint32_t wanted;

	if (sched_getaffinity(0, sizeof(may), &may) || !CPU_COUNT(&may))
		return;
	wanted = index % (uint32_t)CPU_COUNT(&may);
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
		if (CPU_ISSET(cpu, &may) && wanted-- == 0) {
			CPU_ZERO(&one);
			CPU_SET(cpu, &one);
			sched_setaffinity(0, sizeof(one), &one);
			return;
		}
}
