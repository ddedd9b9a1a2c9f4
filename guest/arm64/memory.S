/* SPDX-License-Identifier: BSD-2-Clause */
/* memory.S - what the compiler calls for struct copies: quadwords, then bytes. */
	.text
	.globl	memcpy
	.type	memcpy, @function
memcpy:
	mov	x3, x0
	orr	x4, x0, x1
	tst	x4, #7
	b.ne	2f
1:	cmp	x2, #8
	b.lo	2f
	ldr	x4, [x1], #8
	str	x4, [x3], #8
	sub	x2, x2, #8
	b	1b
2:	cbz	x2, 3f
	ldrb	w4, [x1], #1
	strb	w4, [x3], #1
	sub	x2, x2, #1
	b	2b
3:	ret
	.size	memcpy, . - memcpy

	.globl	memset
	.type	memset, @function
memset:
	mov	x3, x0
1:	cbz	x2, 2f
	strb	w1, [x3], #1
	sub	x2, x2, #1
	b	1b
2:	ret
	.size	memset, . - memset

	.section .note.GNU-stack, "", @progbits
