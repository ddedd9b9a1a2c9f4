// SPDX-License-Identifier: BSD-2-Clause
/*
 * trap.c - who gets an exception or interrupt: the kernel's own call from
 * CPL3 or EL0, the NMI body, the IPI hook, the protocol's trap hook; what nobody
 * claims is recorded and ends the execution of the site it happened in.
 */
#include "guest/kernel.h"

/* Send by the local APIC or, under a schedule, let the machine do it. */
void cm_ipi_now(uint32_t mask, uint32_t vector)
{
	if (cm_control.free_running) {
		for (uint32_t i = 0; i < cm_control.vcpus; i++)
			if (mask & (1u << i))
				cm_apic_ipi(i, vector);
		return;
	}
	cm_door(CM_DOOR_SEND(mask, vector));
}

/* A call from the role at the lower privilege level. */
static void user_function(struct cm_cpu *cpu, struct cm_frame *f)
{
	if (cm_user_call_function(f) == CM_USER_IPI) {
		cm_ipi_now((uint32_t)cm_user_call_argument(f), CM_VECTOR_IPI);
		cm_user_call_return(f);
		return;
	}
	if (cm_maintain_for_user(cm_user_call_function(f), cm_user_call_argument(f))) {
		cm_user_call_return(f);
		return;
	}
	cpu->user = 0;
	cpu->done = 1;
	cm_frame_to_kernel(f, (uint64_t)cm_idle, cpu->kernel_sp);
	cm_door(CM_DOOR_DONE);
}

static void unclaimed(struct cm_cpu *cpu, struct cm_frame *f)
{
	struct cm_event event = {
		.kind = cpu->recover_ip ? CM_EVENT_TRAP : CM_EVENT_CRASH,
		.value = cm_outcome_value(f),
		.pad = cm_outcome_pad(f),
		.vector = f->vector,
		.error = f->error,
		.ip = f->ip,
	};

	event.address = cm_fault_address(f);
	cm_record(&cm_counts[cpu->id], &event);
	if (event.kind == CM_EVENT_TRAP) {
		/* Back to where the site was called from, saying that a trap ended it. */
		cm_frame_recover(f, cpu->recover_ip, cpu->recover_sp, CM_VALUE_TRAPPED);
		return;
	}
	for (;;)
		cm_door(CM_DOOR_CRASH);
}

bool cm_foreign_probe(struct cm_frame *frame)
{
	for (uint32_t i = 0; i < cm_control.sites; i++) {
		const struct cm_site *site = &cm_control.site[i];

		if (cm_old_is_breakpoint(site) && site->text == cm_trap_address(frame)) {
			frame->ip = site->resume;
			return true;
		}
	}
	return false;
}

static void nmi(struct cm_cpu *cpu, struct cm_frame *f)
{
	cm_counts[cpu->id].nmis++;
	if (cm_protocol()->nmi)
		cm_protocol()->nmi(f);
	if (cm_control.nmi_runs_site)
		cm_execute_once(cpu);
}

static void ipi(struct cm_cpu *cpu, struct cm_frame *f)
{
	cm_counts[cpu->id].ipis++;
	if (cm_protocol()->notified)
		cm_protocol()->notified(f);
	else
		cm_sync_notified(f);
	if (cm_control.ipi_runs_site)
		cm_execute_once(cpu);
	if (cm_control.free_running)
		cm_apic_eoi();
}

void cm_trap(struct cm_frame *f)
{
	struct cm_cpu *cpu = cm_this_cpu();

	if (f->vector == CM_VECTOR_NMI) {
		nmi(cpu, f);
	} else if (f->vector == CM_VECTOR_IPI) {
		ipi(cpu, f);
	} else if (cm_is_user_call(f, cm_user_call)) {
		user_function(cpu, f);
	} else if (cm_is_patch_trap(f) && cm_protocol()->trapped && cm_protocol()->trapped(f)) {
		cm_counts[cpu->id].traps++;
	} else {
		unclaimed(cpu, f);
	}
}
