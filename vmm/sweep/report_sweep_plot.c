// SPDX-License-Identifier: BSD-2-Clause
/*
 * report_sweep_plot.c - the picture of a sweep as a gnuplot script: three
 * panels over the delivered rate, a curve a protocol. Owns how it looks; what
 * runs the script is plot.c's.
 *
 * On a logarithmic axis there is no 0. What is 0, or less than the axis shows,
 * is drawn at its lower end, which is labelled so.
 */
#include "sweep/report_sweep.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

struct axis {
	double low, high; /* of the values above 0 */
};

struct panel {
	enum sweep_metric metric, tail; /* (tail): drawn dashed; SWEEP_METRICS: none */
	const char *title, *label;
	double scale; /* of a value to the label's unit */
	double least; /* the axis does not begin above this, nor end below (most); 0: no matter */
	double most;
	const char *more; /* gnuplot's, before the curves */
};

static const struct panel panels[] = {
	{ SWEEP_RETRIES_MEAN, SWEEP_RETRIES_MAX,
	  "Retries per patch: mean (solid), largest of a run (dashed)", "retries per patch", 1,
	  0.01, 10, "" },
	{ SWEEP_TIME_P50, SWEEP_TIME_P99,
	  "Time per patch: median (solid), 99th percentile (dashed)", "time per patch (ms)", 1e3, 0,
	  0, "" },
	{ SWEEP_PROGRESS, SWEEP_METRICS, "Forward progress: patches per second against rate 0",
	  "progress (1 = as without NMIs)", 1, 0.01, 2,
	  "set arrow 1 from graph 0, first 0.5 to graph 1, first 0.5 nohead dt 3 lc rgb '#808080'\n"
	  "set label 1 'half: the knee' at graph 0.99, first 0.5 right offset 0,0.6 font ',9' textcolor "
	  "rgb '#808080'\n" },
};
#define NPANELS (sizeof(panels) / sizeof(panels[0]))

/* Distinguishable for the colour-blind too (Okabe and Ito, 2008). */
static const char *const colours[] = {
	"#d55e00", "#0072b2", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000", "#7f7f7f",
};

static void widen(struct axis *a, double value)
{
	if (!(value > 0))
		return;
	a->low = fmin(a->low, value);
	a->high = fmax(a->high, value);
}

static struct axis axis_of(const struct sweep *s, enum sweep_metric metric, enum sweep_metric tail)
{
	struct axis a = { INFINITY, 0 };

	for (uint32_t c = 0; c < s->ncurves; c++)
		for (uint32_t i = 0; i < s->nrates; i++) {
			struct sweep_interval v = sweep_interval(s, c, i, metric);

			widen(&a, v.median);
			widen(&a, v.low);
			widen(&a, v.high);
			if (tail < SWEEP_METRICS)
				widen(&a, sweep_interval(s, c, i, tail).median);
		}
	return a;
}

/* Whole powers of ten around what is there; (low) is where 0 is drawn, a decade below. */
static struct axis decades(struct axis a, double scale, double least, double most)
{
	if (!a.high)
		a.low = a.high = 1 / scale;
	a.low *= scale;
	a.high *= scale;
	if (least > 0)
		a.low = fmin(a.low, least);
	a.high = fmax(a.high, most);
	a.low = pow(10, floor(log10(a.low) + 1e-9));
	a.high = most == 2 ? fmax(a.high, 2) : pow(10, ceil(log10(a.high) - 1e-9));
	if (a.high <= a.low)
		a.high = 10 * a.low;
	return a;
}

static double shown(double value, double floor)
{
	return value > floor ? value : floor;
}

/* x, its low and high, y, its low and high, the tail's y: a point a line. */
static void print_data(FILE *out, const struct sweep *s, uint32_t panel, uint32_t curve,
		       double zero_x, double zero_y)
{
	const struct panel *p = &panels[panel];

	fprintf(out, "$p%uc%u << EOD\n", panel, curve);
	for (uint32_t i = 0; i < s->nrates; i++) {
		struct sweep_interval x = sweep_interval(s, curve, i, SWEEP_DELIVERED);
		struct sweep_interval y = sweep_interval(s, curve, i, p->metric);
		struct sweep_interval tail = y;

		if (p->tail < SWEEP_METRICS)
			tail = sweep_interval(s, curve, i, p->tail);
		if (!x.n || !y.n)
			continue;
		fprintf(out, "%.6g %.6g %.6g %.6g %.6g %.6g %.6g\n", shown(x.median, zero_x),
			shown(x.low, zero_x), shown(x.high, zero_x),
			shown(y.median * p->scale, zero_y), shown(y.low * p->scale, zero_y),
			shown(y.high * p->scale, zero_y), shown(tail.median * p->scale, zero_y));
	}
	fprintf(out, "EOD\n");
}

static bool has_points(const struct sweep *s, uint32_t curve, enum sweep_metric metric)
{
	for (uint32_t i = 0; i < s->nrates; i++)
		if (sweep_interval(s, curve, i, SWEEP_DELIVERED).n &&
		    sweep_interval(s, curve, i, metric).n)
			return true;
	return false;
}

static bool is_empty(const struct sweep *s, const struct panel *p)
{
	for (uint32_t c = 0; c < s->ncurves; c++)
		if (has_points(s, c, p->metric))
			return false;
	return true;
}

/* Without what would end a string of gnuplot's. */
static const char *name_of(const struct sweep *s, uint32_t curve, char buf[64])
{
	snprintf(buf, 64, "%s", report_sweep_name(s, curve));
	for (char *p = buf; *p; p++)
		if (*p == '\'' || *p == '\\' || (unsigned char)*p < ' ' || (unsigned char)*p > '~')
			*p = '?';
	return buf;
}

static void print_curves(FILE *out, const struct sweep *s, uint32_t panel)
{
	const char *comma = "plot";
	size_t ncolours = sizeof(colours) / sizeof(colours[0]);

	for (uint32_t c = 0; c < s->ncurves; c++) {
		const char *colour = colours[c % ncolours];
		char name[64];

		if (!has_points(s, c, panels[panel].metric))
			continue;
		fprintf(out,
			"%s $p%uc%u using 1:4:2:3:5:6 with xyerrorbars lc rgb '%s' pt %u ps 0.9 "
			"notitle, $p%uc%u using 1:4 with linespoints lc rgb '%s' lw 2 pt %u ps 0.9 "
			"title '%s'",
			comma, panel, c, colour, 4 + c, panel, c, colour, 4 + c,
			name_of(s, c, name));
		if (panels[panel].tail < SWEEP_METRICS)
			fprintf(out, ", $p%uc%u using 1:7 with lines lc rgb '%s' dt 2 notitle",
				panel, c, colour);
		comma = ", \\\n";
	}
	fprintf(out, "\n");
}

static void print_panel(FILE *out, const struct sweep *s, uint32_t panel, bool first, double zero_x)
{
	const struct panel *p = &panels[panel];
	struct axis y = decades(axis_of(s, p->metric, p->tail), p->scale, p->least, p->most);
	double height = 0.245, top = 0.91 - panel * 0.3;

	for (uint32_t c = 0; c < s->ncurves; c++)
		if (has_points(s, c, p->metric))
			print_data(out, s, panel, c, zero_x, y.low);
	fprintf(out, "set tmargin at screen %.3f\nset bmargin at screen %.3f\n", top, top - height);
	fprintf(out, "set title \"%s\" offset 0,-0.6\nset ylabel \"%s\"\n", p->title, p->label);
	fprintf(out, "set yrange [%.6g:%.6g]\nset ytics autofreq\n", y.low, y.high);
	if (p->least > 0)
		fprintf(out, "set ytics add (\"0\" %.6g)\n", y.low);
	fprintf(out, panel + 1 < NPANELS ? "unset xlabel\n" :
					   "set xlabel \"NMIs delivered to a vCPU, a second\"\n");
	/* One key for all, above the first panel, where no curve can be. */
	if (!first)
		fprintf(out, "set key off\n");
	else
		fprintf(out, "set key at screen 0.54, screen 0.985 center top horizontal maxcols 3 "
			     "samplen 2\n");
	fprintf(out, "%s", p->more);
	print_curves(out, s, panel);
}

char *report_sweep_plot(const struct sweep_report *r)
{
	const struct sweep *s = r->sweep;
	struct axis x = axis_of(s, SWEEP_DELIVERED, SWEEP_METRICS);
	char *text = NULL;
	size_t size = 0;
	FILE *out;
	bool any = false;

	for (size_t p = 0; p < NPANELS; p++)
		any |= !is_empty(s, &panels[p]);
	if (!any)
		return NULL;
	any = false;
	out = open_memstream(&text, &size);
	assert(out);
	if (!x.high)
		x.low = x.high = 1;
	/* Rate 0 stands where a power of ten would, well left of the lowest other one. */
	x.low = pow(10, floor(log10(x.low / 2)));
	x.high *= 1.5;
	fprintf(out,
		"set multiplot\nset lmargin at screen 0.11\nset rmargin at screen 0.97\n"
		"set logscale xy\nset grid xtics ytics lt 1 lc rgb '#d8d8d8' lw 0.6\nset tics nomirror\n"
		"set border 3\nset format x '%%.0s%%c'\nset format y '%%g'\n"
		"set xrange [%.6g:%.6g]\nset xtics add (\"0\" %.6g)\n",
		x.low * 0.9, x.high, x.low);
	for (uint32_t p = 0; p < NPANELS; p++)
		if (!is_empty(s, &panels[p])) {
			print_panel(out, s, p, !any, x.low);
			any = true;
		}
	fprintf(out, "unset multiplot\n");
	if (fclose(out))
		assert(!"memory for a report");
	return text;
}
