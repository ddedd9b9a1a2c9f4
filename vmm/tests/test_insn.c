// SPDX-License-Identifier: BSD-2-Clause
/* test_insn.c - classes, lengths, texts and targets of real encodings. */
#include "image/insn.h"

#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#define AT 0x20001000u

/* Bytes written as a string; they may hold zeros. */
#define BYTES(s) (const uint8_t *)(s), sizeof(s) - 1

struct encoding {
	const char *what;
	const uint8_t *bytes;
	size_t size;
	enum insn_class class;
};

static struct insn_decoder decoder;

static void setup(void)
{
	struct err e;

	cr_assert(insn_init(&decoder, CM_ISA_X86_64, &e), "%s", e.text);
}

static void teardown(void)
{
	insn_fini(&decoder);
}

TestSuite(insn, .init = setup, .fini = teardown);

static const struct encoding serialising[] = {
	{ "invd", BYTES("\x0f\x08"), INSN_SYNC },
	{ "invept rax, [rcx]", BYTES("\x66\x0f\x38\x80\x01"), INSN_SYNC },
	{ "invvpid rax, [rcx]", BYTES("\x66\x0f\x38\x81\x01"), INSN_SYNC },
	{ "invlpg [rax]", BYTES("\x0f\x01\x38"), INSN_SYNC },
	{ "lgdt [rax]", BYTES("\x0f\x01\x10"), INSN_SYNC },
	{ "lidt [rip+16]", BYTES("\x0f\x01\x1d\x10\x00\x00\x00"), INSN_SYNC },
	{ "lldt ax", BYTES("\x0f\x00\xd0"), INSN_SYNC },
	{ "ltr ax", BYTES("\x0f\x00\xd8"), INSN_SYNC },
	{ "mov cr0, rax", BYTES("\x0f\x22\xc0"), INSN_SYNC },
	{ "mov cr2, rbx", BYTES("\x0f\x22\xd3"), INSN_SYNC },
	{ "mov cr3, rax", BYTES("\x0f\x22\xd8"), INSN_SYNC },
	{ "mov cr3, r8", BYTES("\x41\x0f\x22\xd8"), INSN_SYNC },
	{ "mov cr4, r15", BYTES("\x41\x0f\x22\xe7"), INSN_SYNC },
	{ "rex.w mov cr0, rax", BYTES("\x48\x0f\x22\xc0"), INSN_SYNC },
	{ "a REX that is not the last prefix", BYTES("\x44\x66\x0f\x22\xc0"), INSN_SYNC },
	{ "the last of two REX", BYTES("\x44\x41\x0f\x22\xd8"), INSN_SYNC },
	{ "mov dr0, rax", BYTES("\x0f\x23\xc0"), INSN_SYNC },
	{ "mov dr7, r9", BYTES("\x41\x0f\x23\xf9"), INSN_SYNC },
	{ "wbinvd", BYTES("\x0f\x09"), INSN_SYNC },
	{ "cpuid", BYTES("\x0f\xa2"), INSN_SYNC },
	{ "rsm", BYTES("\x0f\xaa"), INSN_SYNC },
	{ "serialize", BYTES("\x0f\x01\xe8"), INSN_SYNC },
	{ "wrmsr", BYTES("\x0f\x30"), INSN_WRMSR },
	{ "iret", BYTES("\x66\xcf"), INSN_EVENT_RETURN },
	{ "iretd", BYTES("\xcf"), INSN_EVENT_RETURN },
	{ "iretq", BYTES("\x48\xcf"), INSN_EVENT_RETURN },
	{ "mfence", BYTES("\x0f\xae\xf0"), INSN_MFENCE },
};

/* The neighbours of the above that do not serialise. */
static const struct encoding plain[] = {
	{ "mov cr8, rax", BYTES("\x44\x0f\x22\xc0"), INSN_PLAIN },
	{ "mov cr8, r8", BYTES("\x45\x0f\x22\xc0"), INSN_PLAIN },
	{ "mov cr1, rax", BYTES("\x0f\x22\xc8"), INSN_PLAIN },
	{ "mov rax, cr3", BYTES("\x0f\x20\xd8"), INSN_PLAIN },
	{ "mov rax, dr7", BYTES("\x0f\x21\xf8"), INSN_PLAIN },
	{ "mov rax, rbx", BYTES("\x48\x89\xd8"), INSN_PLAIN },
	{ "mov fs:[rax], ecx", BYTES("\x64\x89\x08"), INSN_PLAIN },
	{ "mov al, 0x22", BYTES("\xb0\x22"), INSN_PLAIN },
	{ "sgdt [rax]", BYTES("\x0f\x01\x00"), INSN_PLAIN },
	{ "sidt [rax]", BYTES("\x0f\x01\x08"), INSN_PLAIN },
	{ "str ax", BYTES("\x66\x0f\x00\xc8"), INSN_PLAIN },
	{ "rdmsr", BYTES("\x0f\x32"), INSN_PLAIN },
	{ "rdtscp", BYTES("\x0f\x01\xf9"), INSN_PLAIN },
	{ "swapgs", BYTES("\x0f\x01\xf8"), INSN_PLAIN },
	{ "lfence", BYTES("\x0f\xae\xe8"), INSN_PLAIN },
	{ "sfence", BYTES("\x0f\xae\xf8"), INSN_PLAIN },
	{ "tpause eax", BYTES("\x66\x0f\xae\xf0"), INSN_PLAIN },
	{ "umonitor rax", BYTES("\xf3\x0f\xae\xf0"), INSN_PLAIN },
	{ "wbnoinvd", BYTES("\xf3\x0f\x09"), INSN_PLAIN },
	{ "invpcid rax, [rcx]", BYTES("\x66\x0f\x38\x82\x01"), INSN_PLAIN },
	{ "clts", BYTES("\x0f\x06"), INSN_PLAIN },
	{ "lmsw ax", BYTES("\x0f\x01\xf0"), INSN_PLAIN },
	{ "sysretq", BYTES("\x48\x0f\x07"), INSN_PLAIN },
	{ "syscall", BYTES("\x0f\x05"), INSN_PLAIN },
	{ "clflush [rax]", BYTES("\x0f\xae\x38"), INSN_PLAIN },
	{ "ret", BYTES("\xc3"), INSN_PLAIN },
	{ "int 0x80", BYTES("\xcd\x80"), INSN_PLAIN },
	{ "int 3, two bytes", BYTES("\xcd\x03"), INSN_PLAIN },
	{ "int1", BYTES("\xf1"), INSN_PLAIN },
	{ "lock cmpxchg [rax], rcx", BYTES("\xf0\x48\x0f\xb1\x08"), INSN_PLAIN },
	{ "nop5", BYTES("\x0f\x1f\x44\x00\x00"), INSN_PLAIN },
	{ "nop5 of the prefixes", BYTES("\x66\x66\x66\x66\x90"), INSN_PLAIN },
	{ "jmp rel32", BYTES("\xe9\x16\x00\x00\x00"), INSN_PLAIN },
	{ "call rel32", BYTES("\xe8\x16\x00\x00\x00"), INSN_PLAIN },
	{ "nop of 15 bytes", BYTES("\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x90"),
	  INSN_PLAIN },
};

static const struct encoding others[] = {
	{ "int3", BYTES("\xcc"), INSN_BREAKPOINT },
	{ "ud2", BYTES("\x0f\x0b"), INSN_UNDEFINED },
	{ "hlt", BYTES("\xf4"), INSN_WAIT },
	{ "in al, dx", BYTES("\xec"), INSN_IO },
	{ "in eax, 0x10", BYTES("\xe5\x10"), INSN_IO },
	{ "out 0xc3, al", BYTES("\xe6\xc3"), INSN_IO },
	{ "out dx, ax", BYTES("\x66\xef"), INSN_IO },
	{ "insb", BYTES("\x6c"), INSN_IO },
	{ "insw", BYTES("\x66\x6d"), INSN_IO },
	{ "rep insd", BYTES("\xf3\x6d"), INSN_IO },
	{ "outsb", BYTES("\x6e"), INSN_IO },
	{ "outsw", BYTES("\x66\x6f"), INSN_IO },
	{ "rep outsd", BYTES("\xf3\x6f"), INSN_IO },
};

static const struct encoding invalid[] = {
	{ "nothing", BYTES(""), INSN_INVALID },
	{ "push es", BYTES("\x06"), INSN_INVALID },
	{ "16 bytes", BYTES("\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x90"),
	  INSN_INVALID },
	{ "prefix only", BYTES("\x66"), INSN_INVALID },
	{ "setssbsy, unknown", BYTES("\xf3\x0f\x01\xe8"), INSN_INVALID },
	{ "lock of a register", BYTES("\xf0\x48\x89\xd8"), INSN_INVALID },
};

static void assert_class(const struct encoding *c)
{
	struct insn i = insn_decode(&decoder, c->bytes, c->size, AT);

	cr_assert_eq(i.class, c->class, "%s: class %d, not %d", c->what, i.class, c->class);
	cr_assert_eq(i.length, c->class == INSN_INVALID ? 0 : c->size, "%s: length %u", c->what,
		     i.length);
}

/* What follows does not matter, and what is missing makes it invalid. */
static void assert_extent(const struct encoding *c)
{
	uint8_t bytes[32];
	struct insn i;

	memset(bytes, 0xcc, sizeof(bytes));
	memcpy(bytes, c->bytes, c->size);
	i = insn_decode(&decoder, bytes, sizeof(bytes), AT);
	cr_assert_eq(i.class, c->class, "%s: followed by more", c->what);
	cr_assert_eq(i.length, c->size, "%s: followed by more", c->what);
	for (size_t size = 0; size < c->size; size++) {
		uint8_t *exact = malloc(size ? size : 1); /* for the sanitizer to see an overrun */

		memcpy(exact, c->bytes, size);
		i = insn_decode(&decoder, exact, size, AT);
		free(exact);
		cr_assert_eq(i.class, INSN_INVALID, "%s: %zu bytes of it", c->what, size);
		cr_assert_eq(i.length, 0, "%s: %zu bytes of it", c->what, size);
	}
}

#define FOR_EACH(c, table) \
	for (const struct encoding *c = table; c < table + sizeof(table) / sizeof(table[0]); c++)

Test(insn, classes)
{
	FOR_EACH(c, serialising)
	assert_class(c);
	FOR_EACH(c, plain)
	assert_class(c);
	FOR_EACH(c, others)
	assert_class(c);
	FOR_EACH(c, invalid)
	assert_class(c);
}

Test(insn, extents)
{
	FOR_EACH(c, serialising)
	assert_extent(c);
	FOR_EACH(c, plain)
	assert_extent(c);
	FOR_EACH(c, others)
	assert_extent(c);
}

/* The limit insn_x86.c states: if this changes, so must its comment. */
Test(insn, operand_size_of_a_near_branch)
{
	struct insn i = insn_decode(&decoder, BYTES("\x66\xe9\x10\x00\x00\x00"), AT);

	cr_assert_eq(i.length, 4, "AMD's length");
}

static void assert_text(const uint8_t *bytes, size_t size, const char *expected)
{
	char buf[64];

	insn_text(&decoder, bytes, size, AT, buf, sizeof(buf));
	cr_assert_str_eq(buf, expected);
}

Test(insn, text)
{
	char small[4];

	assert_text(BYTES("\xe9\x16\x00\x00\x00"), "jmp 0x2000101b");
	assert_text(BYTES("\xe8\xfb\xff\xff\xff"), "call 0x20001000");
	assert_text(BYTES("\xcc"), "int3");
	assert_text(BYTES("\x48\xcf"), "iretq");
	assert_text(BYTES("\x0f\x01\xe8"), "serialize");
	assert_text(BYTES("\x48\x89\xd8"), "mov rax, rbx");
	assert_text(BYTES("\x06"), "(bad)");
	assert_text(BYTES("\xe9\x16\x00"), "(bad)");
	assert_text(BYTES(""), "(bad)");
	insn_text(&decoder, BYTES("\x48\xcf"), AT, small, sizeof(small));
	cr_assert_str_eq(small, "ire");
}

static void assert_target(const uint8_t *bytes, size_t size, uint64_t expected)
{
	uint64_t target = 0;

	cr_assert(insn_direct_target(&decoder, bytes, size, AT, &target), "%02x", bytes[0]);
	cr_assert_eq(target, expected, "%02x: 0x%lx", bytes[0], (unsigned long)target);
}

Test(insn, direct_target)
{
	assert_target(BYTES("\xeb\x16"), AT + 2 + 0x16);
	assert_target(BYTES("\xeb\xfe"), AT);
	assert_target(BYTES("\xe9\x16\x00\x00\x00"), AT + 5 + 0x16);
	assert_target(BYTES("\xe8\xfb\xff\xff\xff"), AT);
	assert_target(BYTES("\x74\x10"), AT + 2 + 0x10);
	assert_target(BYTES("\x0f\x84\x10\x00\x00\x00"), AT + 6 + 0x10);
	assert_target(BYTES("\xe2\xfe"), AT);
	assert_target(BYTES("\xe1\xfe"), AT);
	assert_target(BYTES("\xe0\xfe"), AT);
	assert_target(BYTES("\xe3\x10"), AT + 2 + 0x10);
	assert_target(BYTES("\xf2\xe9\x10\x00\x00\x00"), AT + 6 + 0x10);
}

Test(insn, no_direct_target)
{
	static const struct encoding none[] = {
		{ "jmp rax", BYTES("\xff\xe0"), INSN_PLAIN },
		{ "jmp [rip]", BYTES("\xff\x25\x00\x00\x00\x00"), INSN_PLAIN },
		{ "call rax", BYTES("\xff\xd0"), INSN_PLAIN },
		{ "ret", BYTES("\xc3"), INSN_PLAIN },
		{ "ret 16", BYTES("\xc2\x10\x00"), INSN_PLAIN },
		{ "int 0x80", BYTES("\xcd\x80"), INSN_PLAIN },
		{ "push 0x10", BYTES("\x6a\x10"), INSN_PLAIN },
		{ "nop", BYTES("\x90"), INSN_PLAIN },
		{ "serialize", BYTES("\x0f\x01\xe8"), INSN_SYNC },
		{ "bad", BYTES("\x06"), INSN_INVALID },
		{ "truncated jmp", BYTES("\xe9\x10"), INSN_INVALID },
	};
	uint64_t target = 7;

	FOR_EACH(c, none)
	cr_assert_not(insn_direct_target(&decoder, c->bytes, c->size, AT, &target), "%s", c->what);
	cr_assert_eq(target, 7);
}

static void assert_stores(const uint8_t *bytes, size_t size, uint8_t operand)
{
	struct insn_access a = insn_access(&decoder, bytes, size, AT);

	cr_assert_eq(a.reach, REACH_MEMORY);
	cr_assert(a.write);
	cr_assert_eq(a.size, operand, "%u, expected %u", a.size, operand);
}

Test(insn, operand_size)
{
	assert_stores(BYTES("\x88\x07"), 1);
	assert_stores(BYTES("\x66\x89\x07"), 2);
	assert_stores(BYTES("\x89\x07"), 4);
	assert_stores(BYTES("\x48\x89\x07"), 8);
	assert_stores(BYTES("\xf0\x48\x0f\xc1\x07"), 8); /* lock xadd */
}

/* The list of SDM vol 3, "Serializing Instructions", its neighbours, and the upper half of RCX. */
Test(insn, what_a_wrmsr_writes_to_decides_whether_it_serialises)
{
	static const uint32_t lax[] = { 0x48,  0x49,  0x122, 0x6e0, 0x6e1,
					0x774, 0x802, 0x80b, 0x830, 0x83f };
	static const uint32_t strict[] = { 0x0,	  0x10,	 0x47,	0x4a,	     0x121,	 0x123,
					   0x6df, 0x6e2, 0x773, 0x775,	     0x7ff,	 0x900,
					   0xda0, 0x1b,	 0x277, 0xc0000080u, 0xc0000102u };

	for (size_t i = 0; i < sizeof(lax) / sizeof(lax[0]); i++) {
		cr_expect_not(insn_wrmsr_serialises(lax[i]), "%#x", lax[i]);
		cr_expect_not(insn_wrmsr_serialises(1ull << 32 | lax[i]), "%#x", lax[i]);
	}
	for (size_t i = 0; i < sizeof(strict) / sizeof(strict[0]); i++) {
		cr_expect(insn_wrmsr_serialises(strict[i]), "%#x", strict[i]);
		cr_expect(insn_wrmsr_serialises(0x48ull << 32 | strict[i]), "%#x", strict[i]);
	}
}

Test(insn, other_isas)
{
	static const enum cm_isa isas[] = { CM_ISA_A32, (enum cm_isa)0, (enum cm_isa)5 };

	for (size_t i = 0; i < sizeof(isas) / sizeof(isas[0]); i++) {
		struct insn_decoder d;
		struct err e;

		cr_assert_not(insn_init(&d, isas[i], &e));
		cr_assert_eq(e.code, ERR_UNSUPPORTED);
		insn_fini(&d);
	}
}
