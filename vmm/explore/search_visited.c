// SPDX-License-Identifier: BSD-2-Clause
/*
 * search_visited.c - the set of states seen: records by id, and an index of ids
 * by hash. Must not know systems, threads or what the records are judged by.
 */
#include "explore/search_visited.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

_Static_assert(sizeof(struct search_state) == 24, "a record grew");

#define SLOTS_MIN 1024u

void *search_grow(void *old, size_t *capacity, size_t need, size_t size)
{
	size_t more = *capacity / 32;
	void *grown;

	if (need <= *capacity)
		return old;
	if (more < 256)
		more = 256;
	if (more > 1u << 20)
		more = 1u << 20;
	if (need < *capacity + more)
		need = *capacity + more;
	grown = realloc(old, need * size);
	if (grown)
		*capacity = need;
	return grown;
}

/* Where the search for (hash) starts; mixed, as a system's hash may be weak in its high bits. */
static size_t home(const struct search_visited *v, const uint64_t hash[2])
{
	uint64_t high = ((hash[0] ^ hash[1]) * 0x9e3779b97f4a7c15u) >> 32;

	return (size_t)(high * v->slots >> 32);
}

static size_t next(const struct search_visited *v, size_t at)
{
	return at + 1 == v->slots ? 0 : at + 1;
}

uint32_t search_visited_find(const struct search_visited *v, const uint64_t hash[2])
{
	if (!v->slots)
		return SEARCH_NONE;
	for (size_t at = home(v, hash);; at = next(v, at)) {
		uint32_t id = v->slot[at];

		if (id == SEARCH_NONE)
			return SEARCH_NONE;
		if (v->state[id].hash[0] == hash[0] && v->state[id].hash[1] == hash[1])
			return id;
	}
}

static void put(struct search_visited *v, uint32_t id)
{
	size_t at = home(v, v->state[id].hash);

	while (v->slot[at] != SEARCH_NONE)
		at = next(v, at);
	v->slot[at] = id;
}

/*
 * Never more than four fifths full, and grown by a quarter: 5 to 6.25 bytes a
 * state, where doubling would go up to 10. Rebuilt from the records, so the old
 * index is given back first.
 */
static bool grow_index(struct search_visited *v)
{
	size_t slots = v->slots + v->slots / 4;

	if ((v->count + 1) * 5 <= v->slots * 4)
		return true;
	if (slots < SLOTS_MIN)
		slots = SLOTS_MIN;
	free(v->slot);
	v->slots = 0;
	v->slot = malloc(slots * sizeof(*v->slot));
	if (!v->slot)
		return false;
	v->slots = slots;
	memset(v->slot, 0xff, slots * sizeof(*v->slot));
	for (size_t i = 0; i < v->count; i++)
		put(v, (uint32_t)i);
	return true;
}

bool search_visited_add(struct search_visited *v, const struct search_state *state)
{
	struct search_state *grown =
		search_grow(v->state, &v->capacity, v->count + 1, sizeof(*grown));

	assert(v->count < SEARCH_STATES_MAX);
	if (!grown)
		return false;
	v->state = grown;
	if (!grow_index(v))
		return false;
	v->state[v->count] = *state;
	put(v, (uint32_t)v->count++);
	return true;
}

/*
 * From each state's home to the end of its run. What is empty inside an old run
 * was emptied up to that run's end, so nothing behind it is missed.
 */
void search_visited_clear(struct search_visited *v)
{
	for (size_t i = 0; i < v->count; i++) {
		size_t at = home(v, v->state[i].hash);

		for (; v->slot[at] != SEARCH_NONE; at = next(v, at))
			v->slot[at] = SEARCH_NONE;
	}
	v->count = 0;
}

void search_visited_fini(struct search_visited *v)
{
	free(v->state);
	free(v->slot);
	*v = (struct search_visited){ 0 };
}

size_t search_visited_bytes(const struct search_visited *v)
{
	return v->capacity * sizeof(*v->state) + v->slots * sizeof(*v->slot);
}
