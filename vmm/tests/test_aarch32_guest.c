// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_aarch32_guest.c - the image with the AArch32 kernel as this host can see
 * it: ELF32 and T32 addresses read right, the same kinds of site and the same
 * protocols as beside the A64 kernel, no exclusive, and maintenance by MCR.
 */
#include "image/image.h"
#include "image/insn.h"
#include "model/coverage.h"

#include <elf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

static struct image img, a64;
static struct insn_decoder t32;
static char path[512];

static void load(struct image *image, const char *isa)
{
	const char *build = getenv("CROSSMOD_BUILD");
	struct err e;

	snprintf(path, sizeof(path), "%s/guest-%s.elf", build ? build : "build", isa);
	cr_assert(image_load(image, path, &e), "%s", e.text);
}

static void set_up(void)
{
	struct err e;

	load(&a64, "arm64");
	load(&img, "arm");
	cr_assert(insn_init(&t32, CM_ISA_T32, &e), "%s", e.text);
}

static void tear_down(void)
{
	insn_fini(&t32);
	image_fini(&img);
	image_fini(&a64);
}

TestSuite(aarch32_guest, .init = set_up, .fini = tear_down);

Test(aarch32_guest, addresses_have_no_thumb_bit)
{
	const struct image_symbol *start = image_symbol(&img, "cm_start");
	size_t functions = 0;

	cr_expect_eq(img.abi.isa, CM_ISA_T32);
	cr_assert(start && start->function && start->size);
	cr_expect_eq(img.abi.start, start->address);
	cr_expect_eq(img.abi.loop, image_symbol(&img, "cm_executor_loop")->address);
	cr_expect_eq(img.abi.vectors % 32, 0, "VBAR");
	for (size_t i = 0; i < img.nsymbols; i++) {
		functions += img.symbols[i].function;
		cr_expect(!img.symbols[i].function || img.symbols[i].address % 2 == 0, "%s",
			  img.symbols[i].name);
	}
	cr_expect_gt(functions, 20);
}

/* What is about A64 sites only has none here: that is how the image says so. */
Test(aarch32_guest, holds_the_t32_sites_and_the_protocols_of_the_other)
{
	size_t t32_kinds = 0;

	for (size_t i = 0; i < a64.nsites; i++) {
		const struct cm_site_record *theirs = &a64.sites[i].record;
		const struct image_site *own = image_site(&img, a64.sites[i].name);

		cr_assert_eq(own != NULL, theirs->isa == CM_ISA_T32, "%s", a64.sites[i].name);
		if (!own)
			continue;
		t32_kinds++;
		cr_expect_eq(own->record.image_size, theirs->image_size, "%s", own->name);
		cr_expect_arr_eq(own->code, a64.sites[i].code, theirs->image_size, "%s", own->name);
		cr_expect_arr_eq(&own->record.site_offset, &theirs->site_offset,
				 sizeof(*theirs) - offsetof(struct cm_site_record, site_offset),
				 "%s", own->name);
	}
	cr_expect_eq(img.nsites, t32_kinds);
	cr_assert_eq(img.nprotocols, a64.nprotocols);
	for (size_t i = 0; i < img.nprotocols; i++) {
		cr_expect_str_eq(img.protocols[i].name, a64.protocols[i].name);
		cr_expect_str_eq(img.protocols[i].summary, a64.protocols[i].summary);
	}
}

/* LDREX, STREX, their sizes and LDAEX, STLEX (DDI 0487, F3.1.10); TBB, LDA and STL are none. */
static bool is_exclusive(uint32_t first, uint32_t second)
{
	uint32_t op = second >> 4 & 15;

	if ((first & 0xffe0) == 0xe840)
		return true;
	return (first & 0xffe0) == 0xe8c0 && op != 0 && op != 1 && (op < 8 || op > 11);
}

static uint32_t halfword(const uint8_t *at)
{
	return at[0] | (uint32_t)at[1] << 8;
}

/* (visit) for every instruction of every function; how many there are. */
static size_t each_instruction(void (*visit)(uint64_t at, const uint8_t *bytes, struct insn insn))
{
	size_t count = 0;

	for (size_t i = 0; i < img.nsymbols; i++) {
		const struct image_symbol *f = &img.symbols[i];
		struct insn insn = { 0 };

		for (uint64_t at = f->address; f->function && at < f->address + f->size;
		     at += insn.length) {
			const uint8_t *bytes = image_bytes(&img, at, f->address + f->size - at);

			insn = insn_decode(&t32, bytes, f->address + f->size - at, at);
			cr_assert(insn.length, "%s: %#llx", f->name, (unsigned long long)at);
			visit(at, bytes, insn);
			count++;
		}
	}
	return count;
}

static size_t cleans, invalidates, others;

static void look(uint64_t at, const uint8_t *bytes, struct insn insn)
{
	uint32_t first = halfword(bytes);

	if (insn.length == 4)
		cr_expect_not(is_exclusive(first, halfword(bytes + 2)), "%#llx: %04x %04x",
			      (unsigned long long)at, first, halfword(bytes + 2));
	cleans += insn.class == INSN_CACHE && insn.maintenance == MAINTAIN_CLEAN;
	invalidates += insn.class == INSN_CACHE && insn.maintenance == MAINTAIN_INVALIDATE;
	others += insn.class == INSN_CACHE && insn.maintenance == MAINTAIN_NOTHING;
}

Test(aarch32_guest, has_no_exclusives_and_maintains_by_mcr)
{
	cr_expect(is_exclusive(0xe851, 0x0f00) && is_exclusive(0xe841, 0x0200), "ldrex, strex");
	cr_expect(is_exclusive(0xe8d1, 0x0f4f) && is_exclusive(0xe8c1, 0x0f72), "ldrexb, strexd");
	cr_expect(is_exclusive(0xe8d1, 0x0fef) && is_exclusive(0xe8c1, 0x0fe2), "ldaex, stlex");
	cr_expect_not(is_exclusive(0xe8df, 0xf000) || is_exclusive(0xe8d1, 0x0faf), "tbb, lda");
	cr_expect_gt(each_instruction(look), 500);
	/* DCCMVAU; ICIMVAU and with it BPIMVA: in the kernel's call from EL0, too. */
	cr_expect_geq(cleans, 2);
	cr_expect_geq(invalidates, 2);
	cr_expect_eq(others, invalidates);
}

/* Hooks are pointers of 32 bits, bit 0 set. */
Test(aarch32_guest, coverage_finds_the_hooks)
{
	const struct image_protocol *p = image_protocol(&img, "thumb2_bkpt");
	uint8_t *executed = calloc(1, img.memory_size);
	struct coverage c, half;
	uint64_t patch = image_symbol(&img, "thumb2_patch")->address;

	cr_assert(p && executed);
	coverage_of(&img, p, &t32, executed, &c);
	cr_expect_gt(c.instructions, 60);
	cr_expect_eq(c.never, c.instructions);
	executed[patch - CM_IMAGE_BASE] = 1;
	coverage_of(&img, p, &t32, executed, &half);
	cr_expect_eq(half.never, c.never - 1);
	free(executed);
}

/* Of the file's first bytes: class, and machine. */
Test(aarch32_guest, is_an_elf32_and_nothing_else)
{
	static uint8_t bytes[1 << 20];
	FILE *f = fopen(path, "re");
	size_t size;
	struct image damaged = { 0 };
	struct err e = { 0 };

	cr_assert(f);
	size = fread(bytes, 1, sizeof(bytes), f);
	fclose(f);
	cr_assert(size > sizeof(Elf32_Ehdr) && size < sizeof(bytes));
	cr_expect_eq(bytes[EI_CLASS], ELFCLASS32);
	((Elf32_Ehdr *)(void *)bytes)->e_machine = EM_AARCH64;
	cr_expect_not(image_parse(&damaged, "g.elf", bytes, size, &e));
	cr_expect(strstr(e.text, "a 32-bit file"), "%s", e.text);
	((Elf32_Ehdr *)(void *)bytes)->e_machine = EM_ARM;
	cr_expect(image_parse(&damaged, "g.elf", bytes, size, &e), "%s", e.text);
	image_fini(&damaged);
	/* Cut off anywhere: an error, and no more. */
	for (size_t cut = 0; cut < size; cut += 997)
		cr_expect_not(image_parse(&damaged, "g.elf", bytes, cut, &e), "%zu", cut);
}
