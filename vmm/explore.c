// SPDX-License-Identifier: BSD-2-Clause
/* explore.c - moves, reduction, and a witness that has been replayed. Sees no KVM. */
#include "explore.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "guard.h"
#include "machine_state.h"
#include "run_stepped.h"

_Static_assert(EXPLORE_JOBS_MAX <= GUARD_VMS, "every worker's VM is watched");

#define PROCESS_IPI    16u
#define PROCESS_NMI    32u
#define LOCAL_MAX      4096u /* a vCPU that runs on for longer gets a choice point */
#define REPORT_MAX     2000u /* decisions until the guest says what a mixture did */
#define FETCHES_MAX    64u
#define VIOLATION_MARK 1u /* added to enum violation_kind: 0 is none */

struct explorer {
	struct machine *m;
	const struct explore_options *options;
	struct observation o;
	uint8_t nmis[CM_MAX_VCPUS]; /* left */
	struct insn_access *access; /* per byte of the image, (known) says which are there */
	bool *known;
	struct schedule *record; /* following a path: every decision, run-on ones too */
	bool unsound;		 /* a vCPU reached into another's stack: reduction is unsound */
};

static bool in_range(uint64_t address, uint64_t start, uint64_t size)
{
	return address - start < size;
}

static bool is_read_only(const struct image *img, uint64_t address)
{
	for (size_t i = 0; i < img->nsegments; i++)
		if (in_range(address, img->segments[i].address, img->segments[i].size))
			return !img->segments[i].write;
	return false;
}

/*
 * What the run is to do is written before it starts and only read then: the
 * control block, but for who is online and how far each site's pokes are.
 */
static bool is_fixed(const struct image *img, uint64_t address)
{
	uint64_t offset = address - img->abi.control;
	uint64_t site = offset - offsetof(struct cm_control, site);

	if (offset >= sizeof(struct cm_control) ||
	    in_range(offset, offsetof(struct cm_control, online), sizeof(uint32_t)))
		return false;
	return offset < offsetof(struct cm_control, site) ||
	       !in_range(site % sizeof(struct cm_site), offsetof(struct cm_site, started),
			 2 * sizeof(uint32_t));
}

/*
 * Can nobody else notice an access of (vcpu) to (address)? Its own stacks,
 * mailbox and statistics; data that nobody writes. That nobody does is watched:
 * (unsound) is set by the first who touches another's stack or writes what is fixed.
 */
static bool is_private(struct explorer *x, uint32_t vcpu, uint64_t address, bool write)
{
	const struct cm_abi *abi = &x->m->image->abi;
	const uint64_t stacks = (uint64_t)CM_STACKS * CM_STACK_SIZE;

	if (in_range(address, abi->stacks, CM_MAX_VCPUS * stacks)) {
		bool own = in_range(address, abi->stacks + vcpu * stacks, stacks);

		x->unsound |= !own;
		return own;
	}
	if (is_fixed(x->m->image, address)) {
		x->unsound |= write;
		return !write;
	}
	return in_range(address, abi->cpu + vcpu * sizeof(struct cm_cpu), sizeof(struct cm_cpu)) ||
	       in_range(address, abi->counts + vcpu * sizeof(struct cm_counts),
			sizeof(struct cm_counts)) ||
	       is_read_only(x->m->image, address);
}

static struct insn_access access_at(struct explorer *x, uint64_t pc)
{
	const struct image *img = x->m->image;
	uint64_t offset = pc - CM_IMAGE_BASE;
	uint64_t size;

	if (pc < CM_IMAGE_BASE || offset >= img->memory_size)
		return (struct insn_access){ .reach = REACH_OTHER };
	if (!x->known[offset]) {
		size = img->memory_size - offset < INSN_LENGTH_MAX ? img->memory_size - offset :
								     INSN_LENGTH_MAX;
		x->access[offset] = insn_access(&x->m->decoder, img->memory + offset, size, pc);
		x->known[offset] = true;
	}
	return x->access[offset];
}

/* Can nobody else notice when (vcpu) executes its next instruction? */
static bool is_local(struct explorer *x, uint32_t vcpu)
{
	const struct vcpu *v = vm_vcpu(x->m->vm, vcpu);
	struct insn_access a;
	uint64_t address;

	if (machine_at_site(x->m, vcpu))
		return false;
	a = access_at(x, vcpu_pc(v));
	if (a.reach != REACH_MEMORY)
		return a.reach == REACH_OWN;
	address = (uint64_t)a.displacement;
	if (a.base != INSN_NO_REGISTER)
		address += vcpu_register(v, a.base);
	if (a.index != INSN_NO_REGISTER)
		address += vcpu_register(v, a.index) * a.scale;
	if (a.segment)
		address += vcpu_segment_base(v);
	return is_private(x, vcpu, address, a.write);
}

static bool decide(struct explorer *x, const struct action *a, struct step_report *r, struct err *e)
{
	guard_pet();
	if (!machine_apply(x->m, a, r, e))
		return false;
	if (x->record)
		schedule_add(x->record, &r->action);
	return true;
}

/* On through what is local. */
static bool run_on(struct explorer *x, uint32_t vcpu, struct err *e)
{
	struct action step = { .kind = ACTION_STEP, .vcpu = (uint8_t)vcpu };
	struct step_report r;

	if (x->options->no_reduction)
		return true;
	for (uint32_t i = 0; i < LOCAL_MAX && !x->o.nviolations; i++) {
		if (!machine_enabled(x->m, &step) || !is_local(x, vcpu))
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

static bool start(void *self, struct search_mark *mark, struct err *e)
{
	struct explorer *x = self;

	/* Ctrl-C is the search's to see, between two states. */
	guard_watch(x->m->vm, x->m->scenario->vcpus, GUARD_SECONDS, false);
	memcpy(x->nmis, x->options->nmis, sizeof(x->nmis));
	if (!machine_reset(x->m, &x->o, e) || !machine_state_begin(x->m, e))
		return false;
	for (uint32_t i = 0; i < x->m->scenario->vcpus; i++)
		if (!run_on(x, i, e))
			return false;
	mark_state(x, NULL, mark);
	return true;
}

static bool save(void *self, struct search_blob *blob, struct err *e)
{
	struct explorer *x = self;
	size_t size;
	uint8_t *bytes = machine_pack(x->m, &size);
	uint8_t *whole = bytes ? realloc(bytes, size + sizeof(x->nmis)) : NULL;

	if (!whole) {
		free(bytes);
		return err_set(e, ERR_HOST, "out of memory");
	}
	memcpy(whole + size, x->nmis, sizeof(x->nmis));
	blob->data = whole;
	blob->size = size + sizeof(x->nmis);
	return true;
}

static bool load(void *self, const struct search_blob *blob, struct err *e)
{
	struct explorer *x = self;
	size_t size = blob->size - sizeof(x->nmis);

	(void)e;
	machine_unpack(x->m, blob->data, size);
	memcpy(x->nmis, (const uint8_t *)blob->data + size, sizeof(x->nmis));
	return true;
}

static void hash(void *self, uint64_t out[2])
{
	struct search_blob blob = { 0 };
	XXH128_hash_t h;

	if (!save(self, &blob, NULL))
		abort(); /* out of memory: nothing here can go on */
	h = XXH3_128bits(blob.data, blob.size);
	free(blob.data);
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

/* Whether a step's fetch takes bytes that are not what is there now. */
static bool is_stale(const struct explorer *x, const struct action *a)
{
	const struct fetch *f = &x->m->fetch;
	const uint8_t *now = machine_window(x->m);
	uint64_t pc = machine_pc(x->m, a->vcpu);
	int at = fetch_offset(f, pc);

	for (uint32_t i = 0; i < a->nversions; i++) {
		const uint8_t *window = fetch_window(f, a->version[i]);
		uint32_t chunk = f->chunk_of[at];

		do {
			if (window[at] != now[at])
				return true;
			at = fetch_offset(f, ++pc);
		} while (at >= 0 && f->chunk_of[at] == chunk);
	}
	return false;
}

static uint32_t list_steps(struct explorer *x, uint32_t v, struct search_action *list)
{
	struct action fetches[FETCHES_MAX];
	uint32_t count = machine_fetches(x->m, v, fetches, FETCHES_MAX);

	for (uint32_t i = 0; i < count; i++)
		list[i] = (struct search_action){ code_of(ACTION_STEP, v, i), (uint8_t)v, true,
						  (uint8_t)v, is_stale(x, &fetches[i]) };
	return count;
}

/* All but steps. An NMI is nobody's due. */
static struct search_action event(uint32_t kind, uint32_t v, uint32_t process)
{
	return (struct search_action){ code_of(kind, v, 0), (uint8_t)(process + v),
				       kind != ACTION_NMI, (uint8_t)v, false };
}

static uint32_t enabled(void *self, struct search_action *list)
{
	struct explorer *x = self;
	uint32_t n = 0;

	for (uint32_t v = 0; v < x->m->scenario->vcpus; v++) {
		struct action a = { .kind = ACTION_STEP, .vcpu = (uint8_t)v };
		uint32_t count = machine_enabled(x->m, &a) ? list_steps(x, v, &list[n]) : 0;

		n += count;
		if (count && may_latch(x, v))
			list[n++] = event(ACTION_LATCH, v, 0);
		a.kind = ACTION_IPI;
		if (machine_enabled(x->m, &a))
			list[n++] = event(ACTION_IPI, v, PROCESS_IPI);
		a.kind = ACTION_NMI;
		if (x->nmis[v] && !x->m->cpu[v].nmi_latched && machine_enabled(x->m, &a))
			list[n++] = event(ACTION_NMI, v, PROCESS_NMI);
		assert(n + FETCHES_MAX + 3 < SEARCH_ACTIONS_MAX || v + 1 == x->m->scenario->vcpus);
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
	struct step_report r;

	machine_forget(x->m);
	if (kind == ACTION_STEP) {
		uint32_t count = machine_fetches(x->m, v, fetches, FETCHES_MAX);

		assert(sa->code >> 16 < count);
		a = fetches[sa->code >> 16];
	} else if (kind == ACTION_NMI && x->nmis[v] != SCENARIO_NMI_UNLIMITED) {
		x->nmis[v]--;
	}
	if (!decide(x, &a, &r, e))
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
	free(x->access);
	free(x->known);
	free(x);
}

static struct explorer *explorer_new(const struct image *image, const struct scenario *s,
				     struct err *e)
{
	struct explorer *x = calloc(1, sizeof(*x));

	if (x) {
		x->options = &s->explore;
		x->access = calloc(image->memory_size, sizeof(*x->access));
		x->known = calloc(image->memory_size, sizeof(*x->known));
	}
	if (!x || !x->access || !x->known)
		err_set(e, ERR_HOST, "out of memory");
	else if ((x->m = machine_new(image, s, e)))
		return x;
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

static void report(const struct search_result *found, const struct explorer *x,
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
	if (x->unsound && !x->options->no_reduction)
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

static bool search_team(struct team *t, const struct search_options *options, struct quirks *quirks,
			struct observation *o, struct schedule *witness, struct err *e)
{
	struct explorer *first = t->explorer[0];
	struct search_result found = { 0 };
	uint64_t executed = 0;
	bool ok;

	assert(first);
	*quirks = *vm_quirks(first->m->vm);
	ok = search_run(t->systems, t->count, options, &found, e);
	guard_release();
	for (uint32_t i = 0; i < t->count; i++) {
		executed += t->explorer[i]->m->steps;
		first->unsound |= t->explorer[i]->unsound;
	}
	if (ok && (found.violation || found.deadlock || found.livelock))
		ok = make_witness(first, t->systems[0], &found, o, witness, e);
	if (ok)
		report(&found, first, o);
	o->executed = executed;
	search_fini(&found);
	return ok;
}

bool explore_run(const struct image *image, const struct scenario *s, uint32_t jobs,
		 struct observation *o, struct schedule *witness, struct quirks *quirks,
		 bool (*progress)(void *arg, const struct search_progress *p), void *arg,
		 struct err *e)
{
	const struct search_options options = {
		.bounds = { .states = s->explore.max_states,
			    .seconds = s->explore.max_seconds,
			    .memory = s->explore.max_memory_mb << 20 },
		.progress = progress,
		.arg = arg,
	};
	struct team t = { 0 };
	bool ok;

	assert(jobs > 0 && jobs <= EXPLORE_JOBS_MAX);
	memset(o, 0, sizeof(*o));
	o->stepped = true;
	o->vcpus = s->vcpus;
	ok = assemble(&t, image, s, jobs, e) && search_team(&t, &options, quirks, o, witness, e);
	for (uint32_t i = 0; i < t.count; i++)
		explorer_free(t.explorer[i]);
	return ok;
}
