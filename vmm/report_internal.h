/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * report_internal.h - the members that several JSON documents share. For the
 * report's own files only. Out of memory ends the program, as in report_json.c.
 */
#ifndef CROSSMOD_REPORT_INTERNAL_H
#define CROSSMOD_REPORT_INTERNAL_H

#include <jansson.h>

#include "report.h"

/* "host" and "guest" into (o). */
void report_put_host(json_t *o, const struct host *h);
void report_put_guest(json_t *o, const struct image *img);

/* Now, UTC, "2010-01-14T06:55:02Z". The caller's. */
json_t *report_date(void);

#endif
