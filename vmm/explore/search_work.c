// SPDX-License-Identifier: BSD-2-Clause
/*
 * search_work.c - a worker's part of the search: expands the states it takes,
 * and keeps what it finds for the merge. Must not write what other workers read
 * in the same round, nor know when the search ends.
 */
#include "explore/search_internal.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

#include "base/clock.h"

#define BATCH_STATES	 8u
#define PROGRESS_SECONDS 0.5

bool search_no_memory(struct err *e)
{
	return err_set(e, ERR_HOST, "search: out of memory");
}

void search_stop(struct search *s, enum search_stop why)
{
	int not = SEARCH_STOP_NOT;

	atomic_compare_exchange_strong(&s->stop, &not, why);
}

uint64_t search_memory(const struct search *s)
{
	return s->bytes + atomic_load(&s->blob_bytes) + atomic_load(&s->round_bytes);
}

void search_blob_free(struct search *s, struct search_blob *blob)
{
	if (!blob->data)
		return;
	atomic_fetch_sub(&s->blob_bytes, blob->size);
	free(blob->data);
	blob->data = NULL;
}

/* ---- a worker's part of a round ------------------------------------------- */

static bool keep(struct search_worker *w, const struct search_state *state, uint32_t *index,
		 struct err *e)
{
	struct search *s = w->search;
	struct search_extra *extra, new = { .id = SEARCH_NONE };

	extra = search_grow(w->extra, &w->extra_capacity, w->found.count + 1, sizeof(*extra));
	if (!extra)
		return search_no_memory(e);
	w->extra = extra;
	/* Beyond a violation nothing is expanded. */
	if (s->violation == SEARCH_NONE && !state->violation) {
		if (!w->system->save(w->system->self, &new.blob, e))
			return false;
		atomic_fetch_add(&s->blob_bytes, new.blob.size);
	}
	*index = (uint32_t)w->found.count;
	extra[*index] = new;
	if (!search_visited_add(&w->found, state)) {
		search_blob_free(s, &extra[*index].blob);
		return search_no_memory(e);
	}
	atomic_fetch_add(&s->new_states, 1);
	return true;
}

/* Equal states are one: what is not a matter of the state alone would get lost. */
static bool check_mark(const struct search_state *known, const struct search_state *state,
		       struct err *e)
{
	if (known->violation == state->violation && known->flags == state->flags)
		return true;
	return err_set(e, ERR_HOST,
		       "search: equal states, of which one is marked %u, %u, the other %u, %u",
		       known->violation, known->flags, state->violation, state->flags);
}

/* Where the system is now: a known state, one this worker found, or a new one. */
static bool arrive(struct search_worker *w, struct search_edge *edge, struct search_state *state,
		   struct err *e)
{
	w->system->hash(w->system->self, state->hash);
	w->at = edge->to = search_visited_find(&w->search->graph.states, state->hash);
	if (edge->to != SEARCH_NONE)
		return check_mark(&w->search->graph.states.state[edge->to], state, e);
	edge->fresh = true;
	edge->to = search_visited_find(&w->found, state->hash);
	if (edge->to != SEARCH_NONE && !check_mark(&w->found.state[edge->to], state, e))
		return false;
	if (edge->to == SEARCH_NONE && !keep(w, state, &edge->to, e))
		return false;
	w->at_found = edge->to;
	return true;
}

static bool move(struct search_worker *w, uint32_t from, uint32_t n, const struct search_action *a,
		 struct err *e)
{
	struct search_state state = { .parent = from, .action = (uint16_t)n };
	struct search_mark mark = { 0 };
	struct search_edge *edge;

	assert(a->process < 64 && a->lane < SEARCH_LANES);
	edge = search_grow(w->edge, &w->edge_capacity, w->edges + 1, sizeof(*edge));
	if (!edge)
		return search_no_memory(e);
	w->edge = edge;
	w->at = w->at_found = SEARCH_NONE;
	if (!w->system->apply(w->system->self, a, &mark, e))
		return false;
	state.violation = mark.violation;
	state.flags = (uint8_t)((mark.goal ? SEARCH_GOAL : 0) | (mark.over ? SEARCH_OVER : 0));
	edge += w->edges++;
	*edge = (struct search_edge){
		.process = a->process,
		.lane = a->lane,
		.owed = a->owed,
		.costly = a->costly,
		.strong = a->strong,
	};
	return arrive(w, edge, &state, e);
}

/* A move back into the state itself, or into the only state of a level, saves a load. */
static bool enter(struct search_worker *w, uint32_t id, const struct search_blob *blob,
		  struct err *e)
{
	if (w->at == id)
		return true;
	w->at = w->at_found = SEARCH_NONE;
	if (!w->system->load(w->system->self, blob, e))
		return false;
	w->at = id;
	return true;
}

static bool expand(struct search_worker *w, uint32_t id, struct err *e)
{
	struct search *s = w->search;
	struct search_blob *blob = &s->now.blob[id - s->now.base];
	struct search_action list[SEARCH_ACTIONS_MAX];
	struct search_row *row;
	uint32_t count;

	row = search_grow(w->row, &w->row_capacity, w->rows + 1, sizeof(*row));
	if (!row)
		return search_no_memory(e);
	w->row = row;
	/* Nor here, where a search for every violation comes by one, or the system's bound was met. */
	if (s->graph.states.state[id].violation || s->graph.states.state[id].flags & SEARCH_OVER) {
		row[w->rows++] = (struct search_row){ id, 0 };
		return true;
	}
	if (!enter(w, id, blob, e))
		return false;
	count = w->system->enabled(w->system->self, list);
	assert(count <= SEARCH_ACTIONS_MAX);
	for (uint32_t i = 0; i < count; i++)
		if (!enter(w, id, blob, e) || !move(w, id, i, &list[i], e))
			return false;
	row[w->rows++] = (struct search_row){ id, count };
	atomic_fetch_add(&s->transitions, count);
	return true;
}

static void account(struct search_worker *w)
{
	size_t bytes = search_visited_bytes(&w->found) + w->extra_capacity * sizeof(*w->extra) +
		       w->row_capacity * sizeof(*w->row) + w->edge_capacity * sizeof(*w->edge);

	atomic_fetch_add(&w->search->round_bytes, bytes - w->bytes);
	w->bytes = bytes;
}

void search_check_bounds(struct search *s)
{
	const struct search_bounds *b = &s->options->bounds;
	uint64_t held = search_memory(s), peak = atomic_load(&s->peak);

	while (held > peak && !atomic_compare_exchange_weak(&s->peak, &peak, held))
		;
	if (b->memory && held > b->memory)
		search_stop(s, SEARCH_STOP_MEMORY);
	if (b->seconds > 0 && clock_now() - s->started > b->seconds)
		search_stop(s, SEARCH_STOP_SECONDS);
}

double search_states_left(const uint64_t *size, size_t count)
{
	double factor;

	if (count < SEARCH_TREND || !size[count - 1])
		return -1;
	for (size_t i = 1; i < count; i++)
		if (size[i] > size[i - 1])
			return -1;
	if (size[count - 1] == size[0])
		return -1;
	factor = pow((double)size[count - 1] / (double)size[0], 1 / (double)(count - 1));
	return (double)size[count - 1] * factor / (1 - factor);
}

/* At the average speed so far. */
static double seconds_left(const struct search *s, double seconds)
{
	const struct search_graph *g = &s->graph;
	size_t taken = atomic_load(&s->taken), count = 0;
	double expanded, left;
	uint64_t size[SEARCH_TREND];

	if (taken > s->round_end)
		taken = s->round_end;
	expanded = (double)s->now.base + (double)taken;
	for (uint64_t depth = s->depth + 1; depth-- > 0 && count < SEARCH_TREND;) {
		count++;
		size[SEARCH_TREND - count] = search_graph_level_end(g, depth) - g->level[depth];
	}
	left = search_states_left(size + SEARCH_TREND - count, count);
	if (left < 0 || expanded < 1)
		return -1;
	return ((double)(s->now.count - taken) + left) * seconds / expanded;
}

void search_report(struct search *s)
{
	const struct search_options *o = s->options;
	double now = clock_now();
	struct search_progress p = {
		.states = s->graph.states.count + atomic_load(&s->new_states),
		.transitions = atomic_load(&s->transitions),
		.frontier = s->now.count - s->merged,
		.depth = s->depth,
		.memory = search_memory(s),
		.seconds = now - s->started,
	};

	if (!o->progress || now - s->reported < PROGRESS_SECONDS)
		return;
	s->reported = now;
	p.left_seconds = seconds_left(s, p.seconds);
	if (o->progress(o->arg, &p))
		search_stop(s, SEARCH_STOP_INTERRUPTED);
}

/* How many new states may be found; one more makes the merge see that the bound is met. */
static uint64_t room_for_states(const struct search *s)
{
	uint64_t limit = s->options->bounds.states, count = s->graph.states.count;

	return !limit ? UINT64_MAX : limit > count ? limit - count : 0;
}

/* A batch once taken is finished, so what was taken is always a prefix of the level. */
static void expand_batches(struct search_worker *w)
{
	struct search *s = w->search;
	uint64_t room = room_for_states(s);
	size_t batch = (s->round_end - s->merged) / (4 * (size_t)s->jobs), at, end;

	batch = batch < 1 ? 1 : batch > BATCH_STATES ? BATCH_STATES : batch;
	while (!atomic_load(&s->stop) && atomic_load(&s->new_states) <= room) {
		at = atomic_fetch_add(&s->taken, batch);
		end = at + batch < s->round_end ? at + batch : s->round_end;
		for (; at < end; at++) {
			uint32_t id = s->now.base + (uint32_t)at;

			if (!expand(w, id, &w->err)) {
				w->failed = id;
				search_stop(s, SEARCH_STOP_INTERRUPTED);
				return;
			}
			if (w == s->worker)
				search_report(s);
		}
		account(w);
		search_check_bounds(s);
		if (end == s->round_end)
			return;
	}
}

/* ---- threads -------------------------------------------------------------- */

static void work(struct search_worker *w)
{
	struct search_system *system = w->system;

	if (w->search->task == SEARCH_TASK_EXPAND) {
		expand_batches(w);
	} else if (!system->start(system->self, &w->mark, &w->err)) {
		w->failed = 0;
	} else {
		system->hash(system->self, w->hash);
		w->at = 0;
	}
}

void *search_thread(void *arg)
{
	struct search_worker *w = arg;

	for (;;) {
		while (sem_wait(&w->go))
			;
		if (w->search->task == SEARCH_TASK_QUIT)
			return NULL;
		work(w);
		sem_post(&w->search->done);
	}
}

/* The caller's thread is worker 0. The semaphores order all that the threads share. */
void search_all_work(struct search *s, enum search_task task)
{
	uint32_t others = s->threads;

	if (task == SEARCH_TASK_EXPAND && s->round_end - s->merged == 1)
		others = 0;
	s->task = task;
	for (uint32_t i = 1; i <= others; i++)
		sem_post(&s->worker[i].go);
	work(&s->worker[0]);
	for (uint32_t i = 1; i <= others; i++)
		while (sem_wait(&s->done))
			;
}

bool search_first_failure(const struct search *s, struct err *e)
{
	const struct search_worker *first = NULL;

	for (uint32_t i = 0; i < s->jobs; i++) {
		const struct search_worker *w = &s->worker[i];

		if (w->failed != SEARCH_NONE && (!first || w->failed < first->failed))
			first = w;
	}
	if (first && e)
		*e = first->err;
	return first;
}
