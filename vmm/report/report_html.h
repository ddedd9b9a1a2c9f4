/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * report_html.h - a replay as a page for a browser: one file that needs no
 * other and no network, with the run's lines in it as JSON.
 */
#ifndef CROSSMOD_REPORT_HTML_H
#define CROSSMOD_REPORT_HTML_H

#include "report/report.h"
#include "report/trace_line.h"

struct report_page;

/* A page for a run of (m), which need not be reset yet. */
struct report_page *report_page_new(struct machine *m);
void report_page_free(struct report_page *p);

/* Add a line; (page) is a struct report_page: for struct trace's (take). */
void report_page_line(void *page, const struct trace_line *l);

/* What is known when the run is over. */
struct report_page_end {
	const struct result *result;   /* of the replay, with its host */
	const struct witness *witness; /* what was replayed */
	bool same;		       /* the replay ended as the witness says */
	const uint64_t *skipped;       /* [CM_MAX_VCPUS], instructions behind the last line */
};

/*
 * Write the page to (path), under a temporary name in the same directory
 * first. What is there may only be a regular file, else ERR_INPUT. A failure,
 * ERR_HOST too, leaves no file behind, nor harms one that was there.
 */
bool report_page_write(const struct report_page *p, const struct report_page_end *end,
		       const char *path, struct err *e);

#endif
