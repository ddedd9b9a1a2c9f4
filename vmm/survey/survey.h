/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * survey.h - what `crossmod survey` measures, cell by cell: which stores at
 * which place, how the cells take turns, and what the counts say.
 *
 * Arithmetic only: who runs a cell is handed in, so that all of it is tested
 * without a vCPU. What was seen is what this silicon did; never a verdict.
 */
#ifndef CROSSMOD_SURVEY_H
#define CROSSMOD_SURVEY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "guest/abi.h"
#include "vm/host.h"
#include "image/image.h"
#include "image/insn.h"
#include "model/site.h"

/* ---- what there is to choose from ---- */

/* What of an instruction changes: a site's kind for each. */
enum survey_kind { SURVEY_IMMEDIATE, SURVEY_OPCODE, SURVEY_DISPLACEMENT, SURVEY_KINDS };

/*
 * The site's first byte: at each offset of a line in the middle of a page, and
 * where a site of five bytes straddles a page, by its offset there.
 */
#define SURVEY_IN_LINE	 64u
#define SURVEY_STRADDLES 4u
#define SURVEY_POSITIONS (SURVEY_IN_LINE + SURVEY_STRADDLES)
#define SURVEY_WIDTHS	 4u /* stores of 1, 2, 4 and 8 bytes */
#define SURVEY_PAUSES	 4u /* at most so many different ones */
#define SURVEY_PAUSE_MAX 1000000u

struct survey_choice {
	bool kind[SURVEY_KINDS];
	bool position[SURVEY_POSITIONS];
	bool width[SURVEY_WIDTHS];
	bool cpl0, cpl3; /* of the executor */
	uint32_t pause[SURVEY_PAUSES];
	uint32_t npauses;
};

/* Everything, the executor at CPL3, with a writer that never pauses and one that does. */
void survey_choose_all(struct survey_choice *c);

/*
 * A list as typed: "0-15,60,page", "1,4", "immediate,opcode", "0,100", "3".
 * ERR_INPUT names the option, the item and what would be right.
 */
bool survey_parse_offsets(struct survey_choice *c, const char *text, struct err *e);
bool survey_parse_widths(struct survey_choice *c, const char *text, struct err *e);
bool survey_parse_kinds(struct survey_choice *c, const char *text, struct err *e);
bool survey_parse_pauses(struct survey_choice *c, const char *text, struct err *e);
bool survey_parse_cpls(struct survey_choice *c, const char *text, struct err *e);

const char *survey_kind_name(enum survey_kind kind);
/* The kind of site, by the registry's name. */
const char *survey_kind_site(enum survey_kind kind);
/* The offset in the page of position (i). */
uint32_t survey_offset(uint32_t i);
const char *survey_sync_name(enum cm_survey_sync sync);

/* ---- cells ---- */

enum survey_what {
	SURVEY_TEAR, /* count what an executor runs while the site is stored back and forth */
	SURVEY_TIME, /* one poke at a time: when is it executed, and what after the fence? */
	SURVEY_COST, /* what a synchronisation primitive costs */
};

/* Bytes that ran, taken for what they are of the site's forms. Head: the lower addresses. */
enum survey_tear { SURVEY_OLD_HEAD, SURVEY_NEW_HEAD, SURVEY_OTHER, SURVEY_TEARS };

struct survey_counts {
	double seconds;	  /* that the executor had of its processor, others' share left out */
	uint64_t watched; /* executions in these; SURVEY_COST: primitives spent */
	uint64_t pokes;
	uint64_t executions; /* in all */
	uint64_t transitions;
	uint64_t torn[SURVEY_TEARS];
	uint64_t stale_runs;
	uint64_t stale_pokes;
};

/* The vCPUs, and the same machine code in two threads of the host. */
enum survey_side { SURVEY_GUEST, SURVEY_CONTROL, SURVEY_SIDES };

/* Of SURVEY_TIME: nanoseconds from just before the store to the first execution. */
#define SURVEY_SAMPLES 16384u
struct survey_latency {
	uint32_t *sample; /* SURVEY_SAMPLES in processor cycles; NULL: none yet */
	uint32_t samples;
	uint32_t early; /* that the two processors' clocks put before the store: left out */
	double cycles;	/* that passed on the same clock */
	double seconds; /* in these */
};

struct survey_cell {
	enum survey_what what;
	enum survey_kind kind;
	uint32_t offset;
	uint32_t width;
	bool natural; /* stores to naturally aligned words; else from the first byte that changes */
	uint32_t pause;
	uint32_t cpl;
	enum cm_survey_sync sync; /* SURVEY_TIME: before each execution; SURVEY_COST: this */
	struct survey_counts side[SURVEY_SIDES];
	struct survey_latency latency[SURVEY_SIDES];
	char unsupported[SURVEY_SIDES][96]; /* why there is nothing; "": there is */
};

struct survey {
	const struct image *image;
	const struct host *host;
	struct survey_cell *cell;
	size_t ncells;
	double seconds;	      /* wanted; then what it took */
	uint32_t rounds;      /* wanted */
	uint32_t rounds_done; /* whole ones */
	uint64_t slices;      /* done, of both sides */
	size_t visited;	      /* cells that had a turn: the time may not suffice for all */
	bool interrupted;
};

/* ERR_UNSUPPORTED when the image lacks a kind of site or the guest's loops. */
bool survey_check_image(const struct image *image, struct err *e);

/*
 * The cells of (choice), which is of something of each, and the times and
 * costs. Errors as above. survey_fini() frees, and is safe on a zeroed struct.
 */
bool survey_plan(struct survey *s, const struct image *image, const struct survey_choice *choice,
		 double seconds, struct err *e);
void survey_fini(struct survey *s);

/*
 * The stores of one poke of (site) in (text), which is CM_TEXT_BASE's bytes
 * with either form there: as few of (width) bytes as hold every byte that
 * changes, in ascending order. Returns how many, at most CM_SURVEY_STORES.
 */
uint32_t survey_stores(const struct site *site, const uint8_t *text, uint32_t width, bool natural,
		       struct cm_survey_store store[CM_SURVEY_STORES]);
/* Of a cell: how many stores a poke is, and whether each is naturally aligned. */
uint32_t survey_cell_stores(const struct survey *s, const struct survey_cell *c, bool *aligned);

/*
 * The smallest naturally aligned unit, 8, 16, 32, 64 or 4096 bytes, that holds
 * every byte the cell changes; 0 when they cross a page.
 */
uint32_t survey_unit(const struct survey *s, const struct survey_cell *c);

/* What an execution that left (value) and passed (pad) ran of (site). */
enum survey_tear survey_tear_of(const struct site *site, struct insn_decoder *d, uint64_t value,
				uint64_t pad);

/* ---- the visits ---- */

/* How cells are run. Each gets (lab). */
struct survey_runner {
	void *lab;
	/*
	 * Run (cell) on (side) for about (seconds) and add to its counts. What
	 * this host cannot do goes to cell->unsupported, and is no failure.
	 */
	bool (*slice)(void *lab, struct survey_cell *cell, enum survey_side side, double seconds,
		      struct err *e);
	double (*now)(void *lab); /* seconds */
	bool (*stopped)(void *lab);
};

/* The shortest slice that is worth its start. */
#define SURVEY_SLICE_MIN 0.002

/*
 * ERR_INPUT when (s->seconds) is too short for one slice of every cell and
 * side. Else the number of rounds, 2 at least where there is time for it.
 */
bool survey_rounds(struct survey *s, struct err *e);

/*
 * Visit every cell in every round, guest and control next to each other, the
 * first of the two changing: drift hits all alike, and whenever it ends there is a
 * whole picture. It ends when the time is up: where slices cost much the rounds
 * are fewer, and where they cost more than the time has, cells all over the survey
 * are left out (s->visited). Interrupted it returns true as well, with what was
 * measured.
 */
bool survey_run(struct survey *s, const struct survey_runner *r, struct err *e);

/* ---- what the counts say ---- */

/* Below so many old<->new changes a cell says nothing about tearing. */
#define SURVEY_TRANSITIONS_MIN 1000u

struct survey_rate {
	bool enough;
	uint64_t torn;
	double ppm, low, high; /* of the executions; Wilson's 95 % interval */
};
struct survey_rate survey_rate(const struct survey_counts *c);

/* Executions a second of processor time; NAN of nothing. */
double survey_speed(const struct survey_counts *c);

/*
 * Median of guest / control: executions a second, and torn ppm of the cells in
 * which both tore 20 times at least. (*n): of how many; NAN of none.
 */
double survey_speed_ratio(const struct survey *s, size_t *n);
double survey_torn_ratio(const struct survey *s, size_t *n);

/* The (q)-th quantile, 0..1, in nanoseconds; NAN of no sample. */
double survey_latency_ns(const struct survey_latency *l, double q);

/* Nanoseconds a primitive costs, the empty loop's share taken off; NAN when it was not measured. */
double survey_cost_ns(const struct survey *s, const struct survey_cell *c, enum survey_side side);

#endif
