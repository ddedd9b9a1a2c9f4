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
#include <time.h>

#include "image/isa.h"
#include "report/report_internal.h"
#include "model/site.h"
#include "base/stats.h"

/* Digits of a fraction: enough for nanoseconds of seconds, too few to show rounding errors. */
#define PRECISION JSON_REAL_PRECISION(9)

/* Takes (value) over. */
static void put(json_t *object, const char *key, json_t *value)
{
	if (json_object_set_new(object, key, value))
		assert(!"memory for a report");
}

static void append(json_t *array, json_t *value)
{
	if (json_array_append_new(array, value))
		assert(!"memory for a report");
}

/* JSON is UTF-8; a path or a processor's name need not be. Then only its ASCII is kept. */
static json_t *text(const char *s)
{
	json_t *json = json_string(s);
	char *copy;

	if (json)
		return json;
	copy = strdup(s);
	assert(copy);
	for (char *p = copy; *p; p++)
		if ((unsigned char)*p >= 0x80)
			*p = '?';
	json = json_string(copy);
	free(copy);
	return json;
}

static json_t *text_or_null(const char *s)
{
	return s && *s ? text(s) : json_null();
}

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

static json_t *vcpu_list(uint32_t mask)
{
	json_t *list = json_array();

	for (uint32_t i = 0; i < CM_MAX_VCPUS; i++)
		if (mask & 1u << i)
			append(list, json_integer(i));
	return list;
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

	put(o, "scenario", text(s->name));
	put(o, "protocol", text(s->protocol_name));
	put(o, "site", text(report_sites(s, buf, sizeof(buf))));
	put(o, "method", json_string(method_name(s->method)));
	put(o, "fetch",
	    stepped(r) ? json_string(report_fetch(&s->fetch, buf, sizeof(buf))) : json_null());
}

static void put_outcome(json_t *o, const struct result *r)
{
	const struct observation *seen = &r->observation;
	json_t *expected = json_array();

	for (unsigned int v = 0; v < VERDICTS; v++)
		if (r->scenario->expect & 1u << v)
			append(expected, json_string(verdict_name((enum verdict)v)));
	put(o, "verdict", json_string(verdict_name(r->verdict)));
	put(o, "expected", expected);
	put(o, "as_expected", json_boolean(r->as_expected));
	put(o, "reason", text(r->reason));
	put(o, "exhausted", json_boolean(seen->exhausted));
	put(o, "states", count(seen->states));
	put(o, "transitions", count(seen->transitions));
	put(o, "steps", count(seen->steps));
}

void report_put_host(json_t *o, const struct host *h)
{
	json_t *host = json_object();
	char buf[160];

	put(host, "arch", text(h->arch));
	put(host, "cpu", text(h->cpu));
	put(host, "microcode", text_or_null(h->microcode));
	put(host, "kernel", text(h->kernel));
	put(host, "kvm", text(h->kvm_module));
	put(host, "emulated", text_or_null(h->emulated));
	put(host, "cores", json_integer(h->cores));
	put(host, "quirks", json_string(host_quirks(h, buf, sizeof(buf))));
	put(host, "version", text(h->version));
	put(host, "commit", text(h->commit));
	put(o, "host", host);
}

/* The text of (o), which is freed. */
static char *dump(json_t *o, size_t flags)
{
	char *dumped = json_dumps(o, flags | PRECISION);

	assert(dumped);
	json_decref(o);
	return dumped;
}

char *report_line(const struct result *r)
{
	json_t *o = json_object();

	put_identity(o, r);
	put_outcome(o, r);
	put(o, "seconds", fraction(r->observation.seconds));
	put(o, "witness", replayable(r) ? text_or_null(r->path) : json_null());
	report_put_host(o, r->host);
	return dump(o, JSON_COMPACT);
}

/* ---- what was run ---- */

void report_put_guest(json_t *o, const struct image *img)
{
	json_t *guest = json_object();

	put(guest, "path", text(img->path));
	put(guest, "digest", text(img->digest));
	put(guest, "abi", json_integer(img->abi.version));
	put(o, "guest", guest);
}

static json_t *site_object(const struct placement *p, uint32_t index)
{
	json_t *o = json_object();
	struct site placed;
	char buf[96];

	assert(p->site);
	site_place(&placed, p->site, index, p->offset);
	put(o, "name", text(p->name));
	put(o, "at", text(p->at));
	put(o, "offset", json_integer(p->offset));
	put(o, "alignment",
	    json_string(
		    report_alignment(placed.placed.text, placed.placed.length, buf, sizeof(buf))));
	put(o, "address", hexadecimal(placed.placed.text));
	put(o, "old", bytes(placed.placed.old_bytes, placed.placed.length));
	put(o, "new", bytes(placed.placed.new_bytes, placed.placed.length));
	return o;
}

/* In the terms of the architecture, as the scenario says it. */
static void put_level(json_t *role, const struct scenario *s, uint32_t cpl)
{
	if (isa_is_arm(s->isa))
		put(role, "el", json_integer(cpl ? 0 : 1));
	else
		put(role, "cpl", json_integer(cpl));
}

/* What took the exceptions of this result, and what an NMI and an IPI really were. */
static void put_events(json_t *o, const struct scenario *s)
{
	if (!isa_is_arm(s->isa))
		return;
	put(o, "kernel", json_string(kernel_name(s->image ? kernel_of(s->image) : s->kernel)));
	put(o, "nmi_is", json_string("FIQ by the vCPU's FIQ line, taken with IRQs masked"));
	put(o, "ipi_is", json_string("IRQ by the vCPU's IRQ line"));
}

static void put_roles(json_t *o, const struct scenario *s)
{
	json_t *sites = json_array(), *patcher = json_object(), *executors = json_object();

	for (uint32_t i = 0; i < s->nsites; i++)
		append(sites, site_object(&s->site[i], i));
	put(o, "sites", sites);
	put(o, "vcpus", json_integer(s->vcpus));
	put(patcher, "vcpu", json_integer(s->patcher));
	put_level(patcher, s, s->patcher_cpl);
	put(patcher, "pokes", json_integer(s->pokes));
	put(patcher, "batch", json_integer(s->batch));
	put(patcher, "pause", json_integer(s->pause));
	put(o, "patcher", patcher);
	put(executors, "vcpus", vcpu_list(s->executors));
	put_level(executors, s, s->executor_cpl);
	put(executors, "calls", json_integer(s->calls));
	put(executors, "pause", json_integer(s->executor_pause));
	put(o, "executors", executors);
	put(o, "nmi_runs_site", json_boolean(s->nmi_runs_site));
	put(o, "nmi_latch", json_boolean(s->nmi_latch));
	put(o, "ipi_runs_site", json_boolean(s->ipi_runs_site));
	put_events(o, s);
}

static void put_stepped_limits(json_t *o, const struct scenario *s)
{
	json_t *knobs = json_object(), *budgets = json_object(), *bounds = json_object();

	put(knobs, "delivery_syncs", json_boolean(s->fetch.delivery_syncs));
	if (isa_is_arm(s->isa)) {
		put(knobs, "return_syncs", json_boolean(!s->fetch.return_lax));
		put(knobs, "check_changes", json_boolean(s->check_changes));
	} else {
		put(knobs, "mfence_syncs", json_boolean(s->fetch.mfence_syncs));
		put(knobs, "own_alias_visible", json_boolean(s->fetch.own_alias_visible));
	}
	if (s->fetch.model == FETCH_ARM) {
		put(knobs, "dline", json_integer(fetch_line(s->fetch.dline)));
		put(knobs, "iline", json_integer(fetch_line(s->fetch.iline)));
	}
	put(o, "knobs", knobs);
	if (s->method == METHOD_EXPLORE) {
		json_t *nmis = json_array();

		for (uint32_t i = 0; i < s->vcpus; i++)
			append(nmis, s->explore.nmis[i] == SCENARIO_NMI_UNLIMITED ?
					     json_string("unlimited") :
					     json_integer(s->explore.nmis[i]));
		put(budgets, "nmis", nmis);
		put(bounds, "max_states", count(s->explore.max_states));
		put(bounds, "max_seconds", fraction(s->explore.max_seconds));
		put(bounds, "max_memory_mb", count(s->explore.max_memory_mb));
		put(bounds, "reduction", json_boolean(!s->explore.no_reduction));
	} else {
		put(budgets, "injections", count(s->ninjections));
		put(bounds, "max_steps", count(s->max_steps));
	}
	put(o, "budgets", budgets);
	put(o, "bounds", bounds);
}

static void put_free_limits(json_t *o, const struct free_options *f)
{
	json_t *budgets = json_object(), *bounds = json_object();

	put(o, "knobs", json_null());
	put(budgets, "nmi_rate", fraction(f->nmi_rate));
	put(budgets, "nmi_vcpus", vcpu_list(f->nmi_mask));
	put(budgets, "ipi_rate", fraction(f->ipi_rate));
	put(budgets, "ipi_vcpus", vcpu_list(f->ipi_mask));
	put(budgets, "distribution", json_string(distribution_name(f->distribution)));
	put(o, "budgets", budgets);
	put(bounds, "iterations", f->iterations ? count(f->iterations) : json_null());
	put(bounds, "seconds", f->iterations ? json_null() : fraction(f->seconds));
	put(o, "bounds", bounds);
}

/* ---- what was seen ---- */

static json_t *events_object(uint64_t requested, uint64_t sent, uint64_t coalesced,
			     uint64_t delivered)
{
	json_t *o = json_object();

	put(o, "requested", count(requested));
	put(o, "sent", count(sent));
	put(o, "coalesced", count(coalesced));
	put(o, "delivered", count(delivered));
	return o;
}

static json_t *counts_object(const struct vcpu_counts *c)
{
	json_t *o = json_object();

	put(o, "executions", count(c->guest.executions));
	put(o, "old", count(c->guest.old_runs));
	put(o, "new", count(c->guest.new_runs));
	put(o, "other", count(c->guest.other_runs));
	put(o, "stale", count(c->guest.stale_runs));
	put(o, "transitions", count(c->guest.transitions));
	put(o, "traps", count(c->guest.traps));
	put(o, "pokes", count(c->guest.pokes));
	put(o, "nmis",
	    events_object(c->nmis_requested, c->nmis_sent, c->nmis_coalesced, c->guest.nmis));
	put(o, "ipis",
	    events_object(c->ipis_requested, c->ipis_sent, c->ipis_coalesced, c->guest.ipis));
	return o;
}

/* As the guest recorded it. Addresses and values need not fit a JSON integer. */
static json_t *event_object(const struct cm_event *ev)
{
	json_t *o = json_object();

	put(o, "kind", json_integer(ev->kind));
	put(o, "site", json_integer(ev->site));
	put(o, "value", hexadecimal(ev->value));
	put(o, "pad", hexadecimal(ev->pad));
	put(o, "vector", count(ev->vector));
	put(o, "error", hexadecimal(ev->error));
	put(o, "ip", hexadecimal(ev->ip));
	put(o, "address", hexadecimal(ev->address));
	put(o, "promised", json_integer(ev->promised));
	put(o, "started", json_integer(ev->started));
	return o;
}

static json_t *violation_object(const struct violation *v)
{
	json_t *o = json_object();

	put(o, "kind", json_string(report_violation(v->kind)));
	put(o, "vcpu", json_integer(v->vcpu));
	put(o, "step", count(v->step));
	put(o, "text", text(v->text));
	put(o, "event", v->event.kind ? event_object(&v->event) : json_null());
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
	put(o, "end", json_string(ends[seen->end]));
	put(o, "stores", count(seen->stores));
	for (uint32_t i = 0; i < seen->vcpus; i++)
		append(counts, counts_object(&seen->cpu[i]));
	put(o, "counts", counts);
	for (uint32_t i = 0; i < seen->nviolations; i++)
		append(violations, violation_object(&seen->violation[i]));
	put(o, "violations", violations);
	for (unsigned int k = 0; k < VIOLATIONS; k++)
		put(totals, report_violation((enum violation_kind)k), count(seen->total[k]));
	put(o, "totals", totals);
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
	put(o, "estimate", fraction(1e6 * (double)k / (double)n));
	put(o, "low", fraction(1e6 * low));
	put(o, "high", fraction(1e6 * high));
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
			append(list, json_string(report_violation((enum violation_kind)k)));
	return list;
}

static json_t *schedule_text(const struct schedule *s)
{
	char *encoded = schedule_encode(s);
	json_t *json = json_string(encoded);

	free(encoded);
	return json;
}

json_t *report_date(void)
{
	time_t now = time(NULL);
	char buf[32];
	struct tm tm;

	if (!gmtime_r(&now, &tm) || !strftime(buf, sizeof(buf), "%Y-%m-%dT%H:%M:%SZ", &tm))
		return json_null();
	return json_string(buf);
}

/* In its own file a result is named without the directory, which the file may leave. */
static json_t *own_name(const struct result *r)
{
	const char *slash = strrchr(r->path, '/');

	return replayable(r) ? text_or_null(slash ? slash + 1 : r->path) : json_null();
}

json_t *report_text(const char *s)
{
	return text(s);
}

json_t *report_object(const struct result *r)
{
	const struct scenario *s = r->scenario;
	json_t *o = json_object();

	put(o, "format", json_string(REPORT_FORMAT));
	put_identity(o, r);
	put(o, "why", text_or_null(s->why));
	put(o, "source", text_or_null(s->source));
	put_outcome(o, r);
	report_put_guest(o, r->image);
	put_roles(o, s);
	if (stepped(r))
		put_stepped_limits(o, s);
	else
		put_free_limits(o, &s->free);
	put_seen(o, &r->observation);
	if (s->method == METHOD_EXPLORE) {
		put(o, "memory", count(r->observation.memory));
		put(o, "coverage", report_coverage_json(r));
		put(o, "reachable", kinds_reached(&r->observation));
	}
	if (!stepped(r)) {
		put(o, "torn_ppm", torn_ppm(&r->observation));
		report_put_free(o, &r->observation);
	}
	put(o, "schedule",
	    stepped(r) && r->schedule.count ? schedule_text(&r->schedule) : json_null());
	put(o, "digest", text_or_null(r->observation.digest));
	report_put_host(o, r->host);
	put(o, "witness", own_name(r));
	put(o, "scenario_path", text(s->path));
	put(o, "scenario_text", text(s->text));
	put(o, "seconds", fraction(r->observation.seconds));
	put(o, "date", report_date());
	return o;
}

char *report_document(const struct result *r)
{
	return dump(report_object(r), JSON_INDENT(2));
}
