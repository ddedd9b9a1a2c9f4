// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_machine_faults.c - routines of guest/planted/machine.c, each with a
 * fault that a machine less exact would not show, or would show where there is
 * none. On a real KVM.
 */
#include "kvmtest.h"

#include <criterion/criterion.h>
#include <string.h>

static void set_up(void)
{
	kvmtest_needs_kvm();
	kvmtest_guest("planted");
}

TestSuite(machine_faults, .init = set_up, .timeout = 60);

#define PLANTED(protocol, model, more)                                    \
	"'protocol': 'planted_" protocol "', 'method': 'explore', "       \
	"'sites': [{'site': 'nop5_jmp5', 'at': 'in-line'}], 'vcpus': 2, " \
	"'fetch': {'model': '" model "', 'chunk': 8}" more
#define ALONE ", 'executors': {'vcpus': []}"

static struct found finds(enum verdict want, const char *json)
{
	struct found f = kvmtest_explore(1, REDUCED, json);

	cr_expect_eq(f.verdict, want, "%s instead of %s: %s", f.reason, verdict_name(want), json);
	return f;
}

/* One is exempt from serialising: the acknowledgement comes too early. */
Test(machine_faults, a_wrmsr_that_does_not_serialise_acknowledges_nothing)
{
	finds(VERDICT_STALE, PLANTED("ack", "ordered", ALONE));
	finds(VERDICT_SAFE, PLANTED("ack_tsc", "ordered", ALONE));
	finds(VERDICT_STALE, PLANTED("ack_spec_ctrl", "ordered", ALONE));
	finds(VERDICT_STALE, PLANTED("ack_pred_cmd", "ordered", ALONE));
	finds(VERDICT_STALE, PLANTED("ack_deadline", "ordered", ALONE));
}
