// SPDX-License-Identifier: BSD-2-Clause
/*
 * cmd_matrix.c - `crossmod matrix`: every protocol of the guest image under
 * every fetch model, with and without an NMI, explored; a table of verdicts.
 */
#include "cmd.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "explore.h"
#include "guard.h"
#include "report.h"

/* Who may be hit by one NMI whose body runs the site; the patcher is vCPU 0. */
static const struct {
	const char *title, *json;
} nmis[] = {
	{ "none", "" },
	{ "one on E", ",\"explore\":{\"nmi\":{\"1\":1}}" },
	{ "one on P", ",\"explore\":{\"nmi\":{\"0\":1}}" },
};
#define NNMIS (sizeof(nmis) / sizeof(nmis[0]))

struct cell {
	enum verdict verdict;
	uint64_t states;
	double seconds;
	bool done;
	char file[128];
};

struct matrix {
	const struct options *o;
	const struct image *img;
	struct host host;
	const char *dir;
	size_t rows; /* of NMI budgets */
	struct cell *cell;
};

static struct cell *cell_at(const struct matrix *m, size_t protocol, size_t row, size_t model)
{
	return &m->cell[(protocol * NNMIS + row) * FETCH_MODELS + model];
}

static char *describe(const char *protocol, size_t row, enum fetch_model model)
{
	char *text = NULL;

	if (asprintf(&text,
		     "{\"why\":\"One cell of the matrix.\",\"protocol\":\"%s\","
		     "\"sites\":[{\"site\":\"nop5_jmp5\",\"at\":\"cross-line\"}],"
		     "\"method\":\"explore\",\"nmi_runs_site\":true,"
		     "\"fetch\":{\"model\":\"%s\"}%s,\"expect\":[\"safe\"]}",
		     protocol, fetch_model_name(model), nmis[row].json) < 0)
		return NULL;
	return text;
}

static bool explore_cell(struct matrix *m, struct result *r, struct scenario *s, struct cell *c,
			 struct err *e)
{
	const struct explore_request q = {
		.image = m->img,
		.scenario = s,
		.jobs = cmd_jobs(&m->host),
		.progress = cmd_explore_progress,
		.arg = s->name,
	};

	r->scenario = s;
	r->image = m->img;
	r->host = &m->host;
	s->explore.max_seconds = m->o->quick ? 20 : 300;
	s->explore.max_memory_mb = 4096;
	if (!explore_run(&q, &r->observation, &r->schedule, &m->host.quirks, e))
		return false;
	m->host.quirks_known = true;
	cmd_judge(r);
	*c = (struct cell){ .verdict = r->verdict,
			    .states = r->observation.states,
			    .seconds = r->observation.seconds,
			    .done = true };
	if (!report_write(r, m->dir, e))
		return false;
	snprintf(c->file, sizeof(c->file), "%s", strrchr(r->path, '/') + 1);
	return !m->o->json || !cmd_print(report_line(r), 0) ||
	       err_set(e, ERR_HOST, "cannot print the result");
}

static bool run_cell(struct matrix *m, size_t protocol, size_t row, enum fetch_model model,
		     struct err *e)
{
	const char *name = m->img->protocols[protocol].name;
	char *text = describe(name, row, model), path[160];
	struct result *r = calloc(1, sizeof(*r));
	struct scenario s = { 0 };
	bool ok = text && r;

	snprintf(path, sizeof(path), "matrix-%s-%s-%zu", name, fetch_model_name(model), row);
	if (!ok)
		err_set(e, ERR_HOST, "out of memory");
	ok = ok && scenario_parse(&s, path, text, strlen(text), m->img, e) &&
	     explore_cell(m, r, &s, cell_at(m, protocol, row, model), e);
	if (r)
		schedule_fini(&r->schedule);
	scenario_fini(&s);
	free(r);
	free(text);
	return ok;
}

static void print_cell(FILE *out, const struct cell *c)
{
	if (!c->done)
		fprintf(out, " - |");
	else if (c->verdict == VERDICT_SAFE || c->verdict == VERDICT_INCONCLUSIVE)
		fprintf(out, " %s, %llu states, %.1f s |", verdict_name(c->verdict),
			(unsigned long long)c->states, c->seconds);
	else
		fprintf(out, " [**%s**](%s), %llu states, %.1f s |", verdict_name(c->verdict),
			c->file, (unsigned long long)c->states, c->seconds);
}

static void print_table(FILE *out, const struct matrix *m)
{
	fprintf(out, "| protocol | NMIs |");
	for (unsigned int f = 0; f < FETCH_MODELS; f++)
		fprintf(out, " %s |", fetch_model_name((enum fetch_model)f));
	fprintf(out, "\n|---|---|---|---|---|---|---|\n");
	for (size_t p = 0; p < m->img->nprotocols; p++)
		for (size_t row = 0; row < m->rows; row++) {
			fprintf(out, "| `%s` | %s |", m->img->protocols[p].name, nmis[row].title);
			for (unsigned int f = 0; f < FETCH_MODELS; f++)
				print_cell(out, cell_at(m, p, row, f));
			fputc('\n', out);
		}
}

/* <dir>/matrix.md, by a temporary name. */
static bool write_table(const struct matrix *m, struct err *e)
{
	char temporary[600], path[600];
	FILE *out;

	snprintf(path, sizeof(path), "%s/matrix.md", m->dir);
	snprintf(temporary, sizeof(temporary), "%s/.matrix.md.%ld", m->dir, (long)getpid());
	out = fopen(temporary, "we");
	if (!out)
		return err_sys(e, errno, "%s", temporary);
	print_table(out, m);
	if (fclose(out) || rename(temporary, path)) {
		err_sys(e, errno, "%s", path);
		unlink(temporary);
		return false;
	}
	return true;
}

static bool run_cells(struct matrix *m, struct err *e)
{
	for (size_t p = 0; p < m->img->nprotocols; p++)
		for (size_t row = 0; row < m->rows; row++)
			for (unsigned int f = 0; f < FETCH_MODELS && !guard_interrupted(); f++)
				if (!run_cell(m, p, row, (enum fetch_model)f, e))
					return false;
	return true;
}

int cmd_matrix(const struct options *o)
{
	struct matrix m = { .o = o, .dir = o->out ? o->out : "results/matrix" };
	struct image img = { 0 };
	struct err e = { 0 };
	bool ok;

	if (!cmd_load_image(&img, o, &e))
		return cmd_fail(&e);
	m.img = &img;
	m.rows = o->quick ? 1 : NNMIS;
	m.cell = calloc(img.nprotocols * NNMIS * FETCH_MODELS, sizeof(*m.cell));
	host_read(&m.host);
	ok = m.cell ? run_cells(&m, &e) : err_set(&e, ERR_HOST, "out of memory");
	ok = ok && write_table(&m, &e);
	if (isatty(STDERR_FILENO))
		fprintf(stderr, "\r\033[K");
	if (ok && !o->json)
		print_table(stdout, &m);
	free(m.cell);
	image_fini(&img);
	if (!ok)
		return cmd_fail(&e);
	return guard_interrupted() ? EXIT_STOPPED : EXIT_AS_EXPECTED;
}
