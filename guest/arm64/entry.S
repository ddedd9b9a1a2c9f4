/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * entry.S - exception vectors, the way into and out of EL0, and the call of an
 * A64 site. Offsets are those of guest/abi.h and of struct cm_frame.
 *
 * IRQs are masked in every handler; FIQ, the NMI of this guest, only in its own
 * and for as long as ELR_EL1 and SPSR_EL1 are not saved, or restored already.
 */
#define CPU_RECOVER	8	/* ip, sp */
#define CPU_KERNEL_SP	24
#define FRAME_SIZE	288
#define FRAME_IP	248	/* ip, flags; vector, error; address */
#define VECTOR_FIQ	2	/* CM_VECTOR_NMI */
#define VECTOR_IRQ	0x40	/* CM_VECTOR_IPI */
#define VECTOR_SERROR	0x41
#define SPSR_F		6	/* bit */
#define SPSR_T32_EL0	0x30
#define USER_DONE	1	/* CM_USER_DONE */
/* Not mapped: an access through a marker register faults, and says so. */
#define MARKER_HIGH	0x8000
#define MARKER_MIDDLE	0xc0de
#define MARKER_LOW	0xbad0

	.text

/* vector: 0 for the class in ESR_EL1 */
.macro entry vector, common
	.balign	0x80
	sub	sp, sp, #FRAME_SIZE
	stp	x0, x1, [sp]
	mov	x0, #\vector
	b	\common
.endm

.macro entries common
	entry	0, \common
	entry	VECTOR_IRQ, \common
	entry	VECTOR_FIQ, \common
	entry	VECTOR_SERROR, \common
.endm

.macro vectors name, common
	.globl	\name
	.balign	0x800
\name:
	entries	\common		/* EL1 with SP_EL0: never used */
	entries	\common		/* EL1 */
	entries	\common		/* EL0, A64 */
	entries	\common		/* EL0, AArch32 */
	.balign	0x80
.endm

/*
 * What exception return takes, next to each other: from cm_return_(name) to
 * its ERET, cm_eret_(name), they are live. So are they, ESR_EL1 and FAR_EL1
 * from a vector to cm_(name)_saved. Elsewhere the host takes them for dead.
 */
.macro set_return name, elr, spsr
	msr	elr_el1, \elr
	.globl	cm_return_\name
cm_return_\name:
	msr	spsr_el1, \spsr
.endm

.macro exception_return name
	.globl	cm_eret_\name
cm_eret_\name:
	eret
.endm

.macro vector_common name, trap
	.globl	cm_\name\()_common
	.type	cm_\name\()_common, @function
cm_\name\()_common:
	stp	x2, x3, [sp, #16]
	stp	x4, x5, [sp, #32]
	stp	x6, x7, [sp, #48]
	stp	x8, x9, [sp, #64]
	stp	x10, x11, [sp, #80]
	stp	x12, x13, [sp, #96]
	stp	x14, x15, [sp, #112]
	stp	x16, x17, [sp, #128]
	stp	x18, x19, [sp, #144]
	stp	x20, x21, [sp, #160]
	stp	x22, x23, [sp, #176]
	stp	x24, x25, [sp, #192]
	stp	x26, x27, [sp, #208]
	stp	x28, x29, [sp, #224]
	mrs	x2, elr_el1
	mrs	x3, spsr_el1
	stp	x30, x2, [sp, #240]
	mov	x4, #0
	mov	x5, #0
	cbnz	x0, 1f
	mrs	x4, esr_el1
	mrs	x5, far_el1
	lsr	x0, x4, #26
	.globl	cm_\name\()_saved
cm_\name\()_saved:
1:	stp	x3, x0, [sp, #FRAME_IP + 8]
	stp	x4, x5, [sp, #FRAME_IP + 24]
	cmp	x0, #VECTOR_FIQ
	b.eq	2f
	tbnz	x3, #SPSR_F, 2f
	msr	daifclr, #1
2:	mov	x0, sp
	bl	\trap
	msr	daifset, #0xf
	ldr	x2, [sp, #FRAME_IP]
	ldr	x3, [sp, #FRAME_IP + 8]
	set_return \name, x2, x3
	ldr	x30, [sp, #240]
	ldp	x28, x29, [sp, #224]
	ldp	x26, x27, [sp, #208]
	ldp	x24, x25, [sp, #192]
	ldp	x22, x23, [sp, #176]
	ldp	x20, x21, [sp, #160]
	ldp	x18, x19, [sp, #144]
	ldp	x16, x17, [sp, #128]
	ldp	x14, x15, [sp, #112]
	ldp	x12, x13, [sp, #96]
	ldp	x10, x11, [sp, #80]
	ldp	x8, x9, [sp, #64]
	ldp	x6, x7, [sp, #48]
	ldp	x4, x5, [sp, #32]
	ldp	x2, x3, [sp, #16]
	ldp	x0, x1, [sp]
	add	sp, sp, #FRAME_SIZE
	exception_return \name
	.size	cm_\name\()_common, . - cm_\name\()_common
.endm

/* Under a schedule: the host raises and lowers the vCPU's lines itself. */
	vectors		cm_vectors_stepped, cm_vector_common
	vector_common	vector, cm_trap

/* In free runs: the same, by way of the GIC. */
	vectors		cm_vectors, cm_free_common
	vector_common	free, cm_gic_trap

/*
 * struct cm_outcome cm_execute(struct cm_cpu *cpu, uint64_t text)
 * Call the site. It comes back to x9: a BL of the site takes x30. Z is set, so
 * that a conditional mixture is taken. Recovery from a trap comes with the
 * stack pointer in x2; the previous recovery point is kept on the stack, so
 * that a handler may execute a site inside an execution.
 */
	.globl	cm_execute
	.type	cm_execute, @function
cm_execute:
	stp	x29, x30, [sp, #-128]!
	stp	x19, x20, [sp, #16]
	stp	x21, x22, [sp, #32]
	stp	x23, x24, [sp, #48]
	stp	x25, x26, [sp, #64]
	stp	x27, x28, [sp, #80]
	ldp	x2, x3, [x0, #CPU_RECOVER]
	stp	x2, x3, [sp, #96]
	str	x0, [sp, #112]
	adr	x2, 2f
	mov	x3, sp
	stp	x2, x3, [x0, #CPU_RECOVER]
	mov	x2, x1
	movz	x0, #MARKER_HIGH, lsl #48
	movk	x0, #MARKER_MIDDLE, lsl #32
	movk	x0, #MARKER_LOW, lsl #16
	mov	x1, #0
	adr	x9, 3f
	cmp	x1, x1
	br	x2
2:	mov	sp, x2
3:	ldr	x2, [sp, #112]
	ldp	x3, x4, [sp, #96]
	stp	x3, x4, [x2, #CPU_RECOVER]
	ldp	x27, x28, [sp, #80]
	ldp	x25, x26, [sp, #64]
	ldp	x23, x24, [sp, #48]
	ldp	x21, x22, [sp, #32]
	ldp	x19, x20, [sp, #16]
	ldp	x29, x30, [sp], #128
	ret
	.size	cm_execute, . - cm_execute

/*
 * void cm_enter_a64(uint64_t entry, uint64_t sp, struct cm_cpu *cpu)
 * The kernel's stack starts anew: nobody returns to what is on it.
 */
	.globl	cm_enter_a64
	.type	cm_enter_a64, @function
cm_enter_a64:
	msr	daifset, #0xf
	ldr	x3, [x2, #CPU_KERNEL_SP]
	mov	sp, x3
	msr	sp_el0, x1
	set_return a64, x0, xzr
	mov	x0, x2
	exception_return a64
	.size	cm_enter_a64, . - cm_enter_a64

/*
 * void cm_enter_t32(entry, sp, cpu, control, counts)
 * R13 is x13, and the executor's return leads to its SVC by LR, which is x14.
 */
	.globl	cm_enter_t32
	.type	cm_enter_t32, @function
cm_enter_t32:
	msr	daifset, #0xf
	ldr	x5, [x2, #CPU_KERNEL_SP]
	mov	sp, x5
	mov	x13, x1
	adrp	x14, cm_user_done_t32
	add	x14, x14, :lo12:cm_user_done_t32
	orr	x14, x14, #1
	mov	x5, #SPSR_T32_EL0
	set_return t32, x0, x5
	mov	x0, x2
	mov	x1, x3
	mov	x2, x4
	exception_return t32
	.size	cm_enter_t32, . - cm_enter_t32

/* uint64_t cm_user_function(uint64_t function, uint64_t argument) */
	.globl	cm_user_function
	.type	cm_user_function, @function
cm_user_function:
	.globl	cm_user_call
cm_user_call:
	svc	#0
	ret
	.size	cm_user_function, . - cm_user_function

/* Where a vCPU with nothing left to do waits, interrupts on. */
	.globl	cm_idle
	.type	cm_idle, @function
cm_idle:
	msr	daifclr, #2
	wfi
	b	cm_idle
	.size	cm_idle, . - cm_idle

/* What the host's self-check steps over: see vmm probe. */
	.globl	cm_selfcheck
	.type	cm_selfcheck, @function
cm_selfcheck:
	nop
	nop
	.globl	cm_selfcheck_brk
cm_selfcheck_brk:
	brk	#0
	.globl	cm_selfcheck_udf
cm_selfcheck_udf:
	udf	#0
	.globl	cm_selfcheck_eret
cm_selfcheck_eret:
	eret
	.globl	cm_selfcheck_count
cm_selfcheck_count:
	subs	x0, x0, #1
	b.ne	cm_selfcheck_count
	mov	w1, #1
	movz	x2, #0x0f00, lsl #16	/* CM_DOORBELL_ADDRESS */
	str	w1, [x2]
	.size	cm_selfcheck, . - cm_selfcheck

	.section .note.GNU-stack, "", @progbits
