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

#define SECONDS_MIN 1e-3  /* 0 would be no bound */
#define REPORT_MAX  2000u /* decisions until the guest says what a mixture did */

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

static void report(const struct search_result *found, struct observation *o)
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
}

/* Where the reduction was not made use of though it was asked for, and why. */
static void say_limits(const struct local_limits *l, struct observation *o)
{
	static const char *const events[] = { [EVENT_NMI] = "NMI", [EVENT_IPI] = "IPI" };
	size_t used = 0;

	if (l->everywhere) {
		snprintf(o->unreduced, sizeof(o->unreduced),
			 "a vCPU touches another's stack or mailbox, or writes what is fixed: "
			 "every instruction was a choice point");
		return;
	}
	for (uint32_t kind = 0; kind < 2; kind++)
		if (l->handlers[kind] && used < sizeof(o->unreduced))
			used += (size_t)snprintf(
				o->unreduced + used, sizeof(o->unreduced) - used,
				"%san %s handler looks at what it interrupted: every instruction was a "
				"choice point where it can come (vCPUs %#x)",
				used ? "; " : "", events[kind], l->handlers[kind]);
}

/* ---- workers -------------------------------------------------------------- */

/* One explorer, and so one VM, for each worker of the search. */
struct team {
	uint32_t count;
	struct local_limits limits, met; /* of the reduction: in force, and needed */
	bool cut;			 /* not every fetch was tried */
	bool repeat;			 /* what was found does not hold */
	struct explorer *explorer[EXPLORE_JOBS_MAX];
	struct search_system system[EXPLORE_JOBS_MAX];
	struct search_system *systems[EXPLORE_JOBS_MAX];
};

static bool assemble(struct team *t, const struct image *image, const struct scenario *s,
		     uint32_t jobs, struct err *e)
{
	for (uint32_t i = 0; i < jobs; i++, t->count++) {
		t->explorer[i] = explorer_new(image, s, &t->limits, e);
		if (!t->explorer[i])
			return false;
		t->system[i] = explorer_system(t->explorer[i]);
		t->systems[i] = &t->system[i];
	}
	assert(t->explorer[0]); /* there is a worker at least */
	return true;
}

static void add_limits(struct local_limits *sum, struct local_limits l)
{
	sum->handlers[EVENT_NMI] |= l.handlers[EVENT_NMI];
	sum->handlers[EVENT_IPI] |= l.handlers[EVENT_IPI];
	sum->everywhere |= l.everywhere;
}

/* What all of them counted, executed and watched, and what any of them doubts, into the first's. */
static void gather(struct team *t, struct observation *o)
{
	struct explorer *first = t->explorer[0];
	const struct image *img = first->m->image;

	o->executed = 0;
	for (uint32_t i = 0; i < t->count; i++) {
		o->executed += t->explorer[i]->m->steps;
		add_limits(&t->met, local_met(t->explorer[i]->local));
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
 * A checkpoint file: the search's own part; whether fetches were left out; a byte
 * for each of the image's that was executed; and at its end the limits of the
 * reduction, those in force and those met.
 */
struct checkpoint {
	const char *path;
	char temporary[600];
	FILE *from, *to;
};

struct checkpoint_end {
	struct local_limits limits, met;
};

/* What moves depend on beside the state: the same for the same question on the same host. */
static uint64_t identity_of(const struct team *t, const struct quirks *quirks,
			    const struct scenario *s, const struct image *image)
{
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
	XXH3_64bits_update(state, &t->limits, sizeof(t->limits));
	identity = XXH3_64bits_digest(state);
	XXH3_freeState(state);
	return identity;
}

/* Those of the search to go on with, which come last. */
static bool read_limits(struct checkpoint *c, struct team *t, struct err *e)
{
	struct checkpoint_end end;

	if (fseek(c->from, -(long)sizeof(end), SEEK_END) ||
	    fread(&end, 1, sizeof(end), c->from) != sizeof(end) || fseek(c->from, 0, SEEK_SET))
		return err_set(e, ERR_INPUT, "%s: this is no checkpoint: it ends early", c->path);
	t->limits = end.limits;
	t->met = end.met;
	return true;
}

/* Before there is a team: it has to know its limits. */
static bool checkpoint_open(struct checkpoint *c, const struct explore_request *q, struct team *t,
			    struct err *e)
{
	*c = (struct checkpoint){ .path = q->checkpoint };
	if (!c->path)
		return true;
	snprintf(c->temporary, sizeof(c->temporary), "%s.%ld", c->path, (long)getpid());
	if (q->resume && !(c->from = fopen(c->path, "re")))
		return err_set(e, ERR_INPUT, "%s: %s: there is no search to go on with", c->path,
			       strerror(errno));
	if (c->from && !read_limits(c, t, e))
		return false;
	c->to = fopen(c->temporary, "we");
	return c->to || err_sys(e, errno, "%s", c->temporary);
}

static bool read_trailer(struct checkpoint *c, struct team *t, struct err *e)
{
	size_t size = t->explorer[0]->m->image->memory_size;
	int cut = fgetc(c->from);

	if (cut == EOF || fread(t->explorer[0]->executed, 1, size, c->from) != size)
		return err_set(e, ERR_INPUT, "the checkpoint ends early");
	t->cut = cut;
	return true;
}

static bool write_trailer(struct checkpoint *c, struct team *t, struct err *e)
{
	const struct checkpoint_end end = { t->limits, t->met };
	size_t size = t->explorer[0]->m->image->memory_size;

	errno = 0;
	if (fputc(t->cut ? 1 : 0, c->to) == EOF ||
	    fwrite(t->explorer[0]->executed, 1, size, c->to) != size ||
	    fwrite(&end, 1, sizeof(end), c->to) != sizeof(end) || fflush(c->to) ||
	    rename(c->temporary, c->path))
		return err_sys(e, errno, "%s", c->path);
	return true;
}

/* What there was is kept, until the search is finished: finish(). */
static void checkpoint_close(struct checkpoint *c, bool saved)
{
	if (c->from)
		fclose(c->from);
	if (c->to)
		fclose(c->to);
	if (c->to && !saved)
		unlink(c->temporary);
}

/* ---- one search ----------------------------------------------------------- */

/* What the search asks now and then: the caller, and whether the reduction still holds. */
struct watch {
	const struct explore_request *q;
	const struct team *t;
	bool stopped; /* by the caller */
};

static bool look(void *arg, const struct search_progress *p)
{
	struct watch *w = arg;
	bool exceeded = false;

	for (uint32_t i = 0; i < w->t->count; i++)
		exceeded |= local_exceeded(w->t->explorer[i]->local);
	w->stopped |= w->q->progress && w->q->progress(w->q->arg, p);
	return w->stopped || exceeded;
}

/*
 * Must it be done again, within other limits? A violation is one whatever the
 * reduction left out: its schedule has been found. All else is about every schedule.
 */
static bool must_repeat(const struct team *t, const struct watch *w, bool every,
			const struct search_result *found)
{
	return memcmp(&t->met, &t->limits, sizeof(t->met)) && !w->stopped &&
	       (!found->violation || every);
}

static bool search_team(struct team *t, const struct explore_request *q, struct checkpoint *c,
			struct search_result *found, struct observation *o, struct err *e)
{
	const struct explore_options *x = &q->scenario->explore;
	const struct explorer *first = t->explorer[0];
	double left = x->max_seconds - o->seconds;
	struct watch w = { .q = q, .t = t };
	const struct search_options options = {
		.bounds = { .states = x->max_states,
			    .seconds = x->max_seconds <= 0 ? 0 :
				       left > 0		   ? left :
							     SECONDS_MIN,
			    .memory = x->max_memory_mb << 20 },
		.progress = look,
		.arg = &w,
		.resume = c->from,
		.checkpoint = c->to,
		.every = x->every,
		.identity = identity_of(t, vm_quirks(first->m->vm), q->scenario, q->image),
	};
	bool ok = search_run(t->systems, t->count, &options, found, e) &&
		  (!c->from || read_trailer(c, t, e));

	guard_release();
	gather(t, o);
	t->repeat = ok && must_repeat(t, &w, x->every, found);
	if (ok && found->saved && !t->repeat)
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

/* With the witness, and what is said of it. */
static bool conclude(struct team *t, struct search_result *found, struct observation *o,
		     struct schedule *witness, struct err *e)
{
	struct observation counted;

	judge_cut(t, found);
	counted = *o;
	if ((found->violation || found->deadlock || found->livelock) &&
	    !make_witness(t->explorer[0], t->systems[0], found, o, witness, e))
		return false;
	o->executed = counted.executed;
	o->coverage = counted.coverage;
	if (*counted.suspect) /* more than a witness that shows nothing of it says */
		memcpy(o->suspect, counted.suspect, sizeof(o->suspect));
	o->resumable = found->saved;
	report(found, o);
	o->seconds += counted.seconds;
	if (!t->explorer[0]->options->no_reduction)
		say_limits(&t->limits, o);
	return true;
}

/* One search, within the limits of (t), and of its checkpoint when it is gone on with. */
static bool explore(struct team *t, const struct explore_request *q, struct observation *o,
		    struct schedule *witness, struct quirks *quirks, struct err *e)
{
	struct search_result found = { 0 };
	struct checkpoint c;
	bool ok = checkpoint_open(&c, q, t, e) && assemble(t, q->image, q->scenario, q->jobs, e) &&
		  search_team(t, q, &c, &found, o, e);

	if (t->count)
		*quirks = *vm_quirks(t->explorer[0]->m->vm);
	checkpoint_close(&c, ok && found.saved && !t->repeat);
	if (!ok && guard_fired()) {
		/* No error, but the guest's doing: a vCPU never came back, so nothing that was found counts. */
		o->end = END_HUNG;
		ok = true;
	} else if (ok && t->repeat) {
		o->seconds += found.seconds;
	} else {
		ok = ok && conclude(t, &found, o, witness, e);
	}
	search_fini(&found);
	for (uint32_t i = 0; i < t->count; i++)
		explorer_free(t->explorer[i]);
	return ok;
}

/* Again until the limits hold. They only ever grow, so that this ends. */
bool explore_run(const struct explore_request *q, struct observation *o, struct schedule *witness,
		 struct quirks *quirks, struct err *e)
{
	struct local_limits limits = { .everywhere = q->scenario->explore.no_reduction };
	struct explore_request request = *q;
	struct team t;
	bool ok;

	assert(q->jobs > 0 && q->jobs <= EXPLORE_JOBS_MAX);
	memset(o, 0, sizeof(*o));
	o->stepped = true;
	o->vcpus = q->scenario->vcpus;
	do {
		t = (struct team){ .limits = limits, .met = limits };
		ok = explore(&t, &request, o, witness, quirks, e);
		limits = t.met;
		request.resume = false;
	} while (ok && t.repeat);
	if (ok && q->resume && !o->resumable)
		unlink(q->checkpoint); /* finished: nothing is left to go on with */
	return ok;
}
