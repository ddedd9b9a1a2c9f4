// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_arm_planted.c - every detector fires on an arm64 guest, too: routines
 * with one fault each are searched, without being told where it is. What the
 * kinds mean is test_explore.c's to ask. Hosts that run no such guest skip it.
 */
#include <criterion/criterion.h>
#include <string.h>

#include "kvmtest.h"
#include "vm/guard.h"

static void set_up(void)
{
	kvmtest_needs_kvm();
	kvmtest_guest("arm64", "planted");
}

TestSuite(arm_planted, .init = set_up, .timeout = 120);

#define EVERY(protocol, site, model, more)                                           \
	"'protocol': '" protocol "', 'method': 'explore', 'sites': [{'site': '" site \
	"'}], 'fetch': {'model': '" model "'}" more

/* Nobody executes the site: only the routine's own fault can be seen. */
#define ALONE(protocol, more) \
	EVERY("planted_" protocol, "a64_nop_b", "sc", ", 'executors': {'vcpus': []}" more)

static struct found finds(enum verdict want, const char *json)
{
	struct found f = kvmtest_explore(1, REDUCED, json);

	cr_expect_eq(f.verdict, want, "%s instead of %s: %s: %s", verdict_name(f.verdict),
		     verdict_name(want), json, f.reason);
	cr_expect_eq(f.decisions > 0, want != VERDICT_SAFE && want != VERDICT_INCONCLUSIVE);
	return f;
}

Test(arm_planted, torn)
{
	finds(VERDICT_TORN, EVERY("naive", "t32_nop_w_bl", "sc", ""));
	finds(VERDICT_TORN, EVERY("naive", "t32_bl_bl", "arm", ", 'executors': {'el': 0}"));
}

Test(arm_planted, stale)
{
	finds(VERDICT_STALE, EVERY("word_store_no_sync", "a64_nop_b", "arm", ""));
	finds(VERDICT_SAFE, EVERY("word_store_no_sync", "a64_nop_b", "sc", ""));
}

/* Each half of it left out, both in the wrong order; and as it should be. */
Test(arm_planted, maintenance)
{
	finds(VERDICT_STALE, EVERY("word_store_no_dc", "a64_nop_b", "arm", ""));
	finds(VERDICT_STALE, EVERY("word_store_no_ic", "a64_nop_b", "arm", ""));
	finds(VERDICT_STALE, EVERY("planted_invalidate_first", "a64_nop_b", "arm", ""));
	finds(VERDICT_SAFE, EVERY("word_store", "a64_nop_b", "arm", ""));
}

Test(arm_planted, illegal_change)
{
	finds(VERDICT_ILLEGAL_CHANGE, EVERY("word_store", "a64_movz", "arm", ""));
	finds(VERDICT_ILLEGAL_CHANGE, EVERY("brk", "a64_movz", "arm", ""));
}

Test(arm_planted, unhandled_trap)
{
	finds(VERDICT_UNHANDLED_TRAP, EVERY("planted_breakpoint", "a64_nop_b", "sc", ""));
}

static void goes_round(enum verdict verdict, const char *json)
{
	struct found f = finds(verdict, json);

	cr_expect_gt(f.observation.cycle, 0, "%s", json);
	cr_expect_lt(f.observation.cycle, f.decisions, "%s", json);
}

Test(arm_planted, deadlock)
{
	goes_round(VERDICT_DEADLOCK, ALONE("deadlock", ""));
	goes_round(VERDICT_DEADLOCK, ALONE("owed", ", 'explore': {'nmi': {'0': 1}}"));
	goes_round(VERDICT_DEADLOCK, ALONE("unseen", ""));
	finds(VERDICT_SAFE, ALONE("sent", ""));
}

Test(arm_planted, livelock)
{
	goes_round(VERDICT_LIVELOCK, ALONE("livelock", ", 'explore': {'nmi': {'0': 'unlimited'}}"));
	finds(VERDICT_SAFE, ALONE("livelock", ", 'explore': {'nmi': {'0': 2}}"));
}

Test(arm_planted, crash)
{
	struct found f = finds(VERDICT_CRASH, ALONE("crash", ""));

	cr_expect(strstr(f.reason, "planted_undefined"), "%s", f.reason);
	finds(VERDICT_CRASH, ALONE("null", ""));
	finds(VERDICT_CRASH, ALONE("wild", ""));
}

Test(arm_planted, what_the_reduction_relies_on_is_watched)
{
	struct found f = kvmtest_explore(1, REDUCED, ALONE("borrow", ""));

	cr_expect_eq(f.verdict, VERDICT_SAFE, "%s", f.reason);
	cr_expect(f.observation.unreduced[0], "it was not noticed");
	f = kvmtest_explore(1, PLAIN, ALONE("borrow", ""));
	cr_expect_eq(f.verdict, VERDICT_SAFE, "%s", f.reason);
	cr_expect(!f.observation.unreduced[0], "%s", f.observation.unreduced);
}

Test(arm_planted, instructions_that_no_schedule_came_by)
{
	struct found f = finds(VERDICT_SAFE, ALONE("branch", ""));

	cr_assert_geq(f.observation.coverage.never, 1);
	cr_expect_eq(f.observation.coverage.never_at[0], kvmtest_address("planted.never"));
}

/* The vector's own fetch faults, for ever: no step ends, and KVM_RUN does not come back. */
Test(arm_planted, a_guest_that_never_exits_is_the_watchdog_s)
{
	struct found f = finds(VERDICT_INCONCLUSIVE, ALONE("hang", ""));
	struct rig r;

	cr_expect_eq(f.observation.end, END_HUNG);
	cr_expect(strstr(f.reason, "watchdog"), "%s", f.reason);
	guard_install();
	rig_set_up(
		&r,
		"'protocol': 'planted_hang', 'method': 'stepped', 'vcpus': 2, "
		"'sites': [{'site': 'a64_nop_b'}], 'schedule': [{'vcpu': 0, 'until_done': true}]");
	cr_expect_eq(rig_play(&r, NULL, NULL), VERDICT_INCONCLUSIVE);
	cr_expect_eq(r.observation.end, END_HUNG);
	rig_tear_down(&r);
}

/* A vCPU that runs in a circle: kicked, and the machine is as good as new. */
Test(arm_planted, the_watchdog_kicks_a_vcpu_that_does_not_exit)
{
	static const uint8_t b_self[] = { 0, 0, 0, 0x14 };
	uint64_t loop = kvmtest_address("cm_selfcheck_count");
	struct err e = { 0 };
	struct vcpu_exit x;
	uint8_t *code;
	struct rig r;

	guard_install();
	kvmtest_take_turns(true);
	rig_set_up(&r, "'protocol': 'word_store', 'method': 'stepped', 'vcpus': 2, "
		       "'sites': [{'site': 'a64_nop_b'}]");
	code = r.machine->memory->image + (loop - CM_IMAGE_BASE);
	memcpy(code, b_self, sizeof(b_self));
	__builtin___clear_cache((char *)code, (char *)code + sizeof(b_self));
	vcpu_set_pc(vm_vcpu(r.machine->vm, 1), loop);
	guard_watch(r.machine->vm, 2, 0.3, true);
	cr_assert(vcpu_run(vm_vcpu(r.machine->vm, 1), &x, &e), "%s", e.text);
	cr_expect_eq(x.kind, EXIT_KICKED);
	cr_expect(guard_fired());
	cr_expect_eq(vcpu_pc(vm_vcpu(r.machine->vm, 1)), loop);
	guard_release();
	rig_reset(&r);
	cr_expect_eq(rig_play(&r, NULL, NULL), VERDICT_NOT_SEEN);
	rig_tear_down(&r);
}
