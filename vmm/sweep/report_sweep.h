/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * report_sweep.h - a sweep for programs (JSON, CSV), for people (a table, and
 * what has to be known beside it) and as a picture; and read back, to go on
 * with it. Reads it, changes nothing else.
 */
#ifndef CROSSMOD_REPORT_SWEEP_H
#define CROSSMOD_REPORT_SWEEP_H

#include <stdbool.h>
#include <stdio.h>

#include "base/err.h"
#include "vm/host.h"
#include "image/image.h"
#include "sweep/sweep.h"

/* "format" of sweep.json. */
#define REPORT_SWEEP_FORMAT "crossmod-sweep-1"

struct sweep_report {
	struct sweep *sweep;
	const struct image *image;
	const struct host *host;
	enum cm_irqchip irqchip; /* what NMIs came by */
};

/* The document, two blanks an indent: every run, and what follows. Heap string, the caller's. */
char *report_sweep_json(const struct sweep_report *r);

/* sweep.json into (dir), which is made if it is missing, by a temporary name. */
bool report_sweep_keep(const struct sweep_report *r, const char *dir, struct err *e);

/*
 * The runs of <dir>/sweep.json into the sweep. ERR_INPUT names the file and
 * the member at fault: damaged, or of a sweep with other scenarios, rates,
 * repeats, seconds, targets, another guest image or host. Then no run is set.
 */
bool report_sweep_resume(const struct sweep_report *r, const char *dir, struct err *e);

/* sweep.csv into (dir): a line a run, with every metric; empty where there is none. */
bool report_sweep_csv(const struct sweep_report *r, const char *dir, struct err *e);

/* Medians a point, the knees, then the notes. */
void report_sweep_table(FILE *out, const struct sweep_report *r);

/* What has to be known to read the figures, a sentence each. Freed by report_sweep_free_notes(). */
struct sweep_notes {
	char **text;
	size_t count;
};
void report_sweep_notes(const struct sweep_report *r, struct sweep_notes *notes);
void report_sweep_free_notes(struct sweep_notes *notes);

/* What (curve) is called: its protocol or, where another has the same, the scenario's last name. */
const char *report_sweep_name(const struct sweep *s, uint32_t curve);

/* "below half from 5230/s on (between 3980 and 7940)" into (buf), which is returned. */
const char *report_sweep_knee(const struct sweep_knee *k, char *buf, size_t size);

/*
 * The script for plot_draw(): retries, time and progress against the delivered
 * rate. Heap string, the caller's; NULL when no point has been measured.
 */
char *report_sweep_plot(const struct sweep_report *r);

#endif
