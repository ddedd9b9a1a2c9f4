// SPDX-License-Identifier: BSD-2-Clause
/*
 * report_survey_plot.c - the guest's torn rates as a heat map: a panel for each
 * kind of site, a row for each way to store, a column for each place. Makes a
 * script; plot.c has it drawn.
 */
#include "survey/report_survey.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

#define WIDTH	   1400u
#define ROW_HEIGHT 17u
#define PANEL_ROOM 52u /* title, and ticks below */
#define HEAD	   64u /* title and legend */
#define FOOT	   46u
/* Ways to store, pauses and privilege levels. */
#define ROWS_MAX   ((2 * SURVEY_WIDTHS - 1) * SURVEY_PAUSES * 2)
#define GAP	   2u /* columns between the line's offsets and the page's */
#define LEFT	   0.20
#define RIGHT	   0.88

static uint32_t column_of(uint32_t offset)
{
	return offset < SURVEY_IN_LINE ? offset :
					 SURVEY_IN_LINE + GAP + offset - (4096 - SURVEY_STRADDLES);
}

static bool same_row(const struct survey_cell *a, const struct survey_cell *b)
{
	return a->kind == b->kind && a->width == b->width && a->natural == b->natural &&
	       a->pause == b->pause && a->cpl == b->cpl;
}

/* The rows of (kind) in the order of the cells: the first cell of each. Returns how many. */
static uint32_t rows_of(const struct survey *s, enum survey_kind kind,
			const struct survey_cell **row)
{
	uint32_t n = 0;

	for (size_t i = 0; i < s->ncells; i++) {
		const struct survey_cell *c = &s->cell[i];
		uint32_t k = 0;

		if (c->what != SURVEY_TEAR || c->kind != kind)
			continue;
		while (k < n && !same_row(row[k], c))
			k++;
		assert(k < ROWS_MAX);
		if (k == n)
			row[n++] = c;
	}
	return n;
}

/* Is (c) to be drawn as (state): none seen, too few transitions, torn; or several stores, beside that? */
static bool is_in_state(const struct survey *s, const struct survey_cell *c, char state)
{
	struct survey_rate r = survey_rate(&c->side[SURVEY_GUEST]);
	bool aligned;

	if (!c->side[SURVEY_GUEST].executions)
		return false;
	if (state == 's')
		return survey_cell_stores(s, c, &aligned) > 1;
	return state == (!r.enough ? 'f' : r.torn ? 't' : 'n');
}

/* Where those are, as "$name": column, row, ppm; and a point outside, for gnuplot wants one. */
static void put_data(FILE *out, const struct survey *s, const char *name, uint32_t panel,
		     const struct survey_cell *const *row, uint32_t rows)
{
	fprintf(out, "$%s%u << EOD\n-10 -10 1\n", name, panel);
	for (uint32_t k = 0; k < rows; k++)
		for (size_t i = 0; i < s->ncells; i++) {
			const struct survey_cell *c = &s->cell[i];

			if (c->what == SURVEY_TEAR && same_row(c, row[k]) &&
			    is_in_state(s, c, name[0]))
				fprintf(out, "%u %u %.6g\n", column_of(c->offset), k,
					fmax(survey_rate(&c->side[SURVEY_GUEST]).ppm, 0.1));
		}
	fprintf(out, "EOD\n");
}

static void put_row_names(FILE *out, const struct survey_cell *const *row, uint32_t rows)
{
	char stores[48];

	fprintf(out, "set ytics (");
	for (uint32_t k = 0; k < rows; k++)
		fprintf(out, "%s\"%s, pause %u%s\" %u", k ? ", " : "",
			report_survey_stores(row[k], stores, sizeof(stores)), row[k]->pause,
			row[k]->cpl ? "" : ", CPL0", k);
	fprintf(out, ") font ',9' scale 0\n");
}

static void put_column_names(FILE *out)
{
	fprintf(out, "set xtics (");
	for (uint32_t i = 0; i < SURVEY_IN_LINE; i += 4)
		fprintf(out, "\"%u\" %u, ", i, i);
	fprintf(out, "\"63\" 63");
	for (uint32_t i = 0; i < SURVEY_STRADDLES; i++)
		fprintf(out, ", \"-%u\" %u", SURVEY_STRADDLES - i, SURVEY_IN_LINE + GAP + i);
	fprintf(out, ") font ',9' scale 0.3\n");
}

/* (bottom) and (top) of the panel as parts of the picture. */
static void put_panel(FILE *out, const struct survey *s, enum survey_kind kind,
		      const struct survey_cell *const *row, uint32_t rows, double bottom,
		      double top, bool first, bool last)
{
	static const char *const states[] = { "none", "few", "torn", "several" };
	uint32_t columns = SURVEY_IN_LINE + GAP + SURVEY_STRADDLES, panel = kind;

	for (int i = 0; i < 4; i++)
		put_data(out, s, states[i], panel, row, rows);
	fprintf(out, "set lmargin at screen %g\nset rmargin at screen %g\n", LEFT, RIGHT);
	fprintf(out, "set bmargin at screen %.5f\nset tmargin at screen %.5f\n", bottom, top);
	fprintf(out, "set title 'what changes: %s (%s)' offset 0,-0.6 font ',12'\n",
		survey_kind_name(kind), survey_kind_site(kind));
	put_row_names(out, row, rows);
	fprintf(out, "set yrange [%g:-0.5]\nset xrange [-0.5:%g]\n", rows - 0.5, columns - 0.5);
	fprintf(out,
		last ? "set xlabel 'where the instruction begins: bytes from the start of its 64-byte line;  -4 to -1: bytes from the end of a page'\n" :
		       "unset xlabel\n");
	fprintf(out, first ? "set key at screen %g,%g right top horizontal\n" : "unset key\n",
		RIGHT, 0.985);
	fprintf(out,
		"plot $none%u using 1:2:(0.5):(0.5) with boxxyerror fs solid fc rgb '#dceaf7' title "
		"'none seen', $few%u using 1:2:(0.5):(0.5) with boxxyerror fs solid fc rgb '#b0b0b0' "
		"title 'too few transitions', $torn%u using 1:2:(0.5):(0.5):3 with boxxyerror fs "
		"solid fc palette notitle, $several%u using 1:2 with points pt 7 ps 0.3 lc rgb "
		"'#7a7a7a' title 'several stores a poke'\n",
		panel, panel, panel, panel);
	if (first)
		fprintf(out, "unset colorbox\n");
}

static void put_head(FILE *out, const struct survey *s, uint32_t height)
{
	fprintf(out, "set multiplot\nset logscale cb\nset cbrange [0.1:1e6]\n");
	fprintf(out, "set palette defined (0 '#fff3b0', 1 '#fdc04f', 2 '#f4711f', 3 '#c51b1b', 4 "
		     "'#5b0016')\n");
	fprintf(out, "set colorbox user origin %g,%g size 0.014,%g\n", RIGHT + 0.015,
		(double)FOOT / height, 1 - (double)(HEAD + FOOT) / height);
	fprintf(out, "set cblabel 'torn executions per million (ppm)' offset 0.5,0\n");
	fprintf(out, "set cbtics ('0.1' 0.1, '1' 1, '10' 10, '100' 100, '1 000' 1e3, '10 000' 1e4, "
		     "'100 000' 1e5, '1 000 000' 1e6)\n");
	fprintf(out,
		"set label 1 'Torn executions in the guest: %s' at screen 0.01,%g front font "
		"',13'\n",
		s->host->cpu, 1 - 18.0 / height);
	fprintf(out,
		"set label 2 'rows: bytes a store, how it is placed, PAUSE loops between two "
		"pokes' at screen 0.01,%g front font ',10'\n",
		1 - 40.0 / height);
	put_column_names(out);
}

char *report_survey_script(const struct survey *s, uint32_t *width, uint32_t *height)
{
	const struct survey_cell *row[SURVEY_KINDS][ROWS_MAX];
	uint32_t rows[SURVEY_KINDS], at = HEAD;
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);
	int first = -1, last = -1;

	assert(out);
	*width = WIDTH;
	*height = HEAD + FOOT;
	for (int kind = 0; kind < SURVEY_KINDS; kind++) {
		rows[kind] = rows_of(s, (enum survey_kind)kind, row[kind]);
		if (!rows[kind])
			continue;
		first = first < 0 ? kind : first;
		last = kind;
		*height += rows[kind] * ROW_HEIGHT + PANEL_ROOM;
	}
	put_head(out, s, *height);
	for (int kind = 0; kind < SURVEY_KINDS; kind++) {
		uint32_t top = at + PANEL_ROOM / 2, bottom = top + rows[kind] * ROW_HEIGHT;

		if (rows[kind])
			put_panel(out, s, (enum survey_kind)kind, row[kind], rows[kind],
				  1 - (double)bottom / *height, 1 - (double)top / *height,
				  kind == first, kind == last);
		at = rows[kind] ? bottom + PANEL_ROOM / 2 : at;
	}
	fprintf(out, "unset multiplot\n");
	if (fclose(out))
		abort();
	return text;
}
