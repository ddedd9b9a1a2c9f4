// SPDX-License-Identifier: BSD-2-Clause
/*
 * nmi_rendezvous.c - everybody else waits inside an NMI, where no NMI comes, after
 * the way Xen applies its alternatives: an answer to reference 3.5, F3 (see also
 * 2.4, Beulich's serialising instruction).
 *
 *  1. announce the rendezvous, NMI to the others	nmi_rendezvous.announce
 *  2. others: arrive in the NMI, wait			nmi_rendezvous.arrived
 *  3. when all have arrived (NMI to itself, and there)	nmi_rendezvous.ready
 *     store head and tail				nmi_rendezvous.head .tail
 *  4. release						nmi_rendezvous.release
 *  5. others: serialise, leave				nmi_rendezvous.leave
 *  6. when all have left, done				nmi_rendezvous.end
 *
 * Step 2 carries the argument: interrupts and NMIs are masked there until the
 * IRET. That is true of the CPU that stores too if it does so in an NMI. Any NMI
 * will do: which one it is that came cannot be told.
 *
 * Step 5 must not serialise by IRET, which unmasks NMIs; CPUID does not.
 *
 *   nmi_rendezvous		the patcher stores where it stands
 *   nmi_rendezvous_self	it sends itself an NMI too, and stores in that
 *   nmi_rendezvous_self_early	the same, all NMIs sent at once in step 1; the patcher's
 *				handler waits for the others
 *   nmi_rendezvous_no_sync	the same without step 5's serialising instruction: the others
 *				leave by an IRET, but the NMI's body comes before that
 *   nmi_rendezvous_iret	the same as _self, but step 5 serialises by IRET
 */
#include "guest/protocol.h"

enum { SELF = 1, NO_SYNC = 2, BY_IRET = 4, EARLY = 8 };
enum { IDLE, GATHER, RELEASE };

uint32_t nmi_rendezvous_state;
uint32_t nmi_rendezvous_arrived; /* mask */
uint32_t nmi_rendezvous_ready;	 /* the patcher's next NMI is to store */
uint32_t nmi_rendezvous_stored;	 /* it has */
static uint32_t nmi_rendezvous_patcher;
static uint32_t nmi_rendezvous_others;
static uint32_t nmi_rendezvous_pokes;
static struct cm_poke nmi_rendezvous_poke[CM_MAX_SITES];

static void serialise(void)
{
	uint32_t variant = cm_protocol()->variant;

	if (variant & BY_IRET)
		cm_sync_core();
	else if (!(variant & NO_SYNC))
		cm_sync_core_cpuid();
}

static CM_ROUTINE void wait_for_all(void)
{
	while (CM_READ(nmi_rendezvous_arrived) != nmi_rendezvous_others)
		cm_relax();
}

static CM_ROUTINE void store_all(void)
{
	for (uint32_t i = 0; i < nmi_rendezvous_pokes; i++) {
		CM_STEP("nmi_rendezvous.head");
		cm_poke_head(&nmi_rendezvous_poke[i]);
		CM_STEP("nmi_rendezvous.tail");
		cm_poke_tail(&nmi_rendezvous_poke[i]);
	}
	serialise();
	CM_STEP("nmi_rendezvous.release");
	CM_WRITE(nmi_rendezvous_state, RELEASE);
}

static CM_ROUTINE void wait_inside(void)
{
	uint32_t own = 1u << cm_cpu_id();

	CM_STEP("nmi_rendezvous.arrived");
	cm_fetch_or32(&nmi_rendezvous_arrived, own);
	while (CM_READ(nmi_rendezvous_state) == GATHER)
		cm_relax();
	serialise();
	CM_STEP("nmi_rendezvous.leave");
	cm_fetch_and32(&nmi_rendezvous_arrived, ~own);
}

/* The patcher's own NMI. */
static CM_ROUTINE void store_in_nmi(void)
{
	if (!CM_READ(nmi_rendezvous_ready))
		return;
	if (cm_protocol()->variant & EARLY)
		wait_for_all();
	store_all();
	CM_WRITE(nmi_rendezvous_ready, 0);
	CM_WRITE(nmi_rendezvous_stored, 1);
}

static CM_ROUTINE void call_oneself(uint32_t own)
{
	CM_STEP("nmi_rendezvous.ready");
	CM_WRITE(nmi_rendezvous_ready, 1);
	cm_nmi(own);
}

static CM_ROUTINE void rendezvous(uint32_t variant)
{
	uint32_t others = nmi_rendezvous_others, own = 1u << nmi_rendezvous_patcher;

	CM_STEP("nmi_rendezvous.announce");
	CM_WRITE(nmi_rendezvous_ready, variant & EARLY);
	CM_WRITE(nmi_rendezvous_state, GATHER);
	cm_nmi(variant & EARLY ? others | own : others);
	if (!(variant & EARLY))
		wait_for_all();
	if (!(variant & SELF)) {
		store_all();
		return;
	}
	if (!(variant & EARLY))
		call_oneself(own);
	while (!CM_READ(nmi_rendezvous_stored))
		cm_relax();
}

static CM_ROUTINE void nmi_rendezvous_patch(const struct cm_poke *poke, uint32_t count)
{
	nmi_rendezvous_patcher = cm_cpu_id();
	nmi_rendezvous_others = cm_others();
	nmi_rendezvous_pokes = count;
	nmi_rendezvous_stored = 0;
	for (uint32_t i = 0; i < count; i++)
		nmi_rendezvous_poke[i] = poke[i];
	rendezvous(cm_protocol()->variant);
	while (CM_READ(nmi_rendezvous_arrived))
		cm_relax();
	CM_STEP("nmi_rendezvous.end");
}

static CM_ROUTINE void nmi_rendezvous_nmi(struct cm_frame *frame)
{
	(void)frame;
	CM_STEP("nmi_rendezvous.nmi");
	if (CM_READ(nmi_rendezvous_state) != GATHER)
		return;
	if (cm_cpu_id() == nmi_rendezvous_patcher)
		store_in_nmi();
	else
		wait_inside();
}

#define NMI_RENDEZVOUS(name, summary, bits)                                                  \
	CM_PROTOCOL(name, summary, .patch = nmi_rendezvous_patch, .nmi = nmi_rendezvous_nmi, \
		    .variant = (bits))

NMI_RENDEZVOUS(nmi_rendezvous, "rendezvous in NMIs; the patcher is in none", 0);
NMI_RENDEZVOUS(nmi_rendezvous_self, "rendezvous in NMIs, the patcher's own among them", SELF);
NMI_RENDEZVOUS(nmi_rendezvous_self_early, "the same, all NMIs sent at once", SELF | EARLY);
NMI_RENDEZVOUS(nmi_rendezvous_no_sync,
	       "rendezvous in all NMIs; nobody serialises before the NMI's body", SELF | NO_SYNC);
NMI_RENDEZVOUS(nmi_rendezvous_iret,
	       "rendezvous in all NMIs; serialised by IRET, which unmasks NMIs", SELF | BY_IRET);
