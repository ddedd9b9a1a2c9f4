// SPDX-License-Identifier: BSD-2-Clause
/*
 * report_sweep_text.c - a sweep as a table, as CSV, and what has to be known
 * beside it. Owns the wording. Out of memory ends the program, as in report_json.c.
 */
#include "sweep/report_sweep.h"

#include <assert.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "run/injector.h"
#include "report/report.h"
#include "report/report_json.h"

const char *report_sweep_name(const struct sweep *s, uint32_t curve)
{
	const struct scenario *own = s->curve[curve].scenario;
	const char *slash = strrchr(own->name, '/');

	for (uint32_t c = 0; c < s->ncurves; c++)
		if (c != curve && !strcmp(s->curve[c].scenario->protocol_name, own->protocol_name))
			return slash ? slash + 1 : own->name;
	return own->protocol_name;
}

/* ---- knee ---- */

const char *report_sweep_knee(const struct sweep_knee *k, char *buf, size_t size)
{
	switch (k->kind) {
	case KNEE_NONE:
		snprintf(buf, size, "half or more up to %.3g/s", k->from);
		break;
	case KNEE_BELOW:
		snprintf(buf, size, "below half already at %.3g/s", k->to);
		break;
	case KNEE_AT:
		snprintf(buf, size, "below half from %.3g/s on (between %.3g and %.3g)", k->rate,
			 k->from, k->to);
		break;
	default:
		snprintf(buf, size, "unknown: not enough points");
	}
	return buf;
}

/* Those of the single repeats, where they have one; "" when fewer than two do. */
static const char *knees_of_repeats(const struct sweep *s, uint32_t curve, char *buf, size_t size)
{
	double low = NAN, high = NAN;
	uint32_t n = 0;

	for (uint32_t k = 0; k < s->repeat; k++) {
		struct sweep_knee once = sweep_knee_once(s, curve, k);

		if (once.kind != KNEE_AT)
			continue;
		n++;
		low = fmin(low, once.rate);
		high = fmax(high, once.rate);
	}
	*buf = '\0';
	if (n > 1)
		snprintf(buf, size, "; of %u of %u repeats: %.3g to %.3g", n, s->repeat, low, high);
	return buf;
}

/* ---- notes ---- */

static void note(struct sweep_notes *n, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void note(struct sweep_notes *n, const char *fmt, ...)
{
	char **grown = realloc(n->text, (n->count + 1) * sizeof(*grown));
	va_list ap;

	assert(grown);
	n->text = grown;
	va_start(ap, fmt);
	if (vasprintf(&n->text[n->count], fmt, ap) < 0)
		assert(!"memory for a report");
	va_end(ap);
	n->count++;
}

void report_sweep_free_notes(struct sweep_notes *notes)
{
	for (size_t i = 0; i < notes->count; i++)
		free(notes->text[i]);
	free(notes->text);
	*notes = (struct sweep_notes){ 0 };
}

static void note_placement(struct sweep_notes *n, const struct sweep_report *r)
{
	const struct sweep *s = r->sweep;
	uint32_t most = 0, sharing = 0, cores = r->host->cores;
	bool cpl0 = false;

	for (uint32_t i = 0; i < s->ncurves; i++) {
		const struct scenario *c = s->curve[i].scenario;

		most = c->vcpus > most ? c->vcpus : most;
		sharing += !injector_has_processor(cores, c->vcpus);
		cpl0 |= c->patcher_cpl == 0;
	}
	if (most > cores)
		note(n,
		     "%u vCPUs outnumber the %u processors: they take turns, so the times are the "
		     "host's scheduler's as well",
		     most, cores);
	if (sharing)
		note(n,
		     "the injector has no processor of its own (%u for %u vCPUs and it): it shares "
		     "that of the last vCPU it sends to, and sleeps until an event is due without "
		     "spinning",
		     cores, most);
	if (r->host->quirks_known && r->host->quirks.cpl0_emulated && cpl0)
		note(n,
		     "guest code at CPL0 runs in KVM's emulator here, %.0f ns an instruction: the "
		     "times of patches, which are made at CPL0, are about the emulator, and only the "
		     "executors at CPL3 run on the processor",
		     r->host->quirks.cpl0_ns);
}

/* The highest rates are what the host did, whatever was asked for. */
static void note_delivery(struct sweep_notes *n, const struct sweep *s)
{
	for (uint32_t c = 0; c < s->ncurves; c++) {
		uint32_t last = s->nrates - 1;
		double got = sweep_interval(s, c, last, SWEEP_DELIVERED).median;

		if (got < 0.9 * s->rate[last])
			note(n,
			     "%s: of %.6g NMIs a second and vCPU requested %.3g were delivered; the "
			     "figures are at the delivered rate",
			     s->curve[c].scenario->name, s->rate[last], got);
	}
}

static void note_runs(struct sweep_notes *n, const struct sweep *s)
{
	for (uint32_t c = 0; c < s->ncurves; c++) {
		const struct sweep_run *cut = NULL, *unexpected = NULL;
		uint32_t ncut = 0, nunexpected = 0, untimed = 0, done = 0;

		for (uint32_t i = 0; i < s->nrates * s->repeat; i++) {
			const struct sweep_run *r =
				sweep_run_at(s, c, i / s->repeat, i % s->repeat);

			done += r->done;
			untimed += r->done && r->patches && isnan(r->time_max);
			if (r->done && !r->whole && !ncut++)
				cut = r;
			if (r->done && !r->as_expected && !nunexpected++)
				unexpected = r;
		}
		if (cut)
			note(n, "%s: %u of %u runs ended early and are in no figure: %s: %s",
			     s->curve[c].scenario->name, ncut, done, verdict_name(cut->verdict),
			     cut->reason);
		if (untimed)
			note(n,
			     "%s: this KVM does not say how fast the guest's time stamp counter "
			     "ticks: there are no times, and no deadline is judged",
			     s->curve[c].scenario->name);
		if (unexpected)
			note(n, "%s: the verdict of %u of %u runs is not as expected: %s: %s",
			     s->curve[c].scenario->name, nunexpected, done,
			     verdict_name(unexpected->verdict), unexpected->reason);
	}
}

void report_sweep_notes(const struct sweep_report *r, struct sweep_notes *notes)
{
	*notes = (struct sweep_notes){ 0 };
	note(notes, "counts of what this host did at full speed, %u time%s %g s a point: no proof",
	     r->sweep->repeat, r->sweep->repeat == 1 ? "" : "s", r->sweep->seconds);
	note(notes,
	     "a deadline is missed when a patch takes longer than %g s: livelock in the sense of "
	     "this measurement, a bound on time; that it can go on for ever, only explore can say",
	     SWEEP_DEADLINE);
	note_placement(notes, r);
	note_delivery(notes, r->sweep);
	note_runs(notes, r->sweep);
}

/* ---- table ---- */

/* "1.23 ms"; "-" where there is none. */
static const char *duration(double seconds, char buf[16])
{
	if (isnan(seconds))
		return "-";
	if (seconds < 1e-3)
		snprintf(buf, 16, "%.3g us", seconds * 1e6);
	else if (seconds < 1)
		snprintf(buf, 16, "%.3g ms", seconds * 1e3);
	else
		snprintf(buf, 16, "%.3g s", seconds);
	return buf;
}

static const char *number(double x, char buf[16])
{
	if (isnan(x))
		return "-";
	snprintf(buf, 16, fabs(x) < 1e5 ? "%.3g" : "%.2e", x);
	if (fabs(x) >= 1000 && fabs(x) < 1e5)
		snprintf(buf, 16, "%.0f", x);
	return buf;
}

static void print_point(FILE *out, const struct sweep *s, uint32_t curve, uint32_t rate)
{
	struct sweep_interval progress = sweep_interval(s, curve, rate, SWEEP_PROGRESS);
	struct sweep_interval missed = sweep_interval(s, curve, rate, SWEEP_MISSED);
	char range[32] = "-", late[24] = "-", b[10][16];
	double m[SWEEP_METRICS];

	for (unsigned int i = 0; i < SWEEP_METRICS; i++)
		m[i] = sweep_interval(s, curve, rate, (enum sweep_metric)i).median;
	if (progress.n)
		snprintf(range, sizeof(range), "%.2f [%.2f, %.2f]", progress.median, progress.low,
			 progress.high);
	if (missed.n) {
		uint32_t n = 0;

		for (uint32_t k = 0; k < s->repeat; k++)
			n += sweep_value(s, curve, rate, k, SWEEP_MISSED) > 0;
		snprintf(late, sizeof(late), "%u of %u", n, missed.n);
	}
	fprintf(out, "%10.6g %10s %8s %19s %8s %6s %6s %8s %8s %8s %9s %8s %9s\n", s->rate[rate],
		number(m[SWEEP_DELIVERED], b[0]), number(m[SWEEP_PATCHES], b[1]), range,
		number(m[SWEEP_RETRIES_MEAN], b[2]), number(m[SWEEP_RETRIES_P99], b[3]),
		number(m[SWEEP_RETRIES_MAX], b[4]), duration(m[SWEEP_TIME_P50], b[5]),
		duration(m[SWEEP_TIME_P99], b[6]), duration(m[SWEEP_TIME_MAX], b[7]),
		number(m[SWEEP_EXECUTIONS], b[8]), late, duration(m[SWEEP_LATENESS_P99], b[9]));
}

void report_sweep_table(FILE *out, const struct sweep_report *r)
{
	const struct sweep *s = r->sweep;
	struct sweep_notes notes;

	for (uint32_t c = 0; c < s->ncurves; c++) {
		const struct scenario *scenario = s->curve[c].scenario;

		fprintf(out, "%s: %s%s\n", scenario->protocol_name, scenario->name,
			scenario->nmi_runs_site ? ", the NMI body runs the site" : "");
		fprintf(out, "%10s %10s %8s %19s %8s %6s %6s %8s %8s %8s %9s %8s %9s\n", "NMIs/s",
			"delivered", "patches", "progress", "retries", "p99", "max", "time p50",
			"p99", "max", "runs", "deadline", "injector");
		fprintf(out, "%10s %10s %8s %19s %8s %6s %6s %8s %8s %8s %9s %8s %9s\n", "asked",
			"/s", "/s", "against rate 0", "a patch", "", "", "a patch", "", "",
			"a patch", "missed", "late, p99");
		for (uint32_t i = 0; i < s->nrates; i++)
			print_point(out, s, c, i);
		fputc('\n', out);
	}
	for (uint32_t c = 0; c < s->ncurves; c++) {
		struct sweep_knee knee = sweep_knee(s, c);
		char words[120], repeats[120];

		fprintf(out, "knee: %s: %s%s\n", report_sweep_name(s, c),
			report_sweep_knee(&knee, words, sizeof(words)),
			knees_of_repeats(s, c, repeats, sizeof(repeats)));
	}
	report_sweep_notes(r, &notes);
	for (size_t i = 0; i < notes.count; i++)
		fprintf(out, "note: %s\n", notes.text[i]);
	report_sweep_free_notes(&notes);
}

/* ---- CSV ---- */

static void csv_run(FILE *out, const struct sweep *s, uint32_t curve, uint32_t rate,
		    uint32_t repeat)
{
	const struct sweep_run *r = sweep_run_at(s, curve, rate, repeat);

	if (!r->done)
		return;
	fprintf(out, "%s,%s,%.9g,%u,%s,%d", s->curve[curve].scenario->name,
		s->curve[curve].scenario->protocol_name, s->rate[rate], repeat,
		verdict_name(r->verdict), r->whole);
	for (unsigned int m = 0; m < SWEEP_METRICS; m++) {
		double value = sweep_value(s, curve, rate, repeat, (enum sweep_metric)m);

		if (isnan(value))
			fputc(',', out);
		else
			fprintf(out, ",%.9g", value);
	}
	fputc('\n', out);
}

static void print_csv(FILE *out, const struct sweep *s)
{
	fprintf(out, "scenario,protocol,rate,repeat,verdict,whole");
	for (unsigned int m = 0; m < SWEEP_METRICS; m++)
		fprintf(out, ",%s", sweep_metric_name((enum sweep_metric)m));
	fputc('\n', out);
	for (uint32_t c = 0; c < s->ncurves; c++)
		for (uint32_t i = 0; i < s->nrates; i++)
			for (uint32_t k = 0; k < s->repeat; k++)
				csv_run(out, s, c, i, k);
}

bool report_sweep_csv(const struct sweep_report *r, const char *dir, struct err *e)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);
	bool ok;

	assert(out);
	print_csv(out, r->sweep);
	ok = !fclose(out);
	assert(ok);
	text[size - 1] = '\0'; /* the newline at its end is added anew */
	ok = report_write_text(dir, "sweep.csv", text, e);
	free(text);
	return ok;
}
