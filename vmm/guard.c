// SPDX-License-Identifier: BSD-2-Clause
/* guard.c - signals: everything here that a handler touches is a sig_atomic_t or a kvm_run flag. */
#include "guard.h"

#include <signal.h>
#include <string.h>
#include <sys/time.h>

static volatile sig_atomic_t interrupted, fired, pets, pets_seen;
static struct vm *volatile watched;
static volatile sig_atomic_t watched_vcpus;

static void kick(bool on)
{
	struct vm *vm = watched;

	for (uint32_t i = 0; vm && i < (uint32_t)watched_vcpus; i++)
		vcpu_kick(vm_vcpu(vm, i), on);
}

static void on_stop(int signal)
{
	(void)signal;
	interrupted = 1;
	kick(true);
}

/* One tick per period: no sign of life since the last one means hung. */
static void on_alarm(int signal)
{
	(void)signal;
	if (pets == pets_seen) {
		fired = 1;
		kick(true);
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
			 wake = { .sa_handler = on_wake };

	sigaction(SIGINT, &stop, NULL);
	sigaction(SIGTERM, &stop, NULL);
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

void guard_watch(struct vm *vm, uint32_t vcpus, double seconds)
{
	fired = 0;
	guard_pet();
	watched_vcpus = (sig_atomic_t)vcpus;
	watched = vm;
	if (interrupted)
		kick(true);
	set_timer(seconds);
}

void guard_release(void)
{
	set_timer(0);
	kick(false);
	watched = NULL;
}
