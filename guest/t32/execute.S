/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * execute.S - the call of a T32 site, at EL0 or EL1. Offsets into struct cm_cpu
 * are those of guest/abi.h.
 */
#define CPU_RECOVER_IP	8
#define CPU_RECOVER_SP	16

	.syntax	unified
	.thumb
	.text

/*
 * struct cm_outcome cm_execute(struct cm_cpu *cpu, uint64_t text)
 * r0 is where the outcome goes, r1 the mailbox, r2 the text. The site comes
 * back to r8: a BL of the site takes LR. r0 is the value, a marker that is no
 * mapped address, and r1 the pad. Z is set, so that a conditional mixture is
 * taken. Recovery from a trap comes with the stack pointer in r2.
 */
	.globl	cm_execute
	.thumb_func
	.type	cm_execute, %function
cm_execute:
	push	{r4-r11, lr}
	ldr	r4, [r1, #CPU_RECOVER_IP]
	ldr	r5, [r1, #CPU_RECOVER_SP]
	push	{r0, r1, r4, r5}
	adr	r4, 2f
	str	r4, [r1, #CPU_RECOVER_IP]
	mov	r5, sp
	str	r5, [r1, #CPU_RECOVER_SP]
	adr	r8, 1f
	orr	r8, r8, #1
	orr	r2, r2, #1
	movw	r0, #0x0000
	movt	r0, #0xbad0
	movs	r1, #0
	cmp	r1, r1
	bx	r2
	.balign	4
1:	movs	r3, #0
	b	3f
	.balign	4
2:	mov	sp, r2
	movw	r0, #0xdead		/* CM_VALUE_TRAPPED */
	movw	r3, #0
	movt	r3, #0xdead
	movs	r1, #0
3:	movs	r7, #0
	pop	{r2, r4, r5, r6}
	str	r5, [r4, #CPU_RECOVER_IP]
	str	r6, [r4, #CPU_RECOVER_SP]
	str	r0, [r2, #0]
	str	r3, [r2, #4]
	str	r1, [r2, #8]
	str	r7, [r2, #12]
	pop	{r4-r11, pc}
	.size	cm_execute, . - cm_execute
