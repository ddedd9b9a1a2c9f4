/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * entry.S - exception vectors and the way into EL0, all in T32 (SCTLR.TE).
 * Offsets are those of guest/abi.h and of struct cm_frame.
 *
 * Every handler runs in SVC mode on the kernel's one stack: SRS puts what the
 * exception left there, so that the banks of ABT, UND, IRQ and FIQ mode hold
 * something for as long as the vCPU is in that mode, and no longer. None of
 * them has a stack of its own. IRQs are masked in every handler. FIQ, the NMI
 * of this guest, is not masked by an undefined instruction, an abort or an IRQ
 * (DDI 0487, G1.13): it may come between a vector and its SRS. Its handler may
 * run into a breakpoint, so it saves those banks, as Linux' __fiq_abt does.
 */
#define CPU_KERNEL_SP	24
#define REGISTERS_SPSR	60	/* r0 to r12, lr; ip, flags */
#define FRAME_SPSR	76	/* the same, behind vector, error, address */
#define MODE_SVC	0x13
#define SPSR_T32_EL0	0x30
#define SPSR_F_TO_SIGN	25	/* shift */
#define SPSR_EL_TO_TOP	28	/* shift: of USR mode's number nothing is left */
#define VECTOR_FIQ	2	/* CM_VECTOR_NMI */
#define VECTOR_IRQ	0x40	/* CM_VECTOR_IPI */
#define VECTOR_SVC	0x11	/* CM_EC_SVC32, and so on */
#define VECTOR_FETCH	0x20
#define VECTOR_DATA	0x24
#define VECTOR_BKPT	0x38
#define STATUS_DEBUG	0x22	/* IFSR.STATUS of a breakpoint, long-descriptor format */

	.syntax	unified
	.arch_extension virt
	.thumb
	.text

	.globl	cm_vectors
	.globl	cm_vectors_stepped
	.balign	32
cm_vectors:
cm_vectors_stepped:
	b.w	.			/* reset: never */
	b.w	.Lundefined
	b.w	.Lsvc
	b.w	.Lfetch
	b.w	.Ldata
	b.w	.			/* a hypervisor's */
	b.w	.Lirq
	b.w	.Lfiq

/* (back): how far LR is behind the address to return to (DDI 0487, G1.12.3). */
.macro save back
	.if	\back
	sub.w	lr, lr, #\back
	.endif
	srsdb	sp!, #MODE_SVC
	cpsid	f, #MODE_SVC
	push.w	{r0-r12, lr}
.endm

.macro leave
	add	sp, #16
	pop.w	{r0-r12, lr}
	rfeia	sp!
.endm

.Lundefined:
	save	2
	movs	r0, #0
	b	.Lno_syndrome

/* From here to cm_svc_saved SPSR_svc is live: SVC mode itself is no sign of it. */
	.globl	cm_svc
cm_svc:
.Lsvc:
	srsdb	sp!, #MODE_SVC
	.globl	cm_svc_saved
cm_svc_saved:
	cpsid	f, #MODE_SVC
	push.w	{r0-r12, lr}
	movs	r0, #VECTOR_SVC
	b	.Lno_syndrome

.Lirq:
	save	4
	movs	r0, #VECTOR_IRQ
.Lno_syndrome:
	movs	r1, #0
	movs	r2, #0
	b	.Lframe

/* From here to cm_abort_saved IFSR and IFAR, or DFSR and DFAR, are live. */
	.globl	cm_abort
cm_abort:
.Lfetch:
	save	4
	mrc	p15, 0, r1, c5, c0, 1	/* IFSR */
	mrc	p15, 0, r2, c6, c0, 2	/* IFAR */
	movs	r0, #VECTOR_FETCH
	and	r3, r1, #0x3f
	cmp	r3, #STATUS_DEBUG
	bne	.Llevel
	movs	r0, #VECTOR_BKPT
	movs	r2, #0			/* no address is told with it */
	b	.Lframe
.Ldata:
	save	8
	mrc	p15, 0, r1, c5, c0, 0	/* DFSR */
	mrc	p15, 0, r2, c6, c0, 0	/* DFAR */
	movs	r0, #VECTOR_DATA
	.globl	cm_abort_saved
cm_abort_saved:
.Llevel:				/* one more from EL1 */
	ldr	r3, [sp, #REGISTERS_SPSR]
	lsls	r3, r3, #SPSR_EL_TO_TOP
	beq	.Lframe
	adds	r0, #1

.Lframe:
	movs	r3, #0
	push	{r0-r3}
	mov	r4, sp
	ldr	r1, [sp, #FRAME_SPSR]
	lsls	r1, r1, #SPSR_F_TO_SIGN
	bmi	1f
	cpsie	f
1:	mov	r0, r4
	bic	r1, r4, #7
	mov	sp, r1
	bl	cm_trap
	mov	sp, r4
	leave

/*
 * FIQ: R5 to R11 keep the banks across cm_trap(). From the vector to
 * cm_fiq_saved all of them are live; from cm_fiq_restore on those that the
 * instructions there, of four bytes each, have written already.
 */
	.globl	cm_fiq
cm_fiq:
.Lfiq:
	save	4
	movs	r0, #VECTOR_FIQ
	movs	r1, #0
	movs	r2, #0
	movs	r3, #0
	push	{r0-r3}
	mrs	r5, lr_abt
	mrs	r6, spsr_abt
	mrs	r7, lr_und
	mrs	r8, spsr_und
	mrs	r9, lr_irq
	mrs	r10, spsr_irq
	mrs	r11, spsr
	mrc	p15, 0, r0, c5, c0, 1
	mrc	p15, 0, r1, c6, c0, 2
	mrc	p15, 0, r2, c5, c0, 0
	mrc	p15, 0, r3, c6, c0, 0
	mov	r4, sp
	push	{r0-r3}
	.globl	cm_fiq_saved
cm_fiq_saved:
	mov	r0, r4
	mov	r4, sp
	bic	r1, r4, #7
	mov	sp, r1
	bl	cm_trap
	mov	sp, r4
	pop	{r0-r3}
	.globl	cm_fiq_restore
cm_fiq_restore:
	msr	lr_abt, r5
	msr	spsr_abt, r6
	msr	lr_und, r7
	msr	spsr_und, r8
	msr	lr_irq, r9
	msr	spsr_irq, r10
	msr	spsr_cxsf, r11
	mcr	p15, 0, r0, c5, c0, 1
	mcr	p15, 0, r1, c6, c0, 2
	mcr	p15, 0, r2, c5, c0, 0
	mcr	p15, 0, r3, c6, c0, 0
	leave
	.globl	cm_fiq_end
cm_fiq_end:

/*
 * void cm_enter_user(uint64_t entry, uint64_t sp, struct cm_cpu *cpu)
 * The kernel's stack starts anew: nobody returns to what is on it.
 */
	.globl	cm_enter_user
	.thumb_func
	.type	cm_enter_user, %function
cm_enter_user:
	cpsid	if
	ldr	r1, [sp]
	ldr	r3, [r1, #CPU_KERNEL_SP]
	mov	sp, r3
	msr	sp_usr, r2
	bic	r2, r0, #1
	movs	r3, #SPSR_T32_EL0
	push	{r2, r3}
	mov	r0, r1
	rfeia	sp!
	.size	cm_enter_user, . - cm_enter_user

/*
 * uint64_t cm_user_function(uint64_t function, uint64_t argument)
 * A handler may call it as well: LR is not lost then either.
 */
	.globl	cm_user_function
	.thumb_func
	.type	cm_user_function, %function
cm_user_function:
	push	{r4, lr}
	.globl	cm_user_call
cm_user_call:
	svc	#0
	pop	{r4, pc}
	.size	cm_user_function, . - cm_user_function

/* Where a vCPU with nothing left to do waits, interrupts on. */
	.globl	cm_idle
	.thumb_func
	.type	cm_idle, %function
cm_idle:
	cpsie	i
	wfi
	b	cm_idle
	.size	cm_idle, . - cm_idle

/* What the host's self-check steps over: see vmm probe. */
	.globl	cm_selfcheck
	.thumb_func
	.type	cm_selfcheck, %function
cm_selfcheck:
	nop.w
	nop.w
	.globl	cm_selfcheck_brk
cm_selfcheck_brk:
	bkpt	#0
	.globl	cm_selfcheck_udf
cm_selfcheck_udf:
	udf	#0
	.globl	cm_selfcheck_count
cm_selfcheck_count:
	subs	r0, r0, #1
	bne	cm_selfcheck_count
	movs	r1, #1
	movw	r2, #0
	movt	r2, #0x0f00		/* CM_DOORBELL_ADDRESS */
	str	r1, [r2]
	.size	cm_selfcheck, . - cm_selfcheck
