// SPDX-License-Identifier: BSD-2-Clause
/* explore_context.c - handlers are told by where their frames lie. Must not know the search. */
#include "explore/explore_context.h"

/* The number of the stack that (sp) is in or at the top of, counted over all vCPUs. */
static uint64_t stack_at(uint64_t sp)
{
	return (sp - 1) / CM_STACK_SIZE;
}

/* A latched NMI is moved to a stack of its own: one handler, two stacks. */
static uint64_t handler_stack(uint64_t sp)
{
	uint64_t stack = stack_at(sp);

	return stack % CM_STACKS == CM_STACK_NMI_BODY ? stack - CM_STACK_NMI_BODY + CM_STACK_NMI :
							stack;
}

void context_enter(struct contexts *c, const struct vcpu *v, enum event_kind kind, uint64_t stacks)
{
	/* The innermost is always there: it decides. */
	uint8_t at = c->count < CONTEXTS_MAX ? c->count++ : CONTEXTS_MAX - 1;

	c->kind[at] = (uint8_t)kind;
	c->frame[at] = (uint32_t)(vcpu_sp(v) - stacks);
}

/*
 * A handler is left when its event could come again, which it masks, and the
 * stack pointer is no longer below what the event pushed. The first alone would
 * not do, as any IRET unmasks NMIs; nor the second, as Arm's events push nothing.
 */
static bool is_left(const struct contexts *c, uint32_t i, const struct vcpu *v, uint64_t stacks)
{
	uint64_t sp = vcpu_sp(v) - stacks, frame = c->frame[i];

	if (!vcpu_can_take(v, (enum event_kind)c->kind[i]))
		return false;
	if (handler_stack(sp) != handler_stack(frame))
		return true;
	return stack_at(sp) == stack_at(frame) && sp >= frame + vcpu_event_frame(v).above;
}

void context_leave(struct contexts *c, const struct vcpu *v, uint64_t stacks)
{
	while (c->count && is_left(c, c->count - 1u, v, stacks)) {
		c->count--;
		c->kind[c->count] = 0;
		c->frame[c->count] = 0;
	}
}

bool context_in(const struct contexts *c, enum event_kind kind)
{
	for (uint32_t i = 0; i < c->count; i++)
		if (c->kind[i] == kind)
			return true;
	return false;
}

bool context_looks_out(const struct contexts *c, const struct vcpu *v, uint64_t address,
		       bool by_stack, uint64_t stacks)
{
	struct arch_event_frame f = vcpu_event_frame(v);
	uint64_t at = address - stacks, frame;

	if (!c->count)
		return false;
	frame = c->frame[c->count - 1u];
	/* A latched NMI's frame is moved to the top of the other stack, whole. */
	if (handler_stack(at + 1) != handler_stack(frame))
		return true;
	if (stack_at(at + 1) != stack_at(frame))
		frame += (CM_STACK_NMI_BODY - CM_STACK_NMI) * (uint64_t)CM_STACK_SIZE;
	if (at + f.below < frame)
		return false;
	if (at >= frame + f.above)
		return true;
	/* Nor does it look at the frame while it moves it to the stack it will run on. */
	if (stack_at(vcpu_sp(v) - stacks) != stack_at(at + 1))
		return false;
	return !by_stack && at - (frame + (uint64_t)(int64_t)f.own_offset) >= f.own_size;
}
