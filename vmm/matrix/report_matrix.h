/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * report_matrix.h - the matrix for programs (JSON), for a README (Markdown) and
 * for a browser (one HTML page). Reads it, changes nothing.
 */
#ifndef CROSSMOD_REPORT_MATRIX_H
#define CROSSMOD_REPORT_MATRIX_H

#include <stdio.h>

#include "matrix/matrix.h"

/* "format" of matrix.json. */
#define REPORT_MATRIX_FORMAT "crossmod-matrix-1"

/*
 * matrix.json, matrix.md and matrix.html into (dir), which is made if it is
 * missing, each by a temporary name. Cells that are not done are null, "-".
 * ERR_HOST; what was written before stays.
 */
bool report_matrix_write(const struct matrix *m, const char *dir, struct err *e);

/* The document, two blanks an indent. Heap string; the caller frees it. */
char *report_matrix_json(const struct matrix *m);

/* A row for each protocol, number of vCPUs and NMI budget; then where it was measured. */
void report_matrix_markdown(FILE *out, const struct matrix *m);

/* A page of its own: needs no network; links to the witnesses beside it. */
void report_matrix_html(FILE *out, const struct matrix *m);

#endif
