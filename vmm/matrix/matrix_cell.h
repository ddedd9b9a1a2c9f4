/* SPDX-License-Identifier: BSD-2-Clause */
/* matrix_cell.h - one cell of the matrix, explored on the machine; its result written. */
#ifndef CROSSMOD_MATRIX_CELL_H
#define CROSSMOD_MATRIX_CELL_H

#include "matrix/matrix.h"
#include "run/result.h"
#include "explore/search.h"

struct matrix_lab {
	const struct matrix *matrix;
	struct host *host; /* quirks are filled in */
	const char *dir;
	/* Called as explore_run() does, with the cell's name. */
	bool (*progress)(void *name, const struct search_progress *p);
	bool lines; /* the cells get their JSON lines */
};

/* Seconds on the clock that durations are measured with, and: has the user asked to stop? */
double matrix_lab_now(void *lab);
bool matrix_lab_stopped(void *lab);

/*
 * Explore (c) within (seconds), write its result to the directory and fill in
 * what came of it. Interrupted, it stays as it was. A matrix_runner's.
 */
bool matrix_lab_run(void *lab, struct matrix_cell *c, double seconds, struct err *e);

#endif
