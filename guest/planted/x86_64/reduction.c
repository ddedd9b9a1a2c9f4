// SPDX-License-Identifier: BSD-2-Clause
/*
 * reduction.c - routines that put to the test what the explorer runs through
 * without a choice point: they do what compiled routines rarely do with their
 * stack, and their handlers look at what they interrupted.
 */
#include "guest/protocol.h"

static uint32_t reduction_word;

/* So many instructions on its own that the search stops in between, then UD2. */
static CM_ROUTINE void reduction_delay(const struct cm_poke *poke, uint32_t count)
{
	(void)poke;
	(void)count;
	for (volatile uint32_t i = 0; i < 8000; i++)
		;
	__asm__ volatile("ud2");
}

/* The return address is replaced before it is used, as in a retpoline. */
static CM_ROUTINE void reduction_retpoline(const struct cm_poke *poke, uint32_t count)
{
	(void)poke;
	(void)count;
	CM_WRITE(reduction_word, 1);
	__asm__ volatile("leaq 2f(%%rip), %%rax\n\t"
			 "call 1f\n\t"
			 "ud2\n"
			 "1:\tmovq %%rax, (%%rsp)\n\t"
			 "ret\n"
			 "2:" ::
				 : "rax", "memory", "cc");
	CM_WRITE(reduction_word, 2);
}

/* An address that was pushed before the word is read is popped, replaced and returned to. */
static CM_ROUTINE void reduction_replaced(const struct cm_poke *poke, uint32_t count)
{
	(void)poke;
	(void)count;
	__asm__ volatile("leaq 1f(%%rip), %%rax\n\t"
			 "leaq 2f(%%rip), %%rdx\n\t"
			 "pushq %%rax\n\t"
			 "pushq %%rax\n\t"
			 "incl %0\n\t"
			 "popq %%rcx\n\t"
			 "popq %%rcx\n\t"
			 "pushq %%rdx\n\t"
			 "ret\n"
			 "1:\tnop\n\t"
			 "ud2\n"
			 "2:"
			 : "+m"(reduction_word)::"rax", "rcx", "rdx", "memory", "cc");
	CM_WRITE(reduction_word, 2);
}

/* A call that is never returned from: the next return is that of the call before. */
static CM_ROUTINE void reduction_dropped(const struct cm_poke *poke, uint32_t count)
{
	(void)poke;
	(void)count;
	CM_WRITE(reduction_word, 1);
	__asm__ volatile("call 1f\n\t"
			 "jmp 3f\n"
			 "1:\tcall 2f\n\t"
			 "ud2\n"
			 "2:\taddq $8, %%rsp\n\t"
			 "ret\n"
			 "3:" ::
				 : "memory", "cc");
	CM_WRITE(reduction_word, 2);
}

/* On the stack of who is interrupted: 1 between two instructions of its own. */
static volatile uint32_t *reduction_mark;

enum { SEND_IPI = 1, BREAKPOINT = 2 };

static CM_ROUTINE void reduction_marked(const struct cm_poke *poke, uint32_t count)
{
	volatile uint32_t mark = 0;

	(void)count;
	*(volatile uint32_t *volatile *)&reduction_mark = &mark;
	if (cm_protocol()->variant & BREAKPOINT)
		cm_poke8(&poke[0], 0, CM_INT3);
	if (cm_protocol()->variant & SEND_IPI)
		cm_ipi(1u << cm_cpu_id());
	__asm__ volatile(".globl reduction_from\nreduction_from:");
	mark = 1;
	mark = 0;
	__asm__ volatile(".globl reduction_to\nreduction_to:");
	CM_WRITE(reduction_word, 1);
	if (cm_protocol()->variant & BREAKPOINT) {
		cm_poke_tail(&poke[0]);
		cm_poke_head(&poke[0]);
	}
	*(volatile uint32_t *volatile *)&reduction_mark = NULL;
}

static void reduction_see_stack(struct cm_frame *frame)
{
	volatile uint32_t *mark = *(volatile uint32_t *volatile *)&reduction_mark;

	(void)frame;
	if (mark && *mark)
		__asm__ volatile("ud2");
}

/* A #BP in an NMI's handler is the NMI's doing. */
static CM_ROUTINE bool reduction_see_trap(struct cm_frame *frame)
{
	if (frame->vector != 3)
		return false;
	reduction_see_stack(frame);
	frame->ip = cm_control.site[0].resume;
	return true;
}

static void reduction_see_frame(struct cm_frame *frame)
{
	extern const char reduction_from[], reduction_to[];

	if (frame->ip > (uint64_t)reduction_from && frame->ip < (uint64_t)reduction_to)
		__asm__ volatile("ud2");
}

/* A mailbox that is another's. */
static CM_ROUTINE void reduction_read_mailbox(const struct cm_poke *poke, uint32_t count)
{
	extern struct cm_cpu cm_cpu[];

	(void)poke;
	(void)count;
	CM_WRITE(reduction_word, CM_READ(cm_cpu[1].done));
}

CM_PROTOCOL(reduction_stack, "NMIs look at the stack", .patch = reduction_marked,
	    .nmi = reduction_see_stack);
CM_PROTOCOL(reduction_frame, "NMIs look where they hit", .patch = reduction_marked,
	    .nmi = reduction_see_frame);
CM_PROTOCOL(reduction_trap, "traps in NMIs look at the stack", .patch = reduction_marked,
	    .trapped = reduction_see_trap, .variant = BREAKPOINT);
CM_PROTOCOL(reduction_stack_ipi, "IPIs look at the stack", .patch = reduction_marked,
	    .notified = reduction_see_stack, .variant = SEND_IPI);
CM_PROTOCOL(reduction_frame_ipi, "IPIs look where they hit", .patch = reduction_marked,
	    .notified = reduction_see_frame, .variant = SEND_IPI);
CM_PROTOCOL(reduction_mailbox, "reads another's mailbox", .patch = reduction_read_mailbox);

static void reduction_answer(struct cm_frame *frame)
{
	(void)frame;
	CM_WRITE(reduction_word, 1);
}

/* Waits for its own IPI with interrupts off, but for a moment in each turn if (variant). */
static CM_ROUTINE void reduction_wait(const struct cm_poke *poke, uint32_t count)
{
	(void)poke;
	(void)count;
	cm_irq_off();
	cm_ipi(1u << cm_cpu_id());
	while (!CM_READ(reduction_word)) {
		if (cm_protocol()->variant)
			cm_irq_on();
		cm_relax();
		cm_irq_off();
	}
	cm_irq_on();
}

CM_PROTOCOL(reduction_toggle, "lets interrupts in for a moment", .patch = reduction_wait,
	    .notified = reduction_answer, .variant = 1);
CM_PROTOCOL(reduction_masked, "never lets them in", .patch = reduction_wait,
	    .notified = reduction_answer);
CM_PROTOCOL(reduction_delay, "a long delay, then UD2", .patch = reduction_delay);
CM_PROTOCOL(reduction_retpoline, "replaces a return address", .patch = reduction_retpoline);
CM_PROTOCOL(reduction_replaced, "replaces a pushed address", .patch = reduction_replaced);
CM_PROTOCOL(reduction_dropped, "drops a return address", .patch = reduction_dropped);
