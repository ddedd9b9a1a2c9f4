// SPDX-License-Identifier: BSD-2-Clause
/*
 * report_matrix.c - the matrix as JSON and as Markdown, and the three files.
 * Owns the members and their order; the page is report_matrix_html.c's. Out of
 * memory ends the program, as in report_json.c.
 */
#include "matrix/report_matrix.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "report/report.h"
#include "report/report_json.h"

/* ---- JSON ---- */

static json_t *budgets(const struct matrix_cell *c)
{
	json_t *o = report_made(json_object());
	char vcpu[12];

	for (uint32_t i = 0; i < c->vcpus; i++) {
		if (!matrix_nmis_of(c->nmis, i))
			continue;
		snprintf(vcpu, sizeof(vcpu), "%u", i);
		report_put(o, vcpu, json_integer(matrix_nmis_of(c->nmis, i)));
	}
	return o;
}

/* "stale" and "byte" of "stale/byte". */
static json_t *identity(const struct matrix_cell *c)
{
	char fetch[32], *slash;

	report_fetch(&c->fetch, fetch, sizeof(fetch));
	slash = strchr(fetch, '/');
	assert(slash);
	*slash = '\0';
	return report_made(json_pack("{ss ss ss ss ss si ss so}", "protocol", c->protocol, "site",
				     c->site->name, "at", c->site->at, "model", fetch, "chunk",
				     slash + 1, "vcpus", (int)c->vcpus, "nmis",
				     matrix_nmis_name(c->nmis), "nmi", budgets(c)));
}

static json_t *cell_json(const struct matrix_cell *c)
{
	json_t *o = identity(c);
	json_t *came;

	if (!c->done)
		came = json_pack("{sn}", "verdict");
	else
		came = json_pack(
			"{ss ss ss? sf sI sI sI sf ss? ss?}", "verdict", verdict_name(c->verdict),
			"reason", c->reason, "bound", c->bound, "allowed_seconds", c->allowed,
			"states", (json_int_t)c->states, "transitions", (json_int_t)c->transitions,
			"memory", (json_int_t)c->memory, "seconds", c->seconds, "result",
			c->file[0] ? c->file : NULL, "witness", c->witness ? c->file : NULL);
	json_object_update(o, report_made(came));
	json_decref(came);
	return o;
}

char *report_matrix_json(const struct matrix *m)
{
	json_t *o = report_made(json_pack("{ss}", "format", REPORT_MATRIX_FORMAT));
	json_t *cells = report_made(json_array());

	report_put_host(o, m->host);
	report_put_guest(o, m->image);
	report_put(o, "jobs", json_integer(m->jobs));
	report_put(o, "bounds",
		   report_made(json_pack("{sf sI}", "seconds", m->max_seconds, "cell_memory_mb",
					 (json_int_t)m->max_memory_mb)));
	for (size_t i = 0; i < m->ncells; i++)
		report_append(cells, cell_json(&m->cell[i]));
	report_put(o, "cells", cells);
	report_put(o, "seconds", json_real(m->seconds));
	report_put(o, "date", report_date());
	return report_indented(o);
}

/* ---- Markdown ---- */

static void markdown_cell(FILE *out, const struct matrix_cell *c)
{
	const char *verdict = verdict_name(c->verdict);

	if (!c->done) {
		fprintf(out, c->barred ? " |" : " - |");
		return;
	}
	if (c->verdict == VERDICT_SAFE)
		fprintf(out, " %s", verdict);
	else if (c->bound && !strcmp(c->bound, "seconds"))
		fprintf(out, " %s at %.1f s", verdict, c->allowed);
	else if (c->verdict == VERDICT_INCONCLUSIVE)
		fprintf(out, " %s at the %s bound", verdict, c->bound ? c->bound : "search's");
	else if (c->witness)
		fprintf(out, " [**%s**](%s)", verdict, c->file);
	else
		fprintf(out, " **%s**", verdict);
	fprintf(out, ", %" PRIu64 " states, %.1f s |", c->states, c->seconds);
}

static void markdown_footer(FILE *out, const struct matrix *m)
{
	char quirks[160];

	fprintf(out,
		"\nHost: %s, %u processors, kernel %s, KVM module %s, %s%s%squirks in force: %s; "
		"crossmod %s (%s), guest image %s.\n",
		m->host->cpu, m->host->cores, m->host->kernel, m->host->kvm_module,
		*m->host->emulated ? "emulated by " : "", m->host->emulated,
		*m->host->emulated ? ", " : "", host_quirks(m->host, quirks, sizeof(quirks)),
		m->host->version, m->host->commit, m->image->digest);
	fprintf(out, "%zu of %zu cells, %.0f s of at most %.0f s, %u jobs.\n", matrix_done(m),
		matrix_to_run(m), m->seconds, m->max_seconds, m->jobs);
}

void report_matrix_markdown(FILE *out, const struct matrix *m)
{
	char head[64];

	assert(m->columns > 0);
	fprintf(out, "| protocol | vCPUs | NMIs |");
	for (size_t i = 0; i < m->columns; i++)
		fprintf(out, " %s |", matrix_column(m, i, head, sizeof(head)));
	fprintf(out, "\n|---|---|---|");
	for (size_t i = 0; i < m->columns; i++)
		fprintf(out, "---|");
	for (size_t i = 0; i < m->ncells; i++) {
		const struct matrix_cell *c = &m->cell[i];

		if (i % m->columns == 0)
			fprintf(out, "\n| `%s` | %u | %s |", c->protocol, c->vcpus,
				matrix_nmis_name(c->nmis));
		markdown_cell(out, c);
	}
	fputc('\n', out);
	markdown_footer(out, m);
}

/* ---- files ---- */

static bool write_by(void (*print)(FILE *out, const struct matrix *m), const struct matrix *m,
		     const char *dir, const char *name, struct err *e)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);
	bool ok;

	if (!out)
		return err_set(e, ERR_HOST, "out of memory");
	print(out, m);
	if (fclose(out)) {
		free(text);
		return err_set(e, ERR_HOST, "out of memory");
	}
	/* The newline at its end is added anew. */
	if (size && text[size - 1] == '\n')
		text[size - 1] = '\0';
	ok = report_write_text(dir, name, text, e);
	free(text);
	return ok;
}

bool report_matrix_write(const struct matrix *m, const char *dir, struct err *e)
{
	char *json = report_matrix_json(m);
	bool ok = report_write_text(dir, "matrix.json", json, e);

	free(json);
	return ok && write_by(report_matrix_markdown, m, dir, "matrix.md", e) &&
	       write_by(report_matrix_html, m, dir, "matrix.html", e);
}
