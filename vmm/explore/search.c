// SPDX-License-Identifier: BSD-2-Clause
/*
 * search.c - breadth-first over every state: the order of it, what is kept, and
 * when it ends. Must not know what the states mean (search_graph.c judges them)
 * nor what the systems are.
 *
 * A level is expanded in rounds. In a round the workers (search_work.c) take
 * states in order, look each successor up among the states known before the
 * round, and keep what is new for themselves. Between rounds one thread merges
 * what they found in order of parent and action, so ids do not depend on who
 * found what.
 */
#include "explore/search.h"

#include <stdlib.h>

#include "base/clock.h"
#include "explore/search_internal.h"

#define ROUND_STATES 16384u

bool search_graph_add(struct search_graph *g, const struct search_state *state)
{
	uint32_t *level, id = (uint32_t)g->states.count;

	if (!search_visited_add(&g->states, state))
		return false;
	if (id && state->parent < g->level[g->levels - 1])
		return true;
	level = search_grow(g->level, &g->level_capacity, g->levels + 1, sizeof(*level));
	if (!level)
		return false;
	g->level = level;
	level[g->levels++] = id;
	return true;
}

uint32_t search_graph_level_end(const struct search_graph *g, size_t depth)
{
	return depth + 1 < g->levels ? g->level[depth + 1] : (uint32_t)g->states.count;
}

uint64_t search_graph_bytes(const struct search_graph *g)
{
	return search_visited_bytes(&g->states) + g->first_capacity * sizeof(*g->first) +
	       g->edge_capacity * sizeof(*g->edge) + g->level_capacity * sizeof(*g->level);
}

void search_account(struct search *s)
{
	s->bytes = search_graph_bytes(&s->graph) +
		   (s->now.capacity + s->next.capacity) * sizeof(*s->now.blob);
}

static bool add_state(struct search *s, const struct search_state *state, struct search_blob *blob)
{
	struct search_level *next = &s->next;
	struct search_blob *grown;

	grown = search_grow(next->blob, &next->capacity, next->count + 1, sizeof(*grown));
	if (!grown)
		return false;
	next->blob = grown;
	if (!search_graph_add(&s->graph, state))
		return false;
	if (state->violation && s->violation == SEARCH_NONE && !s->options->every)
		s->violation = (uint32_t)(s->graph.states.count - 1);
	grown[next->count++] = *blob;
	blob->data = NULL;
	return true;
}

/* The id of what (w) found, added if no other worker's has been. SEARCH_NONE: the bound is met. */
static bool merge_found(struct search *s, struct search_worker *w, uint32_t index, uint32_t *id)
{
	uint64_t bound = s->options->bounds.states;
	uint64_t limit = bound ? bound : SEARCH_STATES_MAX;
	const struct search_state *state = &w->found.state[index];
	struct search_extra *extra = &w->extra[index];

	if (extra->id == SEARCH_NONE)
		extra->id = search_visited_find(&s->graph.states, state->hash);
	*id = extra->id;
	if (*id != SEARCH_NONE)
		return true;
	if (s->graph.states.count >= limit) {
		search_stop(s, SEARCH_STOP_STATES);
		return true;
	}
	*id = extra->id = (uint32_t)s->graph.states.count;
	return add_state(s, state, &extra->blob);
}

static bool merge_row(struct search *s, struct search_worker *w)
{
	struct search_graph *g = &s->graph;
	const struct search_row *row = &w->row[w->row_merged++];
	struct search_edge *edge;
	uint64_t *first;

	edge = search_grow(g->edge, &g->edge_capacity, g->edges + row->edges, sizeof(*edge));
	if (edge)
		g->edge = edge;
	first = search_grow(g->first, &g->first_capacity, g->expanded + 2, sizeof(*first));
	if (first)
		g->first = first;
	if (!first || (row->edges && !edge))
		return false;
	for (uint32_t i = 0; i < row->edges; i++) {
		struct search_edge *new = &w->edge[w->edge_merged + i];

		if (new->fresh && !merge_found(s, w, new->to, &new->to))
			return false;
		if (new->to == SEARCH_NONE)
			return true;
		new->fresh = false;
		edge[g->edges++] = *new;
	}
	w->edge_merged += row->edges;
	first[g->expanded++] = g->edges - row->edges;
	first[g->expanded] = g->edges;
	/* Not before: a row that a bound keeps from being merged is expanded again on resuming. */
	search_blob_free(s, &s->now.blob[s->merged++]);
	return true;
}

static void forget_round(struct search *s)
{
	for (uint32_t i = 0; i < s->jobs; i++) {
		struct search_worker *w = &s->worker[i];

		if (w->at_found != SEARCH_NONE)
			w->at = w->extra[w->at_found].id;
		w->at_found = SEARCH_NONE;
		for (size_t k = 0; k < w->found.count; k++)
			search_blob_free(s, &w->extra[k].blob);
		search_visited_clear(&w->found);
		w->rows = w->edges = w->row_merged = w->edge_merged = 0;
	}
	search_account(s);
}

/* In order of state: each worker's rows are in that order, so it is at the head of one of them. */
static bool merge_round(struct search *s)
{
	uint32_t i = 0;
	bool ok = true;

	while (ok && i < s->jobs && atomic_load(&s->stop) != SEARCH_STOP_STATES) {
		uint32_t id = s->now.base + (uint32_t)s->merged;

		for (i = 0; i < s->jobs; i++) {
			struct search_worker *w = &s->worker[i];

			if (w->row_merged < w->rows && w->row[w->row_merged].state == id)
				break;
		}
		if (i < s->jobs)
			ok = merge_row(s, &s->worker[i]);
	}
	forget_round(s);
	return ok;
}

static bool run_round(struct search *s, struct err *e)
{
	size_t left = s->now.count - s->merged;

	s->round_end = s->merged + (left < ROUND_STATES ? left : ROUND_STATES);
	atomic_store(&s->taken, s->merged);
	atomic_store(&s->new_states, 0);
	search_all_work(s, SEARCH_TASK_EXPAND);
	if (search_first_failure(s, e))
		return false;
	if (!merge_round(s))
		return search_no_memory(e);
	search_check_bounds(s);
	search_report(s);
	return true;
}

/* ---- levels --------------------------------------------------------------- */

static bool save_start(struct search *s, struct err *e)
{
	struct search_worker *w = &s->worker[0];
	struct search_blob blob = { 0 };
	struct search_state state = {
		.hash = { w->hash[0], w->hash[1] },
		.parent = SEARCH_NONE,
		.violation = w->mark.violation,
		.flags = w->mark.goal ? SEARCH_GOAL : 0,
	};

	if (!w->system->save(w->system->self, &blob, e))
		return false;
	atomic_fetch_add(&s->blob_bytes, blob.size);
	if (!add_state(s, &state, &blob)) {
		search_blob_free(s, &blob);
		return search_no_memory(e);
	}
	return true;
}

/* What was found becomes what is to expand. */
static void next_level(struct search *s)
{
	struct search_level old = s->now;

	old.base = s->next.base + (uint32_t)s->next.count;
	old.count = 0;
	s->now = s->next;
	s->next = old;
	s->merged = 0;
}

static bool begin(struct search *s, struct err *e)
{
	search_all_work(s, SEARCH_TASK_START);
	if (search_first_failure(s, e))
		return false;
	for (uint32_t i = 1; i < s->jobs; i++)
		if (s->worker[i].hash[0] != s->worker[0].hash[0] ||
		    s->worker[i].hash[1] != s->worker[0].hash[1])
			return err_set(e, ERR_HOST, "search: system %u starts in another state", i);
	if (s->options->resume)
		return search_checkpoint_read(s, s->options->resume, e);
	if (!save_start(s, e))
		return false;
	next_level(s);
	return true;
}

static bool explore(struct search *s, struct err *e)
{
	if (!begin(s, e))
		return false;
	for (;;) {
		while (s->merged < s->now.count) {
			if (s->violation == 0)
				return true;
			if (!run_round(s, e))
				return false;
			if (atomic_load(&s->stop))
				return true;
		}
		if (s->violation != SEARCH_NONE || !s->next.count)
			return true;
		next_level(s);
		s->depth++;
	}
}

/* ---- what it comes to ----------------------------------------------------- */

/* A violation found within a level ends the search only behind it. */
static bool unfinished(struct search *s)
{
	return atomic_load(&s->stop) && (s->violation == SEARCH_NONE || s->merged < s->now.count);
}

static bool met_own_bound(const struct search *s)
{
	for (size_t id = 0; id < s->graph.states.count; id++)
		if (s->graph.states.state[id].flags & SEARCH_OVER)
			return true;
	return false;
}

/* Which kinds there are, and the first violation, also when it did not end the search. */
static void look_for_kinds(struct search *s, struct search_result *r)
{
	for (size_t id = s->graph.states.count; id--;) {
		uint8_t kind = s->graph.states.state[id].violation;

		if (!kind)
			continue;
		s->violation = (uint32_t)id;
		r->kinds |= kind < 64 ? UINT64_C(1) << kind : 0;
	}
	r->every =
		s->options->every && atomic_load(&s->stop) == SEARCH_STOP_NOT && !met_own_bound(s);
}

static bool judge(struct search *s, struct search_result *r)
{
	static const char *const bounds[] = {
		[SEARCH_STOP_STATES] = "states",
		[SEARCH_STOP_SECONDS] = "seconds",
		[SEARCH_STOP_MEMORY] = "memory",
	};
	int why = atomic_load(&s->stop);
	uint64_t limit = s->options->bounds.memory;

	r->states = s->graph.states.count;
	r->transitions = s->graph.edges;
	r->depth = s->depth + (s->next.count != 0);
	r->memory = atomic_load(&s->peak);
	look_for_kinds(s, r);
	if (s->violation != SEARCH_NONE) {
		r->end = SEARCH_VIOLATION;
		r->violation = s->graph.states.state[s->violation].violation;
		if (!search_witness(&s->graph, s->violation, search_graph_bytes(&s->graph), limit,
				    r))
			return false;
		r->minimised &= !unfinished(s);
		return true;
	}
	if (why == SEARCH_STOP_NOT && met_own_bound(s)) {
		r->end = SEARCH_BOUND;
		r->bound = "history";
		return true;
	}
	if (why == SEARCH_STOP_NOT)
		return search_graph_judge(&s->graph, limit, r);
	r->end = why == SEARCH_STOP_INTERRUPTED ? SEARCH_INTERRUPTED : SEARCH_BOUND;
	r->bound = bounds[why];
	return true;
}

static void free_level(struct search *s, struct search_level *level)
{
	for (size_t i = 0; i < level->count; i++)
		search_blob_free(s, &level->blob[i]);
	free(level->blob);
}

/* Before the judgement, which needs room of its own. */
static void free_workers(struct search *s)
{
	s->task = SEARCH_TASK_QUIT;
	for (uint32_t i = 0; i < s->threads; i++)
		sem_post(&s->worker[i + 1].go);
	for (uint32_t i = 0; i < s->threads; i++)
		pthread_join(s->worker[i + 1].thread, NULL);
	forget_round(s);
	for (uint32_t i = 0; i < s->jobs; i++) {
		struct search_worker *w = &s->worker[i];

		search_visited_fini(&w->found);
		free(w->extra);
		free(w->row);
		free(w->edge);
		sem_destroy(&w->go);
	}
	free(s->worker);
	sem_destroy(&s->done);
	free_level(s, &s->now);
	free_level(s, &s->next);
}

static bool init_workers(struct search *s, struct search_system *const *systems, struct err *e)
{
	sem_init(&s->done, 0, 0);
	for (uint32_t i = 0; i < s->jobs; i++) {
		struct search_worker *w = &s->worker[i];

		*w = (struct search_worker){
			.search = s,
			.system = systems[i],
			.at = SEARCH_NONE,
			.at_found = SEARCH_NONE,
			.failed = SEARCH_NONE,
		};
		sem_init(&w->go, 0, 0);
	}
	for (uint32_t i = 1; i < s->jobs; i++) {
		int error =
			pthread_create(&s->worker[i].thread, NULL, search_thread, &s->worker[i]);

		if (error)
			return err_sys(e, error, "search: thread %u of %u", i, s->jobs);
		s->threads++;
	}
	return true;
}

static bool save(struct search *s, struct search_result *r, struct err *e)
{
	FILE *f = s->options->checkpoint;

	r->saved = f && search_checkpoint_write(s, f, e);
	return !f || r->saved;
}

static bool conclude(struct search *s, struct search_result *r, struct err *e)
{
	if (!judge(s, r))
		return search_no_memory(e);
	/* All is explored, but there was no room to judge it. The system's own bound will not move. */
	if (r->end == SEARCH_BOUND && !unfinished(s) && !met_own_bound(s) && !save(s, r, e))
		return false;
	r->seconds = clock_now() - s->started;
	return true;
}

bool search_run(struct search_system *const *systems, uint32_t jobs,
		const struct search_options *options, struct search_result *result, struct err *e)
{
	struct search s = { .options = options, .jobs = jobs, .violation = SEARCH_NONE };
	bool ok;

	*result = (struct search_result){ 0 };
	s.started = s.reported = clock_now();
	s.worker = calloc(jobs, sizeof(*s.worker));
	if (!s.worker)
		return search_no_memory(e);
	ok = init_workers(&s, systems, e) && explore(&s, e);
	if (ok && unfinished(&s))
		ok = save(&s, result, e);
	free_workers(&s);
	ok = ok && conclude(&s, result, e);
	search_visited_fini(&s.graph.states);
	free(s.graph.first);
	free(s.graph.edge);
	free(s.graph.level);
	if (!ok)
		search_fini(result);
	return ok;
}

void search_fini(struct search_result *result)
{
	free(result->path.index);
	free(result->cycle.index);
	*result = (struct search_result){ 0 };
}

bool search_go_on(struct search_system *s, const struct search_path *path, struct err *e)
{
	struct search_action list[SEARCH_ACTIONS_MAX];
	struct search_mark mark;

	for (size_t i = 0; i < path->count; i++) {
		uint32_t count = s->enabled(s->self, list);

		if (path->index[i] >= count)
			return err_set(e, ERR_HOST, "search: move %u of %u at decision %zu",
				       path->index[i], count, i);
		if (!s->apply(s->self, &list[path->index[i]], &mark, e))
			return err_prefix(e, "decision %zu: ", i);
	}
	return true;
}

bool search_follow(struct search_system *s, const struct search_path *path, struct err *e)
{
	struct search_mark mark;

	return s->start(s->self, &mark, e) && search_go_on(s, path, e);
}
