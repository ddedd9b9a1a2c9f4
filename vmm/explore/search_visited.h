/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * search_visited.h - a set of states known by their 128-bit hash, in the order
 * they were added. Must not know what a state is, nor who looks for it when:
 * look-ups change nothing, so any number of threads may look while none adds.
 *
 * A state costs 24 bytes of record, with at most 1/32 to spare, and 5 to 6.25
 * bytes of index: 31 at most.
 */
#ifndef CROSSMOD_SEARCH_VISITED_H
#define CROSSMOD_SEARCH_VISITED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SEARCH_NONE	  UINT32_MAX
/* An id is 32 bits, and the index has a quarter more slots than states. */
#define SEARCH_STATES_MAX (3u << 30)

enum {
	SEARCH_OVER = 8,     /* beyond what the system can follow */
	SEARCH_GOAL = 1,     /* the work is done here */
	SEARCH_ALIVE = 2,    /* owed moves lead from here to a goal */
	SEARCH_FAIR = 4,     /* on a fair cycle, while a deadlock's witness is built */
	SEARCH_UNFAIR = 16,  /* on no fair cycle, while those are looked for */
	SEARCH_REACHED = 32, /* in reach of a dead state, while its witness is built */
};

struct search_state {
	uint64_t hash[2];
	uint32_t parent; /* SEARCH_NONE: the start */
	uint16_t action; /* of the parent's list */
	uint8_t violation;
	uint8_t flags;
};

/* Zero is the empty set. */
struct search_visited {
	struct search_state *state; /* by id: 0, 1, 2, ... as added */
	size_t count, capacity;
	uint32_t *slot; /* ids by hash, linear probing, SEARCH_NONE where empty */
	size_t slots;
};

/* The id of the state with (hash), or SEARCH_NONE. */
uint32_t search_visited_find(const struct search_visited *v, const uint64_t hash[2]);

/* Add a state that is not in the set; its id is the count before. False: out of memory. */
bool search_visited_add(struct search_visited *v, const struct search_state *state);

/* Empty the set at a cost of what is in it, keeping its memory. */
void search_visited_clear(struct search_visited *v);
void search_visited_fini(struct search_visited *v);

/* Bytes allocated. */
size_t search_visited_bytes(const struct search_visited *v);

/*
 * Room for (need) elements of (size) bytes, growing by 1/32, at least by
 * 256 and at most by 2^20: realloc() moves large blocks without copying. Returns the array,
 * or NULL when out of memory; (old) is then still the caller's.
 */
void *search_grow(void *old, size_t *capacity, size_t need, size_t size);

#endif
