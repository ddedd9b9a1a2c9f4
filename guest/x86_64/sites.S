/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sites.S - the kinds of site. Each is position-independent code with the
 * site and a landing pad at every place a mixture of old and new bytes can
 * lead to inside the slot; everything else is INT3, so that a wild jump says
 * where it landed. The displacements are chosen for that:
 *
 *   rel32 = 0b 00 00 00	old 0F + new tail is 0F 0B: UD2, at the site itself
 *   nop5  = 0f 1f 44 00 00	new head + old tail jumps to +0x441f, a pad
 *
 * A pad leaves its own address in RDX. RAX comes in as a marker that is not a
 * canonical address (entry.S), so "add %al, (%rax)" and its like fault.
 */
#define CM_ISA_X86_64	1
#define NO_PAD		0xffffffff
#define MARKER		0x8000c0debad00000
#define VALUE_OLD	0x11111111
#define VALUE_NEW	0x22222222

	.section .rodata.sites, "a", @progbits

/* Fill with INT3 up to (offset) from the site, then a pad that returns. */
.macro pad offset
	.fill	1000b + (\offset) - ., 1, 0xcc
1001:	leaq	1001b(%rip), %rdx
	ret
.endm

.macro site_begin name
	.balign	64
	.pushsection .rodata.sites
1000:
.Limage_\name:
.endm

/*
 * Close the image and emit cm_site_<name>. Offsets are from the site's first
 * byte, (lead) bytes of code stand before it.
 */
.macro site_end name, old:req, new:req, resume:req, target:req, pad_old:req, pad_new:req, value_old=MARKER, value_new=MARKER, length=5, lead=0
.Lend_\name:
	.balign	8, 0xcc
	.globl	cm_site_\name
	.type	cm_site_\name, @object
cm_site_\name:
	.long	CM_ISA_X86_64
	.long	.Lend_\name - .Limage_\name
	.quad	.Limage_\name
	.long	\lead
	.long	\length
	.long	\resume
	.long	\target
	.long	\pad_old
	.long	\pad_new
	.quad	\value_old
	.quad	\value_new
	.byte	\old
	.fill	16 - \length, 1, 0
	.byte	\new
	.fill	16 - \length, 1, 0
	.size	cm_site_\name, . - cm_site_\name
	.popsection
.endm

/* NOP5 <-> JMP rel32: a jump label. */
	site_begin nop5_jmp5
	.byte	0x0f, 0x1f, 0x44, 0x00, 0x00
	pad	5			/* nop: falls through */
	pad	5 + 0x0b		/* jmp: the new target */
	pad	5 + 0x1f		/* e9 1f 00 00 00 */
	pad	5 + 0x440b		/* e9 0b 44 00 00 */
	pad	5 + 0x441f		/* e9 1f 44 00 00: new head, old tail */
	site_end nop5_jmp5, old="0x0f,0x1f,0x44,0x00,0x00", new="0xe9,0x0b,0x00,0x00,0x00", \
		resume=5, target=16, pad_old=5, pad_new=16

/* NOP5 <-> CALL rel32: a function tracer's site. */
	site_begin nop5_call5
	.byte	0x0f, 0x1f, 0x44, 0x00, 0x00
	ret				/* nop: no pad passed */
	pad	5 + 0x0b
	pad	5 + 0x1f
	pad	5 + 0x440b
	pad	5 + 0x441f
	site_end nop5_call5, old="0x0f,0x1f,0x44,0x00,0x00", new="0xe8,0x0b,0x00,0x00,0x00", \
		resume=5, target=16, pad_old=NO_PAD, pad_new=16

/* CALL rel32 <-> CALL rel32, two displacements that differ in two bytes: a static call. */
	site_begin call5_call5
	.byte	0xe8, 0x40, 0x02, 0x00, 0x00
	ret
	.fill	1000b + 0x40 - ., 1, 0xcc
	call	1000b + 5 + 0x240	/* the old form out of line, for a trapped CPU */
	jmp	1000b + 5
	pad	5 + 0x140		/* e8 40 01 00 00 */
	pad	5 + 0x180		/* the new function */
	pad	5 + 0x240		/* the old function */
	pad	5 + 0x280		/* e8 80 02 00 00 */
	site_end call5_call5, old="0xe8,0x40,0x02,0x00,0x00", new="0xe8,0x80,0x01,0x00,0x00", \
		resume=0x40, target=0x185, pad_old=0x245, pad_new=0x185

/* MOV $imm32, %eax with another immediate: an immediate value. */
	site_begin mov_imm32
	.byte	0xb8, 0x11, 0x11, 0x11, 0x11
	pad	5
	.fill	1000b + 0x40 - ., 1, 0xcc
	movl	$VALUE_OLD, %eax
	jmp	1000b + 5
	site_end mov_imm32, old="0xb8,0x11,0x11,0x11,0x11", new="0xb8,0x22,0x22,0x22,0x22", \
		resume=0x40, target=5, pad_old=5, pad_new=5, \
		value_old=VALUE_OLD, value_new=VALUE_NEW

/*
 * MOV $imm32, %eax <-> XOR $imm32, %eax: an opcode, and every byte behind it.
 * RAX comes in as the marker, so a mixture's value says of each byte which it was.
 */
	site_begin mov_xor_imm32
	.byte	0xb8, 0x11, 0x11, 0x11, 0x11
	pad	5
	.fill	1000b + 0x40 - ., 1, 0xcc
	movl	$VALUE_OLD, %eax
	jmp	1000b + 5
	site_end mov_xor_imm32, old="0xb8,0x11,0x11,0x11,0x11", new="0x35,0x22,0x22,0x22,0x22", \
		resume=0x40, target=5, pad_old=5, pad_new=5, \
		value_old=VALUE_OLD, value_new=((MARKER & 0xffffffff) ^ VALUE_NEW)

/* Five one-byte NOPs <-> JMP rel32: a CPU may stand between two of them. */
	site_begin nop1x5_jmp5
	.byte	0x90, 0x90, 0x90, 0x90, 0x90
	pad	5
	pad	5 + 0x0b
	pad	5 + 0x90		/* e9 90 00 00 00 */
	site_end nop1x5_jmp5, old="0x90,0x90,0x90,0x90,0x90", new="0xe9,0x0b,0x00,0x00,0x00", \
		resume=5, target=16, pad_old=5, pad_new=16

/*
 * NOP2 <-> JMP rel8. New head and old tail jump 6e back. 66 0b and the pad
 * behind it are OR -0x73(%rax), %cx.
 */
	site_begin nop2_jmp8
1001:	leaq	1001b(%rip), %rdx	/* eb 90 */
	ret
	.fill	0x6e - 8, 1, 0xcc
1000:	.byte	0x66, 0x90
	pad	2
	pad	2 + 0x0b
	site_end nop2_jmp8, old="0x66,0x90", new="0xeb,0x0b", resume=2, target=13, \
		pad_old=2, pad_new=13, length=2, lead=0x6e

/*
 * JMP rel32 <-> RET and four INT3: a static call's trampoline. Whatever stands
 * behind it, a RET is a RET; an old head with a new tail leads out of the slot.
 */
	site_begin jmp5_ret5
	.byte	0xe9, 0x0b, 0x00, 0x00, 0x00
	pad	5			/* behind a jump: nothing leads here */
	pad	5 + 0x0b
	pad	5 + 0xcc		/* e9 cc 00 00 00 */
	.fill	1000b + 0x100 - ., 1, 0xcc
	jmp	1000b + 5 + 0x0b	/* the old form out of line, for a trapped CPU */
	site_end jmp5_ret5, old="0xe9,0x0b,0x00,0x00,0x00", new="0xc3,0xcc,0xcc,0xcc,0xcc", \
		resume=0x100, target=16, pad_old=16, pad_new=NO_PAD

/* Jcc rel32 <-> Jcc rel32, six bytes: a conditional tail call. Flags come in as XOR left them. */
	site_begin jcc6_jcc6
	.byte	0x0f, 0x84, 0x40, 0x02, 0x00, 0x00
	pad	6			/* not taken */
	.fill	1000b + 0x40 - ., 1, 0xcc
	jz	1000b + 6 + 0x240	/* the old form out of line, for a trapped CPU */
	jmp	1000b + 6
	pad	6 + 0x140		/* 0f 84 40 01 00 00 */
	pad	6 + 0x180		/* the new function */
	pad	6 + 0x240		/* the old function */
	pad	6 + 0x280		/* 0f 84 80 02 00 00 */
	site_end jcc6_jcc6, old="0x0f,0x84,0x40,0x02,0x00,0x00", \
		new="0x0f,0x84,0x80,0x01,0x00,0x00", \
		resume=0x40, target=0x186, pad_old=0x246, pad_new=0x186, length=6

/*
 * Somebody else's breakpoint on NOP5 <-> JMP rel32: a probe, and the jump it is
 * optimised to. The old form traps; whose it is resumes behind it.
 */
	site_begin int3_jmp5
	.byte	0xcc, 0x1f, 0x44, 0x00, 0x00
	pad	5
	pad	5 + 0x0b
	pad	5 + 0x1f
	pad	5 + 0x440b
	pad	5 + 0x441f
	site_end int3_jmp5, old="0xcc,0x1f,0x44,0x00,0x00", new="0xe9,0x0b,0x00,0x00,0x00", \
		resume=5, target=16, pad_old=5, pad_new=16

	.section .note.GNU-stack, "", @progbits
