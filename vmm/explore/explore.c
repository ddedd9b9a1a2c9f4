// SPDX-License-Identifier: BSD-2-Clause
/*
 * explore.c - the stepped machine as a system to search: what moves there are,
 * and what each leads to. Must not know when the search ends. Sees no KVM.
 */
#include "explore/explore_internal.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "vm/guard.h"
#include "machine/machine_state.h"

#define PROCESS_IPI	 16u
#define PROCESS_INJECTED 32u
#define PROCESS_NMI	 48u   /* sent by a vCPU */
#define LOCAL_MAX	 4096u /* a vCPU that runs on for longer gets a choice point */
#define FETCHES_MAX	 256u
#define EVENTS_MAX	 4u /* a latch, an IPI, an NMI, coming online */

_Static_assert(CM_MAX_VCPUS *(FETCHES_MAX + EVENTS_MAX) <= SEARCH_ACTIONS_MAX,
	       "every vCPU's moves have room");

/*
 * An unlimited number of NMIs is no NMI storm: between two of them the vCPU
 * executes something outside any NMI's handler, and takes the IPI that it could
 * take. Else no protocol that waits for anybody could ever end. A chunk that it
 * latches is nothing executed yet: the next event discards it. NMIs inside NMIs
 * take a budget of two.
 */
static void spend(struct explorer *x, const struct action *a)
{
	const struct action ipi = { .kind = ACTION_IPI, .vcpu = a->vcpu };

	if (a->kind == ACTION_NMI && machine_nmi_sent(x->m, a->vcpu))
		return;
	if (a->kind == ACTION_NMI) {
		if (x->budget.nmis[a->vcpu] == SCENARIO_NMI_UNLIMITED)
			x->budget.spent[a->vcpu] = 1;
		else
			x->budget.nmis[a->vcpu]--;
	} else if (a->kind != ACTION_LATCH &&
		   !context_in(&x->budget.contexts[a->vcpu], EVENT_NMI) &&
		   (a->kind == ACTION_IPI || !machine_enabled(x->m, &ipi))) {
		x->budget.spent[a->vcpu] = 0;
	}
}

/* Which handlers the vCPU is in now. A latched NMI follows the IRET of another. */
static void follow_events(struct explorer *x, const struct step_report *r)
{
	const struct vcpu *v = vm_vcpu(x->m->vm, r->action.vcpu);
	struct contexts *c = &x->budget.contexts[r->action.vcpu];
	uint64_t stacks = x->m->image->abi.stacks;

	if (r->action.kind == ACTION_NMI && r->delivered)
		context_enter(c, v, EVENT_NMI, stacks);
	else if (r->action.kind == ACTION_IPI && r->delivered)
		context_enter(c, v, EVENT_IPI, stacks);
	else
		context_leave(c, v, stacks);
	if (r->nmi_after)
		context_enter(c, v, EVENT_NMI, stacks);
}

static void mark_executed(struct explorer *x, uint64_t pc)
{
	if (pc - CM_IMAGE_BASE < x->m->image->memory_size)
		x->executed[pc - CM_IMAGE_BASE] = 1;
}

bool explorer_decide(struct explorer *x, const struct action *a, struct step_report *r,
		     struct err *e)
{
	guard_pet();
	spend(x, a);
	if (!machine_apply(x->m, a, r, e))
		return false;
	follow_events(x, r);
	if (r->executed)
		mark_executed(x, r->pc);
	if (x->record)
		schedule_add(x->record, &r->action);
	return true;
}

/*
 * A whole stretch in one go, of at most (limit) instructions; (*ran) says how many, 0: none.
 * Not while the decisions are written down, one by one.
 */
static bool run_stretch(struct explorer *x, uint32_t vcpu, bool any, uint32_t limit, uint32_t *ran,
			struct err *e)
{
	const struct action step = { .kind = ACTION_STEP, .vcpu = (uint8_t)vcpu };
	struct stretch *s = &x->stretch;
	uint64_t stop[VCPU_STOPS_MAX], end;
	struct step_report r;

	*ran = 0;
	if (x->record || !local_reduces(x->local, vcpu) || machine_at_site(x->m, vcpu) ||
	    !local_stretch(x->local, vcpu, any, limit, s))
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
		*ran = s->path[i].count;
		machine_ran(x->m, *ran);
	}
	/* At no end: its first instruction has faulted. */
	if (!*ran) {
		mark_executed(x, s->path[0].pc[0]);
		machine_ran(x->m, *ran = 1);
	}
	return true;
}

/*
 * On through what is local, (done) instructions of which have been executed: step
 * by step or by stretches, it stops at the same one.
 */
static bool run_on(struct explorer *x, uint32_t vcpu, uint32_t done, struct err *e)
{
	struct action step = { .kind = ACTION_STEP, .vcpu = (uint8_t)vcpu };
	struct step_report r;
	uint32_t ran;

	for (; !x->o.nviolations && machine_enabled(x->m, &step); done += ran) {
		if (!local_is(x->local, vcpu) || !local_reduces(x->local, vcpu) ||
		    done >= LOCAL_MAX)
			return true;
		if (!run_stretch(x, vcpu, false, LOCAL_MAX - done, &ran, e))
			return false;
		if (ran)
			continue;
		if (!explorer_decide(x, &step, &r, e))
			return false;
		ran = 1;
	}
	return true;
}

static void mark_state(struct explorer *x, const struct step_report *r, struct search_mark *mark)
{
	mark->goal = machine_finished(x->m);
	mark->over = machine_history_too_long(x->m);
	mark->violation = 0;
	if (x->o.nviolations)
		mark->violation = (uint8_t)(VIOLATION_MARK + x->o.violation[0].kind);
	else if (r && r->executed && r->form == FORM_TORN)
		mark->violation = VIOLATION_MARK + VIOLATION_TORN;
	x->budget.violation = mark->violation;
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
		if (!run_on(x, i, 0, e))
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
		const struct site *s = &x->m->site[i];
		int offset = site_offset(s, pc);
		uint64_t last = pc + s->placed.length - 1 - (uint32_t)offset;

		/* The last chunk need not be latched: the step fetches it. */
		if (offset >= 0)
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
	struct action fetches[FETCHES_MAX + 1];
	uint32_t count = machine_fetches(x->m, v, fetches, FETCHES_MAX + 1);

	if (count > FETCHES_MAX) {
		x->cut = true;
		count = FETCHES_MAX;
	}
	for (uint32_t i = 0; i < count; i++)
		list[i] = (struct search_action){
			code_of(ACTION_STEP, v, i), (uint8_t)v, true, (uint8_t)v,
			is_stale(x, &fetches[i]),   false
		};
	return count;
}

/*
 * All but steps. That an NMI comes that nobody sent, or a vCPU, is nobody's due;
 * nor is a part of a fetch, as the step makes all of it. What was sent comes as soon
 * as it can (SDM vol 3, 6.9): interrupts that are on for a moment in every turn of a
 * loop let it in, though it cannot come all the time. Hence strong fairness.
 */
static struct search_action event(uint32_t kind, uint32_t v, uint32_t process)
{
	bool sent = process == PROCESS_IPI || process == PROCESS_NMI;

	return (struct search_action){
		code_of(kind, v, 0), (uint8_t)(process + v), sent, (uint8_t)v, false, sent
	};
}

/* Two NMIs at once look the same: the one that was sent comes first. */
static bool list_nmi(struct explorer *x, uint32_t v, struct search_action *listed)
{
	const struct action nmi = { .kind = ACTION_NMI, .vcpu = (uint8_t)v };

	if (machine_nmi_sent(x->m, v))
		*listed = event(ACTION_NMI, v, PROCESS_NMI);
	else if (x->budget.nmis[v] && !x->budget.spent[v] && !x->m->cpu[v].nmi_latched &&
		 machine_enabled(x->m, &nmi))
		*listed = event(ACTION_NMI, v, PROCESS_INJECTED);
	else
		return false;
	return true;
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
			list[n++] = event(ACTION_LATCH, v, PROCESS_INJECTED);
		a.kind = ACTION_IPI;
		if (machine_enabled(x->m, &a))
			list[n++] = event(ACTION_IPI, v, PROCESS_IPI);
		n += list_nmi(x, v, &list[n]);
		a.kind = ACTION_ONLINE;
		if (machine_enabled(x->m, &a))
			list[n++] = event(ACTION_ONLINE, v, PROCESS_INJECTED);
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
	uint32_t ran = 0;

	unpack(x);
	machine_forget(x->m);
	if (kind == ACTION_STEP && !run_stretch(x, v, true, LOCAL_MAX + 1, &ran, e))
		return false;
	if (kind == ACTION_STEP && !ran) {
		uint32_t count = machine_fetches(x->m, v, fetches, FETCHES_MAX);

		assert(sa->code >> 16 < count);
		a = fetches[sa->code >> 16];
	}
	if (!ran && !explorer_decide(x, &a, &r, e))
		return false;
	mark_state(x, &r, mark);
	if (mark->violation)
		return true;
	/* Of a stretch the first instruction is the move. */
	if (!run_on(x, v, ran ? ran - 1 : 0, e))
		return false;
	mark_state(x, NULL, mark);
	return true;
}

void explorer_free(struct explorer *x)
{
	if (!x)
		return;
	machine_free(x->m);
	local_free(x->local);
	unpack(x);
	free(x->executed);
	free(x);
}

struct explorer *explorer_new(const struct image *image, const struct scenario *s,
			      const struct local_limits *limits, struct err *e)
{
	struct explorer *x = calloc(1, sizeof(*x));

	if (!x) {
		err_set(e, ERR_HOST, "out of memory");
		return NULL;
	}
	x->options = &s->explore;
	x->m = machine_new(image, s, e);
	x->local = x->m ? local_new(x->m, x->budget.contexts, limits, e) : NULL;
	x->executed = calloc(1, image->memory_size);
	if (x->local && x->executed)
		return x;
	if (!x->executed)
		err_set(e, ERR_HOST, "out of memory");
	explorer_free(x);
	return NULL;
}

struct search_system explorer_system(struct explorer *x)
{
	return (struct search_system){ x, start, load, save, enabled, apply, hash };
}
