// SPDX-License-Identifier: BSD-2-Clause
/*
 * bench_free.c - the figures of a vCPU at full speed: its executor loop
 * against the same machine code in a host thread, and NMIs into it one by one.
 * Owns that vCPU's thread; must not know how a backend sends an NMI.
 */
#include "bench_internal.h"
#include "clock.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "arch.h"
#include "arch_bench.h"
#include "guard.h"
#include "setup.h"
#include "site.h"

#define PAGE		4096u
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
	uint8_t *native_image; /* mapped into this process where the guest has it */
	uint8_t *native_text;
	struct cm_control *native_control;
	struct cm_counts *native_counts;
};

static void *run_guest(void *arg)
{
	struct guest *g = arg;

	bench_pin(g->env->core[1]);
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
	if (g->native_image)
		munmap(g->native_image, g->env->image->memory_size);
	if (g->native_text)
		munmap(g->native_text, CM_TEXT_SIZE);
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

static uint8_t *map_at(uint64_t address, size_t size, struct err *e)
{
	void *want = (void *)(uintptr_t)address;
	uint8_t *at = mmap(want, size, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

	if (at != MAP_FAILED && at == want)
		return at;
	if (at != MAP_FAILED)
		munmap(at, size); /* a kernel before 4.17 takes the address for a hint */
	err_set(e, ERR_UNSUPPORTED, "the guest's address %#llx is taken in this process: %s",
		(unsigned long long)address, strerror(at == MAP_FAILED ? errno : EEXIST));
	return NULL;
}

/* Never writable and executable at once, as in the guest. */
static bool protect(const struct image *image, struct err *e)
{
	for (size_t i = 0; i < image->nsegments; i++) {
		const struct image_segment *s = &image->segments[i];
		uint64_t first = s->address & ~(uint64_t)(PAGE - 1);
		int may = PROT_READ | (s->write ? PROT_WRITE : 0) | (s->execute ? PROT_EXEC : 0);

		if (mprotect((void *)(uintptr_t)first, s->address + s->size - first, may))
			return err_sys(e, errno, "mprotect");
	}
	if (mprotect((void *)(uintptr_t)CM_TEXT_BASE, CM_TEXT_SIZE, PROT_READ | PROT_EXEC))
		return err_sys(e, errno, "mprotect");
	return true;
}

/* The image and the text with its sites at the addresses that they are linked for. */
static bool native_map(struct guest *g, struct err *e)
{
	const struct image *image = g->env->image;
	const struct cm_abi *abi = &image->abi;

	if (!bare_native(abi->isa))
		return err_set(e, ERR_UNSUPPORTED, "a host thread cannot execute this image's ISA");
	g->native_image = map_at(CM_IMAGE_BASE, image->memory_size, e);
	g->native_text = g->native_image ? map_at(CM_TEXT_BASE, CM_TEXT_SIZE, e) : NULL;
	if (!g->native_text)
		return false;
	memcpy(g->native_image, image->memory, image->memory_size);
	memcpy(g->native_text, vm_memory(g->vm)->text, CM_TEXT_SIZE);
	g->native_control = (struct cm_control *)(uintptr_t)abi->control;
	g->native_counts = (struct cm_counts *)(uintptr_t)abi->counts + BENCH_VCPU;
	*g->native_control = *setup_control(g->vm, image);
	__builtin___clear_cache((char *)g->native_image,
				(char *)g->native_image + image->memory_size);
	__builtin___clear_cache((char *)g->native_text, (char *)g->native_text + CM_TEXT_SIZE);
	return protect(image, e);
}

static void *loop_begin(const struct bench_env *env, struct err *e)
{
	struct guest *g = guest_begin(env, e);

	if (!g || native_map(g, e))
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

	bench_pin(g->env->core[1]);
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
	.what = "executor iterations at CPL3 in a free vCPU / the same machine code in a host thread",
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
	.what = "NMIs delivered one by one through vm_raise() / a bare KVM_SIGNAL_MSI ping-pong",
	.unit = "1/s",
	.target = 0.9,
	.chunks = 100,
	.amount = 200,
	.begin = nmi_begin,
	.ours = nmi_ours,
	.raw = nmi_raw,
	.end = guest_end,
};
