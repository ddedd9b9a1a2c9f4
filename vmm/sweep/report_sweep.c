// SPDX-License-Identifier: BSD-2-Clause
/*
 * report_sweep.c - a sweep as JSON, and back. Owns the members and their order.
 * Out of memory ends the program, as in report_json.c.
 */
#include "sweep/report_sweep.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/jnode.h"
#include "image/isa.h"
#include "report/report.h"
#include "report/report_json.h"

/* ---- a run ---- */

/* What is measured, for the writer and the reader alike. */
static const struct {
	const char *name;
	enum { COUNT, REAL, TRUTH } type;
	size_t offset;
} members[] = {
#define MEMBER(type, name)                                    \
	{                                                     \
#name, type, offsetof(struct sweep_run, name) \
	}
	MEMBER(TRUTH, whole),	    MEMBER(REAL, seconds),	   MEMBER(COUNT, nmis_requested),
	MEMBER(COUNT, nmis_sent),   MEMBER(COUNT, nmis_delivered), MEMBER(COUNT, nmis_coalesced),
	MEMBER(COUNT, patches),	    MEMBER(COUNT, executions),	   MEMBER(COUNT, traps),
	MEMBER(REAL, retries_mean), MEMBER(REAL, retries_p50),	   MEMBER(REAL, retries_p99),
	MEMBER(REAL, retries_max),  MEMBER(REAL, time_p50),	   MEMBER(REAL, time_p99),
	MEMBER(REAL, time_max),	    MEMBER(REAL, lateness_p50),	   MEMBER(REAL, lateness_p99),
	MEMBER(REAL, lateness_max), MEMBER(TRUTH, missed),	   MEMBER(TRUTH, as_expected),
#undef MEMBER
};
#define NMEMBERS (sizeof(members) / sizeof(members[0]))

static json_t *run_json(const struct sweep_run *r)
{
	json_t *o;

	if (!r->done)
		return json_null();
	o = json_object();
	for (size_t i = 0; i < NMEMBERS; i++) {
		const void *at = (const char *)r + members[i].offset;
		json_t *value = members[i].type == COUNT ?
					json_integer((json_int_t) * (const uint64_t *)at) :
				members[i].type == REAL ? report_number(*(const double *)at) :
							  json_boolean(*(const bool *)at);

		report_put(o, members[i].name, value);
	}
	report_put(o, "verdict", json_string(verdict_name(r->verdict)));
	report_put(o, "reason", report_text(r->reason));
	return o;
}

static bool read_member(const struct jnode *n, int type, void *at)
{
	if (type == COUNT)
		return jnode_u64(n, 0, INT64_MAX, at);
	if (type == TRUTH)
		return jnode_bool(n, at);
	*(double *)at = NAN;
	return json_is_null(n->json) || jnode_real(n, 0, 1e18, at);
}

static bool read_run(const struct jnode *n, struct sweep_run *r)
{
	struct jnode member;
	char *text = NULL;

	memset(r, 0, sizeof(*r));
	if (json_is_null(n->json))
		return true;
	if (!json_is_object(n->json))
		return jnode_fail(n, "expected an object or null, found %s", jnode_type(n));
	for (size_t i = 0; i < NMEMBERS; i++)
		if (!jnode_require(n, members[i].name, &member) ||
		    !read_member(&member, members[i].type, (char *)r + members[i].offset))
			return false;
	if (!jnode_require(n, "verdict", &member) || !jnode_string(&member, &text))
		return false;
	r->done = verdict_parse(text, &r->verdict);
	free(text);
	if (!r->done)
		return jnode_fail(&member, "not a verdict");
	if (!jnode_need_string(n, "reason", &text))
		return false;
	snprintf(r->reason, sizeof(r->reason), "%s", text);
	free(text);
	return true;
}

/* ---- what is swept ---- */

static json_t *host_identity(const struct host *h)
{
	json_t *o = json_object();

	report_put(o, "cpu", report_text(h->cpu));
	report_put(o, "kernel", report_text(h->kernel));
	report_put(o, "kvm", report_text(h->kvm_module));
	report_put(o, "cores", json_integer(h->cores));
	return o;
}

/* All that two parts of one sweep must have in common. */
static json_t *config(const struct sweep_report *r)
{
	const struct sweep *s = r->sweep;
	json_t *o = json_object(), *rates = json_array(), *curves = json_array();

	for (uint32_t i = 0; i < s->nrates; i++)
		report_append(rates, json_real(s->rate[i]));
	for (uint32_t i = 0; i < s->ncurves; i++) {
		json_t *curve = json_object();

		report_put(curve, "scenario", report_text(s->curve[i].scenario->name));
		report_put(curve, "targets", report_vcpus(s->curve[i].targets));
		report_put(curve, "text", report_text(s->curve[i].scenario->text));
		report_append(curves, curve);
	}
	report_put(o, "seconds", json_real(s->seconds));
	report_put(o, "repeat", json_integer(s->repeat));
	report_put(o, "rates", rates);
	report_put(o, "distribution", json_string(distribution_name(s->distribution)));
	report_put(o, "deadline_seconds", json_real(SWEEP_DEADLINE));
	report_put(o, "guest", report_text(r->image->digest));
	report_put(o, "host", host_identity(r->host));
	report_put(o, "curves", curves);
	return o;
}

/* ---- what follows ---- */

static json_t *intervals(const struct sweep *s, uint32_t curve, uint32_t rate)
{
	json_t *o = json_object();

	for (unsigned int m = 0; m < SWEEP_METRICS; m++) {
		struct sweep_interval i = sweep_interval(s, curve, rate, (enum sweep_metric)m);
		json_t *value = json_null();

		if (i.n) {
			value = json_object();
			report_put(value, "median", json_real(i.median));
			report_put(value, "low", json_real(i.low));
			report_put(value, "high", json_real(i.high));
			report_put(value, "n", json_integer(i.n));
		}
		report_put(o, sweep_metric_name((enum sweep_metric)m), value);
	}
	return o;
}

static json_t *knee_json(const struct sweep_knee *k)
{
	static const char *const kinds[] = {
		[KNEE_UNKNOWN] = "unknown",
		[KNEE_NONE] = "none",
		[KNEE_BELOW] = "below",
		[KNEE_AT] = "at",
	};
	json_t *o = json_object();
	char words[120];

	report_put(o, "kind", json_string(kinds[k->kind]));
	report_put(o, "rate", report_number(k->rate));
	report_put(o, "from", report_number(k->from));
	report_put(o, "to", report_number(k->to));
	report_put(o, "words", json_string(report_sweep_knee(k, words, sizeof(words))));
	return o;
}

static json_t *curve_json(const struct sweep *s, uint32_t curve)
{
	const struct scenario *scenario = s->curve[curve].scenario;
	json_t *o = json_object(), *points = json_array(), *knees = json_array();
	struct sweep_knee knee = sweep_knee(s, curve);
	char sites[256];

	for (uint32_t i = 0; i < s->nrates; i++) {
		json_t *point = json_object(), *runs = json_array();

		for (uint32_t k = 0; k < s->repeat; k++)
			report_append(runs, run_json(sweep_run_at(s, curve, i, k)));
		report_put(point, "rate", json_real(s->rate[i]));
		report_put(point, "intervals", intervals(s, curve, i));
		report_put(point, "runs", runs);
		report_append(points, point);
	}
	for (uint32_t k = 0; k < s->repeat; k++) {
		struct sweep_knee once = sweep_knee_once(s, curve, k);

		report_append(knees, knee_json(&once));
	}
	report_put(o, "scenario", report_text(scenario->name));
	report_put(o, "protocol", report_text(scenario->protocol_name));
	report_put(o, "site", report_text(report_sites(scenario, sites, sizeof(sites))));
	report_put(o, "vcpus", json_integer(scenario->vcpus));
	report_put(o, "patcher_cpl", json_integer(scenario->patcher_cpl));
	report_put(o, "executor_cpl", json_integer(scenario->executor_cpl));
	report_put(o, "nmi_runs_site", json_boolean(scenario->nmi_runs_site));
	report_put(o, "nmi_latch", json_boolean(scenario->nmi_latch));
	report_put(o, "targets", report_vcpus(s->curve[curve].targets));
	report_put(o, "knee", knee_json(&knee));
	report_put(o, "knees", knees);
	report_put(o, "points", points);
	return o;
}

char *report_sweep_json(const struct sweep_report *r)
{
	json_t *o = json_object(), *curves = json_array(), *notes = json_array();
	const struct sweep *s = r->sweep;
	struct sweep_notes list;

	report_sweep_notes(r, &list);
	for (size_t i = 0; i < list.count; i++)
		report_append(notes, report_text(list.text[i]));
	report_sweep_free_notes(&list);
	for (uint32_t i = 0; i < s->ncurves; i++)
		report_append(curves, curve_json(s, i));
	report_put(o, "format", json_string(REPORT_SWEEP_FORMAT));
	report_put(o, "complete", json_boolean(sweep_done(s) == sweep_runs(s)));
	report_put(o, "runs", json_integer(sweep_runs(s)));
	report_put(o, "runs_done", json_integer(sweep_done(s)));
	report_put(o, "notes", notes);
	report_put_host(o, r->host);
	report_put_guest(o, r->image);
	if (isa_is_arm(r->image->abi.isa))
		report_put_events(o, r->irqchip);
	report_put(o, "config", config(r));
	report_put(o, "curves", curves);
	report_put(o, "date", report_date());
	return report_indented(o);
}

bool report_sweep_keep(const struct sweep_report *r, const char *dir, struct err *e)
{
	char *text = report_sweep_json(r);
	bool ok = report_write_text(dir, "sweep.json", text, e);

	free(text);
	return ok;
}

/* ---- and back ---- */

/* (want) as it would be in a file. */
static json_t *as_written(json_t *want)
{
	char *text = json_dumps(want, REPORT_PRECISION);
	json_t *copy = text ? json_loads(text, 0, NULL) : NULL;

	assert(copy);
	free(text);
	json_decref(want);
	return copy;
}

static bool differs(const struct jnode *n, const json_t *want)
{
	char *has = json_dumps(n->json, JSON_ENCODE_ANY | JSON_COMPACT | REPORT_PRECISION);
	char *wants = json_dumps(want, JSON_ENCODE_ANY | JSON_COMPACT | REPORT_PRECISION);

	assert(has && wants);
	jnode_fail(n,
		   "%.100s, but this sweep has %.100s: --resume goes on with the same sweep only",
		   has, wants);
	free(has);
	free(wants);
	return false;
}

/* The first member that is not as (want) has it is the failure. */
static bool same(const struct jnode *n, json_t *want)
{
	const char *key;
	json_t *value;
	size_t i;

	if (json_is_object(n->json) && json_is_object(want)) {
		json_object_foreach (want, key, value) {
			struct jnode child;

			if (!jnode_require(n, key, &child) || !same(&child, value))
				return false;
		}
		return true;
	}
	if (json_is_array(n->json) && json_is_array(want) &&
	    json_array_size(n->json) == json_array_size(want)) {
		json_array_foreach (want, i, value) {
			struct jnode child = jnode_item(n, i);

			if (!same(&child, value))
				return false;
		}
		return true;
	}
	return json_equal(n->json, want) || differs(n, want);
}

static bool require_list(const struct jnode *object, const char *key, uint32_t count,
			 struct jnode *list)
{
	size_t n;

	return jnode_require(object, key, list) && jnode_array(list, count, count, &n);
}

static bool read_runs(const struct jnode *root, struct sweep *s)
{
	struct jnode curves, points, runs;

	if (!require_list(root, "curves", s->ncurves, &curves))
		return false;
	for (uint32_t c = 0; c < s->ncurves; c++) {
		struct jnode curve = jnode_item(&curves, c);

		if (!require_list(&curve, "points", s->nrates, &points))
			return false;
		for (uint32_t i = 0; i < s->nrates; i++) {
			struct jnode point = jnode_item(&points, i);

			if (!require_list(&point, "runs", s->repeat, &runs))
				return false;
			for (uint32_t k = 0; k < s->repeat; k++) {
				struct jnode run = jnode_item(&runs, k);

				if (!read_run(&run, sweep_run_at(s, c, i, k)))
					return false;
			}
		}
	}
	return true;
}

static bool read_sweep(const struct jnode *root, const struct sweep_report *r)
{
	json_t *want = as_written(config(r));
	struct jnode n;
	bool ok = jnode_format(root, REPORT_SWEEP_FORMAT) && jnode_require(root, "config", &n) &&
		  same(&n, want) && read_runs(root, r->sweep);

	json_decref(want);
	return ok;
}

static void forget_runs(struct sweep *s)
{
	memset(s->run, 0, sweep_runs(s) * sizeof(*s->run));
}

bool report_sweep_resume(const struct sweep_report *r, const char *dir, struct err *e)
{
	char path[PATH_MAX];
	struct jnode root;
	bool ok;

	forget_runs(r->sweep);
	if (snprintf(path, sizeof(path), "%s/sweep.json", dir) >= (int)sizeof(path))
		return err_sys(e, ENAMETOOLONG, "%.100s...", dir);
	if (!jnode_open(&root, path, e))
		return err_prefix(e, "--resume: ");
	ok = read_sweep(&root, r);
	json_decref(root.json);
	if (!ok)
		forget_runs(r->sweep);
	return ok;
}
