/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * report_survey.h - a survey for programs (JSON, CSV), as a picture and in
 * words; and two of them side by side. Reads it, changes nothing.
 */
#ifndef CROSSMOD_REPORT_SURVEY_H
#define CROSSMOD_REPORT_SURVEY_H

#include <stdio.h>

#include "survey/survey.h"

/* "format" of survey.json. */
#define REPORT_SURVEY_FORMAT "crossmod-survey-1"

/*
 * survey.json, survey.csv, survey.txt and survey.svg into (dir), which is made
 * if it is missing, each by a temporary name. Without gnuplot there is no
 * picture, and standard error says so. ERR_HOST; what was written before stays.
 */
bool report_survey_write(const struct survey *s, const char *dir, struct err *e);

/* The document, one line a cell. Heap string; the caller frees it. */
char *report_survey_json(const struct survey *s);

/* A line for each cell of SURVEY_TEAR and side; units are in the names of the columns. */
void report_survey_csv(FILE *out, const struct survey *s);

/* What the silicon did, and what that does not prove. */
void report_survey_text(FILE *out, const struct survey *s);

/* The heat map as a gnuplot script, and its size in pixels. Heap string; the caller frees it. */
char *report_survey_script(const struct survey *s, uint32_t *width, uint32_t *height);

/* "1 byte", "4 bytes from the change on", "8 bytes, aligned": into (buf), which it returns. */
const char *report_survey_stores(const struct survey_cell *c, char *buf, size_t size);

/*
 * What differs between two survey.json, cell by cell: torn rates whose
 * intervals do not overlap, latencies and costs. ERR_INPUT names the file and
 * the member at fault, or says that the two have no cell in common.
 */
bool report_survey_compare(FILE *out, const char *a, const char *b, struct err *e);

#endif
