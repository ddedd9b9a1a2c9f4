// SPDX-License-Identifier: BSD-2-Clause
/*
 * bench.c - pairs, medians and targets; and the figures that need no thread:
 * steps and start-up. Must not know how a backend does the bare operation.
 */
#include "bench/bench.h"
#include "bench/bench_internal.h"
#include "base/clock.h"
#include "base/affinity.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "vm/arch.h"
#include "vm/arch_bench.h"
#include "vm/guard.h"
#include "image/isa.h"
#include "machine/machine.h"
#include "base/stats.h"

#define START_VCPUS	  2u
#define START_PATIENCE_MS 10000
#define CHUNKS_MAX	  128u
#define BRIEF_STATES	  100u

extern char **environ;

/* The first kind of site that the image's kernel can execute, and so can any level of it. */
static const char *site_of(const struct image *image)
{
	for (size_t i = 0; i < image->nsites; i++)
		if (image->sites[i].record.isa == image->abi.isa)
			return image->sites[i].name;
	return NULL;
}

bool bench_scenario(struct scenario *s, const struct image *image, uint32_t cpl, const char *how,
		    struct err *e)
{
	bool arm = isa_is_arm(image->abi.isa);
	const char *site = site_of(image);
	char text[512];

	if (!site || !image->nprotocols)
		return err_set(e, ERR_INPUT, "%s: no site or no protocol", image->path);
	snprintf(text, sizeof(text),
		 "{ \"why\": \"bench\", \"protocol\": \"%.60s\", \"vcpus\": 2, "
		 "\"sites\": [ { \"site\": \"%.60s\" } ], %s, "
		 "\"executors\": { \"%s\": %u, \"calls\": %u }, \"expect\": \"not-seen\" }",
		 image_protocol(image, "naive") ? "naive" : image->protocols[0].name, site, how,
		 arm ? "el" : "cpl", arm ? !cpl : cpl, UINT32_MAX);
	return scenario_parse(s, "bench", text, strlen(text), image, e);
}

/* ---- steps ---- */

struct steps {
	struct scenario scenario;
	struct machine *machine;
	struct observation observation;
};

void bench_steps_end(void *state)
{
	struct steps *s = state;

	machine_free(s->machine);
	scenario_fini(&s->scenario);
	free(s);
}

void *bench_steps_begin(const struct bench_env *env, struct err *e)
{
	struct steps *s = calloc(1, sizeof(*s));

	if (!s) {
		err_set(e, ERR_HOST, "out of memory");
		return NULL;
	}
	if (bench_scenario(&s->scenario, env->image, 0, "\"method\": \"stepped\"", e))
		s->machine = machine_new(env->image, &s->scenario, e);
	if (s->machine && machine_reset(s->machine, &s->observation, e))
		return s;
	bench_steps_end(s);
	return NULL;
}

/* Saving and loading around each step makes KVM load the complete state, as a search would. */
static bool steps_ours(void *state, double amount, struct bench_tally *t, struct err *e)
{
	static const struct action step = { .kind = ACTION_STEP, .vcpu = BENCH_VCPU };
	struct steps *s = state;
	struct vcpu *v = vm_vcpu(s->machine->vm, BENCH_VCPU);
	struct step_report r;
	struct vcpu_state saved;
	double start = clock_now();

	for (uint32_t i = 0; i < (uint32_t)amount; i++) {
		vcpu_save(v, &saved);
		vcpu_load(v, &saved);
		if (!machine_apply(s->machine, &step, &r, e))
			return false;
	}
	t->seconds += clock_now() - start;
	t->amount += amount;
	if (s->observation.nviolations || *s->observation.suspect)
		return err_set(e, ERR_HOST, "a vCPU that nobody disturbs did something illegal");
	return true;
}

bool bench_steps_raw(void *state, double amount, struct bench_tally *t, struct err *e)
{
	struct steps *s = state;
	double start = clock_now();

	if (!bare_steps(vm_vcpu(s->machine->vm, BENCH_VCPU), (uint32_t)amount, e))
		return false;
	t->seconds += clock_now() - start;
	t->amount += amount;
	return true;
}

/* ---- start-up ---- */

int bench_startup_child(const struct image *image)
{
	struct err e = { 0 };
	struct vcpu_exit x;
	struct vm *vm = vm_new(image, VM_STEPPED, START_VCPUS, &e);

	if (vm && vcpu_run(vm_vcpu(vm, 0), &x, &e) && x.kind == EXIT_DOOR)
		_exit(write(STDOUT_FILENO, "", 1) == 1 ? 0 : 3);
	fprintf(stderr, "crossmod: %s\n", *e.text ? e.text : "the guest did not boot");
	vm_free(vm);
	return e.code ? err_exit_status(e.code) : 3;
}

static void *start_begin(const struct bench_env *env, struct err *e)
{
	if (env->self)
		return (void *)(uintptr_t)env;
	err_set(e, ERR_UNSUPPORTED, "not known how to run this program anew");
	return NULL;
}

static void start_end(void *state)
{
	(void)state;
}

/* (self) again, its standard output into (fd). */
static pid_t start_self(const struct bench_env *env, int fd, struct err *e)
{
	const char *const argv[] = { env->self, "bench", "--guest", env->image->path, NULL };
	posix_spawn_file_actions_t actions;
	pid_t pid;
	int errnum;

	if (posix_spawn_file_actions_init(&actions) ||
	    posix_spawn_file_actions_adddup2(&actions, fd, STDOUT_FILENO)) {
		err_set(e, ERR_HOST, "out of memory");
		return -1;
	}
	errnum = posix_spawn(&pid, env->self, &actions, NULL, (char *const *)(uintptr_t)argv,
			     environ);
	posix_spawn_file_actions_destroy(&actions);
	if (!errnum)
		return pid;
	err_sys(e, errnum, "cannot run %s", env->self);
	return -1;
}

static pid_t start_bare(const struct bench_env *env, int fd, struct err *e)
{
	pid_t pid = fork();

	if (pid < 0)
		err_sys(e, errno, "fork");
	if (!pid)
		_exit(bare_start(env->image, START_VCPUS, NULL) && write(fd, "", 1) == 1 ? 0 : 3);
	return pid;
}

/* From before (start) to the byte that says that the guest has run. */
static bool start(const struct bench_env *env,
		  pid_t (*start_child)(const struct bench_env *, int, struct err *),
		  struct bench_tally *t, struct err *e)
{
	struct pollfd heard = { .events = POLLIN };
	int fd[2], status = 0;
	double begin;
	pid_t pid;
	bool ok;
	char byte;

	if (pipe2(fd, O_CLOEXEC))
		return err_sys(e, errno, "pipe");
	heard.fd = fd[0];
	begin = clock_now();
	pid = start_child(env, fd[1], e);
	close(fd[1]);
	ok = pid > 0 && poll(&heard, 1, START_PATIENCE_MS) == 1 && read(fd[0], &byte, 1) == 1;
	t->seconds += clock_now() - begin;
	t->amount += 1;
	close(fd[0]);
	if (pid <= 0)
		return false;
	if (!ok)
		kill(pid, SIGKILL);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return ok || err_set(e, ERR_HOST, "the program run anew ended with status %#x", status);
}

static bool start_ours(void *state, double amount, struct bench_tally *t, struct err *e)
{
	bool ok;

	(void)amount;
	setenv("CROSSMOD_STARTUP", "1", 1);
	ok = start(state, start_self, t, e);
	unsetenv("CROSSMOD_STARTUP");
	return ok;
}

static bool start_raw(void *state, double amount, struct bench_tally *t, struct err *e)
{
	(void)amount;
	return start(state, start_bare, t, e);
}

/* ---- pairs ---- */

static const struct bench_measure steps_measure = {
	.name = "step_efficiency",
	.what = "machine_apply() with full state load, store and view check / bare KVM_RUN steps",
	.unit = "1/s",
	.target = 0.85,
	.chunks = 100,
	.amount = 200,
	.begin = bench_steps_begin,
	.ours = steps_ours,
	.raw = bench_steps_raw,
	.end = bench_steps_end,
};

static const struct bench_measure start_measure = {
	.name = "startup_ratio",
	.what = "exec, dynamic linking and ELF loading to the first guest instruction / fork and "
		"the bare ioctls",
	.unit = "ms",
	.target = 1.5,
	.at_most = true,
	.chunks = 9,
	.begin = start_begin,
	.ours = start_ours,
	.raw = start_raw,
	.end = start_end,
};

/* Operations a second, or milliseconds an operation. */
static double rate(const struct bench_measure *m, const struct bench_tally *t)
{
	return m->at_most ? t->seconds / t->amount * 1e3 : t->amount / t->seconds;
}

struct pair {
	double ours, raw, ratio;
};

/*
 * One run: chunks in turn, the first of each two changing, so that drift hits
 * both alike. The median of what neighbours differ by: a busy host slows some
 * chunks down, but seldom one of two and most often the same one.
 */
static bool run_pair(const struct bench_measure *m, void *state, uint32_t chunks, struct pair *p,
		     struct err *e)
{
	double ours[CHUNKS_MAX], raw[CHUNKS_MAX], ratio[CHUNKS_MAX];

	assert(chunks <= CHUNKS_MAX);
	for (uint32_t i = 0; i < chunks; i++) {
		struct bench_tally t[2] = { 0 };

		if (guard_interrupted())
			return false;
		for (uint32_t k = i; k < i + 2; k++)
			if (!(k % 2 ? m->raw : m->ours)(state, m->amount, &t[k % 2], e))
				return false;
		ours[i] = rate(m, &t[0]);
		raw[i] = rate(m, &t[1]);
		ratio[i] = ours[i] / raw[i];
	}
	p->ours = stats_median(ours, chunks);
	p->raw = stats_median(raw, chunks);
	p->ratio = stats_median(ratio, chunks);
	return true;
}

static bool run_pairs(const struct bench_measure *m, void *state, uint32_t runs, uint32_t chunks,
		      struct bench_figure *f, struct err *e)
{
	double ours[BENCH_RUNS], raw[BENCH_RUNS], ratio[BENCH_RUNS];
	struct pair p;

	if (!run_pair(m, state, 1, &p, e)) /* warms both up */
		return false;
	for (uint32_t i = 0; i < runs; i++) {
		if (!run_pair(m, state, chunks, &p, e))
			return false;
		ours[i] = p.ours;
		raw[i] = p.raw;
		ratio[i] = p.ratio;
		f->low = !i || p.ratio < f->low ? p.ratio : f->low;
		f->high = !i || p.ratio > f->high ? p.ratio : f->high;
	}
	f->ours = stats_median(ours, runs);
	f->raw = stats_median(raw, runs);
	f->ratio = stats_median(ratio, runs);
	f->met = m->at_most ? f->ratio <= m->target : f->ratio >= m->target;
	return true;
}

static void measure(const struct bench_measure *m, const struct bench_env *env, uint32_t runs,
		    uint32_t divisor, struct bench_figure *f)
{
	uint32_t chunks = m->chunks / divisor ? m->chunks / divisor : 1;
	struct err e = { 0 };
	void *state;

	*f = (struct bench_figure){
		.name = m->name,
		.what = m->what,
		.unit = m->unit,
		.target = m->target,
		.at_most = m->at_most,
	};
	affinity_on(env->core[0]);
	state = m->begin(env, &e);
	if (!state || !run_pairs(m, state, runs, chunks, f, &e))
		snprintf(f->unsupported, sizeof(f->unsupported), "%.150s",
			 guard_interrupted() ? "interrupted" : e.text);
	if (state)
		m->end(state);
}

size_t bench_sized(const struct image *image, const char *self, uint32_t runs, uint32_t divisor,
		   struct bench_figure *figures, struct err *e)
{
	static const struct bench_measure *const all[] = { &steps_measure,
							   &bench_free_run,
							   &bench_nmi,
							   &start_measure,
							   &bench_explore_efficiency,
							   &bench_parallel_speedup,
							   &bench_reduction_factor,
							   &bench_survey };
	struct bench_env env = { .image = image,
				 .self = self,
				 .states = divisor > 1 ? BRIEF_STATES : 0 };
	struct arch_capability capability;
	size_t n = 0;
	cpu_set_t may;

	assert(runs >= 1 && runs <= BENCH_RUNS && divisor);
	if (!arch_capabilities(&capability, 1, e))
		return 0;
	if (sched_getaffinity(0, sizeof(may), &may))
		return err_sys(e, errno, "sched_getaffinity");
	env.cores = affinity_two(env.core, e);
	if (!env.cores)
		return 0;
	for (; n < sizeof(all) / sizeof(all[0]); n++)
		measure(all[n], &env, runs, divisor, &figures[n]);
	sched_setaffinity(0, sizeof(may), &may);
	return n;
}

size_t bench_all(const struct image *image, const char *self, struct bench_figure *figures,
		 struct err *e)
{
	return bench_sized(image, self, BENCH_RUNS, 1, figures, e);
}
