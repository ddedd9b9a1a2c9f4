/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * report_json.h - the pieces that every report in JSON is made of: of results
 * (report_json.c), and of studies (matrix, sweep, survey, bench). What they make is
 * the caller's. Out of memory ends the program, but where a NULL is spoken of.
 */
#ifndef CROSSMOD_REPORT_JSON_H
#define CROSSMOD_REPORT_JSON_H

#include <jansson.h>

#include "base/err.h"
#include "run/result.h"

/* Digits of a fraction: enough for nanoseconds of seconds, too few to show rounding errors. */
#define REPORT_PRECISION JSON_REAL_PRECISION(9)

/* (value), which is taken over, into (o) as (key), or at the end of (array). */
void report_put(json_t *o, const char *key, json_t *value);
void report_append(json_t *array, json_t *value);

/* What json_pack() and its like made, or the end of the program. */
json_t *report_made(json_t *json);

/* "host" and "guest" into (o). */
void report_put_host(json_t *o, const struct host *h);
void report_put_guest(json_t *o, const struct image *img);

/* "patches" and "injector" of a free run into (o). */
void report_put_free(json_t *o, const struct observation *seen);

/*
 * What an NMI and an IPI of Arm really were, into (o): lines of the vCPU that
 * the host drives, or what (irqchip) makes of it.
 */
void report_put_events(json_t *o, enum cm_irqchip irqchip);

/* (x), or null where it is no finite number. The caller's. */
json_t *report_number(double x);

/* Now, UTC, "2010-01-14T06:55:02Z". The caller's. */
json_t *report_date(void);

/* (s) as a JSON string; where it is not UTF-8, its ASCII. */
json_t *report_text(const char *s);
/* The same, or null where it is NULL or "". */
json_t *report_text_or_null(const char *s);

/* The numbers of the vCPUs in (mask). */
json_t *report_vcpus(uint32_t mask);

/* (o), which is taken over, as a document of many lines. Heap string. */
char *report_indented(json_t *o);

/* (json), which is taken over, as one line. Heap string; NULL when memory ran out on the way. */
char *report_dump(json_t *json);

/* Write (text) and a newline to (path), in (dir), by way of a temporary file in (dir). */
bool report_write_atomically(const char *dir, const char *path, const char *text, struct err *e);

#endif
