/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sites.S - the kinds of T32 site, in the manner of x86_64/sites.S: position-
 * independent code at any halfword, with a landing pad at every place inside
 * the slot that a mixture of old and new halfwords can lead to, the rest UDF.
 * A pad leaves its own address in r1. The caller waits at r8; a BL comes back
 * behind the site. The displacements are chosen so that
 *
 *   new first + old second half of NOP.W is f001 8000, BEQ.W to +0x1004: a pad
 *   old first half of NOP.W + new second is f3af f820 (or b820), BL (or B.W)
 *   3.7 MiB further, where nothing is mapped
 */
#define CM_ISA_T32	3
#define NO_PAD		0xffffffff
#define MARKER		0xbad00000	/* entry.S */

	.syntax	unified
	.thumb
	.section .rodata.sites, "a", %progbits

/* Fill with UDF up to (offset) from the site, then a pad. */
.macro pad offset, back=r8
	.fill	(1000b + (\offset) - .) / 2, 2, 0xdede
	mov	r1, pc
	subs	r1, #4
	bx	\back
.endm

.macro site_begin name
	.balign	64
.Limage_\name:
1000:
.endm

/* Offsets are from the site's first byte, (lead) bytes of code before it are executed, too. */
.macro site_end name, old:req, new:req, resume:req, target:req, pad_old:req, pad_new:req, length=4, lead=0
.Lend_\name:
	.balign	8, 0xde
	.globl	cm_site_\name
	.type	cm_site_\name, %object
cm_site_\name:
	.long	CM_ISA_T32
	.long	.Lend_\name - .Limage_\name
	.long	.Limage_\name, 0
	.long	\lead
	.long	\length
	.long	\resume
	.long	\target
	.long	\pad_old
	.long	\pad_new
	.long	MARKER, 0
	.long	MARKER, 0
	.short	\old
	.fill	16 - \length, 1, 0
	.short	\new
	.fill	16 - \length, 1, 0
	.size	cm_site_\name, . - cm_site_\name
.endm

/* NOP.W <-> BL: a function tracer's site. */
	site_begin t32_nop_w_bl
	.short	0xf3af, 0x8000
	bx	r8			/* nop: no pad passed */
	pad	0x1004			/* f001 8000, beq.w */
	pad	0x1044, lr
	site_end t32_nop_w_bl, old="0xf3af,0x8000", new="0xf001,0xf820", resume=4, target=0x1044, \
		pad_old=NO_PAD, pad_new=0x1044

/* NOP.W <-> B.W: a jump label. */
	site_begin t32_nop_w_b_w
	.short	0xf3af, 0x8000
	pad	4
	pad	0x1004
	pad	0x1044
	site_end t32_nop_w_b_w, old="0xf3af,0x8000", new="0xf001,0xb820", resume=4, \
		target=0x1044, pad_old=4, pad_new=0x1044

/* BL <-> BL that differ in both halves: each of the four combinations is a BL to a pad. */
	site_begin t32_bl_bl
	.short	0xf001, 0xf820
	bx	r8
	.fill	(1000b + 0x10 - .) / 2, 2, 0xdede
	bl	1000b + 0x1044		/* the old form out of line, for a trapped CPU */
	b.w	1000b + 4
	pad	0x1044, lr
	pad	0x1084, lr		/* f001 f840: old first, new second half */
	pad	0x2044, lr		/* f002 f820: new first, old second half */
	pad	0x2084, lr
	site_end t32_bl_bl, old="0xf001,0xf820", new="0xf002,0xf840", resume=0x10, \
		target=0x2084, pad_old=0x1044, pad_new=0x2084

/* B.W <-> B.W that differ in the second half only. */
	site_begin t32_b_w_b_w
	.short	0xf000, 0xb820
	.fill	(1000b + 0x10 - .) / 2, 2, 0xdede
	b.w	1000b + 0x44
	pad	0x44
	pad	0x84
	site_end t32_b_w_b_w, old="0xf000,0xb820", new="0xf000,0xb840", resume=0x10, \
		target=0x84, pad_old=0x44, pad_new=0x84

/* Two 16-bit NOPs <-> BL: a CPU may stand between the two. bf00 as a second half is B.W. */
	site_begin t32_nop16x2_bl
	.short	0xbf00, 0xbf00
	bx	r8
	pad	0x1044, lr
	pad	0x1e04			/* f001 bf00 */
	site_end t32_nop16x2_bl, old="0xbf00,0xbf00", new="0xf001,0xf820", resume=4, \
		target=0x1044, pad_old=NO_PAD, pad_new=0x1044

/* {B.N over, second half of the BL} <-> BL: one halfword is the difference. */
	site_begin t32_b_over_bl
	.short	0xe000, 0xf820
	bx	r8
	pad	0x1044, lr
	site_end t32_b_over_bl, old="0xe000,0xf820", new="0xf001,0xf820", resume=4, \
		target=0x1044, pad_old=NO_PAD, pad_new=0x1044

/* NOP.W <-> BL in an IT block, the condition met: 16-bit B and BKPT mean something else there. */
	site_begin t32_it_nop_w_bl
	.short	0xbf08			/* it eq */
1000:	.short	0xf3af, 0x8000
	bx	r8
	pad	0x1004
	pad	0x1044, lr
	site_end t32_it_nop_w_bl, old="0xf3af,0x8000", new="0xf001,0xf820", resume=4, \
		target=0x1044, pad_old=NO_PAD, pad_new=0x1044, lead=2

/* 16-bit NOP <-> 16-bit B: on the architecture's list. */
	site_begin t32_nop_b
	.short	0xbf00
	pad	2
	pad	0x44
	site_end t32_nop_b, old="0xbf00", new="0xe020", resume=2, target=0x44, pad_old=2, \
		pad_new=0x44, length=2
