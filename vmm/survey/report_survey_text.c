// SPDX-License-Identifier: BSD-2-Clause
/*
 * report_survey_text.c - a survey in words: counts put together by what ought
 * to matter, and what they do not prove. Owns the wording.
 */
#include "survey/report_survey.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#define COUNT(list) (sizeof(list) / sizeof(*(list)))

/* ---- by unit and stores ---- */

/* How a poke is stored: only a single store can be seen whole or not at all. */
enum manner { ONE_ALIGNED, ONE_UNALIGNED, SEVERAL, MANNERS };

static const struct {
	uint32_t bytes;
	const char *name;
} units[] = {
	{ 8, "one aligned 8-byte word" },  { 16, "one aligned 16 bytes" },
	{ 32, "one aligned 32 bytes" },	   { 64, "one 64-byte line" },
	{ 4096, "two lines of one page" }, { 0, "two pages" },
};

static enum manner manner_of(const struct survey *s, const struct survey_cell *c)
{
	bool aligned;

	if (survey_cell_stores(s, c, &aligned) > 1)
		return SEVERAL;
	return aligned ? ONE_ALIGNED : ONE_UNALIGNED;
}

static void add(struct survey_counts *sum, const struct survey_counts *c)
{
	sum->executions += c->executions;
	sum->transitions += c->transitions;
	for (int i = 0; i < SURVEY_TEARS; i++)
		sum->torn[i] += c->torn[i];
}

static struct survey_counts sum_of(const struct survey *s, uint32_t unit, enum manner manner,
				   enum survey_side side)
{
	struct survey_counts sum = { 0 };

	for (size_t i = 0; i < s->ncells; i++) {
		const struct survey_cell *c = &s->cell[i];

		if (c->what == SURVEY_TEAR && survey_unit(s, c) == unit &&
		    manner_of(s, c) == manner)
			add(&sum, &c->side[side]);
	}
	return sum;
}

/* Whole numbers where there are digits enough. */
static const char *ppm(double value, char *buf, size_t size)
{
	snprintf(buf, size, value < 100 ? "%.2g" : "%.0f", value);
	return buf;
}

static void print_rate(FILE *out, const struct survey_counts *c)
{
	struct survey_rate r = survey_rate(c);
	char at[16], low[16], high[16];

	if (!c->executions)
		fprintf(out, "not measured");
	else if (!r.enough)
		fprintf(out, "too few transitions (%" PRIu64 ")", c->transitions);
	else if (!r.torn)
		fprintf(out, "none in %.3g: at most %s", (double)c->executions,
			ppm(r.high, high, sizeof(high)));
	else
		fprintf(out, "%s (%s to %s)", ppm(r.ppm, at, sizeof(at)),
			ppm(r.low, low, sizeof(low)), ppm(r.high, high, sizeof(high)));
}

static void print_units(FILE *out, const struct survey *s)
{
	static const char *const manners[MANNERS] = { "one store, aligned", "one store, unaligned",
						      "several stores" };
	char text[2][96];

	fprintf(out,
		"Torn executions per million, 95 %% intervals in brackets:\n\n%-26s%-22s%-32s%s\n",
		"the bytes that change", "a poke is", "guest", "host threads");
	for (size_t i = 0; i < COUNT(units); i++) {
		const char *name = units[i].name;

		for (int m = 0; m < MANNERS; m++) {
			uint64_t executions = 0;

			for (int side = 0; side < SURVEY_SIDES; side++) {
				struct survey_counts sum = sum_of(s, units[i].bytes, (enum manner)m,
								  (enum survey_side)side);
				FILE *to = fmemopen(text[side], sizeof(text[side]), "w");

				text[side][0] = '\0';
				if (!to)
					continue;
				print_rate(to, &sum);
				fclose(to);
				executions += sum.executions;
			}
			if (!executions)
				continue;
			fprintf(out, "%-26s%-22s%-32s%s\n", name, manners[m], text[SURVEY_GUEST],
				text[SURVEY_CONTROL]);
			name = "";
		}
	}
}

/* A detector that sees nothing where mixtures stand in memory sees nothing anywhere. */
static void print_self_check(FILE *out, const struct survey *s)
{
	struct survey_counts sum = { 0 };
	struct survey_rate r;

	for (size_t i = 0; i < COUNT(units); i++) {
		struct survey_counts part = sum_of(s, units[i].bytes, SEVERAL, SURVEY_GUEST);

		add(&sum, &part);
	}
	r = survey_rate(&sum);
	if (r.enough && !r.torn)
		fprintf(out,
			"\nSUSPECT: not one mixture was seen where several stores left mixtures in "
			"memory.\nDo not believe this survey.\n");
}

/* ---- by offset ---- */

static const char *position_name(uint32_t offset, char *buf, size_t size)
{
	if (offset < SURVEY_IN_LINE)
		snprintf(buf, size, "%u", offset);
	else
		snprintf(buf, size, "page-%u", 4096 - offset);
	return buf;
}

/* The cells that differ from (c) in place and pause only. */
static bool alike(const struct survey_cell *a, const struct survey_cell *c)
{
	return a->what == SURVEY_TEAR && a->kind == c->kind && a->width == c->width &&
	       a->natural == c->natural && a->cpl == c->cpl;
}

/* Did one store tear in the guest at (offset), as in (c)? The cell that did most. */
static const struct survey_cell *torn_at(const struct survey *s, const struct survey_cell *c,
					 uint32_t offset)
{
	const struct survey_cell *most = NULL;
	double highest = 0;

	for (size_t i = 0; i < s->ncells; i++) {
		const struct survey_cell *at = &s->cell[i];
		struct survey_rate r;

		if (!alike(at, c) || at->offset != offset || manner_of(s, at) == SEVERAL)
			continue;
		r = survey_rate(&at->side[SURVEY_GUEST]);
		if (r.enough && r.torn && r.ppm > highest) {
			most = at;
			highest = r.ppm;
		}
	}
	return most;
}

/* "60-62, page-4": ranges of those that follow each other. */
static const struct survey_cell *print_offsets(FILE *out, const struct survey *s,
					       const struct survey_cell *c)
{
	const struct survey_cell *most = NULL;
	uint32_t first = SURVEY_POSITIONS, listed = 0;
	char a[16], b[16];

	for (uint32_t i = 0; i <= SURVEY_POSITIONS; i++) {
		const struct survey_cell *at =
			i < SURVEY_POSITIONS ? torn_at(s, c, survey_offset(i)) : NULL;

		if (at && (!most || survey_rate(&at->side[SURVEY_GUEST]).ppm >
					    survey_rate(&most->side[SURVEY_GUEST]).ppm))
			most = at;
		if (first < SURVEY_POSITIONS && (!at || i == SURVEY_IN_LINE)) {
			fprintf(out, "%s %s", listed++ ? "," : "",
				position_name(survey_offset(first), a, sizeof(a)));
			if (i - first > 1)
				fprintf(out, " to %s",
					position_name(survey_offset(i - 1), b, sizeof(b)));
			first = SURVEY_POSITIONS;
		}
		if (at && first == SURVEY_POSITIONS)
			first = i;
	}
	return most;
}

/* The row of (c), the first of those that are alike. */
static void print_row(FILE *out, const struct survey *s, const struct survey_cell *c)
{
	uint32_t cells = 0, enough = 0;
	const struct survey_cell *most;
	char text[48], where[16];

	for (size_t i = 0; i < s->ncells; i++)
		if (alike(&s->cell[i], c) && manner_of(s, &s->cell[i]) != SEVERAL) {
			cells++;
			enough += survey_rate(&s->cell[i].side[SURVEY_GUEST]).enough;
		}
	fprintf(out, "%-13s%-28s%-5s", survey_kind_name(c->kind),
		report_survey_stores(c, text, sizeof(text)), c->cpl ? "CPL3" : "CPL0");
	if (!cells) {
		fprintf(out, " - (a poke is several stores)\n");
		return;
	}
	most = print_offsets(out, s, c);
	if (most)
		fprintf(out, "; most at %s, pause %u: %s ppm",
			position_name(most->offset, where, sizeof(where)), most->pause,
			ppm(survey_rate(&most->side[SURVEY_GUEST]).ppm, text, sizeof(text)));
	else
		fprintf(out, enough ? " nowhere" : " not known");
	if (enough < cells)
		fprintf(out, " (too few transitions in %u of %u cells)", cells - enough, cells);
	fputc('\n', out);
}

static void print_places(FILE *out, const struct survey *s)
{
	fprintf(out,
		"\nWhere one store tore in the guest, by the offset of the instruction in its line:\n\n");
	for (size_t i = 0; i < s->ncells; i++) {
		const struct survey_cell *c = &s->cell[i], *first = s->cell;

		while (first < c && !alike(first, c))
			first++;
		if (c->what == SURVEY_TEAR && first == c)
			print_row(out, s, c);
	}
}

/* ---- times and costs ---- */

static void print_times(FILE *out, const struct survey *s)
{
	fprintf(out,
		"\nOne store at a time, waited for (immediate, 4 bytes from the change on): ns from "
		"just before the store\nto the end of the first execution of the new bytes; stale: "
		"pokes after whose fence the old bytes still ran.\n\n%-8s%-16s%-9s%10s%10s%10s   %s\n",
		"offset", "executor does", "", "5 %", "median", "95 %", "stale");
	for (size_t i = 0; i < s->ncells; i++)
		for (int side = 0; side < SURVEY_SIDES; side++) {
			const struct survey_cell *c = &s->cell[i];
			const struct survey_counts *n = &c->side[side];
			const struct survey_latency *l = &c->latency[side];

			if (c->what != SURVEY_TIME)
				continue;
			fprintf(out, "%-8u%-16s%-9s", c->offset, survey_sync_name(c->sync),
				side ? "threads" : "guest");
			if (*c->unsupported[side])
				fprintf(out, "unsupported: %s\n", c->unsupported[side]);
			else if (!l->samples)
				fprintf(out, "not measured\n");
			else
				fprintf(out, "%10.0f%10.0f%10.0f   %" PRIu64 " of %" PRIu64 "\n",
					survey_latency_ns(l, 0.05), survey_latency_ns(l, 0.5),
					survey_latency_ns(l, 0.95), n->stale_pokes, n->transitions);
		}
}

static void print_costs(FILE *out, const struct survey *s)
{
	fprintf(out,
		"\nWhat a primitive costs at CPL3, in ns (IPI + IRET: to one other processor and "
		"back; in the guest by its kernel\nat CPL0, in host threads by membarrier()):\n\n"
		"%-16s%12s%12s\n",
		"", "guest", "threads");
	for (size_t i = 0; i < s->ncells; i++) {
		const struct survey_cell *c = &s->cell[i];

		if (c->what != SURVEY_COST || c->sync == CM_SYNC_NONE)
			continue;
		fprintf(out, "%-16s", survey_sync_name(c->sync));
		for (int side = 0; side < SURVEY_SIDES; side++) {
			double ns = survey_cost_ns(s, c, (enum survey_side)side);

			if (*c->unsupported[side])
				fprintf(out, "%12s", "unsupported");
			else if (isfinite(ns))
				fprintf(out, "%12.1f", ns);
			else
				fprintf(out, "%12s", "-");
		}
		fputc('\n', out);
	}
}

/* ---- the whole ---- */

static void print_ratios(FILE *out, const struct survey *s)
{
	size_t n, m;
	double speed = survey_speed_ratio(s, &n), torn = survey_torn_ratio(s, &m);

	if (n)
		fprintf(out,
			"\nGuest against host threads: %.3f of the executions a second (median of "
			"%zu cells)",
			speed, n);
	if (n && m)
		fprintf(out,
			", %.3f of the torn ppm\n(median of the %zu cells where both tore 20 times "
			"or more)",
			torn, m);
	if (n)
		fprintf(out, ".\n");
}

/* Of each level and side the first reason: it is the same for all. */
static void print_unsupported(FILE *out, const struct survey *s)
{
	bool cpl0 = false, said[SURVEY_SIDES][4] = { 0 };

	for (size_t i = 0; i < s->ncells; i++) {
		const struct survey_cell *c = &s->cell[i];

		cpl0 |= c->what == SURVEY_TEAR && !c->cpl;
		for (int side = 0; side < SURVEY_SIDES; side++) {
			if (c->what != SURVEY_TEAR || !*c->unsupported[side] || said[side][c->cpl])
				continue;
			said[side][c->cpl] = true;
			fprintf(out, "\nNot measured, executor at CPL%u, %s: %s.\n", c->cpl,
				side ? "host threads" : "guest", c->unsupported[side]);
		}
	}
	if (!cpl0 && s->host->quirks.cpl0_emulated)
		fprintf(out,
			"\nNot measured, executor at CPL0: guest code runs in KVM's instruction "
			"emulator there, not on the processor.\n");
}

void report_survey_text(FILE *out, const struct survey *s)
{
	char quirks[160];

	fprintf(out, "%s, kernel %s, KVM module %s, quirks in force: %s\n", s->host->cpu,
		s->host->kernel, s->host->kvm_module, host_quirks(s->host, quirks, sizeof(quirks)));
	fprintf(out, "%zu cells, %u of %u rounds, %.1f s%s; crossmod %s (%s), guest image %s\n",
		s->ncells, s->rounds_done, s->rounds, s->seconds,
		s->interrupted ? ", interrupted" : "", s->host->version, s->host->commit,
		s->image->digest);
	if (s->visited < s->ncells)
		fprintf(out, "%zu of the cells had no turn: they are not measured.\n",
			s->ncells - s->visited);
	fprintf(out,
		"One processor stores the two forms of an instruction in turn, at CPL3 through a "
		"writable alias; another executes it.\n\n");
	print_units(out, s);
	print_self_check(out, s);
	print_places(out, s);
	print_unsupported(out, s);
	print_times(out, s);
	print_costs(out, s);
	print_ratios(out, s);
	fprintf(out,
		"\nWhat this does not prove. These are counts of two processors of this host, with its "
		"microcode, in this minute.\n\"None\" is no promise: it bounds the rate for this loop, "
		"and another loop, pause, distance between the processors or\nneighbour may tear. A "
		"torn execution after several stores says nothing about fetches: the mixture stood in "
		"memory.\nThe intervals take executions for independent of each other; torn ones come in "
		"bursts, so two runs on one machine may\ndiffer by more, most of all where other work "
		"takes the processors away.\nWhat may be relied on is what the manuals promise; `explore` takes them at "
		"their word.\n");
}
