// SPDX-License-Identifier: BSD-2-Clause
/*
 * survey.c - the loops of `crossmod survey`: one vCPU stores the two forms of a
 * site in turn, one executes it and counts, one spends synchronisation
 * primitives. They touch only what they are handed, so that a host thread can
 * run the same machine code; what the cell is, and what its counts mean, is
 * the host's business.
 */
#include "guest/kernel.h"

#define SPENT_AT_ONCE 8u

struct cm_survey cm_survey __attribute__((section(".ghost"), aligned(64)));

void cm_survey_write(struct cm_cpu *cpu, struct cm_survey *s);
void cm_survey_execute(struct cm_cpu *cpu, struct cm_survey *s);
void cm_survey_spend(struct cm_cpu *cpu, struct cm_survey *s);

/* One store, aligned or not, as in cm_poke32(). */
static inline void store(uint32_t width, uint64_t address, uint64_t value)
{
	switch (width) {
	case 1:
		__asm__ volatile("movb %b1, (%0)" ::"r"(address), "r"(value) : "memory");
		break;
	case 2:
		__asm__ volatile("movw %w1, (%0)" ::"r"(address), "r"(value) : "memory");
		break;
	case 4:
		__asm__ volatile("movl %k1, (%0)" ::"r"(address), "r"(value) : "memory");
		break;
	default:
		__asm__ volatile("movq %1, (%0)" ::"r"(address), "r"(value) : "memory");
	}
}

static inline void poke(const struct cm_survey *s, uint32_t width, uint32_t form)
{
	for (uint32_t i = 0; i < s->stores; i++)
		store(width, s->store[i].address, s->store[i].value[form]);
}

static inline void idle(const struct cm_survey *s)
{
	for (uint32_t i = 0; i < s->pause; i++)
		cm_pause();
}

/*
 * Poke (n), and wait until the executor has run what it stored. MFENCE before
 * the time is taken: (started) has left the store buffer, and what drains after
 * it is the site's bytes alone. MFENCE behind them: they are globally visible
 * before (fenced) is (SDM vol 2, MFENCE), which is all a writer can do by itself.
 */
static inline void timed_poke(struct cm_survey *s, uint32_t width, uint32_t n)
{
	CM_WRITE(s->started, n);
	cm_mb();
	CM_WRITE(s->stored_at, cm_cycles());
	poke(s, width, n & 1);
	cm_mb();
	CM_WRITE(s->fenced, n);
	while (CM_READ(s->seen) != n && !CM_READ(s->stop))
		cm_pause();
}

/* A width the compiler knows makes one loop each, without a choice in it. */
static inline __attribute__((always_inline)) void write_by(struct cm_survey *s, uint32_t width)
{
	for (uint32_t n = 1; !CM_READ(s->stop); n++) {
		if (s->timed)
			timed_poke(s, width, n);
		else
			poke(s, width, n & 1);
		CM_WRITE(s->pokes, n);
		idle(s);
	}
}

void cm_survey_write(struct cm_cpu *cpu, struct cm_survey *s)
{
	(void)cpu;
	switch (s->width) {
	case 1:
		write_by(s, 1);
		break;
	case 2:
		write_by(s, 2);
		break;
	case 4:
		write_by(s, 4);
		break;
	default:
		write_by(s, 8);
	}
}

/* Not CM_SYNC_IPI, which is for the guest's own CPL0. */
static inline void synchronise(uint32_t sync)
{
	uint32_t own = 0;

	switch (sync) {
	case CM_SYNC_LFENCE:
		cm_rmb();
		break;
	case CM_SYNC_MFENCE:
		cm_mb();
		break;
	case CM_SYNC_LOCKED:
		cm_fetch_add32(&own, 1);
		break;
	case CM_SYNC_CPUID:
		cm_sync_core_cpuid();
		break;
	case CM_SYNC_IRET:
		cm_sync_core();
		break;
	case CM_SYNC_SERIALIZE:
		cm_serialize();
		break;
	}
}

static void tally(struct cm_survey *s, struct cm_outcome o)
{
	s->other_runs++;
	for (uint32_t i = 0; i < CM_SURVEY_TALLIES; i++) {
		struct cm_survey_tally *t = &s->tally[i];

		if (!t->count) {
			t->value = o.value;
			t->pad = o.pad;
		}
		if (t->value == o.value && t->pad == o.pad) {
			t->count++;
			return;
		}
	}
	s->untallied++;
}

/* As fast as it goes: nothing of the writer's is read but the site. */
static void count(struct cm_cpu *cpu, struct cm_survey *s)
{
	uint32_t last = 0;

	while (!CM_READ(s->stop)) {
		struct cm_outcome o = cm_execute(cpu, s->site.text);
		uint32_t form;

		s->executions++;
		if (cm_is_new(&s->site, o)) {
			s->new_runs++;
			form = 1;
		} else if (cm_is_old(&s->site, o)) {
			s->old_runs++;
			form = 0;
		} else {
			tally(s, o);
			continue;
		}
		s->transitions += form != last;
		last = form;
	}
}

/* The first execution of what poke (number) stored. */
static void saw(struct cm_survey *s, uint32_t number)
{
	s->sample[s->samples++ % CM_SURVEY_SAMPLES] =
		(uint32_t)(cm_cycles() - CM_READ(s->stored_at));
	s->transitions++;
	CM_WRITE(s->seen, number);
}

/*
 * With the writer waiting for us: (started) cannot go beyond (seen) + 1. Where
 * (fenced), read before the execution, is the poke in flight after it, no other
 * had begun, and the form before it is stale.
 */
static void follow(struct cm_cpu *cpu, struct cm_survey *s)
{
	uint32_t seen = 0, stale = 0;

	while (!CM_READ(s->stop)) {
		uint32_t fenced = CM_READ(s->fenced);
		struct cm_outcome o;
		uint32_t form;

		synchronise(s->sync);
		o = cm_execute(cpu, s->site.text);
		s->executions++;
		if (cm_is_new(&s->site, o)) {
			s->new_runs++;
			form = 1;
		} else if (cm_is_old(&s->site, o)) {
			s->old_runs++;
			form = 0;
		} else {
			tally(s, o);
			continue;
		}
		if (form != (seen & 1)) {
			saw(s, ++seen);
		} else if (fenced == seen + 1) {
			s->stale_runs++;
			s->stale_pokes += stale != fenced;
			stale = fenced;
		}
	}
}

void cm_survey_execute(struct cm_cpu *cpu, struct cm_survey *s)
{
	if (s->timed)
		follow(cpu, s);
	else
		count(cpu, s);
}

void cm_survey_spend(struct cm_cpu *cpu, struct cm_survey *s)
{
	(void)cpu;
	while (!CM_READ(s->spent)) {
		for (uint32_t i = 0; i < SPENT_AT_ONCE; i++)
			synchronise(s->sync);
		CM_WRITE(s->pokes, s->pokes + SPENT_AT_ONCE);
	}
}

static void spend_ipis(struct cm_survey *s)
{
	while (!CM_READ(s->spent)) {
		cm_sync_all();
		CM_WRITE(s->pokes, s->pokes + 1);
	}
}

void cm_survey_play(struct cm_cpu *cpu)
{
	if (cpu->role == CM_ROLE_SURVEY_WRITER)
		cm_survey_write(cpu, &cm_survey);
	else if (cpu->role == CM_ROLE_SURVEY_EXECUTOR)
		cm_survey_execute(cpu, &cm_survey);
	else if (cm_survey.sync == CM_SYNC_IPI)
		spend_ipis(&cm_survey);
	else
		cm_survey_spend(cpu, &cm_survey);
}
