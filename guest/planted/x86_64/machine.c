// SPDX-License-Identifier: BSD-2-Clause
/*
 * machine.c - routines for the tests of the machine below the search: stores
 * that go too far, acknowledgements that serialise nothing, senders that
 * interrupt each other. x86.
 */
#include "guest/protocol.h"

static uint32_t planted_pending;

/* The classic: a store of four bytes for the last one, so that three behind the site become INT3. */
static CM_ROUTINE void planted_overstep(const struct cm_poke *poke, uint32_t count)
{
	(void)count;
	cm_poke_quadword(poke);
	CM_STEP("planted.overstep");
	cm_poke32(poke, poke->length - 1, 0xcccccc00u | poke->to[poke->length - 1]);
}

/* The byte in front of the site. */
static CM_ROUTINE void planted_understep(const struct cm_poke *poke, uint32_t count)
{
	(void)count;
	cm_poke_quadword(poke);
	*(volatile uint8_t *)(poke->site->alias - 1) = CM_INT3 + 1;
}

/* Far behind the site, in its slot, where nothing is. */
static CM_ROUTINE void planted_far(const struct cm_poke *poke, uint32_t count)
{
	(void)count;
	cm_poke_quadword(poke);
	*(volatile uint8_t *)((poke->site->alias | 0xfff) + 0x3000) = 0;
}

/* All at once, then an acknowledgement by every other vCPU, in which it runs the site again. */
static CM_ROUTINE void planted_acknowledged(const struct cm_poke *poke, uint32_t count)
{
	(void)count;
	cm_poke_quadword(poke);
	CM_WRITE(planted_pending, cm_others());
	cm_ipi(cm_others());
	while (CM_READ(planted_pending))
		cm_relax();
}

/* WRMSR of (variant), an MSR that this KVM lets guests write; 0: nothing at all. */
static void planted_by_wrmsr(struct cm_frame *frame)
{
	(void)frame;
	if (cm_protocol()->variant)
		cm_wrmsr(cm_protocol()->variant, 0);
	cm_fetch_and32(&planted_pending, ~(1u << cm_cpu_id()));
	cm_run_sites();
}

static void planted_fail(struct cm_frame *frame)
{
	(void)frame;
	cm_door(CM_DOOR_ASSERT);
}

static CM_ROUTINE void planted_sync(const struct cm_poke *poke, uint32_t count)
{
	(void)poke;
	(void)count;
	cm_sync_all();
}

/* Sends to vCPU 1 while an NMI's hook, at any point of that, sends to vCPU 2. */
static CM_ROUTINE void planted_send_both(const struct cm_poke *poke, uint32_t count)
{
	(void)poke;
	(void)count;
	CM_WRITE(planted_pending, 2);
	CM_STEP("planted.send_both");
	cm_ipi(1u << 1);
	while (CM_READ(planted_pending))
		cm_relax();
}

static void planted_send_second(struct cm_frame *frame)
{
	(void)frame;
	cm_ipi(1u << 2);
}

static void planted_answer(struct cm_frame *frame)
{
	(void)frame;
	cm_fetch_and32(&planted_pending, ~(1u << cm_cpu_id()));
}

/* Reads what it has stored back where it is executed, as a trap handler may do. */
static CM_ROUTINE void planted_read_back(const struct cm_poke *poke, uint32_t count)
{
	(void)count;
	cm_poke_quadword(poke);
	while (*(const volatile uint8_t *)poke->site->text != poke->to[0])
		cm_relax();
}

#define ACKNOWLEDGED(name, summary, msr)                                                        \
	CM_PROTOCOL(name, summary, .patch = planted_acknowledged, .notified = planted_by_wrmsr, \
		    .variant = (msr))

CM_PROTOCOL(planted_overstep, "writes three bytes behind the site", .patch = planted_overstep);
CM_PROTOCOL(planted_understep, "writes the byte in front of the site", .patch = planted_understep);
CM_PROTOCOL(planted_far, "writes a byte far behind the site", .patch = planted_far);
ACKNOWLEDGED(planted_ack, "acknowledges by nothing", 0);
ACKNOWLEDGED(planted_ack_tsc, "acknowledges by WRMSR to IA32_TIME_STAMP_COUNTER", 0x10);
ACKNOWLEDGED(planted_ack_spec_ctrl, "acknowledges by WRMSR to IA32_SPEC_CTRL", 0x48);
ACKNOWLEDGED(planted_ack_pred_cmd, "acknowledges by WRMSR to IA32_PRED_CMD", 0x49);
ACKNOWLEDGED(planted_ack_deadline, "acknowledges by WRMSR to IA32_TSC_DEADLINE", 0x6e0);
CM_PROTOCOL(planted_assert, "its self-check fails in an NMI", .patch = planted_sync,
	    .nmi = planted_fail);
CM_PROTOCOL(planted_send_both, "sends an IPI, and another from an NMI", .patch = planted_send_both,
	    .nmi = planted_send_second, .notified = planted_answer);
CM_PROTOCOL(planted_read_back, "reads back what it wrote where it is executed",
	    .patch = planted_read_back);
