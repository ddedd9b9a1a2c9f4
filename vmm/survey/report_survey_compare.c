// SPDX-License-Identifier: BSD-2-Clause
/*
 * report_survey_compare.c - two survey.json side by side. Reads what
 * report_survey.c writes, and says where the two machines differ beyond what
 * the counts leave open.
 */
#include "survey/report_survey.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/jnode.h"

#define SHOWN 20u /* cells that differ, of the most distant ones */

/* A cell of a file: which it is, and what the guest did. */
struct read_cell {
	char *kind;
	uint32_t offset, width, pause, cpl;
	bool natural;
	struct survey_counts guest;
};

/* A latency or a cost: its label, and ns. */
struct read_value {
	char *name;
	double ns;
};

struct read_survey {
	char *cpu, *kernel, *module;
	struct read_cell *cell;
	size_t ncells;
	struct read_value *value;
	size_t nvalues;
};

static void survey_free(struct read_survey *s)
{
	free(s->cpu);
	free(s->kernel);
	free(s->module);
	for (size_t i = 0; i < s->ncells; i++)
		free(s->cell[i].kind);
	for (size_t i = 0; i < s->nvalues; i++)
		free(s->value[i].name);
	free(s->cell);
	free(s->value);
}

/* ---- reading ---- */

/* Null, absent as unsupported: nothing was measured. */
static bool read_counts(const struct jnode *cell, struct survey_counts *c)
{
	struct jnode n, why;
	uint64_t torn = 0;

	if (!jnode_require(cell, "guest", &n))
		return false;
	if (json_is_null(n.json) || (json_is_object(n.json) && jnode_get(&n, "unsupported", &why)))
		return true;
	if (!jnode_any_object(&n) ||
	    !jnode_need_u64(&n, "executions", 0, INT64_MAX, &c->executions) ||
	    !jnode_need_u64(&n, "transitions", 0, INT64_MAX, &c->transitions) ||
	    !jnode_need_u64(&n, "old_head_new_tail", 0, INT64_MAX, &c->torn[SURVEY_OLD_HEAD]) ||
	    !jnode_need_u64(&n, "new_head_old_tail", 0, INT64_MAX, &c->torn[SURVEY_NEW_HEAD]) ||
	    !jnode_need_u64(&n, "other", 0, INT64_MAX, &c->torn[SURVEY_OTHER]))
		return false;
	for (int i = 0; i < SURVEY_TEARS; i++)
		if (c->torn[i] > c->executions || (torn += c->torn[i]) > c->executions)
			return jnode_fail(&n, "more torn executions than executions");
	return true;
}

static bool read_cell(const struct jnode *n, struct read_cell *c)
{
	struct jnode natural;

	return jnode_any_object(n) && jnode_need_string(n, "kind", &c->kind) &&
	       jnode_need_u32(n, "offset", 0, 4095, &c->offset) &&
	       jnode_need_u32(n, "width", 0, 8, &c->width) &&
	       jnode_require(n, "natural", &natural) && jnode_bool(&natural, &c->natural) &&
	       jnode_need_u32(n, "pause", 0, SURVEY_PAUSE_MAX, &c->pause) &&
	       jnode_need_u32(n, "cpl", 0, 3, &c->cpl) && read_counts(n, &c->guest);
}

static bool read_cells(const struct jnode *root, struct read_survey *s)
{
	struct jnode list;
	size_t n;

	if (!jnode_require(root, "cells", &list) || !jnode_array(&list, 0, SIZE_MAX, &n))
		return false;
	s->cell = calloc(n + 1, sizeof(*s->cell));
	if (!s->cell)
		return jnode_out_of_memory(&list);
	for (size_t i = 0; i < n; i++) {
		struct jnode item = jnode_item(&list, i);

		s->ncells++;
		if (!read_cell(&item, &s->cell[i]))
			return false;
	}
	return true;
}

/* (key) of the guest's, NAN where it was not measured. */
static bool read_value(const struct jnode *n, const char *key, const char *what,
		       struct read_survey *s)
{
	struct read_value *v = &s->value[s->nvalues];
	struct jnode guest, value, offset;
	char name[64], *sync = NULL;
	uint32_t at = 0;

	if (!jnode_any_object(n) || !jnode_need_string(n, "synchronisation", &sync))
		return false;
	if (jnode_get(n, "offset", &offset) && !jnode_u32(&offset, 0, 4095, &at)) {
		free(sync);
		return false;
	}
	if (offset.json)
		snprintf(name, sizeof(name), "%s at %u, %.30s", what, at, sync);
	else
		snprintf(name, sizeof(name), "%s, %.30s", what, sync);
	free(sync);
	v->ns = NAN;
	if (!jnode_copy(n, name, &v->name))
		return false;
	s->nvalues++;
	if (!jnode_require(n, "guest", &guest))
		return false;
	if (json_is_object(guest.json) && jnode_get(&guest, key, &value) &&
	    json_is_number(value.json))
		v->ns = json_number_value(value.json);
	return true;
}

static bool read_values(const struct jnode *root, const char *list_name, const char *key,
			const char *what, struct read_survey *s)
{
	struct read_value *grown;
	struct jnode list;
	size_t n;

	if (!jnode_require(root, list_name, &list) || !jnode_array(&list, 0, SIZE_MAX, &n))
		return false;
	grown = realloc(s->value, (s->nvalues + n + 1) * sizeof(*grown));
	if (!grown)
		return jnode_out_of_memory(&list);
	s->value = grown;
	for (size_t i = 0; i < n; i++) {
		struct jnode item = jnode_item(&list, i);

		if (!read_value(&item, key, what, s))
			return false;
	}
	return true;
}

static bool read_root(const struct jnode *root, struct read_survey *s)
{
	struct jnode host;

	return jnode_format(root, REPORT_SURVEY_FORMAT) && jnode_require(root, "host", &host) &&
	       jnode_any_object(&host) && jnode_need_string(&host, "cpu", &s->cpu) &&
	       jnode_need_string(&host, "kernel", &s->kernel) &&
	       jnode_need_string(&host, "kvm", &s->module) &&
	       read_values(root, "times", "median_ns", "store to execution", s) &&
	       read_values(root, "costs", "ns", "cost", s) && read_cells(root, s);
}

static bool survey_read(const char *path, struct read_survey *s, struct err *e)
{
	struct jnode root;
	bool ok;

	if (!jnode_open(&root, path, e))
		return false;
	ok = read_root(&root, s);
	json_decref(root.json);
	return ok;
}

/* ---- comparing ---- */

struct pair {
	const struct read_cell *cell;
	struct survey_rate a, b;
	double distance; /* of the intervals: how many times higher the higher one's end is */
};

static const struct read_cell *find(const struct read_survey *s, const struct read_cell *c)
{
	for (size_t i = 0; i < s->ncells; i++) {
		const struct read_cell *k = &s->cell[i];

		if (k->offset == c->offset && k->width == c->width && k->natural == c->natural &&
		    k->pause == c->pause && k->cpl == c->cpl && !strcmp(k->kind, c->kind))
			return k;
	}
	return NULL;
}

static int by_distance(const void *a, const void *b)
{
	double x = ((const struct pair *)a)->distance, y = ((const struct pair *)b)->distance;

	return (x < y) - (x > y);
}

static double distance(const struct survey_rate *a, const struct survey_rate *b)
{
	if (a->low > b->high)
		return a->low / b->high;
	return b->low > a->high ? b->low / a->high : 0;
}

static void print_pair(FILE *out, const struct pair *p)
{
	const struct survey_cell c = { .width = p->cell->width, .natural = p->cell->natural };
	char stores[48];

	fprintf(out, "%-13s%-30s%-8u%-8u%-32.4g%.4g\n", p->cell->kind,
		report_survey_stores(&c, stores, sizeof(stores)), p->cell->offset, p->cell->pause,
		p->a.ppm, p->b.ppm);
}

/* (pair) has room for every cell of (a). */
static bool compare_cells(FILE *out, const struct read_survey *a, const struct read_survey *b,
			  struct pair *pair, const char *path_a, const char *path_b, struct err *e)
{
	size_t common = 0, n = 0, differ = 0;

	for (size_t i = 0; i < a->ncells; i++) {
		const struct read_cell *other = find(b, &a->cell[i]);
		struct pair *p = &pair[n];

		common += other != NULL;
		if (!other)
			continue;
		*p = (struct pair){ &a->cell[i], survey_rate(&a->cell[i].guest),
				    survey_rate(&other->guest), 0 };
		if (!p->a.enough || !p->b.enough)
			continue;
		p->distance = distance(&p->a, &p->b);
		differ += p->distance > 0;
		n++;
	}
	if (!common)
		return err_set(e, ERR_INPUT, "%s and %s have no cell in common", path_a, path_b);
	qsort(pair, n, sizeof(*pair), by_distance);
	fprintf(out,
		"%zu cells in both, %zu with transitions enough in both; torn rates whose 95 %% "
		"intervals do not overlap: %zu\n(torn executions come in bursts, which the intervals "
		"do not know: compare two surveys of one machine first)\n",
		common, n, differ);
	if (differ)
		fprintf(out, "\n%-13s%-30s%-8s%-8s%-32s%s\n", "what changes", "stores", "offset",
			"pause", "A, torn ppm", "B, torn ppm");
	for (size_t i = 0; i < differ && i < SHOWN; i++)
		print_pair(out, &pair[i]);
	if (differ > SHOWN)
		fprintf(out, "... and %zu more\n", differ - SHOWN);
	return true;
}

static void compare_values(FILE *out, const struct read_survey *a, const struct read_survey *b)
{
	fprintf(out, "\n%-44s%12s%12s%10s\n", "ns in the guest", "A", "B", "B / A");
	for (size_t i = 0; i < a->nvalues; i++)
		for (size_t k = 0; k < b->nvalues; k++)
			if (!strcmp(a->value[i].name, b->value[k].name) &&
			    isfinite(a->value[i].ns) && isfinite(b->value[k].ns))
				fprintf(out, "%-44s%12.1f%12.1f%10.2f\n", a->value[i].name,
					a->value[i].ns, b->value[k].ns,
					b->value[k].ns / a->value[i].ns);
}

bool report_survey_compare(FILE *out, const char *path_a, const char *path_b, struct err *e)
{
	struct read_survey a = { 0 }, b = { 0 };
	struct pair *pair = NULL;
	bool ok = survey_read(path_a, &a, e) && survey_read(path_b, &b, e);

	if (ok) {
		pair = calloc(a.ncells + 1, sizeof(*pair));
		ok = pair || err_set(e, ERR_HOST, "out of memory");
	}
	if (ok) {
		fprintf(out, "A: %s, kernel %s, %s (%s)\n", a.cpu, a.kernel, a.module, path_a);
		fprintf(out, "B: %s, kernel %s, %s (%s)\n\n", b.cpu, b.kernel, b.module, path_b);
		ok = compare_cells(out, &a, &b, pair, path_a, path_b, e);
	}
	if (ok)
		compare_values(out, &a, &b);
	free(pair);
	survey_free(&a);
	survey_free(&b);
	return ok;
}
