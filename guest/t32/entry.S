/* SPDX-License-Identifier: BSD-2-Clause */
/* entry.S - T32 at EL0 of an A64 kernel: the end of the role. */
#define USER_DONE	1	/* CM_USER_DONE */

	.syntax	unified
	.thumb
	.text

/* Where the loop returns to. */
	.globl	cm_user_done
	.thumb_func
	.type	cm_user_done, %function
cm_user_done:
	movs	r0, #USER_DONE
	svc	#0
	b	cm_user_done
	.size	cm_user_done, . - cm_user_done

/* What the host's self-check steps over. */
	.globl	cm_selfcheck_el0
	.thumb_func
	.type	cm_selfcheck_el0, %function
cm_selfcheck_el0:
	nop
	nop.w
	bkpt	#0
	.size	cm_selfcheck_el0, . - cm_selfcheck_el0
