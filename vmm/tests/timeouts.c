// SPDX-License-Identifier: BSD-2-Clause
/*
 * timeouts.c - the tests' timeouts are for a processor of silicon: one that is
 * translated gets a multiple of each. Decided by what the processor shows.
 */
#include <criterion/criterion.h>
#include <criterion/hooks.h>
#include <stdio.h>

#include "vm/arch.h"

#define FACTOR 10

ReportHook(PRE_ALL)(struct criterion_test_set *tests)
{
	const char *emulator = arch_emulator();

	if (!emulator)
		return;
	fprintf(stderr, "%s: every timeout is %d times as long\n", emulator, FACTOR);
	FOREACH_SET(struct criterion_suite_set * set, tests->suites)
	{
		if (set->suite.data)
			set->suite.data->timeout *= FACTOR;
		FOREACH_SET(struct criterion_test * test, set->tests)
		{
			if (test->data)
				test->data->timeout *= FACTOR;
		}
	}
}
