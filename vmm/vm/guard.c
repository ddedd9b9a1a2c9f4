// SPDX-License-Identifier: BSD-2-Clause
/* guard.c - signals: everything here that a handler touches is a sig_atomic_t or a kvm_run flag. */
#include "vm/guard.h"

#include <assert.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/time.h>

static volatile sig_atomic_t interrupted, fired, pets, pets_seen;

/* Only ever grows while a VM is watched, so that a handler sees whole entries. */
static struct {
	struct vm *vm;
	pthread_t thread;
	uint32_t vcpus;
	bool on_stop;
} watched[GUARD_VMS];
static volatile sig_atomic_t nwatched;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void kick(bool on, bool stopping)
{
	for (int i = 0; i < nwatched; i++) {
		if (stopping && !watched[i].on_stop)
			continue;
		for (uint32_t v = 0; v < watched[i].vcpus; v++)
			vcpu_kick(vm_vcpu(watched[i].vm, v), on);
		if (on && !pthread_equal(watched[i].thread, pthread_self()))
			pthread_kill(watched[i].thread, SIGUSR1);
	}
}

static void on_stop(int signal)
{
	(void)signal;
	interrupted = 1;
	kick(true, true);
}

/* One tick per period: no sign of life since the last one means hung. */
static void on_alarm(int signal)
{
	(void)signal;
	if (pets == pets_seen) {
		fired = 1;
		kick(true, false);
	}
	pets_seen = pets;
}

/* Only has to interrupt KVM_RUN. */
static void on_wake(int signal)
{
	(void)signal;
}

void guard_install(void)
{
	struct sigaction stop = { .sa_handler = on_stop }, alarm = { .sa_handler = on_alarm },
			 wake = { .sa_handler = on_wake }, hangup;

	sigaction(SIGINT, &stop, NULL);
	sigaction(SIGTERM, &stop, NULL);
	/* The terminal is gone: what was measured is not. Under nohup(1) it may go. */
	if (!sigaction(SIGHUP, NULL, &hangup) && hangup.sa_handler != SIG_IGN)
		sigaction(SIGHUP, &stop, NULL);
	sigaction(SIGALRM, &alarm, NULL);
	sigaction(SIGUSR1, &wake, NULL);
}

bool guard_interrupted(void)
{
	return interrupted;
}

bool guard_fired(void)
{
	return fired;
}

void guard_pet(void)
{
	pets = (pets + 1) & 0xffffff;
}

static void set_timer(double seconds)
{
	struct itimerval timer = {
		.it_value = { (time_t)seconds, (suseconds_t)((seconds - (time_t)seconds) * 1e6) },
	};

	timer.it_interval = timer.it_value;
	setitimer(ITIMER_REAL, &timer, NULL);
}

void guard_watch(struct vm *vm, uint32_t vcpus, double seconds, bool kick_on_stop)
{
	int i = 0;

	pthread_mutex_lock(&lock);
	while (i < nwatched && watched[i].vm != vm)
		i++;
	assert(i < (int)GUARD_VMS);
	if (!nwatched)
		fired = 0;
	guard_pet();
	watched[i].vm = vm;
	watched[i].vcpus = vcpus;
	watched[i].thread = pthread_self();
	watched[i].on_stop = kick_on_stop;
	if (i == nwatched)
		nwatched = i + 1;
	if (interrupted && kick_on_stop)
		kick(true, true);
	set_timer(seconds);
	pthread_mutex_unlock(&lock);
}

void guard_release(void)
{
	set_timer(0);
	pthread_mutex_lock(&lock);
	kick(false, false);
	nwatched = 0;
	pthread_mutex_unlock(&lock);
}
