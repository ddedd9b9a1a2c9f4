// SPDX-License-Identifier: BSD-2-Clause
/*
 * matrix.c - the cells of the matrix, their order and their shares of the
 * time. Must not know how a cell is run: tested with a clock of its own.
 */
#include "matrix/matrix.h"

#include <assert.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "image/isa.h"

const char *matrix_nmis_name(enum matrix_nmis nmis)
{
	static const char *const names[MATRIX_NMIS] = {
		[MATRIX_NMI_NONE] = "none",
		[MATRIX_NMI_E] = "one on E",
		[MATRIX_NMI_P] = "one on P",
		[MATRIX_NMI_EACH] = "one on each",
	};

	assert((unsigned int)nmis < MATRIX_NMIS);
	return names[nmis];
}

uint32_t matrix_nmis_of(enum matrix_nmis nmis, uint32_t vcpu)
{
	switch (nmis) {
	case MATRIX_NMI_E:
		return vcpu == 1;
	case MATRIX_NMI_P:
		return vcpu == 0;
	case MATRIX_NMI_EACH:
		return 1;
	default:
		return 0;
	}
}

const struct matrix_site *matrix_sites(uint32_t isa, size_t *count)
{
	static const struct matrix_site x86[] = { { "nop5_jmp5", "cross-line", CM_ISA_X86_64 } };
	static const struct matrix_site arm[] = {
		{ "t32_bl_bl", "cross-line", CM_ISA_T32 },
		{ "t32_b_over_bl", "cross-line", CM_ISA_T32 },
		{ "a64_nop_b", "in-line", CM_ISA_A64 },
	};

	*count = isa_is_arm(isa) ? sizeof(arm) / sizeof(arm[0]) : sizeof(x86) / sizeof(x86[0]);
	return isa_is_arm(isa) ? arm : x86;
}

const char *matrix_column(const struct matrix *m, size_t column, char *buf, size_t size)
{
	const struct matrix_cell *c = &m->cell[column], *last = &m->cell[m->columns - 1];
	const char *model = fetch_model_name(c->fetch.model);

	if (m->cell[0].site == last->site)
		snprintf(buf, size, "%s", model);
	else if (m->cell[0].fetch.model == last->fetch.model)
		snprintf(buf, size, "%s", c->site->name);
	else
		snprintf(buf, size, "%s, %s", c->site->name, model);
	return buf;
}

/* ---- cells ---- */

static bool is_wanted(const struct matrix_choice *choice, const char *protocol)
{
	for (size_t i = 0; i < choice->nprotocols; i++)
		if (!fnmatch(choice->protocol[i], protocol, 0))
			return true;
	return !choice->nprotocols;
}

static bool name_protocols(const struct image *image, const char *pattern, struct err *e)
{
	char list[400] = "";
	size_t used = 0;

	for (size_t i = 0; i < image->nprotocols && used < sizeof(list); i++)
		used += (size_t)snprintf(list + used, sizeof(list) - used, "%s%s", i ? ", " : "",
					 image->protocols[i].name);
	return err_set(e, ERR_INPUT, "no protocol '%.60s'; there are %s", pattern, list);
}

static bool check_patterns(const struct image *image, const struct matrix_choice *choice,
			   struct err *e)
{
	for (size_t i = 0; i < choice->nprotocols; i++) {
		size_t p = 0;

		while (p < image->nprotocols &&
		       fnmatch(choice->protocol[i], image->protocols[p].name, 0))
			p++;
		if (p == image->nprotocols)
			return name_protocols(image, choice->protocol[i], e);
	}
	return true;
}

static void add_cells(struct matrix *m, const struct matrix_choice *choice,
		      const struct matrix_cell *like)
{
	uint32_t chunk = choice->chunk ? choice->chunk : isa_chunk(like->site->isa);

	for (uint32_t f = 0; f < FETCH_MODELS; f++) {
		if (!(choice->models & 1u << f))
			continue;
		m->cell[m->ncells] = *like;
		m->cell[m->ncells++].fetch =
			(struct fetch_config){ .model = (enum fetch_model)f, .chunk = chunk };
	}
}

static void add_row(struct matrix *m, const struct matrix_choice *choice,
		    const struct image_protocol *protocol, uint32_t vcpus, enum matrix_nmis nmis)
{
	size_t count;
	const struct matrix_site *site = matrix_sites(m->image->abi.isa, &count);

	for (size_t i = 0; i < count; i++)
		add_cells(m, choice,
			  &(struct matrix_cell){
				  .protocol = protocol->name,
				  .site = &site[i],
				  .barred = protocol->isa && protocol->isa != site[i].isa,
				  .vcpus = vcpus,
				  .nmis = nmis,
			  });
}

static void add_protocol(struct matrix *m, const struct matrix_choice *choice,
			 const struct image_protocol *protocol)
{
	for (uint32_t vcpus = 2; vcpus <= CM_MAX_VCPUS; vcpus++)
		for (uint32_t nmis = 0; nmis < MATRIX_NMIS; nmis++)
			if (choice->vcpus & 1u << vcpus && choice->nmis & 1u << nmis)
				add_row(m, choice, protocol, vcpus, (enum matrix_nmis)nmis);
}

bool matrix_plan(struct matrix *m, const struct image *image, const struct matrix_choice *choice,
		 struct err *e)
{
	size_t sites, most = image->nprotocols * (CM_MAX_VCPUS - 1) * MATRIX_NMIS * FETCH_MODELS;

	if (!check_patterns(image, choice, e))
		return false;
	m->image = image;
	matrix_sites(image->abi.isa, &sites);
	m->columns = sites * (size_t)__builtin_popcount(choice->models);
	m->cell = calloc(most * sites + 1, sizeof(*m->cell));
	if (!m->cell)
		return err_set(e, ERR_HOST, "out of memory");
	for (size_t i = 0; i < image->nprotocols; i++)
		if (is_wanted(choice, image->protocols[i].name))
			add_protocol(m, choice, &image->protocols[i]);
	return true;
}

void matrix_fini(struct matrix *m)
{
	for (size_t i = 0; i < m->ncells; i++)
		free(m->cell[i].line);
	free(m->cell);
	m->cell = NULL;
	m->ncells = 0;
}

size_t matrix_done(const struct matrix *m)
{
	size_t n = 0;

	for (size_t i = 0; i < m->ncells; i++)
		n += m->cell[i].done;
	return n;
}

size_t matrix_to_run(const struct matrix *m)
{
	size_t n = 0;

	for (size_t i = 0; i < m->ncells; i++)
		n += !m->cell[i].barred;
	return n;
}

/* ---- order ---- */

struct turn {
	size_t cell;
	uint64_t level; /* the cheaper the less */
	uint64_t states;
	double allowed; /* once it was run: seconds */
};

static uint64_t level_of(const struct matrix_cell *c)
{
	uint32_t nmis = 0;

	for (uint32_t i = 0; i < c->vcpus; i++)
		nmis += matrix_nmis_of(c->nmis, i);
	return ((uint64_t)(c->vcpus + nmis) << 32) | c->vcpus << 8 | (uint32_t)c->nmis;
}

static int by_cost(const void *a, const void *b)
{
	const struct turn *x = a, *y = b;

	if (x->level != y->level)
		return x->level < y->level ? -1 : 1;
	if (x->states != y->states)
		return x->states < y->states ? -1 : 1;
	return x->cell < y->cell ? -1 : x->cell > y->cell;
}

/* The states of (c)'s protocol, site and model where they were most: a guess at what it costs. */
static uint64_t guess(const struct matrix *m, const struct matrix_cell *c)
{
	uint64_t most = 0;

	for (size_t i = 0; i < m->ncells; i++) {
		const struct matrix_cell *other = &m->cell[i];

		if (other->done && other->protocol == c->protocol && other->site == c->site &&
		    other->fetch.model == c->fetch.model && other->states > most)
			most = other->states;
	}
	return most;
}

/* ---- running ---- */

static bool run_round(struct matrix *m, const struct matrix_runner *r, const struct turn *turn,
		      size_t n, double end, struct err *e)
{
	for (size_t i = 0; i < n && !r->stopped(r->self); i++) {
		double share = (end - r->now(r->self)) / (double)(n - i);

		if (!r->run(r->self, &m->cell[turn[i].cell],
			    share > MATRIX_SECONDS_MIN ? share : MATRIX_SECONDS_MIN, e))
			return false;
	}
	return true;
}

/* Ended by their share, and with the largest chance first: that had least, and then by their states. */
static int by_chance(const void *a, const void *b)
{
	const struct turn *x = a, *y = b;

	if (x->allowed != y->allowed)
		return x->allowed < y->allowed ? -1 : 1;
	return by_cost(a, b);
}

/*
 * The cells among (n) that their share ended, to the front of (turn): as many as
 * (left) seconds allow half as much again, each of them.
 */
static size_t worth_another(const struct matrix *m, struct turn *turn, size_t n, double left)
{
	size_t ended = 0, kept = 0;

	for (size_t i = 0; i < n; i++) {
		const struct matrix_cell *c = &m->cell[turn[i].cell];
		struct turn swapped = turn[ended];

		if (!c->done || !c->bound || strcmp(c->bound, "seconds"))
			continue;
		turn[ended] = turn[i];
		turn[i] = swapped;
		turn[ended].allowed = c->allowed;
		turn[ended++].states = guess(m, c);
	}
	qsort(turn, ended, sizeof(*turn), by_chance);
	while (kept < ended && left >= 1.5 * turn[kept].allowed * (double)(kept + 1))
		kept++;
	return kept;
}

static bool run_level(struct matrix *m, const struct matrix_runner *r, struct turn *turn, size_t n,
		      double end, struct err *e)
{
	bool ok = true;

	for (size_t left = n; ok && left && !r->stopped(r->self);) {
		ok = run_round(m, r, turn, left, end, e);
		left = worth_another(m, turn, n, end - r->now(r->self));
	}
	for (size_t i = 0; ok && r->settle && i < n; i++)
		if (m->cell[turn[i].cell].done)
			ok = r->settle(r->self, &m->cell[turn[i].cell], e);
	return ok;
}

static bool run_levels(struct matrix *m, const struct matrix_runner *r, struct turn *turn,
		       size_t turns, double started, struct err *e)
{
	for (size_t at = 0, n; at < turns; at += n) {
		double now = r->now(r->self), left = started + m->max_seconds - now;

		for (n = 0; at + n < turns && turn[at + n].level == turn[at].level; n++)
			turn[at + n].states = guess(m, &m->cell[turn[at + n].cell]);
		qsort(turn + at, n, sizeof(*turn), by_cost);
		if (at + n < turns)
			left /= 2;
		if (!run_level(m, r, turn + at, n, now + left, e))
			return false;
	}
	return true;
}

bool matrix_run(struct matrix *m, const struct matrix_runner *runner, struct err *e)
{
	struct turn *turn = calloc(m->ncells + 1, sizeof(*turn));
	double started = runner->now(runner->self);
	size_t turns = 0;
	bool ok;

	if (!turn)
		return err_set(e, ERR_HOST, "out of memory");
	for (size_t i = 0; i < m->ncells; i++)
		if (!m->cell[i].barred)
			turn[turns++] = (struct turn){ .cell = i, .level = level_of(&m->cell[i]) };
	qsort(turn, turns, sizeof(*turn), by_cost);
	ok = run_levels(m, runner, turn, turns, started, e);
	m->seconds = runner->now(runner->self) - started;
	free(turn);
	return ok;
}
