// SPDX-License-Identifier: BSD-2-Clause
/*
 * report_table.c - results as a table for a person. Owns widths and colours;
 * knows only the stream it is given.
 */
#include "report/report.h"

#include <inttypes.h>
#include <string.h>

#define CELL_SIZE      256u
#define REASON_COLUMNS 200u
#define REASON_INDENT  4u

#define GREEN "\033[32m"
#define RED   "\033[31m"
#define PLAIN "\033[0m"

enum column { SCENARIO, SITE, METHOD, VERDICT, EXPECTED, WORK, TIME, COLUMNS };

struct row {
	char cell[COLUMNS][CELL_SIZE];
};

/* Columns that (text) takes on a terminal: UTF-8's continuation bytes take none. */
static size_t columns_of(const char *text)
{
	size_t n = 0;

	for (; *text; text++)
		n += (*text & 0xc0) != 0x80;
	return n;
}

static void name_expected(uint32_t mask, char *cell)
{
	size_t used = 0;

	for (unsigned int v = 0; v < VERDICTS && used < CELL_SIZE; v++)
		if (mask & 1u << v)
			used += (size_t)snprintf(cell + used, CELL_SIZE - used, "%s%s",
						 used ? "|" : "", verdict_name((enum verdict)v));
}

static void name_time(double seconds, char *cell)
{
	if (seconds < 1)
		snprintf(cell, CELL_SIZE, "%.0f ms", seconds * 1e3);
	else
		snprintf(cell, CELL_SIZE, "%.1f s", seconds);
}

static void fill_row(const struct result *r, struct row *row)
{
	const struct scenario *s = r->scenario;
	const struct observation *o = &r->observation;
	bool stepped = s->method != METHOD_FREE;
	char fetch[32];

	memset(row, 0, sizeof(*row));
	snprintf(row->cell[SCENARIO], CELL_SIZE, "%s", s->name);
	report_sites(s, row->cell[SITE], CELL_SIZE);
	snprintf(row->cell[METHOD], CELL_SIZE, "%s%s%s", method_name(s->method), stepped ? " " : "",
		 stepped ? report_fetch(&s->fetch, fetch, sizeof(fetch)) : "");
	snprintf(row->cell[VERDICT], CELL_SIZE, "%s", verdict_name(r->verdict));
	name_expected(s->expect, row->cell[EXPECTED]);
	if (o->explored)
		snprintf(row->cell[WORK], CELL_SIZE, "%" PRIu64 " states", o->states);
	else
		snprintf(row->cell[WORK], CELL_SIZE, "%" PRIu64 " %s",
			 stepped ? o->steps : report_executions(o), stepped ? "steps" : "runs");
	name_time(o->seconds, row->cell[TIME]);
}

static const struct row titles = { {
	[SCENARIO] = "scenario",
	[SITE] = "site",
	[METHOD] = "method/fetch",
	[VERDICT] = "verdict",
	[EXPECTED] = "expected",
	[WORK] = "steps or runs",
	[TIME] = "time",
} };

static void widen(size_t width[COLUMNS], const struct row *row)
{
	for (int c = 0; c < COLUMNS; c++)
		if (columns_of(row->cell[c]) > width[c])
			width[c] = columns_of(row->cell[c]);
}

/* (colour): the escape sequence of the verdict's, or NULL. Numbers stand to the right. */
static void print_row(FILE *out, const struct row *row, const size_t width[COLUMNS],
		      const char *colour)
{
	for (int c = 0; c < COLUMNS; c++) {
		int blanks = (int)(width[c] - columns_of(row->cell[c]));
		bool right = c == WORK || c == TIME;
		bool coloured = c == VERDICT && colour;

		fprintf(out, "%s%*s%s%s%s%*s", c ? "  " : "", right ? blanks : 0, "",
			coloured ? colour : "", row->cell[c], coloured ? PLAIN : "",
			right ? 0 : blanks, "");
	}
	fputc('\n', out);
}

/* The reason, cut between characters where a line of REASON_COLUMNS ends. */
static void print_reason(FILE *out, const char *reason)
{
	static const char dots[] = "...";
	size_t room = REASON_COLUMNS - REASON_INDENT, length = 0, taken = 0;
	bool cut = columns_of(reason) > room;

	if (cut)
		room -= strlen(dots);
	for (; reason[length]; length++) {
		taken += (reason[length] & 0xc0) != 0x80;
		if (taken > room)
			break;
	}
	fprintf(out, "%*s%.*s%s\n", (int)REASON_INDENT, "", (int)length, reason, cut ? dots : "");
}

static bool wants_reason(const struct result *r)
{
	return !r->as_expected || r->observation.unreduced[0] ||
	       (r->verdict != VERDICT_SAFE && r->verdict != VERDICT_NOT_SEEN);
}

static void print_summary(FILE *out, const struct result *results, size_t n,
			  struct report_missing missing)
{
	size_t as_expected = 0, unsupported = 0, all = n + missing.failed + missing.not_run;

	for (size_t i = 0; i < n; i++) {
		as_expected += results[i].as_expected;
		unsupported += !results[i].as_expected && results[i].verdict == VERDICT_UNSUPPORTED;
	}
	fprintf(out, "%zu scenario%s: %zu as expected, %zu not, %zu unsupported", all,
		all == 1 ? "" : "s", as_expected, n - as_expected - unsupported, unsupported);
	if (missing.failed)
		fprintf(out, ", %zu failed", missing.failed);
	if (missing.not_run)
		fprintf(out, ", %zu not run", missing.not_run);
	fputc('\n', out);
}

void report_table(FILE *out, const struct result *results, size_t n, struct report_missing missing,
		  bool colour)
{
	size_t width[COLUMNS] = { 0 };
	struct row row;

	widen(width, &titles);
	for (size_t i = 0; i < n; i++) {
		fill_row(&results[i], &row);
		widen(width, &row);
	}
	if (n)
		print_row(out, &titles, width, NULL);
	for (size_t i = 0; i < n; i++) {
		const char *verdict_colour = results[i].as_expected ? GREEN : RED;

		fill_row(&results[i], &row);
		print_row(out, &row, width, colour ? verdict_colour : NULL);
		if (wants_reason(&results[i]))
			print_reason(out, results[i].reason);
	}
	print_summary(out, results, n, missing);
}

void report_kinds(FILE *out, const struct result *r)
{
	const struct observation *o = &r->observation;
	const char *before = " ";

	fputs("    reachable:", out);
	for (unsigned int k = 0; k < VIOLATIONS; k++) {
		if (!(o->kinds & 1u << k))
			continue;
		fprintf(out, "%s%s", before, report_violation((enum violation_kind)k));
		before = ", ";
	}
	fprintf(out, "%s%s\n", o->kinds ? "" : " no violation",
		o->every ? "; nothing else" : "; not every schedule was tried");
}

void report_markdown(FILE *out, const struct result *results, size_t n)
{
	char fetch[32], sites[CELL_SIZE];

	fprintf(out, "| scenario | site | fetch | verdict | the question |\n");
	fprintf(out, "|---|---|---|---|---|\n");
	for (size_t i = 0; i < n; i++) {
		const struct scenario *s = results[i].scenario;

		report_sites(s, sites, sizeof(sites));
		fprintf(out, "| `%s` | %s | %s | **%s**%s | %s |\n", s->name, sites,
			s->method == METHOD_STEPPED ?
				report_fetch(&s->fetch, fetch, sizeof(fetch)) :
				"the hardware's",
			verdict_name(results[i].verdict),
			results[i].as_expected ? "" : " (not expected)", s->why);
	}
}
