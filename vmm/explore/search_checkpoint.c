// SPDX-License-Identifier: BSD-2-Clause
/*
 * search_checkpoint.c - an unfinished search as bytes, and back: what was seen,
 * what it leads to, and the snapshots of what is still to be expanded. Must not
 * know why the search ended, nor what is in a snapshot.
 *
 * The layout, in the byte order and representation of a little-endian host: a
 * header; the states' records; where each expanded state's edges begin, and
 * where the last ones end; the edges; each snapshot, its length first; and XXH3
 * (64 bits) of all that. A reader believes nothing: counts are held against what
 * the file still has, so that memory grows only with what was really read, and
 * whatever is an index is held against what it counts in.
 */
#include "explore/search_internal.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "base/clock.h"

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "checkpoints are little-endian"
#endif

#define MAGIC	"CMSEARCH"
#define VERSION 3u

struct header {
	char magic[8];
	uint64_t version;
	uint64_t bytes; /* of the whole, this and the checksum included */
	uint64_t identity;
	uint64_t states, edges, expanded, depth;
	double seconds;
};

enum { DISK_OWED = 1, DISK_COSTLY = 2, DISK_STRONG = 4 };

struct disk_edge {
	uint32_t to;
	uint8_t process, lane, flags, zero;
};

_Static_assert(sizeof(struct header) == 72 && sizeof(struct disk_edge) == 8, "no padding");

struct stream {
	FILE *file;
	XXH3_state_t *hash;
	uint64_t left; /* reading: bytes before the checksum */
};

static bool stream_open(struct stream *s, FILE *f, struct err *e)
{
	*s = (struct stream){ .file = f, .hash = XXH3_createState() };
	if (!s->hash)
		return search_no_memory(e);
	XXH3_64bits_reset(s->hash);
	return true;
}

/* ---- writing -------------------------------------------------------------- */

static bool put(struct stream *out, const void *bytes, size_t size)
{
	XXH3_64bits_update(out->hash, bytes, size);
	return fwrite(bytes, 1, size, out->file) == size;
}

/* Of a state that is to be expanded. Behind a violation nothing is. */
static const struct search_blob *blob_of(const struct search *s, size_t id)
{
	size_t end = s->now.base + s->now.count;

	if (id >= end && s->violation != SEARCH_NONE)
		return NULL;
	return id < end ? &s->now.blob[id - s->now.base] : &s->next.blob[id - s->next.base];
}

/* Of whole rows only: one that was merged in part is expanded again. */
static uint64_t whole_edges(const struct search_graph *g)
{
	return g->expanded ? g->first[g->expanded] : 0;
}

static uint64_t whole_size(const struct search *s)
{
	const struct search_graph *g = &s->graph;
	uint64_t size = sizeof(struct header) + g->states.count * sizeof(*g->states.state) +
			(g->expanded + 1) * sizeof(*g->first) +
			whole_edges(g) * sizeof(struct disk_edge) + sizeof(uint64_t);

	for (size_t id = g->expanded; id < g->states.count && blob_of(s, id); id++)
		size += sizeof(uint64_t) + blob_of(s, id)->size;
	return size;
}

static bool put_edges(struct stream *out, const struct search_graph *g)
{
	uint64_t end = whole_edges(g);

	for (uint64_t i = 0; i < end; i++) {
		const struct search_edge *edge = &g->edge[i];
		struct disk_edge disk = {
			.to = edge->to,
			.process = edge->process,
			.lane = edge->lane,
			.flags = (uint8_t)((edge->owed ? DISK_OWED : 0) |
					   (edge->costly ? DISK_COSTLY : 0) |
					   (edge->strong ? DISK_STRONG : 0)),
		};

		if (!put(out, &disk, sizeof(disk)))
			return false;
	}
	return true;
}

static bool put_blobs(struct stream *out, const struct search *s)
{
	for (size_t id = s->graph.expanded; id < s->graph.states.count; id++) {
		const struct search_blob *blob = blob_of(s, id);
		uint64_t size;

		if (!blob)
			return true;
		size = blob->size;
		if (!put(out, &size, sizeof(size)) || !put(out, blob->data, blob->size))
			return false;
	}
	return true;
}

static bool put_all(struct stream *out, const struct search *s)
{
	const struct search_graph *g = &s->graph;
	const uint64_t zero = 0;
	struct header h = {
		.version = VERSION,
		.bytes = whole_size(s),
		.identity = s->options->identity,
		.states = g->states.count,
		.edges = whole_edges(g),
		.expanded = g->expanded,
		.depth = s->depth,
		.seconds = clock_now() - s->started,
	};

	memcpy(h.magic, MAGIC, sizeof(h.magic));
	return put(out, &h, sizeof(h)) &&
	       put(out, g->states.state, g->states.count * sizeof(*g->states.state)) &&
	       (g->expanded ? put(out, g->first, (g->expanded + 1) * sizeof(*g->first)) :
			      put(out, &zero, sizeof(zero))) &&
	       put_edges(out, g) && put_blobs(out, s);
}

bool search_checkpoint_write(struct search *s, FILE *f, struct err *e)
{
	struct stream out;
	uint64_t sum;
	bool ok;

	if (!stream_open(&out, f, e))
		return false;
	errno = 0;
	ok = put_all(&out, s);
	sum = XXH3_64bits_digest(out.hash);
	ok = ok && fwrite(&sum, sizeof(sum), 1, f) == 1 && !fflush(f);
	XXH3_freeState(out.hash);
	return ok || err_sys(e, errno, "search: the checkpoint cannot be written");
}

/* ---- reading -------------------------------------------------------------- */

static bool damaged(struct err *e, const char *what)
{
	return err_set(e, ERR_INPUT, "the checkpoint is damaged: %s", what);
}

static bool get(struct stream *in, void *bytes, size_t size, struct err *e)
{
	if (size > in->left)
		return damaged(e, "it says that it holds more than it does");
	errno = 0;
	if (fread(bytes, 1, size, in->file) != size)
		return ferror(in->file) ? err_sys(e, errno, "the checkpoint cannot be read") :
					  damaged(e, "it ends early");
	XXH3_64bits_update(in->hash, bytes, size);
	in->left -= size;
	return true;
}

/* Bytes from where the file stands to its end. */
static bool bytes_left(FILE *f, uint64_t *left, struct err *e)
{
	off_t at = ftello(f), end;

	if (at < 0 || fseeko(f, 0, SEEK_END) || (end = ftello(f)) < at || fseeko(f, at, SEEK_SET))
		return err_set(e, ERR_INPUT, "the checkpoint is no ordinary file");
	*left = (uint64_t)(end - at);
	return true;
}

static bool get_header(struct stream *in, struct header *h, uint64_t identity, struct err *e)
{
	uint64_t bytes = 0;

	if (!bytes_left(in->file, &bytes, e))
		return false;
	in->left = bytes;
	if (bytes < sizeof(*h) + sizeof(uint64_t))
		return err_set(e, ERR_INPUT, "the file is too short for a checkpoint");
	if (!get(in, h, sizeof(*h), e))
		return false;
	if (memcmp(h->magic, MAGIC, sizeof(h->magic)) != 0)
		return err_set(e, ERR_INPUT, "the file is no checkpoint of a search");
	if (h->version != VERSION)
		return err_set(e, ERR_INPUT, "the checkpoint has format %llu, not %u",
			       (unsigned long long)h->version, VERSION);
	if (h->bytes > bytes)
		return err_set(e, ERR_INPUT, "the checkpoint is cut off: %llu bytes of %llu",
			       (unsigned long long)bytes, (unsigned long long)h->bytes);
	if (h->bytes < sizeof(*h) + sizeof(uint64_t))
		return damaged(e, "its size");
	in->left = h->bytes - sizeof(*h) - sizeof(uint64_t);
	if (!h->states || h->states > SEARCH_STATES_MAX || h->expanded > h->states ||
	    h->states > in->left / sizeof(struct search_state) ||
	    h->edges > in->left / sizeof(struct disk_edge) || !isfinite(h->seconds) ||
	    h->seconds < 0)
		return damaged(e, "its counts");
	if (h->identity != identity)
		return err_set(e, ERR_INPUT, "the checkpoint is of another system");
	return true;
}

/* In the order in which states are found, so that levels and paths come out of the parents. */
static bool state_is_sound(const struct search_graph *g, const struct search_state *state,
			   uint64_t expanded)
{
	size_t id = g->states.count;
	uint32_t before = id > 1 ? g->states.state[id - 1].parent : 0;

	if (state->flags & ~(SEARCH_GOAL | SEARCH_OVER) || state->action >= SEARCH_ACTIONS_MAX ||
	    search_visited_find(&g->states, state->hash) != SEARCH_NONE)
		return false;
	if (!id)
		return state->parent == SEARCH_NONE;
	return state->parent < id && state->parent >= before && state->parent <= expanded;
}

static bool get_states(struct stream *in, struct search *s, const struct header *h, struct err *e)
{
	const uint64_t *start = s->worker[0].hash;

	for (uint64_t i = 0; i < h->states; i++) {
		struct search_state state = { 0 };

		if (!get(in, &state, sizeof(state), e))
			return false;
		if (!i && (state.hash[0] != start[0] || state.hash[1] != start[1]))
			return err_set(e, ERR_INPUT, "the checkpoint is of another system");
		if (!state_is_sound(&s->graph, &state, h->expanded))
			return damaged(e, "a state's record");
		if (!search_graph_add(&s->graph, &state))
			return search_no_memory(e);
		if (state.violation && s->violation == SEARCH_NONE && !s->options->every)
			s->violation = (uint32_t)i;
	}
	return true;
}

static bool get_first(struct stream *in, struct search_graph *g, const struct header *h,
		      struct err *e)
{
	uint64_t last = 0;

	for (g->expanded = 0;; g->expanded++) {
		uint64_t *grown =
			search_grow(g->first, &g->first_capacity, g->expanded + 1, sizeof(*grown));

		if (!grown)
			return search_no_memory(e);
		g->first = grown;
		if (!get(in, &grown[g->expanded], sizeof(*grown), e))
			return false;
		if (grown[g->expanded] < last || grown[g->expanded] - last > SEARCH_ACTIONS_MAX)
			return damaged(e, "the length of a state's row");
		last = grown[g->expanded];
		if (g->expanded == h->expanded)
			break;
	}
	return (g->first[0] == 0 && last == h->edges) || damaged(e, "the number of moves");
}

static bool get_edges(struct stream *in, struct search_graph *g, const struct header *h,
		      struct err *e)
{
	for (g->edges = 0; g->edges < h->edges; g->edges++) {
		struct search_edge *grown =
			search_grow(g->edge, &g->edge_capacity, g->edges + 1, sizeof(*grown));
		struct disk_edge disk = { 0 };

		if (!grown)
			return search_no_memory(e);
		g->edge = grown;
		if (!get(in, &disk, sizeof(disk), e))
			return false;
		if (disk.to >= g->states.count || disk.process >= 64 || disk.lane >= SEARCH_LANES ||
		    disk.flags & ~(DISK_OWED | DISK_COSTLY | DISK_STRONG) || disk.zero)
			return damaged(e, "a move");
		grown[g->edges] = (struct search_edge){ .to = disk.to,
							.process = disk.process,
							.lane = disk.lane,
							.owed = disk.flags & DISK_OWED,
							.costly = disk.flags & DISK_COSTLY,
							.strong = disk.flags & DISK_STRONG };
	}
	return true;
}

/* That each state was come to by the move that its record says. */
static bool parents_are_sound(const struct search_graph *g)
{
	for (size_t id = 1; id < g->states.count; id++) {
		const struct search_state *state = &g->states.state[id];
		uint64_t edge;

		if (state->parent == g->expanded)
			continue;
		edge = g->first[state->parent] + state->action;
		if (edge >= g->first[state->parent + 1] || g->edge[edge].to != id)
			return false;
	}
	return true;
}

static bool get_blob(struct stream *in, struct search *s, struct search_blob *blob, struct err *e)
{
	uint64_t size = 0;

	if (!get(in, &size, sizeof(size), e))
		return false;
	if (size > in->left)
		return damaged(e, "the size of a snapshot");
	blob->data = malloc(size + !size);
	if (!blob->data)
		return search_no_memory(e);
	blob->size = size;
	atomic_fetch_add(&s->blob_bytes, size);
	return get(in, blob->data, size, e);
}

static bool make_level(struct search_level *level, uint32_t base, uint32_t end, struct err *e)
{
	level->base = base;
	level->count = end - base;
	level->capacity = level->count + 1;
	level->blob = calloc(level->capacity, sizeof(*level->blob));
	return level->blob || search_no_memory(e);
}

static bool get_levels(struct stream *in, struct search *s, const struct header *h, struct err *e)
{
	const struct search_graph *g = &s->graph;
	uint32_t end;

	if (h->depth >= g->levels || g->levels > h->depth + 2 || g->expanded < g->level[h->depth] ||
	    g->expanded > search_graph_level_end(g, h->depth))
		return damaged(e, "the level");
	end = search_graph_level_end(g, h->depth);
	if (!make_level(&s->now, g->level[h->depth], end, e) ||
	    !make_level(&s->next, end, (uint32_t)g->states.count, e))
		return false;
	s->depth = h->depth;
	s->merged = g->expanded - s->now.base;
	for (size_t id = g->expanded; id < g->states.count; id++) {
		struct search_blob *blob =
			id < end ? &s->now.blob[id - s->now.base] : &s->next.blob[id - end];

		if (id >= end && s->violation != SEARCH_NONE)
			break;
		if (!get_blob(in, s, blob, e))
			return false;
	}
	return true;
}

static bool get_checksum(struct stream *in, struct err *e)
{
	uint64_t want = XXH3_64bits_digest(in->hash), sum;

	if (in->left)
		return damaged(e, "there is more in it than it should hold");
	return (fread(&sum, sizeof(sum), 1, in->file) == 1 && sum == want) ||
	       damaged(e, "its checksum");
}

static bool get_all(struct stream *in, struct search *s, struct err *e)
{
	struct header h = { 0 };

	if (!get_header(in, &h, s->options->identity, e) || !get_states(in, s, &h, e) ||
	    !get_first(in, &s->graph, &h, e) || !get_edges(in, &s->graph, &h, e))
		return false;
	if (!parents_are_sound(&s->graph))
		return damaged(e, "how a state was come to");
	if (!get_levels(in, s, &h, e) || !get_checksum(in, e))
		return false;
	s->started -= h.seconds;
	atomic_store(&s->transitions, s->graph.edges);
	search_account(s);
	return true;
}

bool search_checkpoint_read(struct search *s, FILE *f, struct err *e)
{
	struct stream in;
	bool ok;

	if (!stream_open(&in, f, e))
		return false;
	ok = get_all(&in, s, e);
	XXH3_freeState(in.hash);
	return ok;
}
