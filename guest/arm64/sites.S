/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sites.S - the kinds of A64 site, in the manner of x86_64/sites.S: position-
 * independent code with the site and its landing pads, the rest UDF. A pad
 * leaves its own address in x1. The caller waits at x9; a BL comes back behind
 * the site. The T32 kinds are in guest/t32/sites.S.
 */
#define CM_ISA_A64	2
#define NO_PAD		0xffffffff
#define MARKER		0x8000c0debad00000

	.section .rodata.sites, "a", @progbits

/* Fill with UDF up to (offset) from the site, then a pad. */
.macro pad offset, back="br x9"
	.fill	(1000b + (\offset) - .) / 4, 4, 0
1001:	adr	x1, 1001b
	\back
.endm

.macro site_begin name
	.balign	64
	.pushsection .rodata.sites
1000:
.Limage_\name:
.endm

.macro site_end name, old:req, new:req, resume:req, target:req, pad_old:req, pad_new:req, value_old=MARKER, value_new=MARKER
.Lend_\name:
	.balign	8, 0
	.globl	cm_site_\name
	.type	cm_site_\name, @object
cm_site_\name:
	.long	CM_ISA_A64
	.long	.Lend_\name - .Limage_\name
	.quad	.Limage_\name
	.long	0
	.long	4
	.long	\resume
	.long	\target
	.long	\pad_old
	.long	\pad_new
	.quad	\value_old
	.quad	\value_new
	.long	\old
	.fill	12, 1, 0
	.long	\new
	.fill	12, 1, 0
	.size	cm_site_\name, . - cm_site_\name
	.popsection
.endm

/* NOP <-> B: a jump label. */
	site_begin a64_nop_b
	nop
	pad	4
	pad	0x40
	site_end a64_nop_b, old=0xd503201f, new=0x14000010, resume=4, target=0x40, \
		pad_old=4, pad_new=0x40

/* NOP <-> BL: a function tracer's site. */
	site_begin a64_nop_bl
	nop
	br	x9			/* nop: no pad passed */
	pad	0x40, ret
	site_end a64_nop_bl, old=0xd503201f, new=0x94000010, resume=4, target=0x40, \
		pad_old=NO_PAD, pad_new=0x40

/* BL <-> BL: a call with another target. */
	site_begin a64_bl_bl
	bl	1000b + 0x40
	br	x9
	.fill	(1000b + 0x20 - .) / 4, 4, 0
	bl	1000b + 0x40		/* the old form out of line, for a trapped CPU */
	b	1000b + 4
	pad	0x40, ret
	pad	0x80, ret
	site_end a64_bl_bl, old=0x94000010, new=0x94000020, resume=0x20, target=0x80, \
		pad_old=0x40, pad_new=0x80

/* MOVZ with another immediate: not an instruction that may be modified while it is executed. */
	site_begin a64_movz
	movz	x0, #0x1111
	pad	4
	.fill	(1000b + 0x20 - .) / 4, 4, 0
	movz	x0, #0x1111
	b	1000b + 4
	site_end a64_movz, old=0xd2822220, new=0xd2844440, resume=0x20, target=4, \
		pad_old=4, pad_new=4, value_old=0x1111, value_new=0x2222

	.section .note.GNU-stack, "", @progbits
