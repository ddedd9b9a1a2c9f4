// SPDX-License-Identifier: BSD-2-Clause
/* machine_state.c - pack and unpack: only the lines that differ from where the search started. */
#include "machine/machine_state.h"
#include "machine/machine_internal.h"
#include "machine/setup.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define LINE   64u
#define STACKS ((uint64_t)CM_STACKS * CM_STACK_SIZE) /* of one vCPU */

/* What of a vCPU is not in its registers. */
struct packed_cpu {
	struct vcpu_state state;
	struct machine_cpu cpu;
};

struct packed {
	uint32_t fetch_size;
	uint32_t nlines;
	struct packed_cpu cpu[CM_MAX_VCPUS]; /* as many as there are vCPUs */
};

struct line {
	uint32_t offset; /* in the image */
	uint8_t bytes[LINE];
};

static size_t stacks_offset(const struct machine *m, uint32_t vcpu)
{
	return (size_t)(m->image->abi.stacks - CM_IMAGE_BASE + vcpu * STACKS);
}

/* The bottom of the stack that (sp) is in or at the top of, if it is one of (vcpu)'s; else 0. */
static uint64_t bottom_of(const struct machine *m, uint32_t vcpu, uint64_t sp)
{
	uint64_t first = m->image->abi.stacks + vcpu * STACKS;

	if (sp <= first || sp > first + STACKS)
		return 0;
	return first + (sp - 1 - first) / CM_STACK_SIZE * CM_STACK_SIZE;
}

static void wipe(struct machine *m, uint64_t from, uint64_t to)
{
	memset(m->memory->image + (from - CM_IMAGE_BASE), 0, to - from);
}

static void wipe_below(struct machine *m, uint32_t vcpu, uint64_t sp)
{
	uint64_t bottom = bottom_of(m, vcpu, sp);

	if (bottom && !m->cpu[vcpu].overlapped)
		wipe(m, bottom, sp);
}

/*
 * A delivery or an IRET took (vcpu) from (before) to where it is now. What was
 * below a stack left behind is dead; so is all of a stack that an IRET left.
 * A delivery that moves up within one stack (an NMI inside an NMI's handler,
 * on the same IST stack) leaves live data below: that stack is not touched again.
 */
void machine_stack_moved(struct machine *m, uint32_t vcpu, uint64_t before, bool iret)
{
	const struct vcpu *v = vm_vcpu(m->vm, vcpu);
	uint64_t now = vcpu_sp(v);
	uint64_t from = bottom_of(m, vcpu, before), to = bottom_of(m, vcpu, now);

	if (!m->wiping || !from)
		return;
	if (from == to && now > before && !iret)
		m->cpu[vcpu].overlapped = true;
	else if (from != to && iret && !m->cpu[vcpu].overlapped)
		wipe(m, from, before + vcpu_return_frame(v));
	else if (from != to && !iret)
		wipe_below(m, vcpu, before);
}

bool machine_state_begin(struct machine *m, struct err *e)
{
	if (!m->base_image)
		m->base_image = malloc(m->memory->image_size);
	if (!m->base_image)
		return err_set(e, ERR_HOST, "out of memory");
	memcpy(m->base_image, m->memory->image, m->memory->image_size);
	m->wiping = true;
	return true;
}

void machine_state_end(struct machine *m)
{
	m->wiping = false;
}

/*
 * Call (visit) for each piece of the image that is state: data, the stacks in
 * use, and of .ghost the record of events, which a vCPU may be half through writing.
 */
static void each_range(struct machine *m,
		       void (*visit)(struct machine *, size_t from, size_t to, void *arg),
		       void *arg)
{
	size_t ghost = m->image->abi.ghost_start - CM_IMAGE_BASE;

	for (size_t i = 0; i < m->image->nsegments; i++) {
		const struct image_segment *s = &m->image->segments[i];
		size_t from = s->address - CM_IMAGE_BASE, stacks = stacks_offset(m, 0);
		size_t end = from + s->size < ghost ? from + s->size : ghost;

		if (!s->write)
			continue;
		/* The stacks lie somewhere in the segment; unused ones never change. */
		visit(m, from, stacks, arg);
		visit(m, stacks, stacks_offset(m, m->scenario->vcpus), arg);
		visit(m, stacks_offset(m, CM_MAX_VCPUS), end, arg);
	}
	for (uint32_t i = 0; i < m->scenario->vcpus; i++) {
		size_t record = m->image->abi.counts - CM_IMAGE_BASE +
				i * sizeof(struct cm_counts) + offsetof(struct cm_counts, event);

		visit(m, record, record + sizeof(((struct cm_counts *)NULL)->event), arg);
	}
}

struct writer {
	uint8_t *bytes;
	size_t used, room;
	uint32_t nlines;
};

static void add_lines(struct machine *m, size_t from, size_t to, void *arg)
{
	struct writer *w = arg;

	for (size_t at = from; at + LINE <= to; at += LINE) {
		struct line line = { .offset = (uint32_t)at };

		if (!memcmp(m->memory->image + at, m->base_image + at, LINE))
			continue;
		if (w->used + sizeof(line) > w->room) {
			w->room = 2 * w->room + sizeof(line);
			w->bytes = realloc(w->bytes, w->room);
			assert(w->bytes);
		}
		memcpy(line.bytes, m->memory->image + at, LINE);
		memcpy(w->bytes + w->used, &line, sizeof(line));
		w->used += sizeof(line);
		w->nlines++;
	}
}

static size_t header_size(const struct machine *m)
{
	return offsetof(struct packed, cpu) + m->scenario->vcpus * sizeof(struct packed_cpu);
}

uint8_t *machine_pack(struct machine *m, size_t *size)
{
	size_t history = m->changes.size ? MACHINE_HISTORY_MAX : FETCH_PACKED_MAX;
	struct writer w = { .room = header_size(m) + history };
	struct packed *p;

	w.bytes = calloc(1, w.room);
	if (!w.bytes)
		return NULL;
	for (uint32_t i = 0; i < m->scenario->vcpus; i++)
		wipe_below(m, i, vcpu_sp(vm_vcpu(m->vm, i)));
	w.used = header_size(m);
	w.used += machine_pack_history(m, w.bytes + w.used, history);
	assert(w.used <= w.room);
	((struct packed *)(void *)w.bytes)->fetch_size = (uint32_t)(w.used - header_size(m));
	each_range(m, add_lines, &w);
	p = (struct packed *)(void *)w.bytes;
	p->nlines = w.nlines;
	for (uint32_t i = 0; i < m->scenario->vcpus; i++) {
		vcpu_save(vm_vcpu(m->vm, i), &p->cpu[i].state);
		p->cpu[i].cpu = m->cpu[i];
		p->cpu[i].cpu.events = 0;
	}
	*size = w.used;
	return w.bytes;
}

static void restore_lines(struct machine *m, size_t from, size_t to, void *arg)
{
	(void)arg;
	for (size_t at = from; at + LINE <= to; at += LINE)
		if (memcmp(m->memory->image + at, m->base_image + at, LINE))
			memcpy(m->memory->image + at, m->base_image + at, LINE);
}

/* Text outside the window is no state: nothing goes on from where it was written. */
static void write_window(struct machine *m)
{
	const uint8_t *window = machine_window(m);

	if (m->strayed)
		memcpy(m->memory->text, m->start_text, CM_TEXT_SIZE);
	m->strayed = false;

	for (uint32_t i = 0; i < m->fetch.nranges; i++) {
		const struct fetch_range *r = &m->fetch.range[i];

		memcpy(m->memory->text + (r->address - CM_TEXT_BASE), window + r->offset,
		       r->length);
	}
}

void machine_unpack(struct machine *m, const uint8_t *bytes, size_t size)
{
	const struct packed *p = (const struct packed *)(const void *)bytes;
	const uint8_t *at = bytes + header_size(m);

	machine_unpack_history(m, at, p->fetch_size);
	at += p->fetch_size;
	write_window(m);
	for (uint32_t i = 0; i < m->scenario->vcpus; i++)
		machine_show_newest(m, i);
	each_range(m, restore_lines, NULL);
	for (uint32_t i = 0; i < p->nlines; i++, at += sizeof(struct line)) {
		struct line line;

		memcpy(&line, at, sizeof(line));
		memcpy(m->memory->image + line.offset, line.bytes, LINE);
	}
	assert(at == bytes + size);
	for (uint32_t i = 0; i < m->scenario->vcpus; i++) {
		vcpu_load(vm_vcpu(m->vm, i), &p->cpu[i].state);
		m->cpu[i] = p->cpu[i].cpu;
	}
	machine_forget(m);
}

void machine_forget(struct machine *m)
{
	for (uint32_t i = 0; i < m->scenario->vcpus; i++) {
		memset(m->memory->image + (m->image->abi.counts - CM_IMAGE_BASE) +
			       i * sizeof(struct cm_counts),
		       0, offsetof(struct cm_counts, event));
		m->cpu[i].events = 0;
	}
	m->observation->nviolations = 0;
	memset(m->observation->total, 0, sizeof(m->observation->total));
}
