/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * report_json.h - the pieces that every result in JSON is made of, for the
 * reports of studies (matrix, sweep, survey, bench) too. Out of memory ends the
 * program, as in report_json.c, but where a NULL is spoken of.
 */
#ifndef CROSSMOD_REPORT_JSON_H
#define CROSSMOD_REPORT_JSON_H

#include <jansson.h>

#include "base/err.h"
#include "run/result.h"

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

/* (json), which is taken over, as one line. Heap string; NULL when memory ran out on the way. */
char *report_dump(json_t *json);

/* Write (text) and a newline to (path), in (dir), by way of a temporary file in (dir). */
bool report_write_atomically(const char *dir, const char *path, const char *text, struct err *e);

#endif
