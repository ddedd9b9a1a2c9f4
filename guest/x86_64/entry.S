/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * entry.S - exception entry, the way into and out of CPL3, and the call of a
 * site. Offsets into struct cm_cpu are those of guest/abi.h.
 */
#define CPU_RECOVER_IP	8
#define CPU_RECOVER_SP	16
#define CPU_NMI_STATE	68
#define CPU_NMI_SP	72
#define CONTROL_LATCH	52
#define STACK_SIZE	4096	/* CM_STACK_SIZE */
#define DELIVERY_PORT	0xc4	/* CM_DELIVERY_PORT */
#define SS_USER		0x1b
#define CS_USER		0x23
#define FLAGS_USER	0x202
/* Not canonical: an access through a marker register faults, and says so. */
#define MARKER		0x8000c0debad00000

	.text

/*
 * One stub a vector, 16 bytes each (CM_VECTOR_STRIDE): push an error code
 * where the processor pushed none, push the vector number, go on.
 */
.macro stub number, door=0
	.balign	16, 0xcc
	.if	(\number != 8) & ((\number < 10) | (\number > 14)) & (\number != 17) & (\number != 21)
	pushq	$0
	.endif
	pushq	$\number
	.if	\door
	outb	%al, $DELIVERY_PORT
	.endif
	.if	\number == 2
	jmp	cm_nmi_entry
	.elseif	\number == 3
	jmp	cm_vector_breakpoint
	.else
	jmp	cm_vector_common
	.endif
.endm

.macro stubs door=0
	.set	vector, 0
	.rept	256
	stub	vector, \door
	.set	vector, vector + 1
	.endr
	.balign	16, 0xcc
.endm

	.globl	cm_vectors
	.balign	16
cm_vectors:
	stubs

/*
 * The same with a doorbell, for a guest under a schedule: whatever a KVM does
 * with a single step that delivers an event (stop in front of the handler,
 * behind its first instruction, or not at all), the vCPU exits here, with the
 * frame and the vector pushed and every register as it was.
 */
	.globl	cm_vectors_stepped
cm_vectors_stepped:
	stubs	1

.macro save_registers
	pushq	%rax
	pushq	%rbx
	pushq	%rcx
	pushq	%rdx
	pushq	%rsi
	pushq	%rdi
	pushq	%rbp
	pushq	%r8
	pushq	%r9
	pushq	%r10
	pushq	%r11
	pushq	%r12
	pushq	%r13
	pushq	%r14
	pushq	%r15
.endm

.macro restore_registers
	popq	%r15
	popq	%r14
	popq	%r13
	popq	%r12
	popq	%r11
	popq	%r10
	popq	%r9
	popq	%r8
	popq	%rbp
	popq	%rdi
	popq	%rsi
	popq	%rdx
	popq	%rcx
	popq	%rbx
	popq	%rax
.endm

/*
 * #BP has no stack of its own: from CPL0 the frame lies right below the
 * interrupted stack pointer, where cm_emulate() of a CALL has to push. Copy
 * its seven words down and leave a gap.
 */
	.globl	cm_vector_breakpoint
	.type	cm_vector_breakpoint, @function
cm_vector_breakpoint:
	testb	$3, 24(%rsp)
	jnz	cm_vector_common
	.rept	7
	pushq	48(%rsp)
	.endr
	.size	cm_vector_breakpoint, . - cm_vector_breakpoint

	.globl	cm_vector_common
	.type	cm_vector_common, @function
cm_vector_common:
	save_registers
	movq	%rsp, %rdi
	cld
	call	cm_trap
	restore_registers
	addq	$16, %rsp
	iretq
	.size	cm_vector_common, . - cm_vector_common

/*
 * An NMI. The processor masks further ones only until the next IRET, which may
 * be that of a #BP in the handler; the next NMI then starts again at the top of
 * the IST stack. With nmi_latch (in the manner of Linux since 2012) the frame is
 * moved to a stack of its own first, and one that comes while another runs only
 * says so. What it leaves on the IST stack is cleared, lest dead words tell
 * states apart.
 */
	.globl	cm_nmi_entry
	.type	cm_nmi_entry, @function
cm_nmi_entry:
	cmpl	$0, cm_control+CONTROL_LATCH(%rip)
	je	cm_vector_common
	pushq	%rax
	pushq	%rdx
	movq	%gs:0, %rdx
	cmpl	$0, CPU_NMI_STATE(%rdx)
	jne	.Lnested
	/*
	 * Did it hit between the end of another, state 0 already, and its IRET?
	 * The lowest address of that stack is not in it: it is the top of the user
	 * stack below, where CPL3 begins.
	 */
	movq	56(%rsp), %rax
	subq	CPU_NMI_SP(%rdx), %rax
	cmpq	$-STACK_SIZE, %rax
	ja	.Lleaving
	movl	$1, CPU_NMI_STATE(%rdx)
	movq	CPU_NMI_SP(%rdx), %rax
	subq	$72, %rax
	.set	word, 0
	.rept	9
	popq	word(%rax)
	movq	$0, -8(%rsp)
	.set	word, word + 8
	.endr
	movq	%rax, %rsp
	popq	%rdx
	popq	%rax
cm_nmi_run:
	save_registers
	movq	%rsp, %rdi
	cld
	call	cm_trap
	restore_registers
	decl	%gs:CPU_NMI_STATE
	jnz	cm_nmi_run
	addq	$16, %rsp
	.globl	cm_nmi_leave
cm_nmi_leave:
	iretq

.Lnested:
	movl	$2, CPU_NMI_STATE(%rdx)
	popq	%rdx
	popq	%rax
	addq	$16, %rsp
	iretq

/* The other's frame is whole, at the top of its stack: it runs once more for this one. */
.Lleaving:
	leaq	cm_nmi_again(%rip), %rax
	movq	%rax, 32(%rsp)
	popq	%rdx
	popq	%rax
	addq	$16, %rsp
	iretq
cm_nmi_again:
	movl	$1, %gs:CPU_NMI_STATE
	movq	%gs:CPU_NMI_SP, %rsp
	subq	$40, %rsp
	pushq	$0
	pushq	$2
	jmp	cm_nmi_run
	.size	cm_nmi_entry, . - cm_nmi_entry

/*
 * struct cm_outcome cm_execute(struct cm_cpu *cpu, uint64_t text)
 * Call the site. Normal return and recovery from a trap meet at 1:, with the
 * stack pointer the same; the previous recovery point is kept on the stack,
 * so that a handler may execute a site inside an execution.
 */
	.globl	cm_execute
	.type	cm_execute, @function
cm_execute:
	pushq	CPU_RECOVER_IP(%rdi)
	pushq	CPU_RECOVER_SP(%rdi)
	pushq	%rdi
	leaq	1f(%rip), %rax
	movq	%rax, CPU_RECOVER_IP(%rdi)
	movq	%rsp, CPU_RECOVER_SP(%rdi)
	movabsq	$MARKER, %rax
	xorl	%edx, %edx
	callq	*%rsi
1:	popq	%rdi
	popq	CPU_RECOVER_SP(%rdi)
	popq	CPU_RECOVER_IP(%rdi)
	ret
	.size	cm_execute, . - cm_execute

/* void cm_enter_user(uint64_t entry, uint64_t sp, struct cm_cpu *cpu) */
	.globl	cm_enter_user
	.type	cm_enter_user, @function
cm_enter_user:
	pushq	$SS_USER
	pushq	%rsi
	pushq	$FLAGS_USER
	pushq	$CS_USER
	pushq	%rdi
	movq	%rdx, %rdi
	iretq
	.size	cm_enter_user, . - cm_enter_user

/*
 * uint64_t cm_user_function(uint64_t function, uint64_t argument)
 * The call from CPL3 is an undefined instruction: unlike INT n and SYSCALL it
 * is delivered on every KVM we know (kvm_pvm gives #UD for INT n at CPL3).
 */
	.globl	cm_user_function
	.type	cm_user_function, @function
cm_user_function:
	.globl	cm_user_call
cm_user_call:
	ud2
	ret
	.size	cm_user_function, . - cm_user_function

/*
 * Where a vCPU with nothing left to do waits, interrupts on. HLT, not a spin:
 * where CPL0 is emulated a spinning vCPU keeps its processor from the others.
 * Under a schedule nobody steps a vCPU that has arrived here.
 */
	.globl	cm_idle
	.type	cm_idle, @function
cm_idle:
	sti
	hlt
	jmp	cm_idle
	.size	cm_idle, . - cm_idle

/* What the host's self-check steps over, at CPL0 and at CPL3: see vmm probe. */
	.globl	cm_selfcheck
	.type	cm_selfcheck, @function
cm_selfcheck:
	nop
	nop
	.globl	cm_selfcheck_int3
cm_selfcheck_int3:
	int3
	.globl	cm_selfcheck_iret
cm_selfcheck_iret:
	iretq
	.globl	cm_selfcheck_pushf
cm_selfcheck_pushf:
	pushfq
	.globl	cm_selfcheck_rep
cm_selfcheck_rep:
	rep stosb
	.globl	cm_selfcheck_count
cm_selfcheck_count:
	decq	%rcx
	jnz	cm_selfcheck_count
	movb	$1, %al
	outb	%al, $0xc3
	.size	cm_selfcheck, . - cm_selfcheck

	.section .note.GNU-stack, "", @progbits
