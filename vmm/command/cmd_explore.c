// SPDX-License-Identifier: BSD-2-Clause
/*
 * cmd_explore.c - `crossmod explore`: every schedule of a scenario instead of
 * its own one. The scenario's fetch model, vCPUs and budgets may be overridden.
 */
#include "command/cmd.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "explore/explore.h"
#include "vm/guard.h"
#include "report/report.h"

static bool bad(struct err *e, const char *option, const char *text, const char *right)
{
	return err_set(e, ERR_INPUT, "%s %s: must be %s", option, text, right);
}

/* "1=2", "0=unlimited". */
static bool parse_nmi(struct scenario *s, const char *text, struct err *e)
{
	const char *equals = strchr(text, '=');
	uint64_t vcpu, n;
	char number[8], right[64];

	if (!equals)
		return bad(e, "--nmi", text, "VCPU=N or VCPU=unlimited");
	snprintf(number, sizeof(number), "%.*s", (int)(equals - text), text);
	if (!cmd_parse_number(number, s->vcpus - 1, &vcpu)) {
		snprintf(right, sizeof(right), "for one of the scenario's vCPUs, 0 to %u",
			 s->vcpus - 1);
		return bad(e, "--nmi", text, right);
	}
	if (!strcmp(equals + 1, "unlimited"))
		n = SCENARIO_NMI_UNLIMITED;
	else if (!cmd_parse_number(equals + 1, SCENARIO_NMI_UNLIMITED - 1, &n))
		return bad(e, "--nmi", text, "VCPU=N with N from 0 to 254, or VCPU=unlimited");
	s->explore.nmis[vcpu] = (uint8_t)n;
	return true;
}

static bool set_vcpus(struct scenario *s, const char *text, struct err *e)
{
	bool everybody = s->executors == (((1u << s->vcpus) - 1) & ~(1u << s->patcher));
	uint64_t n;

	if (!cmd_parse_number(text, CM_MAX_VCPUS, &n) || n <= s->patcher || n < 2)
		return bad(e, "--vcpus", text, "from 2 to 16, and include the patcher");
	s->vcpus = (uint32_t)n;
	s->executors =
		everybody ? ((1u << n) - 1) & ~(1u << s->patcher) : s->executors & ((1u << n) - 1);
	return true;
}

/* Without the option there is no bound, so 0 would be none that is meant as one. */
static bool at_least_one(const char *option, const char *text, uint64_t max, uint64_t *n,
			 const char *right, struct err *e)
{
	return !text || (cmd_parse_number(text, max, n) && *n) || bad(e, option, text, right);
}

static bool set_bounds(struct explore_options *x, const struct options *o, struct err *e)
{
	uint64_t n = 0;

	if (!at_least_one("--max-states", o->max_states, INT64_MAX, &x->max_states,
			  "a number of states, at least 1", e) ||
	    !at_least_one("--max-seconds", o->max_seconds, 1u << 30, &n,
			  "a whole number of seconds, at least 1", e))
		return false;
	if (n)
		x->max_seconds = (double)n;
	return at_least_one("--max-memory-mb", o->max_memory, 1u << 30, &x->max_memory_mb,
			    "a number of MiB, at least 1", e);
}

static bool set_expect(struct scenario *s, const char *text, struct err *e)
{
	char right[320] = "a verdict: ";
	enum verdict v;

	/* What another method expects of its one schedule says nothing about all of them. */
	if (s->method != METHOD_EXPLORE)
		s->expect = 1u << VERDICT_SAFE;
	if (!text)
		return true;
	if (!verdict_parse(text, &v)) {
		for (unsigned int i = 0; i < VERDICTS; i++)
			snprintf(right + strlen(right), sizeof(right) - strlen(right), "%s%s",
				 i ? ", " : "", verdict_name((enum verdict)i));
		return bad(e, "--expect", text, right);
	}
	s->expect = 1u << v;
	return true;
}

/* The options over what the scenario says. */
static bool configure(const struct options *o, struct scenario *s, uint32_t *jobs, struct err *e)
{
	uint64_t n;

	if (o->vcpus && !set_vcpus(s, o->vcpus, e))
		return false;
	if (o->fetch && !cmd_parse_fetch(&s->fetch, o->fetch, e))
		return false;
	if (!fetch_model_fits(s->fetch.model, s->isa))
		return bad(e, "--fetch", o->fetch, "another: the scenario is not for Arm");
	for (int i = 0; i < o->nnmi; i++)
		if (!parse_nmi(s, o->nmi[i], e))
			return false;
	if (o->jobs) {
		if (!cmd_parse_number(o->jobs, EXPLORE_JOBS_MAX, &n) || !n)
			return bad(e, "--jobs", o->jobs, "from 1 to 64");
		*jobs = (uint32_t)n;
	}
	s->explore.no_reduction |= o->no_reduction;
	s->explore.every |= o->every;
	if (!set_bounds(&s->explore, o, e) || !set_expect(s, o->expect, e))
		return false;
	if (s->method == METHOD_FREE)
		return err_set(e, ERR_INPUT, "%s: a 'free' scenario has no fetch model to explore",
			       s->path);
	s->method = METHOD_EXPLORE;
	return true;
}

uint32_t cmd_jobs(const struct host *host)
{
	if (!host->cores)
		return 1;
	return host->cores < EXPLORE_JOBS_MAX ? host->cores : EXPLORE_JOBS_MAX;
}

bool cmd_explore_progress(void *arg, const struct search_progress *p)
{
	const char *name = arg;
	char left[32] = "";

	if (p->left_seconds >= 0)
		snprintf(left, sizeof(left), ", about %.0f s left", p->left_seconds);
	if (isatty(STDERR_FILENO) && p->seconds > 1)
		fprintf(stderr,
			"\r\033[K%s: %llu states, %.0f transitions/s, frontier %llu, depth %llu, "
			"%.0f MiB, %.0f s%s",
			name, (unsigned long long)p->states, (double)p->transitions / p->seconds,
			(unsigned long long)p->frontier, (unsigned long long)p->depth,
			(double)p->memory / (1 << 20), p->seconds, left);
	return guard_interrupted();
}

/* Where a search keeps what it needs to go on: beside where its result will be. */
static bool checkpoint_path(struct result *r, const char *dir, char *path, size_t size,
			    struct err *e)
{
	static const char from[] = ".json";

	if (!report_name(r, dir, e))
		return false;
	snprintf(path, size, "%.*s.checkpoint", (int)(strlen(r->path) - strlen(from)), r->path);
	return true;
}

/*
 * A checkpoint may be hours of work: only the search that it is of may go on with
 * it or replace it. The result beside it says which one that is.
 */
static bool is_its_own(const struct options *o, const struct result *r, const char *checkpoint,
		       struct err *e)
{
	char difference[256];

	if (access(checkpoint, F_OK) || report_same_search(r, difference, sizeof(difference)))
		return true;
	if (!o->resume)
		return err_set(e, ERR_INPUT,
			       "%s: an unfinished search of another system would be lost (%s): go "
			       "on with it by --resume and its own options, write to another "
			       "directory with -o, or remove it",
			       checkpoint,
			       *difference ? difference : "there is no result that says of which");
	/* Without a result the checkpoint itself is asked, which only knows whether it is another. */
	return !*difference ||
	       err_set(e, ERR_INPUT,
		       "%s: the checkpoint is of another system: %s: --resume wants the options "
		       "that the search was started with",
		       checkpoint, difference);
}

/* Started anew and now over: what an earlier start of the same search left is of no more use. */
static void drop_if_over(const struct options *o, const struct result *r, const char *checkpoint)
{
	if (!o->resume && !r->observation.resumable &&
	    (r->observation.end == END_COMPLETE || r->observation.end == END_VIOLATION))
		unlink(checkpoint);
}

/* What this host cannot do becomes the verdict `unsupported`. */
static bool search(const struct options *o, struct result *r, struct host *host, uint32_t jobs,
		   struct err *e)
{
	const char *dir = o->out ? o->out : "results/explore";
	char checkpoint[sizeof(r->path) + 16];
	struct explore_request q = {
		.image = r->image,
		.scenario = r->scenario,
		.jobs = jobs,
		.checkpoint = checkpoint,
		.resume = o->resume,
		.progress = cmd_explore_progress,
		.arg = r->scenario->name,
	};
	bool ok = checkpoint_path(r, dir, checkpoint, sizeof(checkpoint), e) &&
		  is_its_own(o, r, checkpoint, e) &&
		  explore_run(&q, &r->observation, &r->schedule, &host->quirks, e);

	host->quirks_known = ok;
	if (isatty(STDERR_FILENO))
		fprintf(stderr, "\r\033[K");
	if (!ok && e->code == ERR_UNSUPPORTED) {
		r->observation.end = END_UNSUPPORTED;
		snprintf(r->observation.unsupported, sizeof(r->observation.unsupported), "%.199s",
			 e->text);
		ok = true;
	}
	if (!ok)
		return false;
	cmd_judge(r);
	drop_if_over(o, r, checkpoint);
	if (r->observation.resumable)
		fprintf(stderr, "crossmod: %s: --resume goes on from here\n", checkpoint);
	return report_write(r, dir, e);
}

/* A search of many: its scenario as it is, and as the options have it. */
struct one {
	struct scenario loaded, overridden;
};

static int status_of(const struct result *r)
{
	if (r->verdict == VERDICT_UNSUPPORTED)
		return EXIT_NOTHING_RAN;
	return r->as_expected ? EXIT_AS_EXPECTED : EXIT_NOT_EXPECTED;
}

static void show(const struct options *o, const struct result *results, size_t n,
		 struct report_missing missing)
{
	if (o->json)
		return;
	report_table(stdout, results, n, missing, isatty(STDOUT_FILENO));
	for (size_t i = 0; i < n; i++) {
		const struct result *r = &results[i];

		if (n > 1 && (r->scenario->explore.every || r->observation.exhausted))
			printf("%s\n", r->scenario->name);
		if (r->scenario->explore.every)
			report_kinds(stdout, r);
		if (r->observation.exhausted)
			report_coverage(stdout, r);
	}
}

/* One search into (r). Returns its exit status; false in (*ok) if there is no result. */
static int explore(const struct options *o, struct images *images, const char *path,
		   struct host *host, struct one *x, struct result *r, bool *ok)
{
	uint32_t jobs = cmd_jobs(host);
	struct err e = { 0 };

	*ok = cmd_load_scenario(&x->loaded, path, images, &e);
	x->overridden = x->loaded; /* what it points to stays (loaded)'s */
	*r = (struct result){ .scenario = &x->overridden, .image = x->loaded.image, .host = host };
	*ok = *ok && configure(o, &x->overridden, &jobs, &e) && search(o, r, host, jobs, &e);
	if (!*ok)
		return cmd_fail(&e);
	return o->json ? cmd_print(report_line(r), status_of(r)) : status_of(r);
}

static void forget(struct one *x, struct result *r)
{
	schedule_fini(&r->schedule);
	scenario_fini(&x->loaded);
	*r = (struct result){ 0 };
}

/* In order, then one table. A failure of one does not keep the others from running. */
static int explore_all(const struct options *o, struct images *images, const struct paths *p,
		       struct one *x, struct result *results)
{
	struct report_missing missing = { 0 };
	struct host host;
	bool ran = false;
	size_t done = 0;
	int worst = 0;

	host_read(&host);
	for (size_t i = 0; i < p->count && !guard_interrupted(); i++) {
		bool ok;
		int status = explore(o, images, p->path[i], &host, &x[done], &results[done], &ok);

		if (ok) {
			done++;
		} else {
			forget(&x[done], &results[done]);
			missing.failed += status != EXIT_NOTHING_RAN;
		}
		if (status == EXIT_NOTHING_RAN)
			continue;
		worst = status > worst ? status : worst;
		ran = true;
	}
	missing.not_run = p->count - done - missing.failed;
	show(o, results, done, missing);
	for (size_t i = 0; i < done; i++)
		forget(&x[i], &results[i]);
	if (guard_interrupted())
		return EXIT_STOPPED;
	return ran ? worst : EXIT_NOTHING_RAN;
}

static int no_memory(void)
{
	struct err e;

	err_set(&e, ERR_HOST, "out of memory");
	return cmd_fail(&e);
}

int cmd_explore(const struct options *o)
{
	struct images images = { 0 };
	struct paths p = { 0 };
	struct result *results = NULL;
	struct one *x = NULL;
	struct err e = { 0 };
	int status;

	if (!cmd_load_images(&images, o, &e) || !cmd_scenario_paths(&p, o->file, o->files, &e)) {
		status = cmd_fail(&e);
	} else {
		x = calloc(p.count, sizeof(*x));
		results = calloc(p.count, sizeof(*results));
		if (x && results)
			status = explore_all(o, &images, &p, x, results);
		else
			status = no_memory();
	}
	free(results);
	free(x);
	cmd_free_paths(&p);
	cmd_free_images(&images);
	return status;
}
