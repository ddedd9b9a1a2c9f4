// SPDX-License-Identifier: BSD-2-Clause
/*
 * nmi_help.c - stop_machine with NMIs that help, as x86's function tracer did
 * before it used breakpoints (2008 to 2012), reference 3.5, F3.
 *
 *  1. stop every other CPU, interrupts off		nmi_help.gather
 *  2. publish what is to be written			nmi_help.publish
 *  3. wait until no NMI handler runs, set the flag	nmi_help.flag
 *     in the same word
 *  4. store head and tail				nmi_help.head .tail
 *  5. clear the flag, wait for NMI handlers		nmi_help.clear
 *  6. release; everybody serialises			nmi_help.release
 *
 * NMI: count itself in; the flag was set: store head and tail as well; execute
 * sites; count itself out.				nmi_help.enter
 *
 * The NMI's own stores carry the argument: whatever the stopped patcher has
 * done so far, the handler has the whole new instruction in place before it
 * can execute it. Two handlers at once write the same bytes.
 *
 *   nmi_help		as it was: the handler does not serialise after its stores
 *   nmi_help_sync	it does
 *   nmi_help_always	it does, whether or not it had to store anything (our own)
 *
 * The NMI body runs in the hook, so "nmi_runs_site" stays off.
 */
#include "guest/protocol.h"

enum { SERIALISE = 1, ALWAYS = 2 };
enum { STOP_GATHER = 1, STOP_RELEASE = 2 };

#define WRITE_FLAG 0x80000000u

uint32_t nmi_help_running; /* NMI handlers, and WRITE_FLAG */
uint32_t nmi_help_state;
uint32_t nmi_help_arrived; /* mask */
static struct cm_poke nmi_help_poke;

static CM_ROUTINE void nmi_help_write(void)
{
	CM_STEP("nmi_help.head");
	cm_poke_head(&nmi_help_poke);
	CM_STEP("nmi_help.tail");
	cm_poke_tail(&nmi_help_poke);
	cm_flush(&nmi_help_poke, 0, nmi_help_poke.length);
}

static CM_ROUTINE void nmi_help_one(const struct cm_poke *poke)
{
	CM_STEP("nmi_help.publish");
	nmi_help_poke = *poke;
	CM_STEP("nmi_help.flag");
	while (cm_cmpxchg32(&nmi_help_running, 0, WRITE_FLAG))
		cm_relax();
	nmi_help_write();
	CM_STEP("nmi_help.clear");
	cm_fetch_and32(&nmi_help_running, ~WRITE_FLAG);
	while (CM_READ(nmi_help_running))
		cm_relax();
}

static CM_ROUTINE void nmi_help_patch(const struct cm_poke *poke, uint32_t count)
{
	uint32_t others = cm_others();

	CM_STEP("nmi_help.gather");
	CM_WRITE(nmi_help_state, STOP_GATHER);
	cm_ipi(others);
	cm_irq_off();
	while (CM_READ(nmi_help_arrived) != others)
		cm_relax();
	for (uint32_t i = 0; i < count; i++)
		nmi_help_one(&poke[i]);
	CM_STEP("nmi_help.release");
	CM_WRITE(nmi_help_state, STOP_RELEASE);
	cm_sync_core();
	while (CM_READ(nmi_help_arrived))
		cm_relax();
	cm_irq_on();
}

static CM_ROUTINE void nmi_help_notified(struct cm_frame *frame)
{
	uint32_t own = 1u << cm_cpu_id();

	(void)frame;
	CM_STEP("nmi_help.arrived");
	cm_fetch_or32(&nmi_help_arrived, own);
	while (CM_READ(nmi_help_state) == STOP_GATHER)
		cm_relax();
	cm_sync_core();
	cm_fetch_and32(&nmi_help_arrived, ~own);
}

static CM_ROUTINE void nmi_help_nmi(struct cm_frame *frame)
{
	uint32_t variant = cm_protocol()->variant;

	(void)frame;
	CM_STEP("nmi_help.enter");
	if (cm_fetch_add32(&nmi_help_running, 1) & WRITE_FLAG) {
		nmi_help_write();
		if (variant & SERIALISE)
			cm_sync_core();
	}
	if (variant & ALWAYS)
		cm_sync_core();
	cm_run_sites();
	cm_fetch_add32(&nmi_help_running, 0u - 1);
}

#define NMI_HELP(name, summary, bits)                                                      \
	CM_PROTOCOL(name, summary, .patch = nmi_help_patch, .notified = nmi_help_notified, \
		    .nmi = nmi_help_nmi, .variant = (bits))

NMI_HELP(nmi_help, "stop_machine; an NMI writes the same bytes itself", 0);
NMI_HELP(nmi_help_sync, "the same, and serialises then", SERIALISE);
NMI_HELP(nmi_help_always, "the same, and serialises before it executes anything", ALWAYS);
