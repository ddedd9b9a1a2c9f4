// SPDX-License-Identifier: BSD-2-Clause
/*
 * cmd_replay.c - `crossmod replay`: execute a recorded schedule again. It
 * must reach the same verdict in the same state, byte for byte.
 */
#include "command/cmd.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "machine/machine.h"
#include "report/report_html.h"
#include "report/trace.h"

/* The image that (w) was made with; NULL where it is none of those there are. */
static const struct image *same_guest(const struct witness *w, struct images *g, struct err *e)
{
	struct err ignored = { 0 };
	const struct image *other;

	if (!strcmp(w->guest_digest, g->usual.digest))
		return &g->usual;
	other = cmd_other_image(g, &ignored);
	if (other && !strcmp(w->guest_digest, other->digest))
		return other;
	err_set(e, ERR_INPUT,
		"%s was made with the guest image %.12s, but %s is %.12s: give the image it was "
		"made with (--guest)",
		w->path, w->guest_digest, g->usual.path, g->usual.digest);
	return NULL;
}

/* What options changed of the scenario for the recorded run. */
static bool as_it_was_run(const struct witness *w, struct scenario *s, struct err *e)
{
	s->vcpus = (uint32_t)w->vcpus;
	s->executors = w->executors;
	return cmd_parse_fetch(&s->fetch, w->fetch, e) || err_prefix(e, "%s: ", w->path);
}

/*
 * (r), judged by what its schedule shows, is what (w) recorded. That nothing
 * leads on from a state, or nowhere else, is what a search found and no schedule
 * can show: if the run led to that state, and round the same cycle, it stands.
 */
static bool same_run(const struct witness *w, struct result *r)
{
	struct observation *o = &r->observation;
	bool deadlock = !strcmp(w->verdict, verdict_name(VERDICT_DEADLOCK));
	bool livelock = !strcmp(w->verdict, verdict_name(VERDICT_LIVELOCK));
	/* That the cycle repeats for ever, a schedule does show. */
	bool repeats = !strchr(w->schedule, '(') || o->end == END_REPEATS;

	if (!repeats || strcmp(o->digest, w->digest) || o->steps != w->steps)
		return false;
	if (!deadlock && !livelock)
		return !strcmp(verdict_name(r->verdict), w->verdict);
	o->deadlock = deadlock;
	o->livelock = livelock;
	o->end = END_COMPLETE;
	cmd_judge(r);
	return true;
}

/* Execute (given) on (m), traced as the options say, up to the end of its trace. (*same): as recorded. */
static bool play(const struct options *o, const struct witness *w, const struct schedule *given,
		 struct machine *m, struct result *r, bool *same, struct err *e)
{
	struct trace t = { .out = o->trace ? stdout : NULL,
			   .colour = isatty(STDOUT_FILENO),
			   .repeats = given->repeats,
			   .cycle = given->cycle,
			   .all = o->all };
	struct report_page_end end = { .result = r, .witness = w, .skipped = t.skipped };
	struct report_page *page = o->html ? report_page_new(m) : NULL;
	bool watched = o->trace || o->html;
	bool written = true, ok;

	if (page) {
		t.take = report_page_line;
		t.arg = page;
	}
	if (watched)
		trace_begin(&t, m);
	ok = run_replay(m, given, &r->observation, watched ? cmd_trace : NULL, &t, e) ||
	     err_prefix(e, "%s: ", w->path);
	if (ok) {
		cmd_judge(r);
		*same = same_run(w, r);
	}
	if (ok && page) { /* trace_end() forgets what was skipped */
		end.same = *same;
		written = report_page_write(page, &end, o->html, e);
	}
	if (ok && o->trace)
		trace_end(&t, m, &r->observation);
	trace_fini(&t);
	report_page_free(page);
	return ok && written;
}

static bool replay(const struct options *o, const struct witness *w, const struct image *img,
		   const struct scenario *s, struct result *r, struct host *host, bool *same,
		   struct err *e)
{
	struct schedule given = { 0 };
	struct machine *m;
	bool ok;

	if (!schedule_decode(&given, w->schedule, e))
		return err_prefix(e, "%s: schedule: ", w->path);
	m = machine_new(img, s, e);
	ok = m != NULL;
	if (ok) {
		host->quirks = *vm_quirks(m->vm);
		host->quirks_known = true;
		ok = play(o, w, &given, m, r, same, e);
	}
	machine_free(m);
	schedule_fini(&given);
	return ok;
}

static int compare(const struct options *o, const struct witness *w, const struct result *r,
		   bool same)
{
	const char *verdict = verdict_name(r->verdict);
	int status = same ? EXIT_AS_EXPECTED : EXIT_NOT_EXPECTED;

	if (o->json)
		return cmd_print(report_replay(w, r, same), status);
	if (same)
		printf("%s: %s again, %llu decisions, state %.12s: %s\n", w->path, verdict,
		       (unsigned long long)r->observation.steps, r->observation.digest, r->reason);
	else
		printf("%s: NOT the same: recorded %s, %llu decisions, state %.12s; now %s, %llu, "
		       "%.12s: %s\n",
		       w->path, w->verdict, (unsigned long long)w->steps, w->digest, verdict,
		       (unsigned long long)r->observation.steps, r->observation.digest, r->reason);
	return status;
}

static int replay_file(const struct options *o, struct images *images, struct host *host,
		       const char *path)
{
	struct witness w = { 0 };
	struct scenario s = { 0 };
	struct result r = { .scenario = &s, .host = host };
	struct err e = { 0 };
	bool same = false;
	int status;

	if (witness_load(&w, path, &e) && (r.image = same_guest(&w, images, &e)) &&
	    scenario_parse(&s, w.scenario_path, w.scenario_text, strlen(w.scenario_text), r.image,
			   &e) &&
	    as_it_was_run(&w, &s, &e) && replay(o, &w, r.image, &s, &r, host, &same, &e))
		status = compare(o, &w, &r, same);
	else
		status = cmd_fail(&e);
	scenario_fini(&s);
	witness_fini(&w);
	return status;
}

int cmd_replay(const struct options *o)
{
	struct images images = { 0 };
	struct err e = { 0 };
	struct host host;
	int worst = 0;

	if (o->html && o->files > 1) {
		err_set(&e, ERR_INPUT, "--html takes one witness, there are %d", o->files);
		return cmd_fail(&e);
	}
	host_read(&host);
	if (!cmd_load_images(&images, o, &e))
		return cmd_fail(&e);
	for (int i = 0; i < o->files; i++) {
		int status = replay_file(o, &images, &host, o->file[i]);

		worst = status > worst ? status : worst;
	}
	cmd_free_images(&images);
	return worst;
}
