/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * scenario.h - a scenario file: what to run, how, and what is expected.
 *
 * Owns the JSON form (scenarios/schema.json says the same for editors). A
 * scenario is never written after scenario_load(); everything that happens in
 * a run lives elsewhere and points back here with const. Sees no KVM. Jansson
 * lives here and in report only.
 */
#ifndef CROSSMOD_SCENARIO_H
#define CROSSMOD_SCENARIO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "model/fetch.h"
#include "guest/abi.h"
#include "image/image.h"
#include "model/verdict.h"

enum method { METHOD_STEPPED, METHOD_FREE, METHOD_EXPLORE, METHODS };
const char *method_name(enum method m);

/* A point in the run: a vCPU about to execute an address, a number of stores, a variable. */
enum point_kind {
	POINT_NONE,
	POINT_ADDRESS,	/* vCPU (vcpu) is about to execute (address) for the (hit)-th time */
	POINT_STORES,	/* (value) changes of the patched bytes have been made */
	POINT_VARIABLE, /* the 32-bit guest word at (address) equals (value) */
	POINT_DONE,	/* the vCPU has played its role */
};

struct point {
	enum point_kind kind;
	char *text;	  /* as written, for messages and traces */
	uint64_t address; /* 0 while site (site) is meant */
	int site;	  /* "site<N>": placed only when the machine is set up; else -1 */
	uint64_t offset;  /* from that site */
	uint32_t vcpu;
	uint32_t hit; /* from 1 */
	uint64_t value;
};

enum forced_version { FORCED_OLDEST, FORCED_NEWEST, FORCED_INDEX };

/* Which version of a chunk a forced fetch takes. */
struct forced_chunk {
	enum forced_version which;
	uint32_t index; /* FORCED_INDEX: the number of the store */
};

enum move_kind { MOVE_RUN, MOVE_FETCH, MOVE_LATCH, MOVE_NMI, MOVE_IPI, MOVE_RAISE, MOVE_ONLINE };

/* One entry of "schedule". */
struct move {
	enum move_kind kind;
	bool all; /* MOVE_RUN: round-robin over every vCPU */
	uint32_t vcpu;
	uint64_t steps; /* MOVE_RUN without (until); MOVE_LATCH: chunks */
	struct point until;
	bool hold_ipis; /* do not deliver IPIs to the vCPU while it runs */
	struct forced_chunk
		chunk[FETCH_PLAN_MAX]; /* MOVE_FETCH, in address order; the last repeats */
	uint32_t nchunks;
	bool head_tail; /* chunk[0] is the first byte, chunk[1] every other chunk */
};

enum injection_kind { INJECT_NMI, INJECT_IPI, INJECT_STALL };

/* One entry of "inject": armed for the whole run, fires once. */
struct injection {
	enum injection_kind kind;
	uint32_t vcpu;
	struct point at;
	uint64_t steps; /* INJECT_STALL: decisions during which the vCPU stands still */
};

struct placement {
	char *name;
	const struct image_site *site; /* NULL when parsed without an image */
	uint32_t offset;	       /* of the site's first byte in its page */
	char *at;		       /* as written */
};

/* When the events of a rate come. */
enum distribution {
	DISTRIBUTION_PERIODIC, /* as far apart as they can be */
	DISTRIBUTION_POISSON,  /* each independent of all others */
	DISTRIBUTION_BURST,    /* DISTRIBUTION_BURST_EVENTS close together, then none for long */
	DISTRIBUTIONS
};
#define DISTRIBUTION_BURST_EVENTS 8u
#define DISTRIBUTION_BURST_GAP	  20e-6 /* seconds, or less where the rate wants it */
const char *distribution_name(enum distribution d);
bool distribution_parse(const char *name, enum distribution *d);

struct free_options {
	uint32_t iterations; /* per executor; 0: by time */
	double seconds;
	double nmi_rate;   /* per second and vCPU; 0 none */
	uint32_t nmi_mask; /* vCPUs */
	double ipi_rate;
	uint32_t ipi_mask;
	enum distribution distribution;
};

#define SCENARIO_NMI_UNLIMITED 0xffu

/* What there is to explore besides every order and every fetch, and when to give up. */
struct explore_options {
	uint8_t nmis[CM_MAX_VCPUS]; /* at most so many hit the vCPU, or SCENARIO_NMI_UNLIMITED */
	uint64_t max_states;	    /* 0: no bound, as in the next two */
	double max_seconds;
	uint64_t max_memory_mb; /* MiB, at most 2^30 */
	bool no_reduction;
	bool every; /* not the first violation only: all kinds of them */
};

/* What the guest's kernel is written in; told apart on Arm only. */
enum kernel { KERNEL_AARCH64, KERNEL_AARCH32, KERNELS };
const char *kernel_name(enum kernel k);
/* Of an image for Arm. */
enum kernel kernel_of(const struct image *img);

struct scenario {
	const struct image *image; /* that its names are of; NULL when parsed without one */
	char *path;
	char *name; /* the path below scenarios/ without .json, or the path as given */
	char *text; /* the file, for the result */
	char *why;
	char *source;	 /* where the question comes from; may be NULL */
	enum cm_isa isa; /* of the sites */
	bool isa_said;	 /* in the file itself */
	enum kernel kernel;
	bool kernel_said;
	char *protocol_name;
	const struct image_protocol *protocol; /* NULL when parsed without an image */
	struct placement site[CM_MAX_SITES];
	uint32_t nsites;
	uint32_t vcpus;
	uint32_t offline; /* mask: vCPUs that come online when the schedule says so */
	enum method method;
	uint32_t patcher;
	uint32_t patcher_cpl;
	uint32_t pokes; /* calls of patch(); 0 in free: until the end */
	uint32_t batch;
	uint32_t pause;
	uint32_t executors; /* mask */
	uint32_t executor_cpl;
	uint32_t executor_pause; /* free: loops an executor idles between two rounds */
	uint32_t calls;		 /* rounds over the sites; free: 0, until the end */
	bool nmi_runs_site;
	bool nmi_latch;
	bool ipi_runs_site;
	struct fetch_config fetch; /* stepped, explore */
	bool check_changes;	   /* Arm: against the list of cmodx.h */
	struct move *move;	   /* stepped, to max_steps */
	size_t nmoves;
	struct injection *injection;
	size_t ninjections;
	uint64_t max_steps;
	struct free_options free;
	struct explore_options explore;
	uint32_t expect; /* mask of 1u << enum verdict */
};

/*
 * Read and check the scenario at (path), with every name in it looked up in
 * (img). On failure ERR_INPUT, one line: file, JSON path, what is wrong, what
 * exists; (s) then holds nothing. ERR_UNSUPPORTED if it is, by itself or its
 * directory, for another architecture than (img), or wants the other kernel of
 * Arm. (img) must outlive (s).
 */
bool scenario_load(struct scenario *s, const char *path, const struct image *img, struct err *e);

/* The same from memory; (img) may be NULL, then names are not looked up. */
bool scenario_parse(struct scenario *s, const char *path, const char *text, size_t size,
		    const struct image *img, struct err *e);
void scenario_fini(struct scenario *s);

#endif
