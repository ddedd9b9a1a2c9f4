/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * matrix.h - every protocol of an image under every fetch model, NMI budget
 * and number of vCPUs, on every site of the image's matrix: which cells there
 * are, in which order they are run and how much of the time each may take.
 *
 * vCPU 0 patches one site once (P), every other one executes it once (E).
 */
#ifndef CROSSMOD_MATRIX_H
#define CROSSMOD_MATRIX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "model/fetch.h"
#include "vm/host.h"
#include "image/image.h"
#include "model/verdict.h"

/* Who may be hit by one NMI whose body runs the site. */
enum matrix_nmis { MATRIX_NMI_NONE, MATRIX_NMI_E, MATRIX_NMI_P, MATRIX_NMI_EACH, MATRIX_NMIS };

/* "none", "one on E" (vCPU 1), "one on P" (vCPU 0), "one on each" (every vCPU). */
const char *matrix_nmis_name(enum matrix_nmis nmis);
/* NMIs that may hit (vcpu). */
uint32_t matrix_nmis_of(enum matrix_nmis nmis, uint32_t vcpu);

/* A site that is patched in the matrix: its kind, and where it lies. */
struct matrix_site {
	const char *name, *at;
	enum cm_isa isa;
};

/* Those of images for (isa): one of x86, three of Arm; (*count) of them. */
const struct matrix_site *matrix_sites(uint32_t isa, size_t *count);

struct matrix_cell {
	const char *protocol; /* the image's */
	const struct matrix_site *site;
	bool barred; /* the protocol does not patch such sites: never run */
	uint32_t vcpus;
	enum matrix_nmis nmis;
	struct fetch_config fetch;

	bool done;	/* what follows is set by who runs it */
	double allowed; /* seconds */
	enum verdict verdict;
	const char *bound; /* "seconds", "memory": what made it inconclusive; else NULL */
	char reason[512];
	uint64_t states, transitions, memory; /* memory: bytes, of the search */
	double seconds;
	char file[192]; /* its result, a name in the matrix's directory; "" none */
	bool witness;	/* the result can be replayed */
	char *line;	/* its JSON line, NULL none; freed by matrix_fini() */
};

struct matrix {
	const struct image *image;
	const struct host *host;
	struct matrix_cell *cell; /* by protocol, vCPUs, NMIs, model: the table row by row */
	size_t ncells;
	size_t columns; /* sites, and for each the fetch models */
	uint32_t jobs;
	double max_seconds;	/* of all of them together */
	uint64_t max_memory_mb; /* of each */
	double seconds;		/* taken */
};

/* Which of the cells are wanted. */
struct matrix_choice {
	const char *const *protocol; /* names or globs; a protocol that any of them matches */
	size_t nprotocols;	     /* 0: all */
	uint32_t vcpus;		     /* mask of 1u << number, 2 to CM_MAX_VCPUS */
	uint32_t nmis;		     /* mask of 1u << enum matrix_nmis */
	uint32_t models;	     /* mask of 1u << enum fetch_model */
	uint32_t chunk;		     /* bytes, as in struct fetch_config; 0: as the site's is */
};

/*
 * The cells of (image) that (choice) wants, into a zeroed (m). ERR_INPUT for a
 * name that nothing matches, saying what there is. (image) must outlive (m);
 * matrix_fini() frees.
 */
bool matrix_plan(struct matrix *m, const struct image *image, const struct matrix_choice *choice,
		 struct err *e);
void matrix_fini(struct matrix *m);

/* How many cells are done, and how many there are to run. */
size_t matrix_done(const struct matrix *m);
size_t matrix_to_run(const struct matrix *m);

/* The head of column (column): what its cells have and others' have not. Returns (buf). */
const char *matrix_column(const struct matrix *m, size_t column, char *buf, size_t size);

/* Who runs a cell, and whose clock counts. */
struct matrix_runner {
	void *self;
	/* Run (c) for at most (seconds) and fill in what came of it; it may have been run before. */
	bool (*run)(void *self, struct matrix_cell *c, double seconds, struct err *e);
	/* (c) is done and will not be run again. May be NULL. */
	bool (*settle)(void *self, const struct matrix_cell *c, struct err *e);
	double (*now)(void *self); /* seconds */
	bool (*stopped)(void *self);
};

/* The least a cell is allowed, in seconds, even when the time is up. */
#define MATRIX_SECONDS_MIN 0.1

/*
 * Run every cell, cheap ones first: level by level, where a level has one
 * number of vCPUs and one NMI budget, and in it by the states that the same
 * protocol and model had before. A level may take half of the time that is
 * left, the last one all of it; each of its cells an equal share of that, and
 * what a cell leaves over is the others'. While a level has time left in the
 * end, cells whose share was too small run again, as many as can have half as
 * much again: those that had least first, and of these the ones of fewest states.
 * A second is one of the clock: a cell has all workers, and the cells come one
 * after the other. So the whole ends within max_seconds and what the cells take longer
 * than they are allowed, however many there are. Ends early, and true, when it
 * is stopped; false when a cell fails. The cells that are done stay so.
 */
bool matrix_run(struct matrix *m, const struct matrix_runner *runner, struct err *e);

#endif
