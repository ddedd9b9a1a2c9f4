// SPDX-License-Identifier: BSD-2-Clause
/*
 * main.c - a vCPU's life: ready, role, done. The machine puts each vCPU
 * straight into cm_start() in its final mode and is snapshotted at READY; the
 * control block is written after that.
 */
#include "guest/kernel.h"

#define ALWAYS_INLINE inline __attribute__((always_inline))

struct cm_control cm_control;
struct cm_cpu cm_cpu[CM_MAX_VCPUS];
struct cm_counts cm_counts[CM_MAX_VCPUS] __attribute__((section(".ghost")));
struct cm_patches cm_patches __attribute__((section(".ghost")));
uint8_t cm_stacks[CM_MAX_VCPUS * CM_STACKS * CM_STACK_SIZE] __attribute__((aligned(4096)));

const struct cm_protocol *cm_protocol(void)
{
	return (const struct cm_protocol *)cm_control.protocol;
}

uint32_t cm_cpu_id(void)
{
	return cm_this_cpu()->id;
}

/* One call of patch(): the next (batch) sites in turn, each to its other form. */
static ALWAYS_INLINE void poke_batch(uint32_t number)
{
	struct cm_poke poke[CM_MAX_SITES];
	uint32_t first = number * cm_control.batch % cm_control.sites;
	uint32_t count = cm_control.batch;

	for (uint32_t i = 0; i < count; i++) {
		struct cm_site *site = &cm_control.site[(first + i) % cm_control.sites];
		bool enable = !(site->started & 1);

		poke[i] = (struct cm_poke){
			.site = site,
			.from = enable ? site->old_bytes : site->new_bytes,
			.to = enable ? site->new_bytes : site->old_bytes,
			.length = site->length,
		};
		CM_WRITE(site->started, site->started + 1);
	}
	cm_protocol()->patch(poke, count);
	for (uint32_t i = 0; i < count; i++)
		CM_WRITE(poke[i].site->promised, poke[i].site->started);
}

/* poke_batch(), and what it took. */
static ALWAYS_INLINE void timed_batch(uint32_t number)
{
	uint64_t retries = cm_patches.all_retries, ticks = cm_ticks();

	poke_batch(number);
	ticks = cm_ticks() - ticks;
	retries = cm_patches.all_retries - retries;
	cm_histogram_add(&cm_patches.ticks, ticks);
	cm_histogram_add(&cm_patches.retries, retries);
	if (CM_READ(cm_control.stop))
		cm_patches.after_stop++;
}

static ALWAYS_INLINE void patcher(struct cm_cpu *cpu, bool timed)
{
	struct cm_counts *counts = &cm_counts[cpu->id];

	for (uint32_t n = 0; !cm_control.pokes || n < cm_control.pokes; n++) {
		if (CM_READ(cm_control.stop))
			break;
		if (timed)
			timed_batch(n);
		else
			poke_batch(n);
		counts->pokes++;
		for (uint32_t i = 0; i < cm_control.pause; i++)
			cm_pause();
	}
}

/* Roles at full speed only, apart: they cost those under a schedule no instruction. */
static __attribute__((noinline)) void play_free(struct cm_cpu *cpu)
{
	if (cpu->role == CM_ROLE_TIMED_PATCHER)
		patcher(cpu, true);
	else if (cpu->role == CM_ROLE_PAUSING_EXECUTOR)
		cm_pausing_executor(cpu, &cm_control, &cm_counts[cpu->id]);
	else if (cpu->role >= CM_ROLE_SURVEY_WRITER && cm_survey_play)
		cm_survey_play(cpu);
}

/* The rounds one by one, for a protocol that wants to know of each. */
static void executor(struct cm_cpu *cpu)
{
	uint32_t calls = cpu->calls;

	if (!cm_protocol()->quiescent || !calls) {
		cm_executor_loop(cpu, &cm_control, &cm_counts[cpu->id]);
		return;
	}
	cpu->calls = 1;
	while (calls--) {
		cm_executor_loop(cpu, &cm_control, &cm_counts[cpu->id]);
		cm_protocol()->quiescent(!calls);
	}
}

/* Play the role to its end, at whatever privilege level the caller runs at. */
void cm_play(struct cm_cpu *cpu)
{
	if (cpu->role == CM_ROLE_PATCHER)
		patcher(cpu, false);
	else if (cpu->role == CM_ROLE_EXECUTOR)
		executor(cpu);
	else
		play_free(cpu);
}

static void user_main(struct cm_cpu *cpu)
{
	cm_play(cpu);
	cm_user_function(CM_USER_DONE, 0);
}

/* Up later than the others: with interrupts off, and in nobody's mask until it says so. */
static void come_online(void)
{
	if (cm_protocol()->cpu_online)
		cm_protocol()->cpu_online();
	cm_set_online();
}

void cm_start(struct cm_cpu *cpu)
{
	cm_door(CM_DOOR_READY);
	if (cpu->id == 0 && cm_protocol()->prepare)
		cm_protocol()->prepare();
	if (!(cm_online() & 1u << cpu->id))
		come_online();
	cm_irq_on();
	cm_door(CM_DOOR_ROLE);
	if (cpu->cpl == 3) {
		cpu->user = 1;
		cm_enter_user((uint64_t)user_main, cpu->user_sp, cpu);
	}
	cm_play(cpu);
	cpu->done = 1;
	cm_door(CM_DOOR_DONE);
	cm_idle();
}
