/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * report_internal.h - what the report's files share: report.c writes files,
 * report_json.c makes the JSON of a result, report_html.c puts it into the page.
 */
#ifndef CROSSMOD_REPORT_INTERNAL_H
#define CROSSMOD_REPORT_INTERNAL_H

#include "report/report.h"
#include "report/report_json.h"

/* What report_document() is the text of; the caller's. */
json_t *report_object(const struct result *r);

/* {"instructions", "executed", "never": [{"at", "text"}]}, or null when it is not known. */
json_t *report_coverage_json(const struct result *r);

/* report_page.html, where the JSON belongs in place of REPORT_PAGE_MARK. */
#define REPORT_PAGE_MARK "@REPLAY@"
extern const char report_page[];

#endif
