/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_report_fixture.h - what the tests of reports share: a stepped and a free
 * result built by hand, their JSON read back, and a directory to write it to.
 */
#ifndef CROSSMOD_TEST_REPORT_FIXTURE_H
#define CROSSMOD_TEST_REPORT_FIXTURE_H

#include <jansson.h>

#include "report/report.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

extern const struct image sample_image;
extern const struct scenario sample_stepped_scenario, sample_free_scenario;

/* A result of each; they share what is not theirs, so nothing is freed. */
void sample_stepped(struct result *r);
void sample_free(struct result *r);

/* (text), which is freed, as JSON; the test ends when it is none. For json_decref(). */
json_t *sample_parse(char *text);

/* (r) written to (dir), and what the file then holds. For json_decref(). */
json_t *sample_written(struct result *r, const char *dir);

/* Made before every test of the suite; a test that leaves something in it fails. */
extern char scratch_directory[64];
void scratch_make(void);
void scratch_remove(void);

/* Remove what (name) names below it. */
void scratch_drop(const char *name);

#endif
