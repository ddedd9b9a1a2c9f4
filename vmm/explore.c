// SPDX-License-Identifier: BSD-2-Clause
/* explore.c - moves, and a witness that has been replayed. Sees no KVM. */
#include "explore.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "coverage.h"
#include "explore_local.h"
#include "guard.h"
#include "machine_state.h"
#include "run_stepped.h"

_Static_assert(EXPLORE_JOBS_MAX <= GUARD_VMS, "every worker's VM is watched");

#define PROCESS_IPI	 16u
#define PROCESS_INJECTED 32u
#define LOCAL_MAX	 4096u /* a vCPU that runs on for longer gets a choice point */
#define REPORT_MAX	 2000u /* decisions until the guest says what a mixture did */
#define FETCHES_MAX	 64u
#define VIOLATION_MARK	 1u /* added to enum violation_kind: 0 is none */

/* What may still be injected: part of the state. */
struct budget {
	uint8_t nmis[CM_MAX_VCPUS];  /* left */
	uint8_t spent[CM_MAX_VCPUS]; /* unlimited: hit, and nothing of its own done since */
};

struct explorer {
	struct machine *m;
	const struct explore_options *options;
	struct observation o;
	struct budget budget;
	struct local *local;
	uint8_t *executed;	   /* per byte of the image: an instruction there was */
	struct stretch stretch;	   /* scratch */
	struct search_blob packed; /* the state it is in, once it was asked for */
	struct schedule *record;   /* following a path: every decision, run-on ones too */
};

/*
 * An unlimited number of NMIs is no NMI storm: between two of them the vCPU
 * executes something of its own, and takes the IPI that it could take. Else no
 * protocol that waits for anybody could ever end.
 */
static void spend(struct explorer *x, const struct action *a)
{
	const struct action ipi = { .kind = ACTION_IPI, .vcpu = a->vcpu };

	if (a->kind == ACTION_NMI) {
		if (x->budget.nmis[a->vcpu] == SCENARIO_NMI_UNLIMITED)
			x->budget.spent[a->vcpu] = 1;
		else
			x->budget.nmis[a->vcpu]--;
	} else if (vcpu_can_take(vm_vcpu(x->m->vm, a->vcpu), EVENT_NMI) &&
		   (a->kind == ACTION_IPI || !machine_enabled(x->m, &ipi))) {
		x->budget.spent[a->vcpu] = 0;
	}
}

static void mark_executed(struct explorer *x, uint64_t pc)
{
	if (pc - CM_IMAGE_BASE < x->m->image->memory_size)
		x->executed[pc - CM_IMAGE_BASE] = 1;
}

static bool decide(struct explorer *x, const struct action *a, struct step_report *r, struct err *e)
{
	guard_pet();
	spend(x, a);
	if (!machine_apply(x->m, a, r, e))
		return false;
	if (r->executed)
		mark_executed(x, r->pc);
	if (x->record)
		schedule_add(x->record, &r->action);
	return true;
}

/* A whole stretch in one go; not while the decisions are written down, one by one. */
static bool run_stretch(struct explorer *x, uint32_t vcpu, bool any, bool *ran, struct err *e)
{
	const struct action step = { .kind = ACTION_STEP, .vcpu = (uint8_t)vcpu };
	struct stretch *s = &x->stretch;
	uint64_t stop[VCPU_STOPS_MAX], end;
	struct step_report r;

	*ran = !x->record && !x->options->no_reduction && !machine_at_site(x->m, vcpu) &&
	       local_stretch(x->local, vcpu, any, s);
	if (!*ran)
		return true;
	for (uint32_t i = 0; i < s->paths; i++)
		stop[i] = s->path[i].end;
	guard_pet();
	spend(x, &step);
	if (!machine_run(x->m, vcpu, stop, s->paths, &r, e))
		return false;
	end = machine_pc(x->m, vcpu);
	for (uint32_t i = 0; i < s->paths; i++) {
		if (s->path[i].end != end)
			continue;
		for (uint32_t k = 0; k < s->path[i].count; k++)
			mark_executed(x, s->path[i].pc[k]);
		machine_ran(x->m, s->path[i].count);
	}
	return true;
}

/* On through what is local. */
static bool run_on(struct explorer *x, uint32_t vcpu, struct err *e)
{
	struct action step = { .kind = ACTION_STEP, .vcpu = (uint8_t)vcpu };
	struct step_report r;
	bool ran;

	if (x->options->no_reduction)
		return true;
	for (uint32_t i = 0; i < LOCAL_MAX && !x->o.nviolations; i++) {
		if (!machine_enabled(x->m, &step))
			return true;
		if (!run_stretch(x, vcpu, false, &ran, e))
			return false;
		if (ran)
			continue;
		if (!local_is(x->local, vcpu))
			return true;
		if (!decide(x, &step, &r, e))
			return false;
	}
	return true;
}

static void mark_state(const struct explorer *x, const struct step_report *r,
		       struct search_mark *mark)
{
	mark->goal = machine_finished(x->m);
	mark->violation = 0;
	if (x->o.nviolations)
		mark->violation = (uint8_t)(VIOLATION_MARK + x->o.violation[0].kind);
	else if (r && r->executed && r->form == FORM_TORN)
		mark->violation = VIOLATION_MARK + VIOLATION_TORN;
}

/* The machine is about to move. */
static void unpack(struct explorer *x)
{
	free(x->packed.data);
	x->packed = (struct search_blob){ 0 };
}

static bool start(void *self, struct search_mark *mark, struct err *e)
{
	struct explorer *x = self;

	/* Ctrl-C is the search's to see, between two states. */
	guard_watch(x->m->vm, x->m->scenario->vcpus, GUARD_SECONDS, false);
	unpack(x);
	memset(&x->budget, 0, sizeof(x->budget));
	memcpy(x->budget.nmis, x->options->nmis, sizeof(x->budget.nmis));
	if (!machine_reset(x->m, &x->o, e) || !machine_state_begin(x->m, e))
		return false;
	for (uint32_t i = 0; i < x->m->scenario->vcpus; i++)
		if (!run_on(x, i, e))
			return false;
	mark_state(x, NULL, mark);
	return true;
}

/* The state as bytes, packed once: the search asks for the hash, and often for the bytes too. */
static bool pack(struct explorer *x, struct err *e)
{
	size_t size;
	uint8_t *bytes, *whole;

	if (x->packed.data)
		return true;
	bytes = machine_pack(x->m, &size);
	whole = bytes ? realloc(bytes, size + sizeof(x->budget)) : NULL;
	if (!whole) {
		free(bytes);
		return err_set(e, ERR_HOST, "out of memory");
	}
	memcpy(whole + size, &x->budget, sizeof(x->budget));
	x->packed = (struct search_blob){ whole, size + sizeof(x->budget) };
	return true;
}

static bool save(void *self, struct search_blob *blob, struct err *e)
{
	struct explorer *x = self;

	if (!pack(x, e))
		return false;
	*blob = x->packed;
	x->packed = (struct search_blob){ 0 };
	return true;
}

static bool load(void *self, const struct search_blob *blob, struct err *e)
{
	struct explorer *x = self;
	size_t size = blob->size - sizeof(x->budget);

	(void)e;
	unpack(x);
	machine_unpack(x->m, blob->data, size);
	memcpy(&x->budget, (const uint8_t *)blob->data + size, sizeof(x->budget));
	return true;
}

static void hash(void *self, uint64_t out[2])
{
	struct explorer *x = self;
	XXH128_hash_t h;

	if (!pack(x, NULL))
		abort(); /* out of memory: nothing here can go on */
	h = XXH3_128bits(x->packed.data, x->packed.size);
	out[0] = h.low64;
	out[1] = h.high64;
}

/* A move as a number: kind, vCPU, and which of its possible fetches. */
static uint64_t code_of(uint32_t kind, uint32_t vcpu, uint32_t fetch)
{
	return kind | vcpu << 8 | (uint64_t)fetch << 16;
}

static bool may_latch(const struct explorer *x, uint32_t vcpu)
{
	const struct fetch *f = &x->m->fetch;
	enum fetch_model model = f->config.model;
	uint64_t pc = machine_pc(x->m, vcpu);

	if ((model != FETCH_ASC && model != FETCH_DESC) || !machine_at_site(x->m, vcpu))
		return false;
	for (uint32_t i = 0; i < x->m->scenario->nsites; i++) {
		const struct cm_site *p = &x->m->site[i].placed;
		uint64_t last = p->text + p->length - 1;

		/* The last chunk need not be latched: the step fetches it. */
		if (pc - p->text < p->length)
			return f->latched[vcpu].nchunks + 1u <
			       f->chunk_of[fetch_offset(f, last)] -
				       f->chunk_of[fetch_offset(f, pc)] + 1u;
	}
	return false;
}

static uint32_t enabled(void *self, struct search_action *list)
{
	struct explorer *x = self;
	uint32_t n = 0;

	for (uint32_t v = 0; v < x->m->scenario->vcpus; v++) {
		struct action a = { .kind = ACTION_STEP, .vcpu = (uint8_t)v };
		struct action fetches[FETCHES_MAX];
		uint32_t count = 0;

		if (machine_enabled(x->m, &a))
			count = machine_fetches(x->m, v, fetches, FETCHES_MAX);
		for (uint32_t i = 0; i < count; i++)
			list[n++] = (struct search_action){ code_of(ACTION_STEP, v, i), (uint8_t)v,
							    true };
		if (count && may_latch(x, v))
			list[n++] = (struct search_action){ code_of(ACTION_LATCH, v, 0), (uint8_t)v,
							    true };
		a.kind = ACTION_IPI;
		if (machine_enabled(x->m, &a))
			list[n++] = (struct search_action){ code_of(ACTION_IPI, v, 0),
							    (uint8_t)(PROCESS_IPI + v), true };
		a.kind = ACTION_NMI;
		if (x->budget.nmis[v] && !x->budget.spent[v] && !x->m->cpu[v].nmi_latched &&
		    machine_enabled(x->m, &a))
			list[n++] =
				(struct search_action){ code_of(ACTION_NMI, v, 0),
							(uint8_t)(PROCESS_INJECTED + v), false };
		a.kind = ACTION_ONLINE;
		if (machine_enabled(x->m, &a))
			list[n++] =
				(struct search_action){ code_of(ACTION_ONLINE, v, 0),
							(uint8_t)(PROCESS_INJECTED + v), false };
		assert(n + FETCHES_MAX + 4 < SEARCH_ACTIONS_MAX || v + 1 == x->m->scenario->vcpus);
	}
	return n;
}

static bool apply(void *self, const struct search_action *sa, struct search_mark *mark,
		  struct err *e)
{
	struct explorer *x = self;
	uint32_t kind = sa->code & 0xff, v = sa->code >> 8 & 0xff;
	struct action a = { .kind = (uint8_t)kind, .vcpu = (uint8_t)v };
	struct action fetches[FETCHES_MAX];
	struct step_report r = { 0 };
	bool ran = false;

	unpack(x);
	machine_forget(x->m);
	if (kind == ACTION_STEP && !run_stretch(x, v, true, &ran, e))
		return false;
	if (kind == ACTION_STEP && !ran) {
		uint32_t count = machine_fetches(x->m, v, fetches, FETCHES_MAX);

		assert(sa->code >> 16 < count);
		a = fetches[sa->code >> 16];
	}
	if (!ran && !decide(x, &a, &r, e))
		return false;
	mark_state(x, &r, mark);
	if (mark->violation)
		return true;
	if (!run_on(x, v, e))
		return false;
	mark_state(x, NULL, mark);
	return true;
}

static void explorer_free(struct explorer *x)
{
	if (!x)
		return;
	machine_free(x->m);
	local_free(x->local);
	unpack(x);
	free(x->executed);
	free(x);
}

static struct explorer *explorer_new(const struct image *image, const struct scenario *s,
				     struct err *e)
{
	struct explorer *x = calloc(1, sizeof(*x));

	if (!x) {
		err_set(e, ERR_HOST, "out of memory");
		return NULL;
	}
	x->options = &s->explore;
	x->m = machine_new(image, s, e);
	x->local = x->m ? local_new(x->m, e) : NULL;
	x->executed = calloc(1, image->memory_size);
	if (x->local && x->executed)
		return x;
	if (!x->executed)
		err_set(e, ERR_HOST, "out of memory");
	explorer_free(x);
	return NULL;
}

/* After a mixture: that vCPU alone, until the guest says what it did. */
static bool wait_for_report(struct explorer *x, struct err *e)
{
	const struct action *last = &x->record->action[x->record->count - 1];
	struct action step = { .kind = ACTION_STEP, .vcpu = last->vcpu };
	struct step_report r;

	for (uint32_t i = 0; i < REPORT_MAX && !x->o.nviolations; i++) {
		if (!machine_enabled(x->m, &step))
			return true;
		if (!decide(x, &step, &r, e))
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
	o->seconds = found->seconds;
	o->deadlock = found->deadlock;
	o->livelock = found->livelock;
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

/* One explorer, and so one VM, for each worker of the search. */
struct team {
	uint32_t count;
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
		t->system[i] = (struct search_system){ t->explorer[i], start, load, save,
						       enabled,	       apply, hash };
		t->systems[i] = &t->system[i];
	}
	return true;
}

/* What any of them executed, into the first's. */
static void cover(struct team *t, struct observation *o)
{
	struct explorer *first = t->explorer[0];
	const struct image *img = first->m->image;

	for (uint32_t i = 1; i < t->count; i++)
		for (size_t k = 0; k < img->memory_size; k++)
			first->executed[k] |= t->explorer[i]->executed[k];
	coverage_of(img, first->m->scenario->protocol, &first->m->decoder, first->executed,
		    &o->coverage);
}

static bool search_team(struct team *t, const struct search_bounds *bounds, struct quirks *quirks,
			bool (*progress)(void *arg, const struct search_progress *p), void *arg,
			struct observation *o, struct schedule *witness, struct err *e)
{
	struct explorer *first = t->explorer[0];
	struct search_result found = { 0 };
	uint64_t executed = 0;
	bool ok, unsound = false;

	assert(first);
	*quirks = *vm_quirks(first->m->vm);
	ok = search_run(t->systems, t->count, bounds, progress, arg, &found, e);
	guard_release();
	for (uint32_t i = 0; i < t->count; i++) {
		executed += t->explorer[i]->m->steps;
		unsound |= local_unsound(t->explorer[i]->local);
	}
	if (ok && (found.violation || found.deadlock || found.livelock))
		ok = make_witness(first, t->systems[0], &found, o, witness, e);
	if (ok)
		report(&found, first, unsound, o);
	o->executed = executed;
	if (ok)
		cover(t, o);
	search_fini(&found);
	return ok;
}

bool explore_run(const struct image *image, const struct scenario *s, uint32_t jobs,
		 struct observation *o, struct schedule *witness, struct quirks *quirks,
		 bool (*progress)(void *arg, const struct search_progress *p), void *arg,
		 struct err *e)
{
	const struct search_bounds bounds = {
		.states = s->explore.max_states,
		.seconds = s->explore.max_seconds,
		.memory = s->explore.max_memory_mb << 20,
	};
	struct team t = { 0 };
	bool ok;

	assert(jobs > 0 && jobs <= EXPLORE_JOBS_MAX);
	memset(o, 0, sizeof(*o));
	o->stepped = true;
	o->vcpus = s->vcpus;
	ok = assemble(&t, image, s, jobs, e) &&
	     search_team(&t, &bounds, quirks, progress, arg, o, witness, e);
	for (uint32_t i = 0; i < t.count; i++)
		explorer_free(t.explorer[i]);
	return ok;
}
