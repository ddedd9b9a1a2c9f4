// SPDX-License-Identifier: BSD-2-Clause
/*
 * report_json.c - a result as JSON: the one line and the whole document.
 *
 * Owns which members there are and in which order. What differs between two
 * runs of the same scenario comes last, so that all before it compares equal.
 * Knows no file. Out of memory ends the program: nothing here can go on.
 */

#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "image/isa.h"
#include "report/report_internal.h"
#include "model/site.h"
#include "base/stats.h"

/* A count: beyond 63 bits JSON integers end. */
static json_t *count(uint64_t n)
{
	return json_integer(n > INT64_MAX ? INT64_MAX : (json_int_t)n);
}

static json_t *hexadecimal(uint64_t n)
{
	return json_sprintf("0x%" PRIx64, n);
}

static json_t *bytes(const uint8_t *b, uint32_t length)
{
	char buf[4 * CM_MAX_SITE_LEN];

	return json_string(site_hex(b, length, buf, sizeof(buf)));
}

static json_t *fraction(double x)
{
	return json_real(isfinite(x) ? x : 0);
}

/* ---- what the line and the document share ---- */

/* Stepped on one schedule, or on all of them: there is a fetch model, and decisions. */
static bool stepped(const struct result *r)
{
	return r->scenario->method != METHOD_FREE;
}

/* Something to replay, and a state to compare with at its end. */
static bool replayable(const struct result *r)
{
	return stepped(r) && r->schedule.count && r->observation.digest[0];
}

static void put_identity(json_t *o, const struct result *r)
{
	const struct scenario *s = r->scenario;
	char buf[512];

	report_put(o, "scenario", report_text(s->name));
	report_put(o, "protocol", report_text(s->protocol_name));
	report_put(o, "site", report_text(report_sites(s, buf, sizeof(buf))));
	report_put(o, "method", json_string(method_name(s->method)));
	report_put(o, "fetch",
		   stepped(r) ? json_string(report_fetch(&s->fetch, buf, sizeof(buf))) :
				json_null());
}

static void put_outcome(json_t *o, const struct result *r)
{
	const struct observation *seen = &r->observation;
	json_t *expected = json_array();

	for (unsigned int v = 0; v < VERDICTS; v++)
		if (r->scenario->expect & 1u << v)
			report_append(expected, json_string(verdict_name((enum verdict)v)));
	report_put(o, "verdict", json_string(verdict_name(r->verdict)));
	report_put(o, "expected", expected);
	report_put(o, "as_expected", json_boolean(r->as_expected));
	report_put(o, "reason", report_text(r->reason));
	report_put(o, "exhausted", json_boolean(seen->exhausted));
	if (seen->unreduced[0])
		report_put(o, "unreduced", json_string(seen->unreduced));
	report_put(o, "states", count(seen->states));
	report_put(o, "transitions", count(seen->transitions));
	report_put(o, "steps", count(seen->steps));
}

char *report_line(const struct result *r)
{
	json_t *o = json_object();
	char *line;

	put_identity(o, r);
	put_outcome(o, r);
	report_put(o, "seconds", fraction(r->observation.seconds));
	report_put(o, "witness", replayable(r) ? report_text_or_null(r->path) : json_null());
	report_put_host(o, r->host);
	line = report_dump(o);
	assert(line);
	return line;
}

/* ---- what was run ---- */

static json_t *site_object(const struct placement *p, uint32_t index)
{
	json_t *o = json_object();
	struct site placed;
	char buf[96];

	assert(p->site);
	site_place(&placed, p->site, index, p->offset);
	report_put(o, "name", report_text(p->name));
	report_put(o, "at", report_text(p->at));
	report_put(o, "offset", json_integer(p->offset));
	report_put(o, "alignment",
		   json_string(report_alignment(placed.placed.text, placed.placed.length, buf,
						sizeof(buf))));
	report_put(o, "address", hexadecimal(placed.placed.text));
	report_put(o, "old", bytes(placed.placed.old_bytes, placed.placed.length));
	report_put(o, "new", bytes(placed.placed.new_bytes, placed.placed.length));
	return o;
}

/* In the terms of the architecture, as the scenario says it. */
static void put_level(json_t *role, const struct scenario *s, uint32_t cpl)
{
	if (isa_is_arm(s->isa))
		report_put(role, "el", json_integer(cpl ? 0 : 1));
	else
		report_put(role, "cpl", json_integer(cpl));
}

static void put_roles(json_t *o, const struct scenario *s)
{
	json_t *sites = json_array(), *patcher = json_object(), *executors = json_object();

	for (uint32_t i = 0; i < s->nsites; i++)
		report_append(sites, site_object(&s->site[i], i));
	report_put(o, "sites", sites);
	if (isa_is_arm(s->isa))
		report_put(o, "kernel",
			   json_string(kernel_name(s->image ? kernel_of(s->image) : s->kernel)));
	report_put(o, "vcpus", json_integer(s->vcpus));
	report_put(patcher, "vcpu", json_integer(s->patcher));
	put_level(patcher, s, s->patcher_cpl);
	report_put(patcher, "pokes", json_integer(s->pokes));
	report_put(patcher, "batch", json_integer(s->batch));
	report_put(patcher, "pause", json_integer(s->pause));
	report_put(o, "patcher", patcher);
	report_put(executors, "vcpus", report_vcpus(s->executors));
	put_level(executors, s, s->executor_cpl);
	report_put(executors, "calls", json_integer(s->calls));
	report_put(executors, "pause", json_integer(s->executor_pause));
	report_put(o, "executors", executors);
	report_put(o, "nmi_runs_site", json_boolean(s->nmi_runs_site));
	report_put(o, "nmi_latch", json_boolean(s->nmi_latch));
	report_put(o, "ipi_runs_site", json_boolean(s->ipi_runs_site));
}

static void put_stepped_limits(json_t *o, const struct scenario *s)
{
	json_t *knobs = json_object(), *budgets = json_object(), *bounds = json_object();

	report_put(knobs, "delivery_syncs", json_boolean(s->fetch.delivery_syncs));
	if (isa_is_arm(s->isa)) {
		report_put(knobs, "return_syncs", json_boolean(!s->fetch.return_lax));
		report_put(knobs, "check_changes", json_boolean(s->check_changes));
	} else {
		report_put(knobs, "mfence_syncs", json_boolean(s->fetch.mfence_syncs));
		report_put(knobs, "own_alias_visible", json_boolean(s->fetch.own_alias_visible));
	}
	if (s->fetch.model == FETCH_ARM) {
		report_put(knobs, "dline", json_integer(fetch_line(s->fetch.dline)));
		report_put(knobs, "iline", json_integer(fetch_line(s->fetch.iline)));
	}
	report_put(o, "knobs", knobs);
	if (s->method == METHOD_EXPLORE) {
		json_t *nmis = json_array();

		for (uint32_t i = 0; i < s->vcpus; i++)
			report_append(nmis, s->explore.nmis[i] == SCENARIO_NMI_UNLIMITED ?
						    json_string("unlimited") :
						    json_integer(s->explore.nmis[i]));
		report_put(budgets, "nmis", nmis);
		report_put(bounds, "max_states", count(s->explore.max_states));
		report_put(bounds, "max_seconds", fraction(s->explore.max_seconds));
		report_put(bounds, "max_memory_mb", count(s->explore.max_memory_mb));
		report_put(bounds, "reduction", json_boolean(!s->explore.no_reduction));
		report_put(bounds, "every_violation", json_boolean(s->explore.every));
	} else {
		report_put(budgets, "injections", count(s->ninjections));
		report_put(bounds, "max_steps", count(s->max_steps));
	}
	report_put(o, "budgets", budgets);
	report_put(o, "bounds", bounds);
}

static void put_free_limits(json_t *o, const struct free_options *f)
{
	json_t *budgets = json_object(), *bounds = json_object();

	report_put(o, "knobs", json_null());
	report_put(budgets, "nmi_rate", fraction(f->nmi_rate));
	report_put(budgets, "nmi_vcpus", report_vcpus(f->nmi_mask));
	report_put(budgets, "ipi_rate", fraction(f->ipi_rate));
	report_put(budgets, "ipi_vcpus", report_vcpus(f->ipi_mask));
	report_put(budgets, "distribution", json_string(distribution_name(f->distribution)));
	report_put(o, "budgets", budgets);
	report_put(bounds, "iterations", f->iterations ? count(f->iterations) : json_null());
	report_put(bounds, "seconds", f->iterations ? json_null() : fraction(f->seconds));
	report_put(o, "bounds", bounds);
}

/* ---- what was seen ---- */

static json_t *events_object(uint64_t requested, uint64_t sent, uint64_t coalesced,
			     uint64_t delivered)
{
	json_t *o = json_object();

	report_put(o, "requested", count(requested));
	report_put(o, "sent", count(sent));
	report_put(o, "coalesced", count(coalesced));
	report_put(o, "delivered", count(delivered));
	return o;
}

static json_t *counts_object(const struct vcpu_counts *c)
{
	json_t *o = json_object();

	report_put(o, "executions", count(c->guest.executions));
	report_put(o, "old", count(c->guest.old_runs));
	report_put(o, "new", count(c->guest.new_runs));
	report_put(o, "other", count(c->guest.other_runs));
	report_put(o, "stale", count(c->guest.stale_runs));
	report_put(o, "transitions", count(c->guest.transitions));
	report_put(o, "traps", count(c->guest.traps));
	report_put(o, "pokes", count(c->guest.pokes));
	report_put(
		o, "nmis",
		events_object(c->nmis_requested, c->nmis_sent, c->nmis_coalesced, c->guest.nmis));
	report_put(
		o, "ipis",
		events_object(c->ipis_requested, c->ipis_sent, c->ipis_coalesced, c->guest.ipis));
	return o;
}

/* As the guest recorded it. Addresses and values need not fit a JSON integer. */
static json_t *event_object(const struct cm_event *ev)
{
	json_t *o = json_object();

	report_put(o, "kind", json_integer(ev->kind));
	report_put(o, "site", json_integer(ev->site));
	report_put(o, "value", hexadecimal(ev->value));
	report_put(o, "pad", hexadecimal(ev->pad));
	report_put(o, "vector", count(ev->vector));
	report_put(o, "error", hexadecimal(ev->error));
	report_put(o, "ip", hexadecimal(ev->ip));
	report_put(o, "address", hexadecimal(ev->address));
	report_put(o, "promised", json_integer(ev->promised));
	report_put(o, "started", json_integer(ev->started));
	return o;
}

static json_t *violation_object(const struct violation *v)
{
	json_t *o = json_object();

	report_put(o, "kind", json_string(report_violation(v->kind)));
	report_put(o, "vcpu", json_integer(v->vcpu));
	report_put(o, "step", count(v->step));
	report_put(o, "text", report_text(v->text));
	report_put(o, "event", v->event.kind ? event_object(&v->event) : json_null());
	return o;
}

static void put_seen(json_t *o, const struct observation *seen)
{
	static const char *const ends[] = {
		[END_COMPLETE] = "complete",
		[END_VIOLATION] = "violation",
		[END_STEPS] = "steps",
		[END_REPEATS] = "repeats",
		[END_HUNG] = "hung",
		[END_INTERRUPTED] = "interrupted",
		[END_UNSUPPORTED] = "unsupported",
	};
	json_t *counts = json_array(), *violations = json_array(), *totals = json_object();

	assert((unsigned int)seen->end < sizeof(ends) / sizeof(ends[0]));
	report_put(o, "end", json_string(ends[seen->end]));
	report_put(o, "stores", count(seen->stores));
	for (uint32_t i = 0; i < seen->vcpus; i++)
		report_append(counts, counts_object(&seen->cpu[i]));
	report_put(o, "counts", counts);
	for (uint32_t i = 0; i < seen->nviolations; i++)
		report_append(violations, violation_object(&seen->violation[i]));
	report_put(o, "violations", violations);
	for (unsigned int k = 0; k < VIOLATIONS; k++)
		report_put(totals, report_violation((enum violation_kind)k), count(seen->total[k]));
	report_put(o, "totals", totals);
}

/* null where the guest counted fewer executions than mixtures: a crash took its counts along. */
static json_t *torn_ppm(const struct observation *seen)
{
	uint64_t n = report_executions(seen), k = seen->total[VIOLATION_TORN];
	double low, high;
	json_t *o;

	if (!n || k > n)
		return json_null();
	stats_wilson(k, n, &low, &high);
	o = json_object();
	report_put(o, "estimate", fraction(1e6 * (double)k / (double)n));
	report_put(o, "low", fraction(1e6 * low));
	report_put(o, "high", fraction(1e6 * high));
	return o;
}

/* null unless the search looked for every kind, and was not ended early. */
static json_t *kinds_reached(const struct observation *seen)
{
	json_t *list;

	if (!seen->every)
		return json_null();
	list = json_array();
	for (unsigned int k = 0; k < VIOLATIONS; k++)
		if (seen->kinds & 1u << k)
			report_append(list, json_string(report_violation((enum violation_kind)k)));
	return list;
}

static json_t *schedule_text(const struct schedule *s)
{
	char *encoded = schedule_encode(s);
	json_t *json = json_string(encoded);

	free(encoded);
	return json;
}

/* In its own file a result is named without the directory, which the file may leave. */
static json_t *own_name(const struct result *r)
{
	const char *slash = strrchr(r->path, '/');

	return replayable(r) ? report_text_or_null(slash ? slash + 1 : r->path) : json_null();
}

json_t *report_object(const struct result *r)
{
	const struct scenario *s = r->scenario;
	json_t *o = json_object();

	report_put(o, "format", json_string(REPORT_FORMAT));
	put_identity(o, r);
	report_put(o, "why", report_text_or_null(s->why));
	report_put(o, "source", report_text_or_null(s->source));
	put_outcome(o, r);
	report_put_guest(o, r->image);
	put_roles(o, s);
	if (isa_is_arm(s->isa))
		report_put_events(o, r->observation.irqchip);
	if (stepped(r))
		put_stepped_limits(o, s);
	else
		put_free_limits(o, &s->free);
	put_seen(o, &r->observation);
	if (s->method == METHOD_EXPLORE) {
		report_put(o, "memory", count(r->observation.memory));
		report_put(o, "coverage", report_coverage_json(r));
		report_put(o, "reachable", kinds_reached(&r->observation));
	}
	if (!stepped(r)) {
		report_put(o, "torn_ppm", torn_ppm(&r->observation));
		report_put_free(o, &r->observation);
	}
	report_put(o, "schedule",
		   stepped(r) && r->schedule.count ? schedule_text(&r->schedule) : json_null());
	report_put(o, "digest", report_text_or_null(r->observation.digest));
	report_put_host(o, r->host);
	report_put(o, "witness", own_name(r));
	report_put(o, "scenario_path", report_text(s->path));
	report_put(o, "scenario_text", report_text(s->text));
	report_put(o, "seconds", fraction(r->observation.seconds));
	report_put(o, "date", report_date());
	return o;
}

char *report_document(const struct result *r)
{
	return report_indented(report_object(r));
}
