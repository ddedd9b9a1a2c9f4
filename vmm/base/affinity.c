// SPDX-License-Identifier: BSD-2-Clause
/* affinity.c - sched_setaffinity(2). Knows nothing of what runs there. */
#include "base/affinity.h"

#include <errno.h>
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

uint32_t affinity_two(int core[2], struct err *e)
{
	uint32_t n = 0;
	cpu_set_t may;

	if (sched_getaffinity(0, sizeof(may), &may))
		return err_sys(e, errno, "sched_getaffinity");
	for (int i = 0; i < CPU_SETSIZE && n < 2; i++)
		if (CPU_ISSET(i, &may))
			core[n++] = i;
	if (n == 1)
		core[1] = core[0];
	return n;
}

void affinity_on(int core)
{
	const int both[2] = { core, core };

	affinity_on_either(both);
}

void affinity_on_either(const int core[2])
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(core[0], &set);
	CPU_SET(core[1], &set);
	sched_setaffinity(0, sizeof(set), &set);
}
