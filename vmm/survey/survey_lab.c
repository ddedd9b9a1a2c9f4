// SPDX-License-Identifier: BSD-2-Clause
/*
 * survey_lab.c - vCPUs and host threads that run a cell for a while. Owns both
 * sides' memory; what a cell is for, and what its counts say, is survey.c's.
 */
#include "survey/survey_lab.h"

#include <errno.h>
#include <linux/membarrier.h>
#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "vm/arch_bench.h"
#include "base/clock.h"
#include "base/affinity.h"
#include "vm/guard.h"
#include "vm/native.h"
#include "scenario/scenario.h"
#include "machine/setup.h"

#define WRITER	     0u /* also the one that spends */
#define EXECUTOR     1u
#define ACTORS	     2u
#define LOOK_SECONDS 0.02
#define POLL_SECONDS 0.00002
#define GO_SECONDS   2.0 /* at most, until a loop that was started goes round */

struct survey_lab {
	const struct image *image;
	struct scenario scenario;
	struct site placed[CM_MAX_SITES];
	struct insn_decoder decoder;
	struct vm *vm;
	struct vcpu_state ready[ACTORS]; /* about to play a role */
	struct native native;
	char no_control[96];
	char no_membarrier[96];
	int core[2];
	uint64_t cycles; /* and seconds, when the lab was made */
	double seconds;
};

/* One thread of a slice. */
struct actor {
	struct slice *slice;
	uint32_t id;
	bool started;
	pthread_t thread;
	atomic_bool done;
	struct vcpu_exit last;
	struct err err;
};

struct slice {
	struct survey_lab *lab;
	const struct survey_cell *cell;
	enum survey_side side;
	struct site site;
	struct cm_survey *s; /* the side's own */
	struct actor actor[ACTORS];
};

/* ---- the two sides ---- */

static bool boot(struct survey_lab *lab, struct err *e)
{
	static const char text[] =
		"{ \"why\": \"survey\", \"protocol\": \"naive\", \"vcpus\": 2, \"method\": \"free\", "
		"\"sites\": [ { \"site\": \"mov_imm32\" } ], \"patcher\": { \"cpl\": 3 }, "
		"\"executors\": { \"cpl\": 3 }, \"free\": { \"seconds\": 1 }, \"expect\": \"torn\" }";
	bool ok;

	if (!scenario_parse(&lab->scenario, "survey", text, strlen(text), lab->image, e))
		return false;
	lab->vm = vm_new(lab->image, VM_FREE, ACTORS, e);
	if (!lab->vm)
		return false;
	guard_watch(lab->vm, ACTORS, GUARD_SECONDS, true);
	ok = vm_boot(lab->vm, e) &&
	     setup_guest(lab->vm, lab->image, &lab->scenario, lab->placed, e);
	guard_release();
	for (uint32_t i = 0; ok && i < ACTORS; i++)
		vcpu_save(vm_vcpu(lab->vm, i), &lab->ready[i]);
	return ok;
}

static void map_control(struct survey_lab *lab)
{
	struct err e = { 0 };

	if (!native_map(&lab->native, lab->image, &e))
		snprintf(lab->no_control, sizeof(lab->no_control), "%.95s", e.text);
	if (syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE, 0, 0))
		snprintf(lab->no_membarrier, sizeof(lab->no_membarrier),
			 "membarrier SYNC_CORE: %.60s", strerror(errno));
}

struct survey_lab *survey_lab_new(const struct image *image, struct err *e)
{
	struct survey_lab *lab = calloc(1, sizeof(*lab));
	uint32_t cores;

	if (!lab) {
		err_set(e, ERR_HOST, "out of memory");
		return NULL;
	}
	lab->image = image;
	lab->cycles = bare_cycles();
	lab->seconds = clock_now();
	cores = affinity_two(lab->core, e);
	if (cores == 1)
		err_set(e, ERR_UNSUPPORTED,
			"writer and executor need a processor each, and there is one");
	if (cores == 2 && insn_init(&lab->decoder, (enum cm_isa)image->abi.isa, e) &&
	    boot(lab, e)) {
		map_control(lab);
		return lab;
	}
	survey_lab_free(lab);
	return NULL;
}

void survey_lab_free(struct survey_lab *lab)
{
	if (!lab)
		return;
	vm_free(lab->vm);
	scenario_fini(&lab->scenario);
	insn_fini(&lab->decoder);
	native_unmap(&lab->native);
	free(lab);
}

const struct quirks *survey_lab_quirks(const struct survey_lab *lab)
{
	return vm_quirks(lab->vm);
}

double survey_lab_now(void *lab)
{
	(void)lab;
	return clock_now();
}

bool survey_lab_stopped(void *lab)
{
	(void)lab;
	return guard_interrupted();
}

static uint64_t address_of(const struct slice *sl, const char *symbol)
{
	return image_symbol(sl->lab->image, symbol)->address;
}

/* What this host cannot do of (cell), into it. */
static bool supported(const struct survey_lab *lab, struct survey_cell *c, enum survey_side side)
{
	const char *why = NULL;

	if (c->sync == CM_SYNC_SERIALIZE && !bare_serialize())
		why = "this processor has no SERIALIZE";
	else if (side == SURVEY_CONTROL && *lab->no_control)
		why = lab->no_control;
	else if (side == SURVEY_CONTROL && c->sync == CM_SYNC_IPI && *lab->no_membarrier)
		why = lab->no_membarrier;
	else if (side == SURVEY_CONTROL && !c->cpl && c->what == SURVEY_TEAR)
		why = "a host thread runs at CPL3 only";
	else if (side == SURVEY_GUEST && !c->cpl && c->what == SURVEY_TEAR &&
		 vm_quirks(lab->vm)->cpl0_emulated)
		why = "guest code at CPL0 runs in KVM's instruction emulator, not on the processor";
	if (why)
		snprintf(c->unsupported[side], sizeof(c->unsupported[side]), "%.95s", why);
	return !why;
}

/* The site in its old form where the side has it, and the loops told what to do. */
static void prepare(struct slice *sl)
{
	const struct survey_cell *c = sl->cell;
	struct survey_lab *lab = sl->lab;
	bool guest = sl->side == SURVEY_GUEST;
	uint8_t *text = guest ? vm_memory(lab->vm)->text : lab->native.alias;
	uint8_t *image = guest ? vm_memory(lab->vm)->image : lab->native.image;

	site_place(&sl->site, image_site(lab->image, survey_kind_site(c->kind)), 0, c->offset);
	memset(text, 0xcc, CM_SLOT_SIZE);
	site_install(&sl->site, text);
	if (!guest)
		native_written(&lab->native);
	sl->s = (struct cm_survey *)(void *)(image + (address_of(sl, "cm_survey") - CM_IMAGE_BASE));
	memset(sl->s, 0, sizeof(*sl->s));
	sl->s->site = sl->site.placed;
	sl->s->width = c->width;
	sl->s->pause = c->pause;
	sl->s->timed = c->what == SURVEY_TIME;
	sl->s->sync = c->sync;
	if (c->what != SURVEY_COST)
		sl->s->stores = survey_stores(&sl->site, text, c->width, c->natural, sl->s->store);
}

static uint32_t role_of(const struct slice *sl, uint32_t id)
{
	if (id == EXECUTOR)
		return CM_ROLE_SURVEY_EXECUTOR;
	return sl->cell->what == SURVEY_COST ? CM_ROLE_SURVEY_SPENDER : CM_ROLE_SURVEY_WRITER;
}

static void *play_vcpu(void *arg)
{
	struct actor *a = arg;
	struct survey_lab *lab = a->slice->lab;

	affinity_on(lab->core[a->id]);
	vcpu_run(vm_vcpu(lab->vm, a->id), &a->last, &a->err);
	atomic_store(&a->done, true);
	return NULL;
}

static void send_membarriers(struct cm_survey *s)
{
	while (!__atomic_load_n(&s->spent, __ATOMIC_RELAXED)) {
		syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE, 0, 0);
		__atomic_fetch_add(&s->pokes, 1, __ATOMIC_RELAXED);
	}
}

/* Linux's membarrier() sends the other thread's processor an IPI, which ends in IRET. */
static void *play_native(void *arg)
{
	static const char *const symbols[] = {
		[CM_ROLE_SURVEY_WRITER] = "cm_survey_write",
		[CM_ROLE_SURVEY_EXECUTOR] = "cm_survey_execute",
		[CM_ROLE_SURVEY_SPENDER] = "cm_survey_spend",
	};
	typedef void (*loop_function)(struct cm_cpu *, struct cm_survey *);
	struct actor *a = arg;
	struct slice *sl = a->slice;
	uint32_t role = role_of(sl, a->id);
	uint64_t cpu = sl->lab->image->abi.cpu + a->id * sizeof(struct cm_cpu);

	affinity_on(sl->lab->core[a->id]);
	if (role == CM_ROLE_SURVEY_SPENDER && sl->cell->sync == CM_SYNC_IPI)
		send_membarriers(sl->s);
	else
		((loop_function)(uintptr_t)address_of(sl, symbols[role]))(
			(struct cm_cpu *)(uintptr_t)cpu, sl->s);
	atomic_store(&a->done, true);
	return NULL;
}

/* ---- a slice ---- */

static bool start(struct slice *sl, uint32_t id, struct err *e)
{
	struct actor *a = &sl->actor[id];
	int errnum;

	a->slice = sl;
	a->id = id;
	if (sl->side == SURVEY_GUEST) {
		struct cm_cpu *cpu = setup_mailbox(sl->lab->vm, sl->lab->image, id);

		cpu->role = role_of(sl, id);
		cpu->cpl = id == WRITER && sl->cell->what != SURVEY_COST ? 3 : sl->cell->cpl;
		if (id == EXECUTOR && sl->cell->what == SURVEY_COST)
			cpu->cpl = 3;
		cpu->user = cpu->done = 0;
		cpu->recover_ip = cpu->recover_sp = 0;
		vcpu_load(vm_vcpu(sl->lab->vm, id), &sl->lab->ready[id]);
	}
	errnum = pthread_create(&a->thread, NULL,
				sl->side == SURVEY_GUEST ? play_vcpu : play_native, a);
	if (errnum)
		return err_sys(e, errnum, "cannot start a thread");
	a->started = true;
	return true;
}

static void nap(double seconds)
{
	struct timespec t = clock_timespec(seconds);

	nanosleep(&t, NULL);
}

/* By naps: on two processors a thread that spins takes one away from those it waits for. */
static bool comes_within(double seconds, bool (*come)(const void *), const void *what)
{
	double end = clock_now() + seconds;

	for (; !come(what); nap(POLL_SECONDS))
		if (clock_now() > end)
			return false;
	return true;
}

static bool counted(const void *counter)
{
	return __atomic_load_n((const uint64_t *)counter, __ATOMIC_RELAXED) != 0;
}

static bool has_ended(const void *actor)
{
	const struct actor *a = actor;

	return !a->started || atomic_load(&a->done);
}

static bool advances(const uint64_t *counter, const char *who, struct err *e)
{
	return comes_within(GO_SECONDS, counted, counter) ||
	       err_set(e, ERR_HOST, "the survey's %s does not advance", who);
}

/*
 * The executor starts when the writer stores already, so that every execution
 * counts; but first where the writer would wait for it.
 */
static bool start_all(struct slice *sl, struct err *e)
{
	const struct survey_cell *c = sl->cell;
	bool ipis = c->what == SURVEY_COST && c->sync == CM_SYNC_IPI;
	bool executor_first = ipis || c->what == SURVEY_TIME;
	bool alone = c->what == SURVEY_COST && !ipis;

	if (executor_first &&
	    (!start(sl, EXECUTOR, e) || !advances(&sl->s->executions, "executor", e)))
		return false;
	if (!start(sl, WRITER, e) || !advances(&sl->s->pokes, "writer", e))
		return false;
	return executor_first || alone ||
	       (start(sl, EXECUTOR, e) && advances(&sl->s->executions, "executor", e));
}

static void wait_for(double seconds)
{
	double end = clock_now() + seconds;

	for (double left = seconds; left > 0 && !guard_interrupted(); left = end - clock_now())
		nap(fmin(left, LOOK_SECONDS));
}

/* Until (id)'s loop has ended, if it was started, but not for ever. */
static bool ends(const struct slice *sl, uint32_t id)
{
	return comes_within(GUARD_SECONDS, has_ended, &sl->actor[id]);
}

/* Fetch every vCPU out of KVM_RUN. */
static void kick(struct slice *sl, bool on)
{
	for (uint32_t i = 0; sl->side == SURVEY_GUEST && i < ACTORS; i++) {
		if (!sl->actor[i].started)
			continue;
		vcpu_kick(vm_vcpu(sl->lab->vm, i), on);
		if (on)
			pthread_kill(sl->actor[i].thread, SIGUSR1);
	}
}

static bool ended_well(const struct slice *sl, struct err *e)
{
	for (uint32_t i = 0; i < ACTORS; i++) {
		const struct actor *a = &sl->actor[i];

		if (!a->started || sl->side == SURVEY_CONTROL)
			continue;
		if (a->err.code)
			return err_set(e, a->err.code, "%s", a->err.text);
		if (a->last.kind != EXIT_DOOR || a->last.door != CM_DOOR_DONE)
			return err_set(e, ERR_HOST, "vCPU %u left the survey's loop, for %#llx%s%s",
				       i, (unsigned long long)vcpu_pc(vm_vcpu(sl->lab->vm, i)),
				       *a->last.text ? ": " : "", a->last.text);
	}
	return true;
}

/* The loops look at it in every round; one that does not is hung, and a vCPU is fetched out. */
static bool stop(struct slice *sl, struct err *e)
{
	bool ended = true;

	__atomic_store_n(&sl->s->spent, 1, __ATOMIC_SEQ_CST);
	if (sl->cell->what == SURVEY_COST)
		ended = ends(sl, WRITER);
	__atomic_store_n(&sl->s->stop, 1, __ATOMIC_SEQ_CST);
	ended = ends(sl, EXECUTOR) && ends(sl, WRITER) && ended;
	if (!ended)
		kick(sl, true);
	for (uint32_t i = 0; i < ACTORS; i++)
		if (sl->actor[i].started)
			pthread_join(sl->actor[i].thread, NULL);
	if (!ended)
		kick(sl, false);
	if (!ended)
		return err_set(e, ERR_HOST, "the guest hangs: its loops did not end in %g s",
			       GUARD_SECONDS);
	return ended_well(sl, e);
}

static void collect_samples(const struct cm_survey *s, struct survey_latency *l)
{
	uint64_t n = s->samples < CM_SURVEY_SAMPLES ? s->samples : CM_SURVEY_SAMPLES;

	for (uint64_t i = 0; i < n && l->samples < SURVEY_SAMPLES; i++) {
		if ((int32_t)s->sample[i] < 0)
			l->early++;
		else
			l->sample[l->samples++] = s->sample[i];
	}
}

static void collect(const struct slice *sl, struct survey_counts *c)
{
	const struct cm_survey *s = sl->s;

	c->pokes += s->pokes;
	c->executions += s->executions;
	c->transitions += s->transitions;
	c->stale_runs += s->stale_runs;
	c->stale_pokes += s->stale_pokes;
	c->torn[SURVEY_OTHER] += s->untallied;
	for (uint32_t i = 0; i < CM_SURVEY_TALLIES && s->tally[i].count; i++)
		c->torn[survey_tear_of(&sl->site, &sl->lab->decoder, s->tally[i].value,
				       s->tally[i].pad)] += s->tally[i].count;
}

/* Processor time of the thread that counts. */
static double processor_time(const struct actor *a)
{
	struct timespec t = { 0 };
	clockid_t clock;

	if (pthread_getcpuclockid(a->thread, &clock) || clock_gettime(clock, &t))
		return 0;
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void watch(struct slice *sl, double seconds, struct survey_counts *c)
{
	bool cost = sl->cell->what == SURVEY_COST;
	const struct actor *a = &sl->actor[cost ? WRITER : EXECUTOR];
	const uint64_t *counter = cost ? &sl->s->pokes : &sl->s->executions;
	uint64_t seen = __atomic_load_n(counter, __ATOMIC_RELAXED);
	double start = processor_time(a);

	wait_for(seconds);
	c->watched += __atomic_load_n(counter, __ATOMIC_RELAXED) - seen;
	c->seconds += processor_time(a) - start;
}

static bool room_for_samples(struct survey_latency *l, struct err *e)
{
	if (!l->sample)
		l->sample = malloc(SURVEY_SAMPLES * sizeof(*l->sample));
	return l->sample || err_set(e, ERR_HOST, "out of memory");
}

bool survey_lab_slice(void *state, struct survey_cell *cell, enum survey_side side, double seconds,
		      struct err *e)
{
	struct slice sl = { .lab = state, .cell = cell, .side = side };
	struct survey_latency *l = &cell->latency[side];
	struct survey_counts watched = { 0 };
	bool ok;

	if (!supported(sl.lab, cell, side))
		return true;
	if (cell->what == SURVEY_TIME && !room_for_samples(l, e))
		return false;
	prepare(&sl);
	ok = start_all(&sl, e);
	if (ok)
		watch(&sl, seconds, &watched);
	if (!stop(&sl, ok ? e : NULL) || !ok)
		return false;
	cell->side[side].watched += watched.watched;
	cell->side[side].seconds += watched.seconds;
	collect(&sl, &cell->side[side]);
	if (cell->what == SURVEY_TIME)
		collect_samples(sl.s, l);
	l->cycles = (double)(bare_cycles() - sl.lab->cycles);
	l->seconds = clock_now() - sl.lab->seconds;
	return true;
}
