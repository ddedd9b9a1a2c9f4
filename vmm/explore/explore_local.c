// SPDX-License-Identifier: BSD-2-Clause
/*
 * explore_local.c - what is local: own registers, own stack and mailbox,
 * read-only data. Owns the decoded image. Must not know who searches.
 */
#include "explore/explore_local.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define STACKS	     ((uint64_t)CM_STACKS * CM_STACK_SIZE) /* of one vCPU */
#define CALLS_MAX    16u
#define RETURN_SIZE  8u	  /* of an address on the stack */
#define STACK_MARGIN 1024 /* a stretch that may leave its stack is none */

struct local {
	struct machine *m;
	const struct contexts *contexts; /* of each vCPU */
	struct insn_access *access;	 /* per byte of the image, (known) says which are there */
	bool *known;
	struct local_limits limits, met;
	atomic_bool exceeded;
};

struct local *local_new(struct machine *m, const struct contexts *contexts,
			const struct local_limits *limits, struct err *e)
{
	struct local *l = calloc(1, sizeof(*l));

	if (l) {
		l->m = m;
		l->contexts = contexts;
		l->limits = l->met = *limits;
		l->access = calloc(m->image->memory_size, sizeof(*l->access));
		l->known = calloc(m->image->memory_size, sizeof(*l->known));
	}
	if (l && l->access && l->known)
		return l;
	local_free(l);
	err_set(e, ERR_HOST, "out of memory");
	return NULL;
}

void local_free(struct local *l)
{
	if (!l)
		return;
	free(l->access);
	free(l->known);
	free(l);
}

struct local_limits local_met(const struct local *l)
{
	return l->met;
}

bool local_exceeded(const struct local *l)
{
	return atomic_load(&l->exceeded);
}

bool local_reduces(const struct local *l, uint32_t vcpu)
{
	const struct vcpu *v = vm_vcpu(l->m->vm, vcpu);

	if (l->limits.everywhere)
		return false;
	for (uint32_t kind = 0; kind < 2; kind++)
		if (l->limits.handlers[kind] & 1u << vcpu &&
		    vcpu_can_take(v, (enum event_kind)kind))
			return false;
	return true;
}

static void meet(struct local *l, uint16_t *met, uint16_t limit, uint32_t bits)
{
	*met |= (uint16_t)bits;
	if (*met != limit)
		atomic_store(&l->exceeded, true);
}

static void meet_everywhere(struct local *l)
{
	meet(l, &l->met.everywhere, l->limits.everywhere, 1);
}

/* The innermost handler of (vcpu) looks at what it interrupted. */
static void meet_handler(struct local *l, uint32_t vcpu)
{
	const struct contexts *c = &l->contexts[vcpu];
	uint32_t kind = c->kind[c->count - 1u];

	meet(l, &l->met.handlers[kind], l->limits.handlers[kind], 1u << vcpu);
}

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

/* An access of one instruction: (by_stack), relative to the stack pointer. */
struct touch {
	uint32_t vcpu;
	uint64_t address;
	bool write, by_stack;
};

/*
 * Its own stacks, mailbox and statistics; data that nobody writes. That nobody
 * does is watched, and that no handler looks at what it interrupted: what a vCPU
 * executes on its own must not matter to the event that comes in between. The
 * mailbox needs no such watch. Only the kernel uses it: a handler puts
 * (recover_ip, recover_sp) back as it found them, and what of (nmi_state) a nested
 * NMI sees it only adds itself to.
 */
static bool is_private(struct local *l, const struct touch *t, bool watch)
{
	const struct cm_abi *abi = &l->m->image->abi;
	const struct image *img = l->m->image;

	if (in_range(t->address, abi->stacks, CM_MAX_VCPUS * STACKS)) {
		bool own = in_range(t->address, abi->stacks + t->vcpu * STACKS, STACKS);
		bool out =
			own && context_looks_out(&l->contexts[t->vcpu], vm_vcpu(l->m->vm, t->vcpu),
						 t->address, t->by_stack, abi->stacks);

		if (watch && out)
			meet_handler(l, t->vcpu);
		if (watch && !own)
			meet_everywhere(l);
		return own && !out;
	}
	if (is_fixed(img, t->address)) {
		if (watch && t->write)
			meet_everywhere(l);
		return !t->write;
	}
	if (in_range(t->address, abi->cpu, CM_MAX_VCPUS * sizeof(struct cm_cpu))) {
		bool own = in_range(t->address, abi->cpu + t->vcpu * sizeof(struct cm_cpu),
				    sizeof(struct cm_cpu));

		if (watch && !own)
			meet_everywhere(l);
		return own;
	}
	return in_range(t->address, abi->counts + t->vcpu * sizeof(struct cm_counts),
			sizeof(struct cm_counts)) ||
	       is_read_only(img, t->address);
}

/* Of code of (isa): an address of the image is only ever executed as one. */
static const struct insn_access *access_of(struct local *l, uint64_t pc, uint32_t isa)
{
	static const struct insn_access outside = { .reach = REACH_OTHER };
	const struct image *img = l->m->image;
	uint64_t offset = pc - CM_IMAGE_BASE;
	uint64_t size;

	if (pc < CM_IMAGE_BASE || offset >= img->memory_size)
		return &outside;
	if (!l->known[offset]) {
		size = img->memory_size - offset < INSN_LENGTH_MAX ? img->memory_size - offset :
								     INSN_LENGTH_MAX;
		l->access[offset] =
			insn_access(machine_decoder(l->m, isa), img->memory + offset, size, pc);
		l->known[offset] = true;
	}
	return &l->access[offset];
}

/* With the registers as they are now. */
static uint64_t effective(const struct vcpu *v, const struct insn_access *a)
{
	uint64_t address = (uint64_t)a->displacement;

	if (a->base != INSN_NO_REGISTER)
		address += vcpu_register(v, a->base);
	if (a->index != INSN_NO_REGISTER)
		address += insn_index(a, vcpu_register(v, a->index));
	return address + (a->segment ? vcpu_segment_base(v) : 0);
}

bool local_is(struct local *l, uint32_t vcpu)
{
	const struct vcpu *v = vm_vcpu(l->m->vm, vcpu);
	struct touch t = { .vcpu = vcpu };
	const struct insn_access *a;
	bool private = true;

	if (machine_at_site(l->m, vcpu))
		return false;
	a = access_of(l, vcpu_pc(v), vcpu_isa(v));
	if (a->reach == REACH_OWN || a->reach == REACH_OTHER)
		return a->reach == REACH_OWN;
	if (a->reach == REACH_COPY) {
		t.address = vcpu_register(v, INSN_COPY_FROM);
		private = is_private(l, &t, true);
	}
	t.address = effective(v, a);
	t.write = a->write;
	t.by_stack = a->base == insn_stack_pointer(machine_decoder(l->m, vcpu_isa(v)));
	return is_private(l, &t, true) && private;
}

/* ---- stretches ------------------------------------------------------------ */

/* What is known at a point of a stretch, without having run to it. */
struct walk {
	struct local *l;
	const struct vcpu *v;
	uint32_t isa; /* of the code it goes through */
	uint32_t vcpu;
	bool any; /* the first instruction need not be local */
	uint64_t pc;
	uint64_t path[STRETCH_MAX]; /* come along so far */
	uint32_t count;
	int64_t stack;	  /* the stack pointer, relative to now */
	uint32_t written; /* registers whose value is not that of now any more */
	uint32_t limit;	  /* no path is longer */
	struct {
		uint64_t to;
		/* The stack pointer before the call and behind it, relative to now. */
		int64_t before, at;
	} back[CALLS_MAX]; /* return addresses of the calls in the stretch */
	uint32_t calls;
	bool wrote_above; /* on the stack, where return addresses of before may lie */
	bool link_lost;	  /* the link register is neither a call's nor taken off the stack */
};

static bool stays_on_stack(const struct walk *w, int64_t offset)
{
	uint64_t first = w->l->m->image->abi.stacks + w->vcpu * STACKS;

	return offset > -STACK_MARGIN && offset < STACK_MARGIN &&
	       in_range(vcpu_sp(w->v) + (uint64_t)offset, first, STACKS);
}

static bool is_known(const struct walk *w, uint8_t number)
{
	return number == INSN_NO_REGISTER || !(w->written & 1u << number);
}

/* One instruction that leads where we can tell. */
static bool is_simple(const struct walk *w, const struct insn_access *a)
{
	return (a->reach == REACH_OWN || a->reach == REACH_MEMORY) && !a->repeats &&
	       a->stack_known && a->flow != FLOW_OTHER && stays_on_stack(w, w->stack + a->stack);
}

/* Image or alias: what is elsewhere faults, or is a doorbell. */
static bool is_memory(const struct walk *w, const struct insn_access *a)
{
	uint64_t address;

	if (a->reach != REACH_MEMORY)
		return true;
	address = effective(w->v, a);
	return in_range(address, CM_IMAGE_BASE, w->l->m->image->memory_size) ||
	       in_range(address, CM_ALIAS_BASE, CM_TEXT_SIZE);
}

/*
 * May (size) bytes be written at (address)? Not over the return address of a
 * call in the stretch: where that return leads is then no longer known.
 */
static bool note_write(struct walk *w, uint64_t address, uint64_t size)
{
	uint64_t now = vcpu_sp(w->v);

	for (uint32_t i = 0; i < w->calls; i++) {
		uint64_t at = now + (uint64_t)w->back[i].at;

		if (w->back[i].at != w->back[i].before &&
		    (in_range(at, address, size) || in_range(address, at, RETURN_SIZE)))
			return false;
	}
	w->wrote_above |= in_range(address, now, STACKS) || in_range(now, address, size);
	return true;
}

/* Local, whatever was computed since the start of the walk. The first need not be, if (any). */
static bool is_local_here(struct walk *w, const struct insn_access *a)
{
	uint8_t sp = insn_stack_pointer(machine_decoder(w->l->m, w->isa));
	struct touch t = { .vcpu = w->vcpu, .write = a->write, .by_stack = a->base == sp };

	/* PUSH and CALL, above where the stack pointer was. */
	w->wrote_above |= a->stack < 0 && w->stack > 0;
	if (a->reach == REACH_OWN)
		return true;
	if (!is_known(w, a->base) || !is_known(w, a->index) || a->index == sp)
		return false;
	t.address = effective(w->v, a) + (t.by_stack ? (uint64_t)w->stack : 0);
	if (t.write && !note_write(w, t.address, a->size))
		return false;
	return (w->any && !w->count) || is_private(w->l, &t, false);
}

/* A return that leaves the stack pointer where it was before the last call of the stretch. */
static bool belongs_to_call(const struct walk *w, const struct insn_access *a)
{
	return w->calls && !w->link_lost && w->back[w->calls - 1].before == w->stack + a->stack;
}

/* What a return that belongs to no call of the stretch will find: not written since. */
static bool return_address(const struct walk *w, const struct insn_access *a, uint64_t *address)
{
	int64_t above = w->stack + a->return_at;
	uint64_t at = vcpu_sp(w->v) + (uint64_t)above;
	uint64_t low, high;

	if (a->link != INSN_NO_REGISTER) {
		if (!is_known(w, a->link))
			return false;
		*address = vcpu_register(w->v, a->link);
	} else {
		if (w->stack < 0 || w->wrote_above || !stays_on_stack(w, above))
			return false;
		low = machine_read32(w->l->m, at);
		high = a->return_size == 8 ? machine_read32(w->l->m, at + 4) : 0;
		*address = high << 32 | low;
	}
	if (a->return_size == 4)
		*address &= ~(uint64_t)1;
	return access_of(w->l, *address, w->isa)->reach != REACH_OTHER;
}

/*
 * A function that calls others saves its link register in its frame and takes
 * it from there again; whatever else writes it leads we cannot tell where.
 */
static void note_link(struct walk *w, const struct insn_access *a)
{
	struct insn_decoder *d = machine_decoder(w->l->m, w->isa);
	uint8_t link = insn_link_register(d);
	bool restored = a->reach == REACH_MEMORY && !a->write && a->base == insn_stack_pointer(d);

	if (link != INSN_NO_REGISTER && a->writes & 1u << link)
		w->link_lost = a->flow != FLOW_CALL && !restored;
}

/* Where (a) leads, when it is one place. */
static bool follow(struct walk *w, const struct insn_access *a)
{
	uint64_t next = w->pc + a->length;

	switch (a->flow) {
	case FLOW_NEXT:
		break;
	case FLOW_JUMP:
		next = a->target;
		break;
	case FLOW_CALL:
		if (w->calls == CALLS_MAX)
			return false;
		w->back[w->calls].to = next;
		w->back[w->calls].before = w->stack;
		w->back[w->calls++].at = w->stack + a->stack;
		next = a->target;
		break;
	case FLOW_RETURN:
		if (belongs_to_call(w, a))
			next = w->back[--w->calls].to;
		else if (!return_address(w, a, &next))
			return false;
		break;
	case FLOW_BRANCH:
	case FLOW_OTHER:
		return false;
	}
	w->pc = next;
	w->stack += a->stack;
	w->written |= a->writes;
	note_link(w, a);
	/* What lies below the stack pointer has been dropped. */
	while (w->calls && w->back[w->calls - 1].at < w->stack)
		w->calls--;
	return true;
}

/* ---- the tree of paths ----------------------------------------------------- */

static bool in_image(const struct local *l, uint64_t address)
{
	return in_range(address, CM_IMAGE_BASE, l->m->image->memory_size);
}

/* The walk ends where it is: one more path, and a stop at its end. */
static bool add_path(struct walk *w, struct stretch *s)
{
	struct path *p = &s->path[s->paths];

	if (!in_image(w->l, w->pc))
		return false;
	p->end = w->pc;
	memcpy(p->pc, w->path, w->count * sizeof(p->pc[0]));
	p->count = w->count;
	s->paths++;
	return true;
}

/* On from where the walk is, into at most (leaves) paths. False: it leads somewhere unknown. */
static bool grow(struct walk *w, struct stretch *s, uint32_t leaves)
{
	while (w->count < w->limit) {
		const struct insn_access *a = access_of(w->l, w->pc, w->isa);
		struct walk taken;

		if (!is_simple(w, a) || (w->any && !w->count && !is_memory(w, a)) ||
		    !is_local_here(w, a) || (a->flow == FLOW_BRANCH && leaves < 2))
			break;
		w->path[w->count] = w->pc;
		if (a->flow == FLOW_BRANCH) {
			w->count++;
			taken = *w;
			taken.pc = a->target;
			w->pc += a->length;
			return grow(w, s, leaves / 2) && grow(&taken, s, leaves - leaves / 2);
		}
		if (!follow(w, a))
			break;
		w->count++;
	}
	return add_path(w, s);
}

/*
 * No end lies on a path, its own or another: so where the vCPU stops tells which
 * path it went. Nor is any where it stands, where no stop can be.
 */
static bool is_unambiguous(const struct stretch *s, uint64_t start)
{
	for (uint32_t end = 0; end < s->paths; end++) {
		uint64_t stop = s->path[end].end;

		if (stop == start || !s->path[end].count)
			return false;
		for (uint32_t i = 0; i < s->paths; i++) {
			if (i != end && s->path[i].end == stop)
				return false;
			for (uint32_t k = 0; k < s->path[i].count; k++)
				if (s->path[i].pc[k] == stop)
					return false;
		}
	}
	return true;
}

bool local_stretch(struct local *l, uint32_t vcpu, bool any, uint32_t limit, struct stretch *s)
{
	const struct vcpu *v = vm_vcpu(l->m->vm, vcpu);

	if (vm_quirks(l->m->vm)->no_run_to || !vcpu_can_run_to(v))
		return false;
	for (uint32_t leaves = VCPU_STOPS_MAX; leaves; leaves /= 2) {
		struct walk w = { .l = l,
				  .v = v,
				  .isa = vcpu_isa(v),
				  .vcpu = vcpu,
				  .any = any,
				  .limit = limit < STRETCH_MAX ? limit : STRETCH_MAX,
				  .pc = vcpu_pc(v) };

		s->paths = 0;
		if (!grow(&w, s, leaves))
			return false;
		if (is_unambiguous(s, vcpu_pc(v)))
			return true;
	}
	return false;
}
