// SPDX-License-Identifier: BSD-2-Clause
/* sweep_lab.c - a point as a scenario, run at full speed; what it showed as figures. */
#include "sweep/sweep_lab.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "vm/guard.h"
#include "base/histogram.h"

bool sweep_lab_probe(struct sweep_lab *lab, struct err *e)
{
	struct vm *vm = vm_new(lab->image, VM_FREE, 1, e);
	bool ok = vm != NULL;

	if (ok) {
		guard_watch(vm, 1, GUARD_SECONDS, true);
		ok = vm_boot(vm, e);
		guard_release();
		lab->host->quirks = *vm_quirks(vm);
		lab->irqchip = vm_irqchip(vm);
		lab->host->quirks_known = ok;
	}
	vm_free(vm);
	return ok;
}

struct ticker {
	struct sweep_lab *lab;
	uint32_t curve, rate;
};

static void tick(void *arg, double fraction)
{
	const struct ticker *t = arg;

	if (t->lab->progress)
		t->lab->progress(t->lab->arg, t->curve, t->rate, fraction);
}

static void note_patches(struct sweep_run *r, const struct observation *o)
{
	const struct cm_patches *p = &o->patches;
	double tick = o->tick_rate > 0 ? 1 / o->tick_rate : NAN;

	r->patches = p->ticks.count - p->after_stop;
	r->retries_mean = histogram_mean(&p->retries);
	r->retries_p50 = histogram_quantile(&p->retries, 0.5);
	r->retries_p99 = histogram_quantile(&p->retries, 0.99);
	r->retries_max = p->retries.count ? (double)p->retries.max : NAN;
	r->time_p50 = histogram_quantile(&p->ticks, 0.5) * tick;
	r->time_p99 = histogram_quantile(&p->ticks, 0.99) * tick;
	r->time_max = p->ticks.count ? (double)p->ticks.max * tick : NAN;
	r->missed = o->end == END_HUNG || r->time_max > SWEEP_DEADLINE;
}

static void note_injector(struct sweep_run *r, const struct cm_histogram *lateness_ns)
{
	r->lateness_p50 = histogram_quantile(lateness_ns, 0.5) * 1e-9;
	r->lateness_p99 = histogram_quantile(lateness_ns, 0.99) * 1e-9;
	r->lateness_max = lateness_ns->count ? (double)lateness_ns->max * 1e-9 : NAN;
}

/* NMIs of the targets only: a protocol may send some of its own, and they are no load of ours. */
static void note_counts(struct sweep_run *r, const struct observation *o, uint32_t targets)
{
	for (uint32_t i = 0; i < o->vcpus; i++) {
		const struct vcpu_counts *c = &o->cpu[i];

		r->executions += c->guest.executions;
		r->traps += c->guest.traps;
		if (!(targets & 1u << i))
			continue;
		r->nmis_requested += c->nmis_requested;
		r->nmis_sent += c->nmis_sent;
		r->nmis_delivered += c->guest.nmis;
		r->nmis_coalesced += c->nmis_coalesced;
	}
}

static void note(struct sweep_lab *lab, const struct ticker *t, const struct scenario *s,
		 const struct observation *o, struct sweep_run *r)
{
	*r = (struct sweep_run){ .seconds = o->seconds };
	note_counts(r, o, lab->sweep->curve[t->curve].targets);
	note_patches(r, o);
	note_injector(r, &o->injector.lateness_ns);
	r->verdict = verdict_of(o, r->reason, sizeof(r->reason));
	r->as_expected = s->expect & 1u << r->verdict;
	/* A dead vCPU ends a run early; a hung patcher only shows at its end. */
	r->whole = o->seconds >= lab->sweep->seconds;
}

bool sweep_lab_run(void *self, uint32_t curve, uint32_t rate, struct sweep_run *r, struct err *e)
{
	struct sweep_lab *lab = self;
	const struct sweep *sweep = lab->sweep;
	struct ticker t = { lab, curve, rate };
	struct scenario s = *sweep->curve[curve].scenario; /* borrows all that it points to */
	struct observation *o = calloc(1, sizeof(*o));
	bool ok;

	if (!o)
		return err_set(e, ERR_HOST, "out of memory");
	s.free.iterations = 0;
	s.free.seconds = sweep->seconds;
	s.free.nmi_rate = sweep->rate[rate];
	s.free.nmi_mask = sweep->curve[curve].targets;
	s.free.distribution = sweep->distribution;
	s.pokes = 0; /* until the end */
	ok = run_free(lab->image, &s, o, &lab->host->quirks, tick, &t, e);
	if (ok) {
		lab->host->quirks_known = true;
		note(lab, &t, &s, o, r);
	}
	free(o);
	return ok;
}

bool sweep_lab_stopped(void *lab)
{
	(void)lab;
	return guard_interrupted();
}
