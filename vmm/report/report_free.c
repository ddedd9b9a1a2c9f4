// SPDX-License-Identifier: BSD-2-Clause
/* report_free.c - what a free run timed: the calls of patch(), its injector; and what an event was. */
#include <math.h>
#include <stdio.h>

#include "base/histogram.h"
#include "image/isa.h"
#include "report/report_internal.h"

/* Each value times (scale). */
static json_t *distribution(const struct cm_histogram *h, double scale)
{
	json_t *o = json_object();

	report_put(o, "mean", report_number(histogram_mean(h) * scale));
	report_put(o, "p50", report_number(histogram_quantile(h, 0.5) * scale));
	report_put(o, "p99", report_number(histogram_quantile(h, 0.99) * scale));
	report_put(o, "max", report_number(h->count ? (double)h->max * scale : NAN));
	return o;
}

void report_put_free(json_t *o, const struct observation *seen)
{
	const struct cm_patches *p = &seen->patches;
	const struct injector_record *i = &seen->injector;
	json_t *patches = json_object(), *injector = json_object();

	report_put(patches, "begun", json_integer((json_int_t)p->ticks.count));
	report_put(patches, "completed",
		   json_integer((json_int_t)(p->ticks.count - p->after_stop)));
	report_put(patches, "retries", distribution(&p->retries, 1));
	report_put(patches, "seconds",
		   seen->tick_rate > 0 ? distribution(&p->ticks, 1 / seen->tick_rate) :
					 json_null());
	report_put(o, "patches", patches);
	if (!i->used) {
		json_decref(injector);
		report_put(o, "injector", json_null());
		return;
	}
	report_put(injector, "own_processor", json_boolean(i->own_processor));
	report_put(injector, "shares_with_vcpu",
		   i->own_processor ? json_null() : json_integer(i->shared_with));
	report_put(injector, "lateness_seconds", distribution(&i->lateness_ns, 1e-9));
	report_put(o, "injector", injector);
}

void report_put_events(json_t *o, enum cm_irqchip irqchip)
{
	char nmi[200] = "FIQ by the vCPU's FIQ line, taken with IRQs masked";
	char ipi[200] = "IRQ by the vCPU's IRQ line";

	if (irqchip != CM_IRQCHIP_NONE) {
		snprintf(nmi, sizeof(nmi),
			 "FIQ of group 0 by KVM's %s, taken with IRQs masked; those sent from "
			 "outside by an edge-triggered SPI, one of them waiting at most",
			 isa_irqchip_name(irqchip));
		snprintf(ipi, sizeof(ipi), "IRQ of group 1 by KVM's %s", isa_irqchip_name(irqchip));
	}
	json_object_set_new(o, "nmi_is", json_string(nmi));
	json_object_set_new(o, "ipi_is", json_string(ipi));
}
