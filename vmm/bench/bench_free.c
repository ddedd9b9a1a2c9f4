// SPDX-License-Identifier: BSD-2-Clause
/*
 * bench_free.c - the figures of a vCPU at full speed: its executor loop
 * against the same machine code in a host thread, and NMIs into it one by one.
 * Owns that vCPU's thread; must not know how a backend sends an NMI.
 */
#include "bench/bench_internal.h"
#include "base/clock.h"
#include "base/affinity.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "vm/arch.h"
#include "vm/arch_bench.h"
#include "vm/guard.h"
#include "vm/native.h"
#include "machine/setup.h"
#include "model/site.h"

#define BOOT_SECONDS	5.0
#define WARM_UP_SECONDS 0.002

/* The guest, run by a thread of its own between guest_go() and guest_halt(). */
struct guest {
	const struct bench_env *env;
	struct scenario scenario;
	struct site site[CM_MAX_SITES];
	struct vm *vm;
	const struct cm_counts *counts;
	pthread_t thread;
	bool running;
	struct vcpu_exit last;
	struct err err;
	struct native native;
	struct cm_control *native_control;
	struct cm_counts *native_counts;
};

static void *run_guest(void *arg)
{
	struct guest *g = arg;

	affinity_on(g->env->core[1]);
	vcpu_run(vm_vcpu(g->vm, BENCH_VCPU), &g->last, &g->err);
	return NULL;
}

/* Back in the host, where it can go on from. */
static bool guest_halt(struct guest *g, struct err *e)
{
	if (!g->running)
		return true;
	vcpu_kick(vm_vcpu(g->vm, BENCH_VCPU), true);
	pthread_kill(g->thread, SIGUSR1);
	pthread_join(g->thread, NULL);
	vcpu_kick(vm_vcpu(g->vm, BENCH_VCPU), false);
	g->running = false;
	if (g->err.code)
		return err_set(e, g->err.code, "%s", g->err.text);
	return g->last.kind == EXIT_KICKED || err_set(e, ERR_HOST, "the guest left its loop");
}

static bool guest_go(struct guest *g, struct err *e)
{
	uint64_t seen = __atomic_load_n(&g->counts->executions, __ATOMIC_RELAXED);
	int errnum = pthread_create(&g->thread, NULL, run_guest, g);

	if (errnum)
		return err_sys(e, errnum, "cannot start a thread");
	g->running = true;
	return bare_wait(&g->counts->executions, seen) ||
	       (guest_halt(g, e) && err_set(e, ERR_HOST, "the guest's loop does not advance"));
}

static void guest_end(void *state)
{
	struct guest *g = state;

	guest_halt(g, NULL);
	vm_free(g->vm);
	scenario_fini(&g->scenario);
	native_unmap(&g->native);
	free(g);
}

static bool guest_boot(struct guest *g, struct err *e)
{
	const struct image *image = g->env->image;
	bool ok;

	if (!bench_scenario(&g->scenario, image, 3,
			    "\"method\": \"free\", \"free\": { \"seconds\": 1 }", e))
		return false;
	g->vm = vm_new(image, VM_FREE, g->scenario.vcpus, e);
	if (!g->vm)
		return false;
	guard_watch(g->vm, g->scenario.vcpus, BOOT_SECONDS, true);
	ok = vm_boot(g->vm, e) && setup_guest(g->vm, image, &g->scenario, g->site, e);
	guard_release();
	setup_mailbox(g->vm, image, BENCH_VCPU)->calls = 0; /* until stopped */
	g->counts = setup_counts(g->vm, image, BENCH_VCPU);
	return ok;
}

static struct guest *guest_begin(const struct bench_env *env, struct err *e)
{
	struct guest *g = calloc(1, sizeof(*g));

	if (!g) {
		err_set(e, ERR_HOST, "out of memory");
		return NULL;
	}
	g->env = env;
	if (guest_boot(g, e))
		return g;
	guest_end(g);
	return NULL;
}

/* ---- the loop: guest and host thread ---- */

/* The guest's loop in this process, about to do what the vCPU does. */
static bool native_begin(struct guest *g, struct err *e)
{
	const struct image *image = g->env->image;

	if (!native_map(&g->native, image, e))
		return false;
	memcpy(g->native.alias, vm_memory(g->vm)->text, CM_TEXT_SIZE);
	native_written(&g->native);
	g->native_control = (struct cm_control *)(uintptr_t)image->abi.control;
	g->native_counts = (struct cm_counts *)(uintptr_t)image->abi.counts + BENCH_VCPU;
	*g->native_control = *setup_control(g->vm, image);
	return true;
}

static void *loop_begin(const struct bench_env *env, struct err *e)
{
	struct guest *g = guest_begin(env, e);

	if (!g || native_begin(g, e))
		return g;
	guest_end(g);
	return NULL;
}

/* How often (counter) advances in (seconds), from when it is well under way. */
static bool watch(const uint64_t *counter, double seconds, struct bench_tally *t, struct err *e)
{
	double slices[] = { WARM_UP_SECONDS, seconds }, start = 0;
	uint64_t seen = 0;

	for (int i = 0; i < 2; i++) {
		struct timespec wait = { .tv_nsec = (long)(slices[i] * 1e9) };

		seen = __atomic_load_n(counter, __ATOMIC_RELAXED);
		start = clock_now();
		nanosleep(&wait, NULL);
		/* A busy host may not have run it at all. */
		if (!bare_wait(counter, seen))
			return err_set(e, ERR_HOST, "the executor's loop does not advance");
	}
	t->amount += (double)(__atomic_load_n(counter, __ATOMIC_RELAXED) - seen);
	t->seconds += clock_now() - start;
	return true;
}

static bool loop_guest(void *state, double amount, struct bench_tally *t, struct err *e)
{
	struct guest *g = state;

	bool ok = guest_go(g, e) && watch(&g->counts->executions, amount, t, e);

	return guest_halt(g, ok ? e : NULL) && ok;
}

static void *run_native(void *arg)
{
	typedef void (*loop_function)(struct cm_cpu *, struct cm_control *, struct cm_counts *);
	struct guest *g = arg;
	const struct cm_abi *abi = &g->env->image->abi;
	struct cm_cpu *cpu = (struct cm_cpu *)(uintptr_t)abi->cpu + BENCH_VCPU;

	affinity_on(g->env->core[1]);
	((loop_function)(uintptr_t)abi->loop)(cpu, g->native_control, g->native_counts);
	return NULL;
}

static bool loop_native(void *state, double amount, struct bench_tally *t, struct err *e)
{
	struct guest *g = state;
	uint64_t seen = g->native_counts->executions;
	int errnum = pthread_create(&g->thread, NULL, run_native, g);
	bool ok;

	if (errnum)
		return err_sys(e, errnum, "cannot start a thread");
	ok = bare_wait(&g->native_counts->executions, seen) ?
		     watch(&g->native_counts->executions, amount, t, e) :
		     err_set(e, ERR_HOST, "the loop does not run in a host thread");
	__atomic_store_n(&g->native_control->stop, 1, __ATOMIC_RELAXED);
	pthread_join(g->thread, NULL);
	g->native_control->stop = 0;
	if (ok && g->native_counts->other_runs)
		return err_set(e, ERR_HOST, "in a host thread the site does something else");
	return ok;
}

const struct bench_measure bench_free_run = {
	.name = "free_run_ratio",
	.what = "executor iterations at CPL3 or EL0 in a free vCPU / the same machine code in a host "
		"thread",
	.unit = "1/s",
	.target = 0.95,
	.chunks = 30,
	.amount = 0.005,
	.begin = loop_begin,
	.ours = loop_guest,
	.raw = loop_native,
	.end = guest_end,
};

/* ---- NMIs ---- */

static void *nmi_begin(const struct bench_env *env, struct err *e)
{
	struct guest *g;

	if (env->cores < 2) {
		err_set(e, ERR_UNSUPPORTED, "sender and vCPU need a processor each");
		return NULL;
	}
	g = guest_begin(env, e);
	if (!g || guest_go(g, e))
		return g;
	guest_end(g);
	return NULL;
}

static bool nmi_ours(void *state, double amount, struct bench_tally *t, struct err *e)
{
	struct guest *g = state;
	const uint64_t *nmis = &g->counts->nmis;
	double start = clock_now();

	for (uint32_t i = 0; i < (uint32_t)amount; i++) {
		uint64_t seen = __atomic_load_n(nmis, __ATOMIC_RELAXED);

		if (!vm_raise(g->vm, BENCH_VCPU, EVENT_NMI, e))
			return false;
		if (!bare_wait(nmis, seen))
			return err_set(e, ERR_HOST, "an NMI was not delivered in time");
	}
	t->seconds += clock_now() - start;
	t->amount += amount;
	return true;
}

static bool nmi_raw(void *state, double amount, struct bench_tally *t, struct err *e)
{
	struct guest *g = state;
	double start = clock_now();

	if (!bare_nmis(g->vm, BENCH_VCPU, &g->counts->nmis, (uint32_t)amount, e))
		return false;
	t->seconds += clock_now() - start;
	t->amount += amount;
	return true;
}

const struct bench_measure bench_nmi = {
	.name = "nmi_ratio",
	.what = "NMIs, on Arm FIQs, delivered one by one through vm_raise() / a ping-pong of bare "
		"ioctls",
	.unit = "1/s",
	.target = 0.9,
	.chunks = 100,
	.amount = 200,
	.begin = nmi_begin,
	.ours = nmi_ours,
	.raw = nmi_raw,
	.end = guest_end,
};
