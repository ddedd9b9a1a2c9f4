/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * search_internal.h - what the files of the search share: the graph that is
 * explored and judged, and who works on it. Nobody but search*.c includes it.
 */
#ifndef CROSSMOD_SEARCH_INTERNAL_H
#define CROSSMOD_SEARCH_INTERNAL_H

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>

#include "explore/search.h"
#include "explore/search_visited.h"

/* A move made; the n-th edge of a state is the n-th action of its list. */
struct search_edge {
	uint32_t to;
	uint8_t process, lane;
	bool owed : 1;
	bool costly : 1;
	bool strong : 1;
	bool fresh : 1; /* (to) counts in what a worker found, until merged */
};

_Static_assert(sizeof(struct search_edge) == 8, "an edge grew");

#define SEARCH_LANES 64u

/* Which processes owe a move in a state can be read off its edges: no mask is kept. */
struct search_graph {
	struct search_visited states;
	uint64_t *first; /* edge, of each expanded state and of the one to come */
	size_t expanded, first_capacity;
	struct search_edge *edge;
	size_t edges, edge_capacity;
	uint32_t *level; /* the first state at each distance from the start */
	size_t levels, level_capacity;
};

enum search_stop {
	SEARCH_STOP_NOT,
	SEARCH_STOP_INTERRUPTED,
	SEARCH_STOP_STATES,
	SEARCH_STOP_SECONDS,
	SEARCH_STOP_MEMORY
};
enum search_task { SEARCH_TASK_START, SEARCH_TASK_EXPAND, SEARCH_TASK_QUIT };

/* What a worker keeps of a new state beside its record in (found). */
struct search_extra {
	struct search_blob blob;
	uint32_t id; /* SEARCH_NONE until merged */
};

/* The edges of one expanded state are the next (edges) ones of the worker. */
struct search_row {
	uint32_t state, edges;
};

struct search_worker {
	struct search *search;
	struct search_system *system;
	pthread_t thread;
	sem_t go;
	struct search_visited found;
	struct search_extra *extra; /* as many as found */
	struct search_row *row;
	struct search_edge *edge;
	size_t rows, edges, extra_capacity, row_capacity, edge_capacity;
	size_t row_merged, edge_merged;
	size_t bytes;	   /* as last added to round_bytes */
	uint32_t at;	   /* the state the system is in, or SEARCH_NONE */
	uint32_t at_found; /* or it is this one of found */
	uint32_t failed;   /* the state whose expansion failed, or SEARCH_NONE */
	struct err err;
	uint64_t hash[2]; /* of the initial state */
	struct search_mark mark;
};

/* Snapshots of the states (base), (base) + 1, ... */
struct search_level {
	struct search_blob *blob;
	size_t count, capacity;
	uint32_t base;
};

struct search {
	const struct search_options *options;
	struct search_worker *worker;
	uint32_t jobs, threads; /* threads: started, so one less than jobs */
	enum search_task task;
	sem_t done;
	struct search_graph graph;
	struct search_level now, next;
	size_t merged;	       /* of now */
	size_t round_end;      /* of now */
	uint32_t violation;    /* id, or SEARCH_NONE */
	uint64_t depth, bytes; /* bytes: held when the round began, less snapshots */
	double started, reported;
	atomic_size_t taken; /* of now */
	atomic_uint_least64_t new_states, transitions, blob_bytes, round_bytes, peak;
	atomic_int stop;
};

/* search.c. Add a new state, in order of distance and parent. False: out of memory. */
bool search_graph_add(struct search_graph *g, const struct search_state *state);
/* The end of the states at distance (depth). */
uint32_t search_graph_level_end(const struct search_graph *g, size_t depth);
/* Bytes allocated. */
uint64_t search_graph_bytes(const struct search_graph *g);
/* Account for what is held between rounds, less snapshots. */
void search_account(struct search *s);

/* search_work.c. Every thread but the caller's runs search_thread() until SEARCH_TASK_QUIT. */
void *search_thread(void *worker);
/* All workers do (task); returns when they have. */
void search_all_work(struct search *s, enum search_task task);
/* Whether a worker failed, and the failure of the smallest state. */
bool search_first_failure(const struct search *s, struct err *e);
/* Let no further batch be taken; the first reason counts. */
void search_stop(struct search *s, enum search_stop why);
/* The bounds that strike at any time; the one on states is the merge's, to be exact. */
void search_check_bounds(struct search *s);
/* Call (progress) when it is time. Only for the caller's thread. */
void search_report(struct search *s);
/* Bytes that the search holds. */
uint64_t search_memory(const struct search *s);
void search_blob_free(struct search *s, struct search_blob *blob);
/* Returns false. */
bool search_no_memory(struct err *e);

/*
 * search_witness.c. Append to r->path the best of the shortest paths from the
 * start to state (id), or, when that is a violation, to any state of its kind at
 * its distance; says in (r) whether it is the best. (held) bytes are in use; with
 * what it takes, which goes into r->memory, they stay within (limit), 0 for none:
 * else the path is the one by which (id) was found. False: out of memory.
 */
bool search_witness(const struct search_graph *g, uint32_t id, uint64_t held, uint64_t limit,
		    struct search_result *r);
/* Where (more) more decisions of (path) go; NULL when out of memory. */
uint32_t *search_path_extend(struct search_path *path, size_t more);

/*
 * search_graph.c. Judge a graph in which every state is expanded and none is a violation: sets
 * deadlock, livelock, path and cycle of (r). Needs about 20 bytes a state more,
 * said in r->memory; when (limit) is not 0 and less than that, it judges nothing
 * and sets the end to the memory bound. False: out of memory.
 */
bool search_graph_judge(struct search_graph *g, uint64_t limit, struct search_result *r);

/*
 * search_checkpoint.c. Write an unfinished search, between two rounds, to where
 * (f) stands. False: ERR_HOST.
 */
bool search_checkpoint_write(struct search *s, FILE *f, struct err *e);
/*
 * Fill a search that has nothing but workers, who know the initial state, from
 * where (f) stands. ERR_INPUT: no checkpoint, damaged, or of another system.
 * What has been read is the caller's to free either way.
 */
bool search_checkpoint_read(struct search *s, FILE *f, struct err *e);

#endif
