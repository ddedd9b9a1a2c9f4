// SPDX-License-Identifier: BSD-2-Clause
/* injector.c - one loop: wait for the next due time, send what is due. */
#include "run/injector.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <time.h>

#include "base/affinity.h"
#include "run/arrivals.h"
#include "base/clock.h"

#define TICK_SECONDS  0.01  /* how long it may sleep and not hear that it is to stop */
#define SPIN_SECONDS  60e-6 /* more than a timer's wake-up is late on an idle processor */
/* What it leaves, at least, to the vCPU that it shares a processor with before it sends again. */
#define SHARE_SECONDS 20e-6

struct injector {
	struct vm *vm;
	struct injector_source *source;
	struct arrivals arrivals[INJECTOR_SOURCES_MAX];
	uint32_t n;
	uint32_t index;
	bool spin;
	pthread_t thread;
	atomic_bool quit;
	atomic_bool failed;
	struct cm_histogram lateness_ns;
	struct err err;
};

static double first_due(const struct injector *i)
{
	double first = i->arrivals[0].next;

	for (uint32_t s = 1; s < i->n; s++)
		if (i->arrivals[s].next < first)
			first = i->arrivals[s].next;
	return first;
}

/* To (when), or to the next tick before it. */
static void wait_for(struct injector *i, double when)
{
	double now = clock_now(), until;

	if (!i->spin && when < now + SHARE_SECONDS)
		when = now + SHARE_SECONDS;
	until = when - (i->spin ? SPIN_SECONDS : 0);
	if (until > now + TICK_SECONDS)
		until = now + TICK_SECONDS;
	if (until > now) {
		struct timespec t = clock_timespec(until);

		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL);
	}
	if (!i->spin || when > until + SPIN_SECONDS)
		return;
	while (clock_now() < when && !atomic_load_explicit(&i->quit, memory_order_relaxed))
		;
}

/* One event a source, however many of its fell due together. */
static bool send_due(struct injector *i)
{
	for (uint32_t s = 0; s < i->n; s++) {
		double due = i->arrivals[s].next, now = clock_now();

		if (now < due)
			continue;
		i->source[s].requested += arrivals_due(&i->arrivals[s], now);
		if (!vm_raise(i->vm, i->source[s].vcpu, i->source[s].kind, &i->err))
			return false;
		i->source[s].sent++;
		cm_histogram_add(&i->lateness_ns, (uint64_t)((now - due) * 1e9));
	}
	return true;
}

static void *run(void *arg)
{
	struct injector *i = arg;

	affinity_pin(i->index);
	prctl(PR_SET_TIMERSLACK, 1); /* ns; by default the kernel may be 50 us late */
	while (!atomic_load(&i->quit)) {
		wait_for(i, first_due(i));
		if (!send_due(i)) {
			atomic_store(&i->failed, true);
			break;
		}
	}
	return NULL;
}

struct injector *injector_start(struct vm *vm, struct injector_source *source, uint32_t n,
				enum distribution distribution, uint32_t index, bool own_processor,
				struct err *e)
{
	struct injector *i = calloc(1, sizeof(*i));
	double start = clock_now();
	int errnum;

	if (!i) {
		err_set(e, ERR_HOST, "out of memory");
		return NULL;
	}
	i->vm = vm;
	i->source = source;
	i->n = n;
	i->index = index;
	i->spin = own_processor;
	for (uint32_t s = 0; s < n; s++) {
		source[s].requested = source[s].sent = 0;
		arrivals_begin(&i->arrivals[s], distribution, source[s].rate, start, s + 1);
	}
	errnum = n ? pthread_create(&i->thread, NULL, run, i) : 0;
	if (!errnum)
		return i;
	err_sys(e, errnum, "cannot start the injector's thread");
	free(i);
	return NULL;
}

bool injector_failed(const struct injector *i)
{
	return atomic_load(&i->failed);
}

bool injector_stop(struct injector *i, struct cm_histogram *lateness_ns, struct err *e)
{
	bool ok;

	if (!i)
		return true;
	atomic_store(&i->quit, true);
	if (i->n)
		pthread_join(i->thread, NULL);
	for (uint32_t s = 0; s < i->n; s++)
		i->source[s].requested += arrivals_due(&i->arrivals[s], clock_now());
	*lateness_ns = i->lateness_ns;
	ok = !atomic_load(&i->failed) || err_set(e, i->err.code, "%s", i->err.text);
	free(i);
	return ok;
}
