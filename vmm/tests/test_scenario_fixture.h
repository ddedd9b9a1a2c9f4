/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_scenario_fixture.h - what the tests of scenario files share: a guest
 * image, a scenario to change, and the files of this tree that are test data.
 */
#ifndef CROSSMOD_TEST_SCENARIO_FIXTURE_H
#define CROSSMOD_TEST_SCENARIO_FIXTURE_H

#include <jansson.h>

#include "scenario/scenario.h"

/* A scenario with nothing in it but what must be there. */
#define STEPPED_BASE                                                                         \
	"{\"why\": \"w\", \"protocol\": \"naive\", \"sites\": [{\"site\": \"nop5_jmp5\"}], " \
	"\"method\": \"stepped\", \"expect\": \"torn\"}"

/* The same for the other methods. */
#define FREE_BASE                                                                            \
	"{\"why\": \"w\", \"protocol\": \"naive\", \"sites\": [{\"site\": \"nop5_jmp5\"}], " \
	"\"method\": \"free\", \"free\": {\"seconds\": 1}, \"expect\": \"not-seen\"}"
#define EXPLORE_BASE                                                                         \
	"{\"why\": \"w\", \"protocol\": \"naive\", \"sites\": [{\"site\": \"nop5_jmp5\"}], " \
	"\"method\": \"explore\", \"expect\": \"safe\"}"

#define CODE CM_IMAGE_BASE
#define DATA (CM_IMAGE_BASE + 0x4000u)

extern const struct image example_image;

/* The JSON at (path) below the top of the tree, which CROSSMOD_SRC may name. For json_decref(). */
json_t *example_tree(const char *path);

/* (base), its top-level keys replaced and added to by (change), (without) removed. For free(). */
char *example_merged(const char *base, const json_t *change, const char *without);

/* (base) with the keys of (change), which is JSON, must be accepted. For scenario_fini(). */
struct scenario example_accept(const struct image *img, const char *base, const char *change);

/* The same of STEPPED_BASE, with example_image. */
struct scenario example_stepped(const char *change);

#endif
