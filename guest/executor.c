// SPDX-License-Identifier: BSD-2-Clause
/*
 * executor.c - runs the sites and says of every execution which form ran.
 *
 * A site is called with marker registers; it comes back with a value and the
 * address of the landing pad it passed. Neither the old nor the new pair:
 * something else ran, and the pair says what. The loop touches only what it
 * is handed, so that the same machine code can be timed in a host thread.
 */
#include "guest/kernel.h"

void cm_record(struct cm_counts *counts, const struct cm_event *event)
{
	if (counts->events < CM_MAX_EVENTS)
		counts->event[counts->events] = *event;
	counts->events++;
}

static void record_outcome(struct cm_counts *counts, uint32_t kind, uint32_t site,
			   struct cm_outcome o, uint32_t promised, uint32_t started)
{
	struct cm_event event = {
		.kind = kind,
		.site = site,
		.value = o.value,
		.pad = o.pad,
		.promised = promised,
		.started = started,
	};

	cm_record(counts, &event);
}

/*
 * Execute site (index) once. (promised) is read before and (started) after:
 * where they are equal no poke was in flight at any time of the execution, so
 * the promised form had to run. Returns which form ran, or (last).
 */
static inline uint32_t execute(struct cm_cpu *cpu, struct cm_site *site, uint32_t index,
			       struct cm_counts *counts, uint32_t last)
{
	uint32_t promised = CM_READ(site->promised);
	struct cm_outcome o = cm_execute(cpu, cm_entry(site));
	uint32_t started = CM_READ(site->started);
	uint32_t form;

	counts->executions++;
	if (cm_is_new(site, o)) {
		counts->new_runs++;
		form = 1;
	} else if (cm_is_old(site, o)) {
		counts->old_runs++;
		form = 0;
	} else {
		counts->other_runs++;
		if (o.value != CM_VALUE_TRAPPED)
			record_outcome(counts, CM_EVENT_OUTCOME, index, o, promised, started);
		return last;
	}
	counts->transitions += form != last;
	if (started == promised && form != (promised & 1)) {
		counts->stale_runs++;
		record_outcome(counts, CM_EVENT_STALE, index, o, promised, started);
	}
	return form;
}

void cm_executor_loop(struct cm_cpu *cpu, struct cm_control *control, struct cm_counts *counts)
{
	uint32_t last[CM_MAX_SITES] = { 0 };

	for (uint32_t n = 0; !cpu->calls || n < cpu->calls; n++) {
		if (CM_READ(control->stop))
			break;
		for (uint32_t i = 0; i < control->sites; i++)
			last[i] = execute(cpu, &control->site[i], i, counts, last[i]);
	}
}

void cm_pausing_executor(struct cm_cpu *cpu, struct cm_control *control, struct cm_counts *counts)
{
	uint32_t last[CM_MAX_SITES] = { 0 };

	for (uint32_t n = 0; !cpu->calls || n < cpu->calls; n++) {
		for (uint32_t i = 0; i < control->executor_pause; i++) {
			if (CM_READ(control->stop))
				return;
			cm_pause();
		}
		for (uint32_t i = 0; i < control->sites; i++)
			last[i] = execute(cpu, &control->site[i], i, counts, last[i]);
	}
}

/* One round from a handler: NMI body, IPI epilogue. Never of T32 sites: the kernel is A64. */
void cm_execute_once(struct cm_cpu *cpu)
{
	for (uint32_t i = 0; i < cm_control.sites; i++) {
		if (!cm_can_execute(&cm_control.site[i])) {
			cpu->assert_line = __LINE__;
			cm_door(CM_DOOR_ASSERT);
		}
		execute(cpu, &cm_control.site[i], i, &cm_counts[cpu->id],
			cm_control.site[i].started & 1);
	}
}

void cm_run_sites(void)
{
	cm_execute_once(cm_this_cpu());
}
