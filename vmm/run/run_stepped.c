// SPDX-License-Identifier: BSD-2-Clause
/* run_stepped.c - who moves next, by a given schedule. Sees no KVM. */
#include "run/run_stepped.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "vm/guard.h"
#include "machine/machine_state.h"

/* A recorded fetch names its version in 16 bits: a bound on the stores of one run. */
#define VERSIONS_MAX (ACTION_OLDEST - 1)

#define CYCLE_ROUNDS 4

/* An injection or an "until": how often its address was reached, and whether it is over. */
struct armed {
	uint32_t hits;
	bool over;
};

/* A state to be recognised when it comes back (Brent's algorithm: kept at powers of two). */
struct landmark {
	uint64_t steps;
	uint64_t due; /* the decision at which the next one is taken */
	uint32_t next;
	uint64_t pc[CM_MAX_VCPUS];
	char digest[33];
};

struct player {
	struct machine *m;
	const struct scenario *s;
	struct observation *o;
	struct schedule *taken;
	step_watcher watch;
	void *arg;
	struct armed *injection;
	const struct schedule *given; /* replay */
	uint64_t stalled_until[CM_MAX_VCPUS];
	uint32_t next; /* round-robin */
	struct landmark landmark;
	bool ended;
};

static uint64_t point_address(const struct player *p, const struct point *at)
{
	return at->site < 0 ? at->address : p->m->site[at->site].placed.text + at->offset;
}

/* Has the vCPU (vcpu), just arrived at (pc), brought (at) about? */
static bool reached(const struct player *p, const struct point *at, struct armed *a, bool any_vcpu,
		    uint32_t vcpu, uint64_t pc)
{
	switch (at->kind) {
	case POINT_NONE:
		return false;
	case POINT_ADDRESS:
		if ((any_vcpu || at->vcpu == vcpu) && pc == point_address(p, at))
			a->hits++;
		return a->hits >= at->hit;
	case POINT_STORES:
		return p->o->stores >= at->value;
	case POINT_VARIABLE:
		return machine_read32(p->m, at->address) == at->value;
	case POINT_DONE:
		return any_vcpu ? machine_finished(p->m) :
				  p->m->cpu[at->vcpu].dead || machine_idle(p->m, at->vcpu);
	}
	return false;
}

static bool decide(struct player *p, const struct action *a, struct step_report *r, struct err *e);

static bool inject(struct player *p, const struct injection *in, struct err *e)
{
	struct action a = { .vcpu = (uint8_t)in->vcpu };
	struct step_report r;

	if (in->kind == INJECT_STALL) {
		p->stalled_until[in->vcpu] = p->m->steps + in->steps;
		return true;
	}
	a.kind = in->kind == INJECT_NMI ? ACTION_NMI : ACTION_RAISE;
	return !machine_enabled(p->m, &a) || decide(p, &a, &r, e);
}

/* Fire what the last decision, which left (vcpu) at (pc), has brought about. */
static bool fire(struct player *p, uint32_t vcpu, uint64_t pc, struct err *e)
{
	for (size_t i = 0; i < p->s->ninjections && !p->ended; i++) {
		struct armed *a = &p->injection[i];

		if (a->over || !reached(p, &p->s->injection[i].at, a, false, vcpu, pc))
			continue;
		a->over = true;
		if (!inject(p, &p->s->injection[i], e))
			return false;
	}
	return true;
}

/* Why the run is over, if it is. */
static void look_for_end(struct player *p)
{
	p->ended = true;
	if (p->o->nviolations || *p->o->suspect)
		p->o->end = END_VIOLATION;
	else if (p->m->steps >= p->s->max_steps || fetch_now(&p->m->fetch) >= VERSIONS_MAX)
		p->o->end = END_STEPS;
	else
		p->ended = false;
}

/* Why the guard ended the run, if it did. */
static bool guarded_end(struct player *p)
{
	if (!guard_fired() && !guard_interrupted())
		return false;
	p->ended = true;
	p->o->end = guard_fired() ? END_HUNG : END_INTERRUPTED;
	return true;
}

/* One decision on the machine. A vCPU that was kicked ends the run, it is not an error. */
static bool apply(struct player *p, const struct action *a, struct step_report *r, struct err *e)
{
	guard_pet();
	if (!machine_apply(p->m, a, r, e))
		return guarded_end(p);
	if (p->watch)
		p->watch(p->arg, p->m, r);
	return true;
}

static bool decide(struct player *p, const struct action *a, struct step_report *r, struct err *e)
{
	if (!apply(p, a, r, e))
		return false;
	if (p->ended)
		return true;
	schedule_add(p->taken, &r->action);
	look_for_end(p);
	return p->ended || fire(p, a->vcpu, r->next_pc, e);
}

/* One move of (vcpu): the NMI sent to it or the IPI that waits for it, else an instruction. False in (*moved): neither. */
static bool move_vcpu(struct player *p, uint32_t vcpu, bool hold_ipis, struct step_report *r,
		      bool *moved, struct err *e)
{
	struct action ipi = { .kind = ACTION_IPI, .vcpu = (uint8_t)vcpu };
	struct action nmi = { .kind = ACTION_NMI, .vcpu = (uint8_t)vcpu };
	struct action step = { .kind = ACTION_STEP, .vcpu = (uint8_t)vcpu };

	*moved = true;
	if (!hold_ipis && machine_nmi_sent(p->m, vcpu))
		return decide(p, &nmi, r, e);
	if (!hold_ipis && machine_enabled(p->m, &ipi))
		return decide(p, &ipi, r, e);
	if (machine_enabled(p->m, &step))
		return decide(p, &step, r, e);
	*moved = false;
	return true;
}

/* The next vCPU in turn that can move and is not stalled; stalls end when nobody else can. */
static bool move_any(struct player *p, struct step_report *r, bool *moved, struct err *e)
{
	bool stalled = false;

	for (int round = 0; round < 2; round++) {
		for (uint32_t i = 0; i < p->s->vcpus; i++) {
			uint32_t vcpu = p->next;

			p->next = (p->next + 1) % p->s->vcpus;
			if (p->stalled_until[vcpu] > p->m->steps) {
				stalled = true;
				continue;
			}
			if (!move_vcpu(p, vcpu, false, r, moved, e))
				return false;
			if (*moved)
				return true;
		}
		if (!stalled)
			break;
		memset(p->stalled_until, 0, sizeof(p->stalled_until));
	}
	*moved = false;
	return true;
}

static bool arrived_already(struct player *p, const struct move *mv, struct armed *a)
{
	if (!mv->all)
		return reached(p, &mv->until, a, false, mv->vcpu, machine_pc(p->m, mv->vcpu));
	for (uint32_t i = 0; i < p->s->vcpus; i++)
		if (reached(p, &mv->until, a, true, i, machine_pc(p->m, i)))
			return true;
	return false;
}

static bool play_run(struct player *p, const struct move *mv, struct err *e)
{
	struct armed until = { 0 };
	struct step_report r;
	bool moved, there = arrived_already(p, mv, &until);

	for (uint64_t n = 0; !there && !p->ended && (!mv->steps || n < mv->steps); n++) {
		if (!(mv->all ? move_any(p, &r, &moved, e) :
				move_vcpu(p, mv->vcpu, mv->hold_ipis, &r, &moved, e)))
			return false;
		if (!moved && mv->until.kind == POINT_NONE)
			return true;
		if (!moved)
			return err_set(e, ERR_INPUT,
				       "the vCPU has played its role before reaching %s",
				       mv->until.text);
		there = !p->ended &&
			reached(p, &mv->until, &until, mv->all, r.action.vcpu, r.next_pc);
	}
	return true;
}

static uint16_t forced(const struct forced_chunk *c)
{
	switch (c->which) {
	case FORCED_OLDEST:
		return ACTION_OLDEST;
	case FORCED_NEWEST:
		return ACTION_NEWEST;
	case FORCED_INDEX:
		break;
	}
	return (uint16_t)c->index;
}

static bool play_fetch(struct player *p, const struct move *mv, struct err *e)
{
	struct action a = { .kind = ACTION_STEP, .vcpu = (uint8_t)mv->vcpu };
	struct step_report r;

	a.nversions = ACTION_VERSIONS_MAX;
	for (uint32_t i = 0; i < ACTION_VERSIONS_MAX; i++)
		a.version[i] = forced(&mv->chunk[i < mv->nchunks ? i : mv->nchunks - 1]);
	return decide(p, &a, &r, e);
}

static bool play_move(struct player *p, const struct move *mv, struct err *e)
{
	struct action a = { .vcpu = (uint8_t)mv->vcpu };
	struct step_report r;

	switch (mv->kind) {
	case MOVE_RUN:
		return play_run(p, mv, e);
	case MOVE_FETCH:
		return play_fetch(p, mv, e);
	case MOVE_LATCH:
		a.kind = ACTION_LATCH;
		for (uint64_t i = 0; i < mv->steps && !p->ended; i++)
			if (!decide(p, &a, &r, e))
				return false;
		return true;
	case MOVE_NMI:
		a.kind = ACTION_NMI;
		break;
	case MOVE_IPI:
		a.kind = ACTION_IPI;
		break;
	case MOVE_RAISE:
		a.kind = ACTION_RAISE;
		break;
	case MOVE_ONLINE:
		a.kind = ACTION_ONLINE;
		break;
	}
	return decide(p, &a, &r, e);
}

static bool at_landmark(const struct player *p)
{
	const struct landmark *l = &p->landmark;
	char digest[33];

	if (!l->steps || l->next != p->next)
		return false;
	for (uint32_t i = 0; i < p->s->vcpus; i++)
		if (l->pc[i] != machine_pc(p->m, i))
			return false;
	machine_digest(p->m, digest);
	return !strcmp(digest, l->digest);
}

static void take_landmark(struct player *p)
{
	struct landmark *l = &p->landmark;

	l->steps = p->m->steps;
	l->due = 2 * p->m->steps;
	l->next = p->next;
	for (uint32_t i = 0; i < p->s->vcpus; i++)
		l->pc[i] = machine_pc(p->m, i);
	machine_digest(p->m, l->digest);
}

/* In turn, nothing left to inject and nobody stalled, the same state means the same future. */
static void look_for_repetition(struct player *p)
{
	for (size_t i = 0; i < p->s->ninjections; i++)
		if (!p->injection[i].over)
			return;
	for (uint32_t i = 0; i < p->s->vcpus; i++)
		if (p->stalled_until[i] > p->m->steps)
			return;
	if (at_landmark(p)) {
		p->ended = true;
		p->o->end = END_REPEATS;
	} else if (p->m->steps >= p->landmark.due) {
		take_landmark(p);
	}
}

/* The moves, then everybody in turn until nobody has anything left to do. */
static bool play(struct player *p, struct err *e)
{
	struct step_report r;
	bool moved = true;

	for (uint32_t i = 0; i < p->s->vcpus && !p->ended; i++)
		if (!fire(p, i, machine_pc(p->m, i), e))
			return false;
	for (size_t i = 0; i < p->s->nmoves && !p->ended; i++)
		if (!play_move(p, &p->s->move[i], e))
			return err_prefix(e, "%s: $.schedule[%zu]: ", p->s->path, i);
	while (!p->ended && moved) {
		if (!move_any(p, &r, &moved, e))
			return false;
		if (!p->ended && moved)
			look_for_repetition(p);
	}
	if (!p->ended)
		p->o->end = machine_finished(p->m) ? END_COMPLETE : END_STEPS;
	return true;
}

/* Reset, (body), close: what playing and replaying have in common. */
static bool run(struct player *p, bool (*body)(struct player *, struct err *), struct err *e)
{
	double start = clock_now();
	bool ok;

	guard_watch(p->m->vm, p->s->vcpus, GUARD_SECONDS, true);
	ok = machine_reset(p->m, p->o, e);
	if (ok) {
		if (p->watch)
			p->watch(p->arg, p->m, NULL);
		ok = body(p, e);
		machine_close(p->m);
		machine_digest(p->m, p->o->digest);
	} else {
		ok = guarded_end(p); /* a prepare() that does not return is the guest's doing */
	}
	guard_release();
	p->o->seconds = clock_now() - start;
	return ok;
}

bool run_stepped(struct machine *m, struct observation *o, struct schedule *taken,
		 step_watcher watch, void *arg, struct err *e)
{
	struct player p = {
		.m = m, .s = m->scenario, .o = o, .taken = taken, .watch = watch, .arg = arg
	};
	bool ok;

	p.injection = calloc(m->scenario->ninjections + 1, sizeof(*p.injection));
	if (!p.injection)
		return err_set(e, ERR_HOST, "out of memory");
	ok = run(&p, play, e);
	free(p.injection);
	return ok;
}

/* The decisions [from, to) of the given schedule, each version counting from (shift) stores on. */
static bool replay_part(struct player *p, size_t from, size_t to, uint32_t shift, struct err *e)
{
	struct step_report r;

	for (size_t i = from; i < to && !p->ended; i++) {
		struct action a = p->given->action[i];

		for (uint32_t k = 0; k < a.nversions; k++)
			a.version[k] = (uint16_t)(a.version[k] + shift);
		if (!apply(p, &a, &r, e))
			return err_prefix(e, "decision %zu: ", i);
	}
	return true;
}

/*
 * Round until the state is the one before the round, and so for ever. Not always
 * the first time: what the stem left below a stack pointer is dead, but in the
 * digest. The stores of a round make its versions other ones in the next. Statistics start each round at 0, as adding to them sets flags.
 */
static bool replay_cycle(struct player *p, struct err *e)
{
	const struct schedule *given = p->given;
	uint32_t stores = fetch_now(&p->m->fetch);
	char before[33], after[33] = "";

	for (int round = 0; round < CYCLE_ROUNDS && !p->ended && !p->o->nviolations; round++) {
		machine_forget(p->m);
		machine_digest(p->m, before);
		if (!replay_part(p, given->cycle, given->count, fetch_now(&p->m->fetch) - stores,
				 e))
			return false;
		machine_digest(p->m, after);
		if (!strcmp(before, after)) {
			p->ended = true;
			p->o->end = END_REPEATS;
			p->o->cycle = given->count - given->cycle;
		}
	}
	if (!p->ended && !p->o->nviolations)
		snprintf(p->o->suspect, sizeof(p->o->suspect),
			 "the %zu decisions that are to repeat do not lead back to their state",
			 given->count - given->cycle);
	return true;
}

static bool replay(struct player *p, struct err *e)
{
	const struct schedule *given = p->given;

	if (!replay_part(p, 0, given->repeats ? given->cycle : given->count, 0, e) ||
	    (given->repeats && !p->ended && !replay_cycle(p, e)))
		return false;
	if (p->ended)
		return true;
	look_for_end(p);
	if (!p->ended)
		p->o->end = machine_finished(p->m) ? END_COMPLETE : END_STEPS;
	return true;
}

bool run_replay(struct machine *m, const struct schedule *given, struct observation *o,
		step_watcher watch, void *arg, struct err *e)
{
	struct player p = {
		.m = m, .s = m->scenario, .o = o, .given = given, .watch = watch, .arg = arg
	};

	return run(&p, replay, e);
}
