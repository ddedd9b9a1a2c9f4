// SPDX-License-Identifier: BSD-2-Clause
/* cores.c - processor affinity. Knows nothing of what runs there. */
#include "cores.h"

#include <errno.h>
#include <sched.h>

uint32_t cores_find(int core[2], struct err *e)
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

void cores_pin(int core)
{
	const int both[2] = { core, core };

	cores_unpin(both);
}

void cores_unpin(const int core[2])
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(core[0], &set);
	CPU_SET(core[1], &set);
	sched_setaffinity(0, sizeof(set), &set);
}
