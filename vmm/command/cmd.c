// SPDX-License-Identifier: BSD-2-Clause
/* cmd.c - what several commands need: the guest image, scenario files, a verdict. */
#include "command/cmd.h"
#include "vm/arch.h"

#include <errno.h>
#include <fts.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "image/isa.h"
#include "report/trace.h"

int cmd_fail(const struct err *e)
{
	fprintf(stderr, "crossmod: %s\n", e->text);
	return err_exit_status(e->code);
}

int cmd_print(char *line, int status)
{
	struct err e;

	if (!line || puts(line) < 0 || fflush(stdout)) {
		err_set(&e, ERR_HOST, line ? "cannot write to standard output" : "out of memory");
		status = cmd_fail(&e);
	}
	free(line);
	return status;
}

/* (dir of this program)/guest-<isa>.elf, else the installed one. */
static void image_path(const char *isa, char *buf, size_t size)
{
	char self[512];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	char *slash;

	self[n > 0 ? n : 0] = '\0';
	slash = strrchr(self, '/');
	if (slash) {
		*slash = '\0';
		snprintf(buf, size, "%s/guest-%s.elf", self, isa);
		if (!access(buf, R_OK))
			return;
	}
	snprintf(buf, size, "%s/guest-%s.elf", CROSSMOD_LIBDIR, isa);
}

/* The image that the user names, or NULL. */
static const char *chosen_image(const struct options *o)
{
	const char *environment = getenv("CROSSMOD_GUEST");

	if (o->guest)
		return o->guest;
	return environment && *environment ? environment : NULL;
}

bool cmd_load_image(struct image *img, const struct options *o, struct err *e)
{
	const char *chosen = chosen_image(o);
	char path[600];

	if (chosen)
		return image_load(img, chosen, e);
	image_path(arch_name(), path, sizeof(path));
	return image_load(img, path, e);
}

bool cmd_load_images(struct images *g, const struct options *o, struct err *e)
{
	*g = (struct images){ .chosen = chosen_image(o) };
	return cmd_load_image(&g->usual, o, e);
}

void cmd_free_images(struct images *g)
{
	image_fini(&g->usual);
	image_fini(&g->other);
}

const struct image *cmd_other_image(struct images *g, struct err *e)
{
	char path[600];

	if (!arch_other_guest() || g->chosen) {
		err_set(e, ERR_UNSUPPORTED, "there is one guest image only");
		return NULL;
	}
	if (g->other.memory)
		return &g->other;
	image_path(arch_other_guest(), path, sizeof(path));
	return image_load(&g->other, path, e) ? &g->other : NULL;
}

/* The image that the user names is what does not fit: neither to the scenario nor to this host. */
static bool foreign_guest(const struct images *g, const char *path, struct err *e)
{
	bool arm = isa_is_arm(g->usual.abi.isa), arm_host = strcmp(arch_name(), "x86_64") != 0;

	if (!g->chosen || arm == arm_host)
		return false;
	err_set(e, ERR_INPUT,
		"%s: for %s, and --guest %.200s is of another architecture, %s: leave it out, or "
		"give an image for %s",
		path, arm ? "x86-64" : "Arm", g->chosen, arm ? "Arm" : "x86-64",
		arm ? "x86-64" : "Arm");
	return true;
}

bool cmd_load_scenario(struct scenario *s, const char *path, struct images *g, struct err *e)
{
	const struct image *other;
	struct err ignored = { 0 };

	if (scenario_load(s, path, &g->usual, e))
		return true;
	if (e->code != ERR_UNSUPPORTED || foreign_guest(g, path, e))
		return false;
	other = cmd_other_image(g, &ignored);
	return other && scenario_load(s, path, other, e);
}

static bool add_path(struct paths *p, const char *path)
{
	char **grown = realloc(p->path, (p->count + 1) * sizeof(*grown));

	if (!grown)
		return false;
	p->path = grown;
	p->path[p->count] = strdup(path);
	return p->path[p->count] && ++p->count;
}

static int by_name(const FTSENT **a, const FTSENT **b)
{
	return strcmp((*a)->fts_name, (*b)->fts_name);
}

static bool is_scenario(const FTSENT *f)
{
	size_t n = strlen(f->fts_name);

	return f->fts_level == FTS_ROOTLEVEL || (n > 5 && !strcmp(f->fts_name + n - 5, ".json") &&
						 strcmp(f->fts_name, "schema.json"));
}

bool cmd_scenario_paths(struct paths *p, char *const *file, int files, struct err *e)
{
	*p = (struct paths){ 0 };
	for (int i = 0; i < files; i++) {
		char *const roots[] = { file[i], NULL };
		FTS *walk = fts_open(roots, FTS_LOGICAL | FTS_NOCHDIR, by_name);
		size_t before = p->count;
		bool ok = walk != NULL;
		FTSENT *f;

		while (ok && (f = fts_read(walk))) {
			if (f->fts_info == FTS_ERR || f->fts_info == FTS_DNR ||
			    f->fts_info == FTS_NS)
				ok = err_set(e, ERR_INPUT, "%s: %s", f->fts_path,
					     strerror(f->fts_errno));
			else if (f->fts_info == FTS_DEFAULT && f->fts_level == FTS_ROOTLEVEL)
				ok = err_set(e, ERR_INPUT,
					     "%s: neither a file nor a directory: scenarios are",
					     f->fts_path);
			else if (f->fts_info == FTS_F && is_scenario(f))
				ok = add_path(p, f->fts_path) ||
				     err_set(e, ERR_HOST, "out of memory");
		}
		if (walk)
			fts_close(walk);
		else
			err_set(e, ERR_INPUT, "'%s': %s", file[i], strerror(errno));
		if (ok && p->count == before)
			ok = err_set(e, ERR_INPUT, "%s: no scenario files (*.json) there", file[i]);
		if (!ok) {
			cmd_free_paths(p);
			return false;
		}
	}
	return p->count || err_set(e, ERR_INPUT, "no scenario files (*.json)");
}

void cmd_free_paths(struct paths *p)
{
	for (size_t i = 0; i < p->count; i++)
		free(p->path[i]);
	free(p->path);
	*p = (struct paths){ 0 };
}

size_t cmd_load_scenarios(struct scenario *s, const struct paths *p, struct images *g, int *status)
{
	struct err first = { 0 };
	size_t n = 0, others = 0;

	for (size_t i = 0; i < p->count; i++) {
		struct err e = { 0 };

		if (cmd_load_scenario(&s[n], p->path[i], g, &e))
			n++;
		else if (e.code != ERR_UNSUPPORTED)
			*status = cmd_fail(&e);
		else if (!others++)
			first = e;
	}
	if (others)
		fprintf(stderr, "crossmod: %zu of %zu scenarios passed over: %s\n", others,
			p->count, first.text);
	if (others && !n && !*status)
		*status = EXIT_NOTHING_RAN;
	return n;
}

const char *cmd_scenario_dir(void)
{
	if (!access("scenarios", R_OK | X_OK))
		return "scenarios";
	if (!access(CROSSMOD_DATADIR "/scenarios", R_OK | X_OK))
		return CROSSMOD_DATADIR "/scenarios";
	return NULL;
}

bool cmd_parse_number(const char *text, uint64_t max, uint64_t *value)
{
	char *end;

	if (*text < '0' || *text > '9')
		return false;
	*value = strtoull(text, &end, 10);
	return !*end && *value <= max;
}

/* "stale/byte", or a model alone. */
bool cmd_parse_fetch(struct fetch_config *f, const char *text, struct err *e)
{
	static const struct {
		const char *name;
		uint32_t bytes;
	} chunks[] = {
		{ "byte", 1 },
		{ "halfword", 2 },
		{ "word", 4 },
		{ "8", 8 },
		{ "16", 16 },
		{ "line", 64 },
		{ "page", FETCH_CHUNK_PAGE },
	};
	char model[16];
	const char *slash = strchr(text, '/');
	size_t length = slash ? (size_t)(slash - text) : strlen(text);

	snprintf(model, sizeof(model), "%.*s", (int)length, text);
	if (!fetch_model_parse(model, &f->model))
		return err_set(e, ERR_INPUT, "fetch %s: must be %s", text,
			       "sc, asc, desc, ordered, stale or arm, then /CHUNK");
	for (size_t i = 0; slash && i < sizeof(chunks) / sizeof(chunks[0]); i++)
		if (!strcmp(slash + 1, chunks[i].name)) {
			f->chunk = chunks[i].bytes;
			return true;
		}
	return !slash || err_set(e, ERR_INPUT, "fetch %s: must be %s", text,
				 "a model, then /byte, /halfword, /word, /8, /16, /line or /page");
}

void cmd_trace(void *arg, struct machine *m, const struct step_report *r)
{
	if (r)
		trace_step(arg, m, r);
	else
		trace_start(arg, m);
}

void cmd_judge(struct result *r)
{
	r->verdict = verdict_of(&r->observation, r->reason, sizeof(r->reason));
	r->as_expected = r->scenario->expect & 1u << r->verdict;
}
