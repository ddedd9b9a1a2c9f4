// SPDX-License-Identifier: BSD-2-Clause
/*
 * linux_ftrace.c - the function tracer's own breakpoint protocol, 2012 to 2019
 * (Rostedt), and two of its bugs, reference 3.1, B5 and B6.
 *
 *  1. flag := modifying				linux_ftrace.flag
 *  2. every head := INT3			linux_ftrace.head
 *  3. sync1					linux_ftrace.sync1
 *  4. every tail := new				linux_ftrace.tail
 *  5. sync2					linux_ftrace.sync2
 *  6. every head := new				linux_ftrace.final
 *  7. sync3					linux_ftrace.sync3
 *  8. flag := 0					linux_ftrace.end
 *
 * Step 4 may fail. Then every INT3 is taken back: where the tail is still the
 * old one by the old head, else by the new head	linux_ftrace.remove
 *
 * #BP: the flag is set and it is a tracer's site: on behind it, as a NOP does.
 *
 * Step 1 in front of step 2, and a sync in front of step 8, carry the argument
 * that no CPU looks at the flag too early or too late.
 *
 *   linux_ftrace		all of it
 *   linux_ftrace_late		step 2 before step 1: the order that nothing forbade
 *				(a192cd0413b7)
 *   linux_ftrace_fail		step 4 fails at the last site; no sync after linux_ftrace.remove
 *   linux_ftrace_fail_sync	the same with that sync (c932c6b7c913)
 *   linux_ftrace_fail_between	and one more between the tails and linux_ftrace.remove: ours
 *
 * A site that got its old head back is withdrawn: nothing is promised of it.
 */
#include "guest/protocol.h"

enum { LATE = 1, FAIL = 2, FAIL_SYNC = 4, FAIL_BETWEEN = 8 };

uint32_t linux_ftrace_modifying;

static bool is(uint32_t variant)
{
	return cm_protocol()->variant & variant;
}

/* ---- the handler ------------------------------------------------------------ */

static CM_ROUTINE bool linux_ftrace_trapped(struct cm_frame *frame)
{
	CM_STEP("linux_ftrace.trapped");
	if (frame->vector != 3 || !CM_READ(linux_ftrace_modifying))
		return false;
	for (uint32_t i = 0; i < cm_control.sites; i++) {
		const struct cm_site *site = &cm_control.site[i];

		if (site->text == cm_trap_address(frame)) {
			frame->ip = site->text + site->length;
			return true;
		}
	}
	return false;
}

/* ---- the patcher ------------------------------------------------------------ */

static CM_ROUTINE void linux_ftrace_flag(void)
{
	CM_STEP("linux_ftrace.flag");
	CM_WRITE(linux_ftrace_modifying, 1);
	cm_wmb(); /* before the first INT3 */
}

static CM_ROUTINE void linux_ftrace_breakpoints(const struct cm_poke *poke, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		CM_STEP("linux_ftrace.head");
		cm_poke8(&poke[i], 0, CM_INT3);
	}
}

/* Of how many sites: with FAIL not of the last one. */
static CM_ROUTINE uint32_t linux_ftrace_tails(const struct cm_poke *poke, uint32_t count)
{
	uint32_t written = is(FAIL) ? count - 1 : count;

	for (uint32_t i = 0; i < written; i++) {
		CM_STEP("linux_ftrace.tail");
		cm_poke_tail(&poke[i]);
	}
	return written;
}

static CM_ROUTINE void linux_ftrace_heads(const struct cm_poke *poke, uint32_t count)
{
	CM_STEP("linux_ftrace.sync2");
	cm_sync_all();
	for (uint32_t i = 0; i < count; i++) {
		CM_STEP("linux_ftrace.final");
		cm_poke_head(&poke[i]);
	}
	CM_STEP("linux_ftrace.sync3");
	cm_sync_all();
}

static bool has_old_tail(const struct cm_poke *poke)
{
	for (uint32_t i = 1; i < poke->length; i++)
		if (cm_text8(poke, i) != poke->from[i])
			return false;
	return true;
}

static CM_ROUTINE void linux_ftrace_remove(const struct cm_poke *poke)
{
	bool old;

	CM_STEP("linux_ftrace.remove");
	old = has_old_tail(poke);
	cm_poke8(poke, 0, old ? poke->from[0] : poke->to[0]);
	if (old)
		cm_withdraw(poke);
}

static CM_ROUTINE void linux_ftrace_roll_back(const struct cm_poke *poke, uint32_t count)
{
	if (is(FAIL_BETWEEN)) {
		CM_STEP("linux_ftrace.fail_between");
		cm_sync_all();
	}
	for (uint32_t i = 0; i < count; i++)
		linux_ftrace_remove(&poke[i]);
	if (is(FAIL_SYNC)) {
		CM_STEP("linux_ftrace.fail_sync");
		cm_sync_all();
	}
}

static CM_ROUTINE void linux_ftrace_patch(const struct cm_poke *poke, uint32_t count)
{
	if (!is(LATE))
		linux_ftrace_flag();
	linux_ftrace_breakpoints(poke, count);
	if (is(LATE))
		linux_ftrace_flag();
	CM_STEP("linux_ftrace.sync1");
	cm_sync_all();
	if (linux_ftrace_tails(poke, count) == count)
		linux_ftrace_heads(poke, count);
	else
		linux_ftrace_roll_back(poke, count);
	CM_STEP("linux_ftrace.end");
	CM_WRITE(linux_ftrace_modifying, 0);
}

#define FTRACE(name, summary, bits)                                                              \
	CM_PROTOCOL(name, summary, .patch = linux_ftrace_patch, .trapped = linux_ftrace_trapped, \
		    .variant = (bits))

FTRACE(linux_ftrace, "function tracer, 2012 to 2019: breakpoint, a trap is a NOP", 0);
FTRACE(linux_ftrace_late, "function tracer, the flag may be seen after the breakpoint", LATE);
FTRACE(linux_ftrace_fail, "function tracer, step 4 fails: roll-back without a sync", FAIL);
FTRACE(linux_ftrace_fail_sync, "function tracer, step 4 fails: roll-back, then a sync",
       FAIL | FAIL_SYNC);
FTRACE(linux_ftrace_fail_between, "function tracer, step 4 fails: a sync, roll-back, a sync",
       FAIL | FAIL_SYNC | FAIL_BETWEEN);
