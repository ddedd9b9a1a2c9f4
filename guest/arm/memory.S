/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * memory.S - what the compiler calls for struct copies (RTABI, 4.3.4): words,
 * then bytes.
 */
	.syntax	unified
	.thumb
	.text

.macro function name
	.globl	\name
	.thumb_func
	.type	\name, %function
\name:
.endm

	function memcpy
	function __aeabi_memcpy
	function __aeabi_memcpy4
	function __aeabi_memcpy8
	mov	r3, r0
	orr	r12, r0, r1
	tst	r12, #3
	bne	2f
1:	cmp	r2, #4
	blo	2f
	ldr	r12, [r1], #4
	str	r12, [r3], #4
	subs	r2, #4
	b	1b
2:	cbz	r2, 3f
	ldrb	r12, [r1], #1
	strb	r12, [r3], #1
	subs	r2, #1
	b	2b
3:	bx	lr
	.size	memcpy, . - memcpy

	function __aeabi_memclr
	function __aeabi_memclr4
	function __aeabi_memclr8
	mov	r2, r1
	movs	r1, #0
	b	1f
	.size	__aeabi_memclr, . - __aeabi_memclr

	function __aeabi_memset		/* (to, size, value) */
	mov	r3, r1
	mov	r1, r2
	mov	r2, r3
	b	1f
	.size	__aeabi_memset, . - __aeabi_memset

	function memset
1:	mov	r3, r0
2:	cbz	r2, 3f
	strb	r1, [r3], #1
	subs	r2, #1
	b	2b
3:	bx	lr
	.size	memset, . - memset
