// SPDX-License-Identifier: BSD-2-Clause
/*
 * trap.c - who gets an exception or interrupt: the kernel's own call from
 * CPL3, the NMI body, the IPI hook, the protocol's trap hook; what nobody
 * claims is recorded and ends the execution of the site it happened in.
 */
#include "guest/kernel.h"

/* Send by the local APIC or, under a schedule, let the machine do it. */
void cm_ipi_now(struct cm_cpu *cpu, uint32_t mask, uint32_t vector)
{
	if (cm_control.free_running) {
		for (uint32_t i = 0; i < cm_control.vcpus; i++)
			if (mask & (1u << i))
				cm_apic_ipi(i, vector);
		return;
	}
	cpu->ipi_mask = mask;
	cpu->ipi_vector = vector;
	cm_door(CM_DOOR_IPI);
}

/* The undefined instruction at cm_user_call: a call from CPL3. */
static void user_function(struct cm_cpu *cpu, struct cm_frame *f)
{
	if (f->di == CM_USER_IPI) {
		cm_ipi_now(cpu, (uint32_t)f->si, CM_VECTOR_IPI);
		f->ip += 2;
		return;
	}
	cpu->user = 0;
	cpu->done = 1;
	f->ip = (uint64_t)cm_idle;
	f->cs = CM_CS_KERNEL;
	f->ss = CM_SS_KERNEL;
	f->sp = cpu->kernel_sp;
	f->flags = CM_FLAGS_IF | 2;
	cm_door(CM_DOOR_DONE);
}

/* Back to where the site was called from, saying that a trap ended it. */
static void recover(struct cm_cpu *cpu, struct cm_frame *f)
{
	f->ip = cpu->recover_ip;
	f->sp = cpu->recover_sp;
	f->ax = CM_VALUE_TRAPPED;
	f->dx = 0;
}

static void unclaimed(struct cm_cpu *cpu, struct cm_frame *f)
{
	struct cm_event event = {
		.kind = cpu->recover_ip ? CM_EVENT_TRAP : CM_EVENT_CRASH,
		.value = f->ax,
		.pad = f->dx,
		.vector = f->vector,
		.error = f->error,
		.ip = f->ip,
	};

	if (f->vector == 14)
		__asm__ volatile("movq %%cr2, %0" : "=r"(event.address));
	cm_record(&cm_counts[cpu->id], &event);
	if (event.kind == CM_EVENT_TRAP) {
		recover(cpu, f);
		return;
	}
	for (;;)
		cm_door(CM_DOOR_CRASH);
}

bool cm_foreign_probe(struct cm_frame *frame)
{
	for (uint32_t i = 0; i < cm_control.sites; i++) {
		const struct cm_site *site = &cm_control.site[i];

		if (site->old_bytes[0] == CM_INT3 && site->text == cm_trap_address(frame)) {
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

	if (f->vector == 2) {
		nmi(cpu, f);
	} else if (f->vector == CM_VECTOR_IPI) {
		ipi(cpu, f);
	} else if (f->vector == 6 && f->ip == (uint64_t)cm_user_call) {
		user_function(cpu, f);
	} else if ((f->vector == 3 || f->vector == 6) && cm_protocol()->trapped &&
		   cm_protocol()->trapped(f)) {
		cm_counts[cpu->id].traps++;
	} else {
		unclaimed(cpu, f);
	}
}
