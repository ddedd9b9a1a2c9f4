/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * report_internal.h - what the report's files share: report.c writes files,
 * report_json.c makes the JSON of a result, the others put parts of it elsewhere.
 * Out of memory ends the program, as in report_json.c.
 */
#ifndef CROSSMOD_REPORT_INTERNAL_H
#define CROSSMOD_REPORT_INTERNAL_H

#include <jansson.h>

#include "report.h"

/* What report_document() is the text of; the caller's. */
json_t *report_object(const struct result *r);

/* {"instructions", "executed", "never": [{"at", "text"}]}, or null when it is not known. */
json_t *report_coverage_json(const struct result *r);

/* "host" and "guest" into (o). */
void report_put_host(json_t *o, const struct host *h);
void report_put_guest(json_t *o, const struct image *img);

/* "patches" and "injector" of a free run into (o). */
void report_put_free(json_t *o, const struct observation *seen);

/* (x), or null where it is no finite number. The caller's. */
json_t *report_number(double x);

/* Now, UTC, "2010-01-14T06:55:02Z". The caller's. */
json_t *report_date(void);

/* (s) as a JSON string; where it is not UTF-8, its ASCII. */
json_t *report_text(const char *s);

/* Write (text) and a newline to (path), in (dir), by way of a temporary file in (dir). */
bool report_write_atomically(const char *dir, const char *path, const char *text, struct err *e);

/* report_page.html, where the JSON belongs in place of REPORT_PAGE_MARK. */
#define REPORT_PAGE_MARK "@REPLAY@"
extern const char report_page[];

#endif
