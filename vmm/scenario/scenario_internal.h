/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * scenario_internal.h - what the scenario's own files (scenario*.c and their
 * test) share. Nobody else includes it.
 *
 * A reader below gets the JSON value and the scenario as read so far (vCPUs,
 * sites, fetch model), and fails as jnode.h says. (img) may be NULL.
 */
#ifndef CROSSMOD_SCENARIO_INTERNAL_H
#define CROSSMOD_SCENARIO_INTERNAL_H

#include "base/jnode.h"
#include "scenario/scenario.h"

/* Where a site may stand by name. */
enum placement_at { AT_IN_LINE, AT_CROSS_8, AT_CROSS_LINE, AT_CROSS_PAGE, PLACEMENTS };
extern const char *const placement_names[PLACEMENTS];

/* Offset in its page of the first byte of a site of (length) bytes, at most CM_MAX_SITE_LEN. */
uint32_t placement_offset(enum placement_at at, uint32_t length);

/* The keys of each kind of object in a scenario; schema.json must list the same. */
struct scenario_form {
	const char *name;	 /* in the schema's $defs; NULL: the file itself */
	const char *const *keys; /* NULL-terminated */
};

extern const char *const scenario_keys[];
extern const char *const scenario_site_keys[];
extern const char *const scenario_patcher_keys[];
extern const char *const scenario_executors_keys[];
extern const char *const scenario_fetch_keys[];
extern const char *const scenario_free_keys[];
extern const char *const scenario_explore_keys[];
extern const char *const scenario_move_keys[];
extern const char *const scenario_injection_keys[];
extern const char *const scenario_variable_keys[];
extern const char *const scenario_head_tail_keys[];
extern const struct scenario_form scenario_forms[];
extern const size_t scenario_nforms;

/* The keys of the file that not every method has. */
struct scenario_method_key {
	const char *key;
	uint32_t methods; /* mask of 1u << enum method */
};

extern const struct scenario_method_key scenario_method_keys[];
extern const size_t scenario_nmethod_keys;

/* scenario.c: the number of a vCPU of this scenario. */
bool scenario_read_vcpu(const struct scenario *s, const struct jnode *n, uint32_t *vcpu);

/* scenario_guest.c: the instruction set, and what kernel takes its exceptions. */
bool scenario_read_isa(struct scenario *s, const struct jnode *root);
/* ERR_UNSUPPORTED: (img) is for another architecture, or its kernel for another scenario. */
bool scenario_check_image(const struct scenario *s, const struct image *img, struct err *e);
bool scenario_read_kernel(struct scenario *s, const struct jnode *root);
/* When roles and handlers are read: which kernel they want, and does (img) have it? */
bool scenario_check_kernel(struct scenario *s, const struct image *img, const struct jnode *root);

/* scenario_setup.c: who plays which role, what a fetch returns, a free run's options. */
bool scenario_read_offline(struct scenario *s, const struct jnode *root);
bool scenario_read_sites(struct scenario *s, const struct image *img, const struct jnode *n);
bool scenario_read_patcher(struct scenario *s, const struct jnode *root);
bool scenario_read_executors(struct scenario *s, const struct jnode *root);
/* What holds of the instruction set where the file says nothing. */
void scenario_default_fetch(struct scenario *s);
bool scenario_read_fetch(struct scenario *s, const struct jnode *n);
bool scenario_read_free(struct scenario *s, const struct jnode *n);

/* scenario_explore.c: budgets and bounds of the search. */
bool scenario_read_explore(struct scenario *s, const struct jnode *n);

/* scenario_point.c: "symbol+4" or "site0+1"; a count of stores; {"name": ..., "equals": ...}. */
void point_init(struct point *p);
void point_fini(struct point *p);
bool point_read_address(struct point *p, const struct scenario *s, const struct image *img,
			const struct jnode *n);
bool point_read_stores(struct point *p, const struct jnode *n);
bool point_read_variable(struct point *p, const struct image *img, const struct jnode *n);

/* scenario_schedule.c: "schedule" and "inject". What was read is freed with the scenario. */
bool scenario_read_schedule(struct scenario *s, const struct image *img, const struct jnode *n);
bool scenario_read_injections(struct scenario *s, const struct image *img, const struct jnode *n);

#endif
