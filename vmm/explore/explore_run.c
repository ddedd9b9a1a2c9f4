// SPDX-License-Identifier: BSD-2-Clause
/*
 * explore_run.c - has a scenario searched by a team of workers, and makes of
 * what they found an observation: a witness that has been replayed, what was
 * never executed, a checkpoint to go on from. Sees no KVM.
 */
#include "explore/explore_internal.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>

#include "model/coverage.h"
#include "vm/guard.h"
#include "machine/machine_state.h"
#include "run/run_stepped.h"

_Static_assert(EXPLORE_JOBS_MAX <= GUARD_VMS, "every worker's VM is watched");

#define REPORT_MAX 2000u /* decisions until the guest says what a mixture did */

/* ---- what was found ------------------------------------------------------- */

/* After a mixture: that vCPU alone, until the guest says what it did. */
static bool wait_for_report(struct explorer *x, struct err *e)
{
	const struct action *last = &x->record->action[x->record->count - 1];
	struct action step = { .kind = ACTION_STEP, .vcpu = last->vcpu };
	struct step_report r;

	for (uint32_t i = 0; i < REPORT_MAX && !x->o.nviolations; i++) {
		if (!machine_enabled(x->m, &step))
			return true;
		if (!explorer_decide(x, &step, &r, e))
			return false;
	}
	return true;
}

/* The path as a schedule, run plainly, as `replay` will: what it shows is what is reported. */
static bool make_witness(struct explorer *x, struct search_system *sys,
			 const struct search_result *found, struct observation *o,
			 struct schedule *witness, struct err *e)
{
	struct observation replayed;

	x->record = witness;
	if (!search_follow(sys, &found->path, e) || (found->violation && !wait_for_report(x, e)))
		return false;
	if (found->cycle.count) {
		schedule_begin_cycle(witness);
		if (!search_go_on(sys, &found->cycle, e))
			return false;
	}
	x->record = NULL;
	machine_state_end(x->m);
	if (!run_replay(x->m, witness, &replayed, NULL, NULL, e))
		return false;
	*o = replayed;
	if (found->violation &&
	    (!o->nviolations || o->violation[0].kind != found->violation - VIOLATION_MARK))
		snprintf(o->suspect, sizeof(o->suspect),
			 "the search found %s, but its schedule replayed shows %.90s",
			 verdict_name(verdict_of_violation(found->violation - VIOLATION_MARK)),
			 o->nviolations ? o->violation[0].text : "nothing");
	return true;
}

static void report(const struct search_result *found, const struct explorer *x, bool unsound,
		   struct observation *o)
{
	o->explored = true;
	o->exhausted = found->end == SEARCH_EXHAUSTED;
	o->states = found->states;
	o->transitions = found->transitions;
	o->depth = found->depth;
	o->memory = found->memory;
	o->bound = found->bound;
	o->seconds = found->seconds;
	o->deadlock = found->deadlock;
	o->livelock = found->livelock;
	o->kinds = (uint32_t)(found->kinds >> VIOLATION_MARK);
	o->every = found->every;
	if (found->end == SEARCH_EXHAUSTED)
		o->end = END_COMPLETE;
	else if (found->end == SEARCH_VIOLATION)
		o->end = END_VIOLATION;
	else
		o->end = found->end == SEARCH_BOUND ? END_STEPS : END_INTERRUPTED;
	if (unsound && !x->options->no_reduction)
		snprintf(o->suspect, sizeof(o->suspect),
			 "a vCPU touched what the reduction takes for another's own, or for "
			 "fixed: use --no-reduction");
}

/* ---- workers -------------------------------------------------------------- */

/* One explorer, and so one VM, for each worker of the search. */
struct team {
	uint32_t count;
	bool unsound; /* see local_unsound() */
	bool cut;     /* not every fetch was tried */
	struct explorer *explorer[EXPLORE_JOBS_MAX];
	struct search_system system[EXPLORE_JOBS_MAX];
	struct search_system *systems[EXPLORE_JOBS_MAX];
};

static bool assemble(struct team *t, const struct image *image, const struct scenario *s,
		     uint32_t jobs, struct err *e)
{
	for (uint32_t i = 0; i < jobs; i++, t->count++) {
		t->explorer[i] = explorer_new(image, s, e);
		if (!t->explorer[i])
			return false;
		t->system[i] = explorer_system(t->explorer[i]);
		t->systems[i] = &t->system[i];
	}
	return true;
}

/* What all of them counted, executed and watched, and what any of them doubts, into the first's. */
static void gather(struct team *t, struct observation *o)
{
	struct explorer *first = t->explorer[0];
	const struct image *img = first->m->image;

	o->executed = 0;
	for (uint32_t i = 0; i < t->count; i++) {
		o->executed += t->explorer[i]->m->steps;
		t->unsound |= local_unsound(t->explorer[i]->local);
		t->cut |= t->explorer[i]->cut;
		if (!*o->suspect)
			memcpy(o->suspect, t->explorer[i]->o.suspect, sizeof(o->suspect));
		for (size_t k = 0; k < img->memory_size; k++)
			first->executed[k] |= t->explorer[i]->executed[k];
	}
	coverage_of(img, first->m->scenario->protocol, &first->m->decoder, first->executed,
		    &o->coverage);
}

/* ---- checkpoints ---------------------------------------------------------- */

/*
 * A checkpoint file: the search's own part, then whether the reduction was
 * unsound and whether fetches were left out, then a byte for each of the image's
 * that was executed.
 */
enum { TRAILER_UNSOUND = 1, TRAILER_CUT = 2 };

struct checkpoint {
	const char *path;
	char temporary[600];
	FILE *from, *to;
};

/* What moves depend on beside the state: the same for the same question on the same host. */
static uint64_t identity_of(const struct team *t, const struct scenario *s,
			    const struct image *image)
{
	const struct quirks *quirks = vm_quirks(t->explorer[0]->m->vm);
	XXH3_state_t *state = XXH3_createState();
	const uint32_t words[] = {
		s->fetch.model,
		s->fetch.chunk,
		s->fetch.delivery_syncs,
		s->fetch.mfence_syncs,
		s->vcpus,
		s->executors,
		s->fetch.own_alias_visible,
		s->fetch.return_lax,
		s->fetch.dline,
		s->fetch.iline,
		s->check_changes,
		s->offline,
		s->explore.no_reduction,
		s->explore.every,
		quirks->step_cpl3_via_guest,
		quirks->int3_cpl0_fails,
	};
	uint64_t identity;

	assert(state);
	XXH3_64bits_reset(state);
	XXH3_64bits_update(state, image->digest, sizeof(image->digest));
	XXH3_64bits_update(state, s->text, strlen(s->text));
	XXH3_64bits_update(state, s->explore.nmis, sizeof(s->explore.nmis));
	XXH3_64bits_update(state, words, sizeof(words));
	identity = XXH3_64bits_digest(state);
	XXH3_freeState(state);
	return identity;
}

static bool checkpoint_open(struct checkpoint *c, const struct explore_request *q, struct err *e)
{
	*c = (struct checkpoint){ .path = q->checkpoint };
	if (!c->path)
		return true;
	snprintf(c->temporary, sizeof(c->temporary), "%s.%ld", c->path, (long)getpid());
	if (q->resume && !(c->from = fopen(c->path, "re")))
		return err_set(e, ERR_INPUT, "%s: %s: there is no search to go on with", c->path,
			       strerror(errno));
	c->to = fopen(c->temporary, "we");
	return c->to || err_sys(e, errno, "%s", c->temporary);
}

static bool read_trailer(struct checkpoint *c, struct team *t, struct err *e)
{
	size_t size = t->explorer[0]->m->image->memory_size;
	int unsound = fgetc(c->from);

	if (unsound == EOF || fread(t->explorer[0]->executed, 1, size, c->from) != size)
		return err_set(e, ERR_INPUT, "the checkpoint ends early");
	t->unsound = unsound & TRAILER_UNSOUND;
	t->cut = unsound & TRAILER_CUT;
	return true;
}

static bool write_trailer(struct checkpoint *c, struct team *t, struct err *e)
{
	size_t size = t->explorer[0]->m->image->memory_size;
	int flags = (t->unsound ? TRAILER_UNSOUND : 0) | (t->cut ? TRAILER_CUT : 0);

	errno = 0;
	if (fputc(flags, c->to) == EOF ||
	    fwrite(t->explorer[0]->executed, 1, size, c->to) != size || fflush(c->to) ||
	    rename(c->temporary, c->path))
		return err_sys(e, errno, "%s", c->path);
	return true;
}

/* Finished: nothing is left to go on with. Failed: what there was is kept. */
static void checkpoint_close(struct checkpoint *c, bool saved, bool finished)
{
	if (c->from)
		fclose(c->from);
	if (c->to)
		fclose(c->to);
	if (c->to && !saved)
		unlink(c->temporary);
	if (c->from && finished)
		unlink(c->path);
}

/* ---- the whole ------------------------------------------------------------ */

static bool search_team(struct team *t, const struct explore_request *q, struct checkpoint *c,
			struct search_result *found, struct observation *o, struct err *e)
{
	const struct explore_options *x = &q->scenario->explore;
	const struct search_options options = {
		.bounds = { .states = x->max_states,
			    .seconds = x->max_seconds,
			    .memory = x->max_memory_mb << 20 },
		.progress = q->progress,
		.arg = q->arg,
		.resume = c->from,
		.checkpoint = c->to,
		.every = x->every,
		.identity = identity_of(t, q->scenario, q->image),
	};
	bool ok = search_run(t->systems, t->count, &options, found, e) &&
		  (!c->from || read_trailer(c, t, e));

	guard_release();
	gather(t, o);
	if (ok && found->saved)
		ok = write_trailer(c, t, e);
	/* What is wrong with the file, not with the search. */
	return ok || (e && e->code == ERR_INPUT && c->from && err_prefix(e, "%s: ", c->path));
}

/* Who has not tried every fetch can only have found something, not that there is nothing. */
static void judge_cut(const struct team *t, struct search_result *found)
{
	if (!t->cut)
		return;
	found->every = found->deadlock = found->livelock = false;
	if (found->end != SEARCH_EXHAUSTED)
		return;
	found->end = SEARCH_BOUND;
	found->bound = "fetches";
}

static bool explore(struct team *t, const struct explore_request *q, struct observation *o,
		    struct schedule *witness, struct err *e)
{
	struct search_result found = { 0 };
	struct observation counted;
	struct checkpoint c;
	bool ok = checkpoint_open(&c, q, e) && search_team(t, q, &c, &found, o, e);

	checkpoint_close(&c, ok && found.saved, ok && !found.saved);
	judge_cut(t, &found);
	counted = *o;
	/* No error, but the guest's doing: a vCPU never came back, and so nothing that was found counts. */
	if (!ok && guard_fired()) {
		o->end = END_HUNG;
		return true;
	}
	if (ok && (found.violation || found.deadlock || found.livelock))
		ok = make_witness(t->explorer[0], t->systems[0], &found, o, witness, e);
	if (ok) {
		o->executed = counted.executed;
		o->coverage = counted.coverage;
		if (*counted.suspect) /* more than a witness that shows nothing of it says */
			memcpy(o->suspect, counted.suspect, sizeof(o->suspect));
		o->resumable = found.saved;
		report(&found, t->explorer[0], t->unsound, o);
	}
	search_fini(&found);
	return ok;
}

bool explore_run(const struct explore_request *q, struct observation *o, struct schedule *witness,
		 struct quirks *quirks, struct err *e)
{
	struct team t = { 0 };
	bool ok;

	assert(q->jobs > 0 && q->jobs <= EXPLORE_JOBS_MAX);
	memset(o, 0, sizeof(*o));
	o->stepped = true;
	o->vcpus = q->scenario->vcpus;
	ok = assemble(&t, q->image, q->scenario, q->jobs, e);
	if (ok) {
		*quirks = *vm_quirks(t.explorer[0]->m->vm);
		ok = explore(&t, q, o, witness, e);
	}
	for (uint32_t i = 0; i < t.count; i++)
		explorer_free(t.explorer[i]);
	return ok;
}
