// SPDX-License-Identifier: BSD-2-Clause
/*
 * undef_hook.c - a temporary trap handler around a call on every CPU, and a CPU
 * that comes online meanwhile ("ARM/hw_breakpoint: Convert to hotplug state
 * machine", Siewior, Deacon and Gleixner, November 2016), reference 1.4.
 *
 *  1. register the hook for undefined instructions	undef_hook.register
 *  2. have the reset function called on every online	undef_hook.setup
 *     CPU, and for every CPU that comes online later
 *  3. unregister the hook				undef_hook.unregister
 *  4. a CPU took the trap: remove the reset function	undef_hook.remove
 *
 * The reset function executes an instruction that is undefined on some CPUs.
 * The hook skips it and puts the CPU into a mask; without the hook the kernel
 * panics. No text is patched: UD2 stands for the access to a debug register.
 *
 * Step 2 carries the argument ("it's guaranteed that cpuhp_setup_state() will
 * not return before the callback has been invoked on each online cpu"), which
 * says nothing of a CPU that comes up between step 3 and step 4.
 *
 * Coming online excludes steps 2 and 4, each for itself, as cpuhp_setup_state()
 * and cpuhp_remove_state_nocalls() do: one lock stands for both sides of the
 * hotplug lock. The CPU runs the reset function if it is registered.
 *
 *   undef_hook			the patch as posted
 *   undef_hook_async		setup returns before the calls are made (Deacon's worry)
 *   undef_hook_old		the code before the patch: on_each_cpu() in step 2, hotplug
 *				locked throughout, the function registered after a success
 *   undef_hook_older		the same before 3.15, hotplug not locked
 *   undef_hook_locked		as merged: the patch with the hotplug lock held throughout
 *   undef_hook_remove_first	no lock held: step 4 before step 3 (our own)
 *
 * In each the instruction is undefined on every CPU. With _last in its name,
 * it is undefined on the last CPU only: a success, as far as anybody can tell.
 */
#include "guest/protocol.h"

enum { ASYNC = 1, OLD = 2, LOCKED = 4, LAST = 8, REMOVE_FIRST = 16 };

uint32_t undef_hook_registered; /* the trap hook */
uint32_t undef_hook_state;	/* the reset function, for CPUs that come online */
uint32_t undef_hook_error_mask;
uint32_t undef_hook_hotplug; /* the lock */
uint32_t undef_hook_calling; /* CPUs that have the function yet to run */

/* The instruction itself, for the hook. */
extern const uint8_t undef_hook_access[] __asm__("undef_hook.access");

static void lock_hotplug(void)
{
	while (cm_cmpxchg32(&undef_hook_hotplug, 0, 1))
		cm_relax();
}

static void unlock_hotplug(void)
{
	CM_WRITE(undef_hook_hotplug, 0);
}

static bool is_undefined_here(void)
{
	return !(cm_protocol()->variant & LAST) || cm_cpu_id() == cm_cpus() - 1;
}

static CM_ROUTINE void undef_hook_reset(void)
{
	if (is_undefined_here())
		__asm__ volatile(".globl \"undef_hook.access\"\n\"undef_hook.access\": ud2");
}

static CM_ROUTINE bool undef_hook_trapped(struct cm_frame *frame)
{
	CM_STEP("undef_hook.trapped");
	if (frame->vector != 6 || frame->ip != (uint64_t)undef_hook_access ||
	    !CM_READ(undef_hook_registered))
		return false;
	cm_fetch_or32(&undef_hook_error_mask, 1u << cm_cpu_id());
	frame->ip += 2;
	return true;
}

/* On the CPUs of (mask), and wait. */
static void call_on(uint32_t mask)
{
	uint32_t own = 1u << cm_cpu_id();

	CM_WRITE(undef_hook_calling, mask & ~own);
	cm_ipi(mask & ~own);
	if (mask & own)
		undef_hook_reset();
	if (cm_protocol()->variant & ASYNC)
		return;
	while (CM_READ(undef_hook_calling))
		cm_relax();
}

static CM_ROUTINE void undef_hook_notified(struct cm_frame *frame)
{
	(void)frame;
	CM_STEP("undef_hook.called");
	undef_hook_reset();
	cm_fetch_and32(&undef_hook_calling, ~(1u << cm_cpu_id()));
}

/* cpuhp_setup_state(): one CPU after the other. */
static CM_ROUTINE void setup_state(void)
{
	bool lock = !(cm_protocol()->variant & LOCKED);

	if (lock)
		lock_hotplug();
	CM_WRITE(undef_hook_state, 1);
	if (cm_protocol()->variant & ASYNC)
		call_on(cm_online());
	else
		for (uint32_t i = 0; i < cm_cpus(); i++)
			if (cm_online() & (1u << i))
				call_on(1u << i);
	if (lock)
		unlock_hotplug();
}

static CM_ROUTINE void remove_state(void)
{
	bool lock = !(cm_protocol()->variant & LOCKED);

	if (lock)
		lock_hotplug();
	CM_WRITE(undef_hook_state, 0);
	if (lock)
		unlock_hotplug();
}

static CM_ROUTINE void unregister_hook(void)
{
	CM_STEP("undef_hook.unregister");
	CM_WRITE(undef_hook_registered, 0);
}

static CM_ROUTINE void judge_errors(void)
{
	uint32_t old = cm_protocol()->variant & OLD;

	CM_STEP("undef_hook.remove");
	if (!CM_READ(undef_hook_error_mask)) {
		if (old)
			CM_WRITE(undef_hook_state, 1);
	} else if (!old) {
		remove_state();
	}
}

static CM_ROUTINE void undef_hook_init(const struct cm_poke *poke, uint32_t count)
{
	uint32_t variant = cm_protocol()->variant;

	(void)poke;
	(void)count;
	if (variant & LOCKED)
		lock_hotplug();
	CM_STEP("undef_hook.register");
	CM_WRITE(undef_hook_registered, 1);
	CM_STEP("undef_hook.setup");
	if (variant & OLD)
		call_on(cm_online());
	else
		setup_state();
	if (variant & REMOVE_FIRST) {
		judge_errors();
		unregister_hook();
	} else {
		unregister_hook();
		judge_errors();
	}
	CM_STEP("undef_hook.end");
	if (variant & LOCKED)
		unlock_hotplug();
}

/* Under the lock: no step 2 or 4 sees a CPU that is online, but not yet reset. */
static CM_ROUTINE void undef_hook_cpu_online(void)
{
	CM_STEP("undef_hook.online");
	lock_hotplug();
	if (CM_READ(undef_hook_state))
		undef_hook_reset();
	cm_set_online();
	unlock_hotplug();
}

#define UNDEF_HOOK(name, summary, bits)                                                     \
	CM_PROTOCOL(name, summary, .patch = undef_hook_init, .trapped = undef_hook_trapped, \
		    .notified = undef_hook_notified, .cpu_online = undef_hook_cpu_online,   \
		    .variant = (bits))

UNDEF_HOOK(undef_hook, "2016 temporary #UD hook, hotplug state as posted (Siewior)", 0);
UNDEF_HOOK(undef_hook_last, "the same, undefined on the last CPU only", LAST);
UNDEF_HOOK(undef_hook_async, "2016 temporary #UD hook, setup does not wait for its calls", ASYNC);
UNDEF_HOOK(undef_hook_old, "2014 temporary #UD hook, on_each_cpu, hotplug locked", OLD | LOCKED);
UNDEF_HOOK(undef_hook_old_last, "the same, undefined on the last CPU only", OLD | LOCKED | LAST);
UNDEF_HOOK(undef_hook_older, "2012 temporary #UD hook, on_each_cpu, hotplug not locked", OLD);
UNDEF_HOOK(undef_hook_locked, "2017 temporary #UD hook, hotplug locked throughout", LOCKED);
UNDEF_HOOK(undef_hook_locked_last, "the same, undefined on the last CPU only", LOCKED | LAST);
UNDEF_HOOK(undef_hook_remove_first, "temporary #UD hook, state removed before the hook",
	   REMOVE_FIRST);
