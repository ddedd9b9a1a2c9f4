// SPDX-License-Identifier: BSD-2-Clause
/* report_free.c - what a free run timed: the calls of patch(), and its injector. */
#include <math.h>

#include "base/histogram.h"
#include "report/report_internal.h"

/* A number, or null where there is none. */
json_t *report_number(double x)
{
	return isfinite(x) ? json_real(x) : json_null();
}

/* Each value times (scale). */
static json_t *distribution(const struct cm_histogram *h, double scale)
{
	json_t *o = json_object();

	json_object_set_new(o, "mean", report_number(histogram_mean(h) * scale));
	json_object_set_new(o, "p50", report_number(histogram_quantile(h, 0.5) * scale));
	json_object_set_new(o, "p99", report_number(histogram_quantile(h, 0.99) * scale));
	json_object_set_new(o, "max", report_number(h->count ? (double)h->max * scale : NAN));
	return o;
}

void report_put_free(json_t *o, const struct observation *seen)
{
	const struct cm_patches *p = &seen->patches;
	const struct injector_record *i = &seen->injector;
	json_t *patches = json_object(), *injector = json_object();

	json_object_set_new(patches, "begun", json_integer((json_int_t)p->ticks.count));
	json_object_set_new(patches, "completed",
			    json_integer((json_int_t)(p->ticks.count - p->after_stop)));
	json_object_set_new(patches, "retries", distribution(&p->retries, 1));
	json_object_set_new(patches, "seconds",
			    seen->tick_rate > 0 ? distribution(&p->ticks, 1 / seen->tick_rate) :
						  json_null());
	json_object_set_new(o, "patches", patches);
	if (!i->used) {
		json_decref(injector);
		json_object_set_new(o, "injector", json_null());
		return;
	}
	json_object_set_new(injector, "own_processor", json_boolean(i->own_processor));
	json_object_set_new(injector, "shares_with_vcpu",
			    i->own_processor ? json_null() : json_integer(i->shared_with));
	json_object_set_new(injector, "lateness_seconds", distribution(&i->lateness_ns, 1e-9));
	json_object_set_new(o, "injector", injector);
}
