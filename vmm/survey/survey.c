// SPDX-License-Identifier: BSD-2-Clause
/* survey.c - the cells, the stores of each, and who is visited when. */
#include "survey/survey.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A slice of a cell is this long if the time is plenty; then there are more rounds. */
#define SLICE_WANTED 0.010
#define SLICE_FEW    0.005 /* at least, of the cells of which there are few: times and costs */
#define EXPENSE_MAX  4	   /* times the slice, or cells are left out rather than hardly watched */
#define ROUNDS_MAX   1000u

/* ---- the cells ---- */

/* Where times are taken: inside an aligned quadword, and across a line. */
static const uint32_t timed_offset[] = { 8, 60 };
static const enum cm_survey_sync timed_sync[] = { CM_SYNC_NONE, CM_SYNC_IRET, CM_SYNC_CPUID,
						  CM_SYNC_SERIALIZE };

#define NTIMED (sizeof(timed_offset) / sizeof(*timed_offset))
#define NSYNCS (sizeof(timed_sync) / sizeof(*timed_sync))
#define TIMED_CELL                                                      \
	{                                                               \
		.what = SURVEY_TIME, .width = 4, .pause = 100, .cpl = 3 \
	}

/* Stores of one byte are aligned as they are. */
#define STORES_MAX (2 * SURVEY_WIDTHS - 1)

static size_t cells_at_most(void)
{
	return (size_t)SURVEY_KINDS * SURVEY_POSITIONS * STORES_MAX * SURVEY_PAUSES * 2 +
	       NTIMED * NSYNCS + CM_SYNCS;
}

static struct survey_cell *add(struct survey *s, struct survey_cell c)
{
	s->cell[s->ncells] = c;
	return &s->cell[s->ncells++];
}

static void add_stores(struct survey *s, const struct survey_choice *choice, struct survey_cell c)
{
	for (uint32_t i = 0; i < SURVEY_WIDTHS * 2; i++) {
		c.width = 1u << i / 2;
		c.natural = i % 2;
		if (!choice->width[i / 2] || (c.width == 1 && !c.natural))
			continue;
		for (uint32_t p = 0; p < choice->npauses; p++) {
			c.pause = choice->pause[p];
			for (c.cpl = 0; c.cpl <= 3; c.cpl += 3)
				if (c.cpl ? choice->cpl3 : choice->cpl0)
					add(s, c);
		}
	}
}

static void add_times_and_costs(struct survey *s)
{
	for (size_t i = 0; i < NTIMED * NSYNCS; i++) {
		struct survey_cell *c = add(s, (struct survey_cell)TIMED_CELL);

		c->offset = timed_offset[i / NSYNCS];
		c->sync = timed_sync[i % NSYNCS];
	}
	for (int sync = 0; sync < CM_SYNCS; sync++)
		add(s, (struct survey_cell){
			       .what = SURVEY_COST,
			       .cpl = sync == CM_SYNC_IPI ? 0 : 3,
			       .sync = (enum cm_survey_sync)sync,
		       });
}

bool survey_check_image(const struct image *image, struct err *e)
{
	static const char *const symbols[] = { "cm_survey", "cm_survey_write", "cm_survey_execute",
					       "cm_survey_spend" };

	for (size_t i = 0; i < sizeof(symbols) / sizeof(*symbols); i++)
		if (!image_symbol(image, symbols[i]))
			return err_set(e, ERR_UNSUPPORTED,
				       "%s: no symbol %s: this image has no loops for a survey "
				       "(they are x86-64's)",
				       image->path, symbols[i]);
	for (int i = 0; i < SURVEY_KINDS; i++)
		if (!image_site(image, survey_kind_site((enum survey_kind)i)))
			return err_set(e, ERR_UNSUPPORTED, "%s: no kind of site '%s'", image->path,
				       survey_kind_site((enum survey_kind)i));
	return true;
}

bool survey_plan(struct survey *s, const struct image *image, const struct survey_choice *choice,
		 double seconds, struct err *e)
{
	*s = (struct survey){ .image = image, .seconds = seconds };
	if (!survey_check_image(image, e))
		return false;
	s->cell = calloc(cells_at_most(), sizeof(*s->cell));
	if (!s->cell)
		return err_set(e, ERR_HOST, "out of memory");
	for (uint32_t kind = 0; kind < SURVEY_KINDS; kind++)
		for (uint32_t i = 0; choice->kind[kind] && i < SURVEY_POSITIONS; i++)
			if (choice->position[i])
				add_stores(s, choice,
					   (struct survey_cell){
						   .what = SURVEY_TEAR,
						   .kind = (enum survey_kind)kind,
						   .offset = survey_offset(i),
					   });
	assert(s->ncells);
	add_times_and_costs(s);
	assert(s->ncells <= cells_at_most());
	return true;
}

void survey_fini(struct survey *s)
{
	for (size_t i = 0; i < s->ncells; i++)
		for (int side = 0; side < SURVEY_SIDES; side++)
			free(s->cell[i].latency[side].sample);
	free(s->cell);
	*s = (struct survey){ 0 };
}

/* ---- the stores of one poke ---- */

/* First and last of the bytes in which the two forms differ. */
static void changed_bytes(const struct cm_site *p, uint32_t *first, uint32_t *last)
{
	*first = 0;
	*last = p->length - 1;
	while (p->old_bytes[*first] == p->new_bytes[*first])
		++*first;
	while (p->old_bytes[*last] == p->new_bytes[*last])
		--*last;
}

uint32_t survey_stores(const struct site *site, const uint8_t *text, uint32_t width, bool natural,
		       struct cm_survey_store store[CM_SURVEY_STORES])
{
	const struct cm_site *p = &site->placed;
	uint64_t head = p->alias - CM_ALIAS_BASE; /* in the text */
	uint32_t first, last, n = 0;

	changed_bytes(p, &first, &last);
	for (uint64_t at = natural ? (head + first) & ~(uint64_t)(width - 1) : head + first;
	     at <= head + last; at += width) {
		struct cm_survey_store *to = &store[n++];

		assert(n <= CM_SURVEY_STORES);
		*to = (struct cm_survey_store){ .address = CM_ALIAS_BASE + at };
		for (uint32_t i = 0; i < width; i++) {
			uint64_t in_site = at + i - head;
			bool inside = in_site < p->length;

			to->value[0] |= (uint64_t)(inside ? p->old_bytes[in_site] : text[at + i])
					<< 8 * i;
			to->value[1] |= (uint64_t)(inside ? p->new_bytes[in_site] : text[at + i])
					<< 8 * i;
		}
	}
	return n;
}

uint32_t survey_cell_stores(const struct survey *s, const struct survey_cell *c, bool *aligned)
{
	static const uint8_t text[CM_TEXT_SIZE]; /* what is around the site does not matter */
	struct cm_survey_store store[CM_SURVEY_STORES] = { 0 };
	struct site site;
	uint32_t n;

	site_place(&site, image_site(s->image, survey_kind_site(c->kind)), 0, c->offset);
	n = survey_stores(&site, text, c->width, c->natural, store);
	*aligned = store[0].address % c->width == 0;
	return n;
}

uint32_t survey_unit(const struct survey *s, const struct survey_cell *c)
{
	static const uint32_t units[] = { 8, 16, 32, 64, 4096 };
	struct site site;
	uint32_t first, last;

	site_place(&site, image_site(s->image, survey_kind_site(c->kind)), 0, c->offset);
	changed_bytes(&site.placed, &first, &last);
	for (size_t i = 0; i < sizeof(units) / sizeof(*units); i++)
		if ((site.placed.text + first) / units[i] == (site.placed.text + last) / units[i])
			return units[i];
	return 0;
}

/* ---- what ran ---- */

enum survey_tear survey_tear_of(const struct site *site, struct insn_decoder *d, uint64_t value,
				uint64_t pad)
{
	const struct cm_event event = { .kind = CM_EVENT_OUTCOME, .value = value, .pad = pad };
	const struct cm_site *p = &site->placed;
	uint8_t mix[CM_MAX_SITE_LEN];
	bool is_new = false, before = false;
	uint32_t changes = 0;

	if (!site_explain(site, d, &event, mix))
		return SURVEY_OTHER;
	/* From the head on, only bytes that the two forms do not share. */
	for (uint32_t i = 0, seen = 0; i < p->length; i++) {
		if (p->old_bytes[i] == p->new_bytes[i])
			continue;
		is_new = mix[i] == p->new_bytes[i];
		changes += seen++ && is_new != before;
		before = is_new;
	}
	if (changes != 1)
		return SURVEY_OTHER;
	return is_new ? SURVEY_OLD_HEAD : SURVEY_NEW_HEAD;
}

/* ---- the visits ---- */

bool survey_rounds(struct survey *s, struct err *e)
{
	double visits = (double)s->ncells * SURVEY_SIDES;
	double rounds = s->seconds / (visits * SLICE_WANTED);

	if (s->seconds < visits * SURVEY_SLICE_MIN)
		return err_set(
			e, ERR_INPUT,
			"--seconds %g: %zu cells, in the guest and in the host, of 2 ms each "
			"need %.0f; take more, or fewer offsets, widths, kinds or pauses",
			s->seconds, s->ncells, ceil(visits * SURVEY_SLICE_MIN));
	if (rounds < 2)
		rounds = s->seconds < 2 * visits * SURVEY_SLICE_MIN ? 1 : 2;
	s->rounds = rounds < ROUNDS_MAX ? (uint32_t)rounds : ROUNDS_MAX;
	return true;
}

/* What is left of the time, in equal parts; a slice's own expense is not part of it. */
struct clock {
	const struct survey_runner *r;
	double end;
	double expense; /* seconds a slice takes besides, on average of late */
	uint64_t left;	/* slices, of all rounds */
	uint64_t left_in_round;
};

/* Another round pays only where slices are longer than what they cost. */
static double share(const struct clock *k, double now)
{
	double each = (k->end - now) / (double)k->left - k->expense;

	return each >= k->expense ? each : (k->end - now) / (double)k->left_in_round - k->expense;
}

static bool visit(struct survey *s, struct clock *k, struct survey_cell *c, enum survey_side side,
		  struct err *e)
{
	double least = c->what == SURVEY_TEAR ? SURVEY_SLICE_MIN : SLICE_FEW;
	double before = k->r->now(k->r->lab), took;
	double slice = fmax(share(k, before), fmax(least, k->expense / EXPENSE_MAX));

	k->left--;
	k->left_in_round--;
	if (*c->unsupported[side])
		return true;
	if (!k->r->slice(k->r->lab, c, side, slice, e))
		return false;
	took = k->r->now(k->r->lab) - before;
	k->expense += (fmax(took - slice, 0) - k->expense) / 16;
	s->slices++;
	return true;
}

/*
 * A step through the cells that comes by each once, and after any part of a
 * round has been everywhere: the golden section of their number, or near it.
 */
static size_t stride(size_t cells)
{
	size_t step = (size_t)((double)cells * 0.618) | 1;

	for (;; step++) {
		size_t a = cells, b = step;

		while (b) {
			size_t rest = a % b;

			a = b;
			b = rest;
		}
		if (a == 1)
			return step;
	}
}

static bool visit_all(struct survey *s, struct clock *k, struct err *e)
{
	size_t at = 0, step = stride(s->ncells);
	bool control_first = s->rounds_done % 2;

	k->left_in_round = s->ncells * SURVEY_SIDES;
	for (size_t i = 0; i < s->ncells && !s->interrupted; i++, at = (at + step) % s->ncells) {
		enum survey_side first = control_first ? SURVEY_CONTROL : SURVEY_GUEST;
		enum survey_side second = control_first ? SURVEY_GUEST : SURVEY_CONTROL;

		if (!visit(s, k, &s->cell[at], first, e) || !visit(s, k, &s->cell[at], second, e))
			return false;
		control_first = !control_first;
		s->visited += !s->rounds_done;
		s->interrupted = k->r->stopped(k->r->lab);
		if (k->r->now(k->r->lab) >= k->end)
			break;
	}
	s->rounds_done += !k->left_in_round;
	return true;
}

bool survey_run(struct survey *s, const struct survey_runner *r, struct err *e)
{
	double start = r->now(r->lab);
	struct clock k = { .r = r, .end = start + s->seconds };
	bool ok = survey_rounds(s, e);

	k.left = (uint64_t)s->rounds * s->ncells * SURVEY_SIDES;
	while (ok && !s->interrupted && s->rounds_done < s->rounds && r->now(r->lab) < k.end)
		ok = visit_all(s, &k, e);
	s->seconds = r->now(r->lab) - start;
	return ok;
}
