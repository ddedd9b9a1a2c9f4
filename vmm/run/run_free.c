// SPDX-License-Identifier: BSD-2-Clause
/*
 * run_free.c - vCPU threads, and an injector beside them. The hardware chooses
 * the order; nothing here looks into a vCPU while it runs.
 */
#include "run/run_free.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/affinity.h"
#include "vm/arch.h"
#include "base/clock.h"
#include "vm/guard.h"
#include "run/injector.h"
#include "image/insn.h"
#include "machine/setup.h"
#include "model/site.h"
#include "model/stray.h"

#define TICK_SECONDS 0.1 /* how often the main thread looks up */

struct runner {
	struct free_run *run;
	uint32_t id;
	pthread_t thread;
	bool started;
	struct vcpu_exit last;
	struct err err;
};

struct free_run {
	const struct image *image;
	const struct scenario *s;
	struct observation *o;
	struct vm *vm;
	struct site site[CM_MAX_SITES];
	uint8_t *text; /* all of it, before the run */
	struct insn_decoder decoder;
	struct runner runner[CM_MAX_VCPUS];
	atomic_uint done; /* mask of vCPUs whose role is over, or that are dead */
	atomic_bool quit; /* leave KVM_RUN for good */
	double began;
};

static void sleep_until(double when)
{
	struct timespec t = clock_timespec(when);

	clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL);
}

/* A vCPU's thread: in the guest until told to quit, also when its role is over, to take IPIs. */
static void *run_vcpu(void *arg)
{
	struct runner *r = arg;
	struct vcpu *v = vm_vcpu(r->run->vm, r->id);
	bool alive = true;

	affinity_pin(r->id);
	while (alive && !atomic_load(&r->run->quit)) {
		if (!vcpu_run(v, &r->last, &r->err))
			break;
		if (r->last.kind == EXIT_DOOR && r->last.door == CM_DOOR_DONE)
			atomic_fetch_or(&r->run->done, 1u << r->id);
		else if (r->last.kind != EXIT_KICKED)
			alive = false;
	}
	atomic_fetch_or(&r->run->done, 1u << r->id);
	return NULL;
}

static uint32_t make_sources(const struct scenario *s, struct injector_source *list)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < s->vcpus; i++) {
		if (s->free.nmi_rate > 0 && s->free.nmi_mask & 1u << i)
			list[n++] =
				(struct injector_source){ EVENT_NMI, i, s->free.nmi_rate, 0, 0 };
		if (s->free.ipi_rate > 0 && s->free.ipi_mask & 1u << i)
			list[n++] =
				(struct injector_source){ EVENT_IPI, i, s->free.ipi_rate, 0, 0 };
	}
	return n;
}

/*
 * The processor behind the vCPUs'. Where there is none, that of the last vCPU
 * it sends to: the time it takes is then taken from who is interrupted anyway.
 */
static struct injector *start_injector(struct free_run *run, struct injector_source *list,
				       uint32_t n, struct err *e)
{
	struct injector_record *r = &run->o->injector;
	uint32_t last = n ? list[n - 1].vcpu : 0;

	r->used = n > 0;
	r->own_processor = injector_has_processor(affinity_count(), run->s->vcpus);
	r->shared_with = last;
	return injector_start(run->vm, list, n, run->s->free.distribution,
			      r->own_processor ? run->s->vcpus : last, r->own_processor, e);
}

static void count_injected(struct observation *o, const struct injector_source *list, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		struct vcpu_counts *c = &o->cpu[list[i].vcpu];
		bool nmi = list[i].kind == EVENT_NMI;

		*(nmi ? &c->nmis_requested : &c->ipis_requested) = list[i].requested;
		*(nmi ? &c->nmis_sent : &c->ipis_sent) = list[i].sent;
	}
}

static uint32_t all_vcpus(const struct free_run *run)
{
	return (1u << run->s->vcpus) - 1;
}

/* Did any thread end before its time? The executors alone decide when iterations are over. */
static bool is_over(const struct free_run *run, double start, double at)
{
	uint32_t done = atomic_load(&((struct free_run *)run)->done);

	if (run->s->free.seconds > 0)
		return at - start >= run->s->free.seconds || done == all_vcpus(run);
	return (done & run->s->executors) == run->s->executors;
}

static bool any_dead(const struct free_run *run)
{
	for (uint32_t i = 0; i < run->s->vcpus; i++) {
		const struct runner *r = &run->runner[i];

		if (atomic_load(&((struct free_run *)run)->done) & 1u << i &&
		    (r->err.code || r->last.kind == EXIT_SHUTDOWN || r->last.kind == EXIT_HALT ||
		     r->last.kind == EXIT_UNEMULATED ||
		     (r->last.kind == EXIT_DOOR && r->last.door != CM_DOOR_DONE)))
			return true;
	}
	return false;
}

static double fraction_of(const struct free_run *run, double start, double at)
{
	uint64_t executed = 0, wanted = 0;

	if (run->s->free.seconds > 0)
		return (at - start) / run->s->free.seconds;
	for (uint32_t i = 0; i < run->s->vcpus; i++)
		if (run->s->executors & 1u << i) {
			executed += setup_counts(run->vm, run->image, i)->executions;
			wanted += (uint64_t)run->s->free.iterations * run->s->nsites;
		}
	return wanted ? (double)executed / (double)wanted : 1;
}

/* Until it is over, or there is no point in going on. */
static void watch(struct free_run *run, const struct injector *injector, double start,
		  free_progress progress, void *arg)
{
	double end = start + run->s->free.seconds, tick = start + TICK_SECONDS;

	for (double at = start; !is_over(run, start, at); at = clock_now()) {
		if (guard_interrupted()) {
			run->o->end = END_INTERRUPTED;
			return;
		}
		if (any_dead(run) || injector_failed(injector))
			return;
		if (at >= tick) {
			tick = at + TICK_SECONDS;
			if (progress)
				progress(arg, fraction_of(run, start, at));
		}
		sleep_until(run->s->free.seconds > 0 && end < tick ? end : tick);
	}
}

static bool supervise(struct free_run *run, free_progress progress, void *arg, struct err *e)
{
	struct injector_source list[INJECTOR_SOURCES_MAX];
	uint32_t n = make_sources(run->s, list);
	struct injector *injector;
	double start;
	bool ok;

	run->o->end = END_COMPLETE;
	start = clock_now();
	injector = start_injector(run, list, n, e);
	if (!injector)
		return false;
	watch(run, injector, start, progress, arg);
	ok = injector_stop(injector, &run->o->injector.lateness_ns, e);
	run->o->seconds = clock_now() - start;
	count_injected(run->o, list, n);
	return ok;
}

/* Ask the roles to end; a vCPU that does not is hung. Then fetch every thread out of KVM_RUN. */
static void stop(struct free_run *run)
{
	double patience = clock_now() + GUARD_SECONDS;

	__atomic_store_n(&setup_control(run->vm, run->image)->stop, 1, __ATOMIC_SEQ_CST);
	while (atomic_load(&run->done) != all_vcpus(run) && clock_now() < patience &&
	       !any_dead(run))
		sleep_until(clock_now() + 0.001);
	if (atomic_load(&run->done) != all_vcpus(run) && !any_dead(run))
		run->o->end = END_HUNG;
	atomic_store(&run->quit, true);
	for (uint32_t i = 0; i < run->s->vcpus; i++) {
		if (!run->runner[i].started)
			continue;
		vcpu_kick(vm_vcpu(run->vm, i), true);
		pthread_kill(run->runner[i].thread, SIGUSR1);
		pthread_join(run->runner[i].thread, NULL);
	}
}

static bool start_threads(struct free_run *run, struct err *e)
{
	for (uint32_t i = 0; i < run->s->vcpus; i++) {
		struct runner *r = &run->runner[i];

		r->run = run;
		r->id = i;
		if (pthread_create(&r->thread, NULL, run_vcpu, r))
			return err_set(e, ERR_HOST, "cannot start a thread for vCPU %u", i);
		r->started = true;
	}
	return true;
}

/* The recorded events one by one; those beyond the record as their kind was recorded last. */
static void judge(struct free_run *run, uint32_t id)
{
	struct vcpu_counts *c = &run->o->cpu[id];
	uint64_t recorded = c->guest.events < CM_MAX_EVENTS ? c->guest.events : CM_MAX_EVENTS;
	struct violation v = { .vcpu = id };

	for (uint64_t i = 0; i < recorded; i++) {
		memset(&v, 0, sizeof(v));
		v.vcpu = id;
		site_judge(run->site, run->s->nsites, &run->decoder, run->image, &c->guest.event[i],
			   NULL, &v);
		observation_add(run->o, &v);
	}
	if (c->guest.events > recorded)
		run->o->total[v.kind] += c->guest.events - recorded;
}

static void judge_end(struct free_run *run, struct runner *r)
{
	struct violation v = { .kind = VIOLATION_CRASH, .vcpu = r->id };
	const struct vcpu_exit *last = &r->last;

	if (last->kind == EXIT_SHUTDOWN) {
		snprintf(v.text, sizeof(v.text), "triple fault: the vCPU shut down");
	} else if (last->kind == EXIT_HALT) {
		snprintf(v.text, sizeof(v.text), "executed HLT, with nothing to wake it");
	} else if (last->kind == EXIT_DOOR && last->door == CM_DOOR_ASSERT) {
		setup_assertion(run->vm, run->image, r->id, run->o);
		return;
	} else if (last->kind == EXIT_DOOR && last->door != CM_DOOR_DONE &&
		   last->door != CM_DOOR_CRASH) { /* whose event says more */
		snprintf(v.text, sizeof(v.text), "rang doorbell %u, which is none of a free run's",
			 last->door);
	} else {
		return;
	}
	observation_add(run->o, &v);
}

/* Patches cannot have taken longer than there was time: a wrong tick rate would show here. */
static void take_patches(struct free_run *run)
{
	struct observation *o = run->o;
	double elapsed = clock_now() - run->began, took;

	o->patches = *setup_patches(run->vm, run->image);
	o->tick_rate = vm_tick_rate(run->vm);
	took = o->tick_rate > 0 ? (double)o->patches.ticks.sum / o->tick_rate : 0;
	if (took > 1.01 * elapsed + 0.01)
		snprintf(o->suspect, sizeof(o->suspect),
			 "the guest's clock says that patches took %.3f s, but the run took %.3f s",
			 took, elapsed);
}

/* Who wrote it nobody saw: whoever patches is taken for it. */
static void judge_text(struct free_run *run)
{
	struct violation v;

	if (!stray_store(run->site, run->s->nsites, run->text, vm_memory(run->vm)->text, true, &v))
		return;
	v.vcpu = run->s->patcher;
	observation_add(run->o, &v);
}

static bool collect(struct free_run *run, struct err *e)
{
	judge_text(run);
	for (uint32_t i = 0; i < run->s->vcpus; i++) {
		struct vcpu_counts *c = &run->o->cpu[i];
		struct runner *r = &run->runner[i];

		if (r->err.code) {
			*e = r->err;
			return false;
		}
		if (r->last.kind == EXIT_UNEMULATED)
			return err_set(e, ERR_UNSUPPORTED, "%s", r->last.text);
		c->guest = *setup_counts(run->vm, run->image, i);
		c->nmis_coalesced = c->nmis_sent > c->guest.nmis ? c->nmis_sent - c->guest.nmis : 0;
		c->ipis_coalesced = c->ipis_sent > c->guest.ipis ? c->ipis_sent - c->guest.ipis : 0;
		judge(run, i);
		judge_end(run, r);
	}
	take_patches(run);
	return true;
}

static bool keep_text(struct free_run *run, struct err *e)
{
	run->text = malloc(CM_TEXT_SIZE);
	if (!run->text)
		return err_set(e, ERR_HOST, "out of memory");
	memcpy(run->text, vm_memory(run->vm)->text, CM_TEXT_SIZE);
	return true;
}

bool run_free(const struct image *image, const struct scenario *s, struct observation *o,
	      struct quirks *quirks, free_progress progress, void *arg, struct err *e)
{
	struct free_run run = { .image = image, .s = s, .o = o };
	bool ok;

	memset(o, 0, sizeof(*o));
	o->vcpus = s->vcpus;
	if (!insn_init(&run.decoder, s->isa, e))
		return false;
	run.vm = vm_new(image, VM_FREE, s->vcpus, e);
	ok = run.vm != NULL;
	if (ok) {
		guard_watch(run.vm, s->vcpus, GUARD_SECONDS, true);
		ok = vm_boot(run.vm, e) && setup_guest(run.vm, image, s, run.site, e);
		guard_release();
		if (quirks)
			*quirks = *vm_quirks(run.vm);
		ok = ok && keep_text(&run, e);
	}
	if (ok) {
		o->irqchip = vm_irqchip(run.vm);
		run.began = clock_now();
		ok = start_threads(&run, e) && supervise(&run, progress, arg, e);
		stop(&run);
		ok = ok && collect(&run, e);
	}
	vm_free(run.vm);
	free(run.text);
	insn_fini(&run.decoder);
	return ok;
}
