// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_image_damage.c - the image loader against every way to damage an image,
 * one at a time, cut short and by chance. Needs no KVM.
 */
#include "test_image_fixture.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct err err;

/* Overwrite one little-endian member of the file with (value). */
struct damage {
	size_t offset, size;
	uint64_t value;
	const char *expect;
};

#define AT(member) offsetof(struct fixture, member), sizeof(fixture.member)

static const struct damage damages[] = {
	/* ELF header */
	{ AT(ehdr.e_ident[0]), 0, "not an ELF file" },
	{ AT(ehdr.e_ident[EI_CLASS]), ELFCLASS32, "a 32-bit file" },
	{ AT(ehdr.e_ident[EI_CLASS]), 9, "not an ELF file" },
	{ AT(ehdr.e_ident[EI_DATA]), ELFDATA2MSB, "big-endian" },
	{ AT(ehdr.e_machine), EM_386, "machine 3; must be EM_X86_64" },
	{ AT(ehdr.e_type), ET_DYN, "type 3; must be ET_EXEC" },
	{ AT(ehdr.e_phoff), UINT64_MAX, "program headers at offset 0xffffffffffffffff end past" },
	{ AT(ehdr.e_phoff), sizeof(struct fixture) - 1, "program headers at offset" },
	{ AT(ehdr.e_phnum), 0, "no PT_LOAD" },
	{ AT(ehdr.e_phnum), 0xfffe, "65534 program headers at offset 0x40 end past" },
	{ AT(ehdr.e_phnum), PN_XNUM, "65535 program and 3 section headers mean extended" },
	{ AT(ehdr.e_shnum), 0, "3 program and 0 section headers mean extended" },
	{ AT(ehdr.e_phentsize), 8, "program header entries of 8 bytes, must be 56" },
	{ AT(ehdr.e_shoff), UINT64_MAX - 63, "section headers at offset 0xffffffffffffffc0" },
	{ AT(ehdr.e_shnum), 0xfeff, "65279 section headers" },
	{ AT(ehdr.e_shentsize), 1, "section header entries of 1 bytes, must be 64" },
	{ AT(ehdr.e_shnum), 1, "no symbol table" },

	/* segments: [0] is data, [1] text, [2] rodata */
	{ AT(phdr[0].p_vaddr), CM_IMAGE_BASE - 1, "program header 0: PT_LOAD of" },
	{ AT(phdr[0].p_vaddr), UINT64_MAX - 4095, "is not inside the image range 0x10000000.." },
	{ AT(phdr[0].p_vaddr), CM_IMAGE_BASE + CM_IMAGE_MAX, "is not inside the image range" },
	{ AT(phdr[0].p_memsz), CM_IMAGE_MAX + 1, "is not inside the image range" },
	{ AT(phdr[0].p_memsz), UINT64_MAX, "is not inside the image range" },
	{ AT(phdr[2].p_memsz), 8, "program header 2: PT_LOAD with 0x" },
	{ AT(phdr[2].p_memsz), 0, "but 0x0 in memory" },
	{ AT(phdr[1].p_offset), sizeof(struct fixture),
	  "program header 1: PT_LOAD of 0x200 bytes" },
	{ AT(phdr[1].p_offset), UINT64_MAX, "ends past the end of the file" },
	{ AT(phdr[2].p_vaddr), TEXT + 0x1000, "overlap" },
	{ AT(phdr[1].p_memsz), 0x2001, "overlap" },
	{ AT(phdr[2].p_vaddr), DATA, "overlap" },
	{ AT(phdr[0].p_vaddr), RODATA + 0x800, "share a 4 KiB page" },
	{ AT(phdr[1].p_flags), PF_R | PF_W | PF_X, "both writable and executable" },

	/* symbol table */
	{ AT(section[1].sh_type), SHT_PROGBITS, "no symbol table" },
	{ AT(section[1].sh_offset), UINT64_MAX, "section 1 (symbol table)" },
	{ AT(section[1].sh_size), UINT64_MAX - 15, "section 1 (symbol table)" },
	{ AT(section[1].sh_size), 0, "section 1 (symbol table): empty" },
	{ AT(section[1].sh_size), 25, "section 1 (symbol table)" },
	{ AT(section[1].sh_entsize), 0, "in entries of 0; must be at most" },
	{ AT(section[1].sh_link), 0, "section 0: not a plain string table" },
	{ AT(section[1].sh_link), 77, "section 77: not a plain string table" },
	{ AT(section[1].sh_link), 1, "section 1: not a plain string table" },
	{ AT(section[2].sh_flags), SHF_COMPRESSED, "section 2: not a plain string table" },
	{ AT(section[2].sh_offset), sizeof(struct fixture) - 255,
	  "section 2 (string table): 0x100" },
	{ AT(section[2].sh_size), 0, "section 2 (string table): empty" },
	{ AT(strings[255]), 'x', "section 2 (string table): does not end in a NUL" },
	{ AT(symbol[S_START].st_name), 256, "symbol 6: its name is at 0x100, outside" },

	/* the ABI record */
	{ AT(symbol[S_ABI].st_name), 0, "no symbol cm_abi" },
	{ AT(symbol[S_ABI].st_shndx), SHN_UNDEF, "no symbol cm_abi" },
	{ AT(symbol[S_ABI].st_size), 135, "cm_abi: symbol of 135 bytes, must be 136" },
	{ AT(symbol[S_ABI].st_size), 0, "cm_abi: symbol of 0 bytes, must be 136" },
	{ AT(symbol[S_ABI].st_value), RODATA - 1, "cm_abi: the record at 0x10001fff" },
	{ AT(symbol[S_ABI].st_value), UINT64_MAX, "is not inside one segment" },
	{ AT(rodata.abi.magic), 1, "cm_abi: magic 0x1, must be 0x31444f4d53534f52" },
	{ AT(rodata.abi.version), 4,
	  "image has ABI version 4, this crossmod speaks 3; rebuild the guest" },
	{ AT(rodata.abi.isa), 0, "cm_abi.isa: 0" },
	{ AT(rodata.abi.isa), CM_ISA_A64,
	  "cm_abi.isa: 2, but the ELF header's machine runs ISA 1" },
	{ AT(ehdr.e_machine), EM_AARCH64,
	  "cm_abi.isa: 1, but the ELF header's machine runs ISA 2" },
	{ AT(ehdr.e_machine), EM_ARM,
	  "a 64-bit file; a guest image is ELFCLASS64, and one of EM_ARM" },
	{ AT(rodata.abi.control_size), 8, "cm_abi.control_size: 8, must be 512" },
	{ AT(rodata.abi.cpu_size), 8, "cm_abi.cpu_size" },
	{ AT(rodata.abi.counts_size), 8, "cm_abi.counts_size" },
	{ AT(rodata.abi.site_record_size), 80, "cm_abi.site_record_size: 80, must be 88" },
	{ AT(rodata.abi.start), 0, "cm_abi.start: 0x0" },
	{ AT(rodata.abi.start), DATA, "is not inside one executable segment" },
	{ AT(rodata.abi.vectors), VECTORS + 16, "cm_abi.vectors: 0x10001010 (4096 bytes)" },
	{ AT(rodata.abi.vectors), UINT64_MAX - 15, "cm_abi.vectors" },
	{ AT(rodata.abi.vectors_stepped), RODATA, "cm_abi.vectors_stepped" },
	{ AT(rodata.abi.loop), 0, "cm_abi.loop" },
	{ AT(rodata.abi.selfcheck), DATA, "cm_abi.selfcheck" },
	{ AT(rodata.abi.selfcheck), TEXT, NULL },
	{ AT(rodata.abi.control), TEXT, "cm_abi.control: 0x10000000 (512 bytes)" },
	{ AT(rodata.abi.control), CONTROL + 4, "cm_abi.control: 0x10003004 is not 8-byte aligned" },
	{ AT(rodata.abi.cpu), RODATA, "cm_abi.cpu: 0x10002000 (1280 bytes)" },
	{ AT(rodata.abi.counts), DATA + DATA_SIZE - 8, "cm_abi.counts" },
	{ AT(rodata.abi.patches_size), 8, "cm_abi.patches_size: 8, must be 9536" },
	{ AT(rodata.abi.patches), TEXT, "cm_abi.patches: 0x10000000 (9536 bytes)" },
	{ AT(rodata.abi.patches), PATCHES + 4, "cm_abi.patches: 0x" },
	{ AT(rodata.abi.stacks), STACKS + 16, "cm_abi.stacks" },
	{ AT(rodata.abi.stacks), STACKS - 8, "cm_abi.stacks: 0x1000aff8 is not 16-byte aligned" },
	{ AT(rodata.abi.ghost_start), GHOST_END + 1, "must not be above ghost_end" },
	{ AT(rodata.abi.ghost_end), UINT64_MAX, "cm_abi.ghost_start" },
	{ AT(rodata.abi.ghost_start), TEXT, "cm_abi.ghost_start" },
	{ AT(rodata.abi.ghost_start), GHOST_END, NULL },

	/* protocols */
	{ AT(symbol[S_SUMMARY].st_name), 0, "protocol naive: symbol cm_summary_naive is missing" },
	{ AT(symbol[S_SUMMARY].st_value), 8, "cm_summary_naive is outside every segment" },
	{ AT(symbol[S_SUMMARY].st_value), RODATA + offsetof(struct rodata, filler),
	  "cm_summary_naive is longer than 400 bytes" },
	{ AT(symbol[S_SUMMARY].st_value), RODATA + sizeof(struct rodata) - 400,
	  "cm_summary_naive does not end in a NUL" },
	{ AT(symbol[S_PROTOCOL].st_value), 0, "protocol naive: its record at 0x0" },
	{ AT(symbol[S_PROTOCOL].st_size), UINT64_MAX, "protocol naive: its record" },
	{ AT(symbol[S_PROTOCOL].st_info), ELF64_ST_INFO(STB_GLOBAL, STT_FUNC),
	  "symbol cm_protocol_naive: must be a data record" },
	{ AT(strings[1 + 7 + 7 + 13 + 12]), '\0', "symbol cm_protocol_: must be" },
	{ AT(strings[1 + 7 + 7 + 13 + 13]), '/', "symbol cm_protocol_n/ive: must be" },
	{ AT(symbol[S_SPARE].st_name), 1 + 7 + 7 + 13, "two symbols cm_protocol_naive" },

	/* sites */
	{ AT(symbol[S_SITE].st_value), RODATA + sizeof(struct rodata) - 87,
	  "site nop5: its record at" },
	{ AT(symbol[S_SITE].st_value), UINT64_MAX - 8, "site nop5: its record at" },
	{ AT(symbol[S_SITE].st_size), 80, "site nop5: its record at" },
	{ AT(symbol[S_SITE].st_info), ELF64_ST_INFO(STB_GLOBAL, STT_FUNC),
	  "symbol cm_site_nop5: must be a data record" },
	{ AT(rodata.site.isa), 0, "site nop5: ISA 0" },
	{ AT(rodata.site.isa), CM_ISA_T32, "site nop5: ISA 3, but the image's is 1" },
	{ AT(rodata.site.length), 0, "site nop5: length 0, must be 1 to 16" },
	{ AT(rodata.site.length), 17, "site nop5: length 17" },
	{ AT(rodata.site.image), TEXT + 0x2000 - 0x3f, "site nop5: its code at 0x10001fc1" },
	{ AT(rodata.site.image), UINT64_MAX, "site nop5: its code at" },
	{ AT(rodata.site.image_size), 0, "site nop5: code of 0 bytes" },
	{ AT(rodata.site.image_size), 0x6001,
	  "site nop5: code of 24577 bytes, must be 1 to 24576" },
	{ AT(rodata.site.site_offset), 0x3c, "site nop5: bytes 60..+5 are not inside its code" },
	{ AT(rodata.site.site_offset), UINT32_MAX, "site nop5: bytes 4294967295..+5" },
	{ AT(rodata.site.resume_offset), 0x38, "site nop5: resume_offset 56 is past the end" },
	{ AT(rodata.site.target_offset), UINT32_MAX - 1, "site nop5: target_offset 4294967294" },
	{ AT(rodata.site.pad_old), 0x38, "site nop5: pad_old" },
	{ AT(rodata.site.pad_new), 0x38, "site nop5: pad_new" },
	{ AT(rodata.site.old_bytes[4]), 1, "site nop5: old_bytes differ" },
	{ AT(text[0x80 + 8]), 0x90, "site nop5: old_bytes differ" },
	{ AT(rodata.site.old_bytes[5]), 1, NULL }, /* past its length: no matter */
};

Test(image, says_what_is_damaged)
{
	for (size_t i = 0; i < sizeof(damages) / sizeof(damages[0]); i++) {
		const struct damage *d = &damages[i];
		bool ok;

		image_fini(&img);
		fixture_make();
		memset(&err, 0, sizeof(err));
		memcpy((char *)&fixture + d->offset, &d->value, d->size);
		ok = image_parse(&img, "t.elf", &fixture, sizeof(fixture), &err);
		if (!d->expect) {
			cr_expect(ok, "damage %zu is none: %s", i, err.text);
			continue;
		}
		cr_expect_not(ok, "damage %zu accepted, want '%s'", i, d->expect);
		if (ok)
			continue;
		cr_expect(strstr(err.text, d->expect), "damage %zu: '%s', want '%s'", i, err.text,
			  d->expect);
		cr_expect_eq(strncmp(err.text, "t.elf: ", 7), 0, "%s", err.text);
		cr_expect_null(strchr(err.text, '\n'), "%s", err.text);
		cr_expect_eq(err.code, ERR_INPUT);
		fixture_assert_empty(d->expect);
	}
}

/* The damages that take more than one member. */
Test(image, two_equal_forms_are_no_site)
{
	image_fini(&img);
	memcpy(fixture.rodata.site.new_bytes, fixture.rodata.site.old_bytes, 5);
	cr_expect_not(image_parse(&img, "t.elf", &fixture, sizeof(fixture), &err));
	cr_expect(strstr(err.text, "old_bytes and new_bytes are the same"), "%s", err.text);
}

Test(image, a_site_too_far_into_its_code_fits_no_slot)
{
	image_fini(&img);
	fixture.rodata.site.image = TEXT;
	fixture.rodata.site.image_size = 0x2000;
	fixture.rodata.site.site_offset = CM_SLOT_ORIGIN + 1;
	cr_expect_not(image_parse(&img, "t.elf", &fixture, sizeof(fixture), &err));
	cr_expect(strstr(err.text, "4097 bytes of code before it, must be at most 4096"), "%s",
		  err.text);
}

Test(image, an_old_version_is_named_before_its_shorter_record_is)
{
	image_fini(&img);
	fixture.rodata.abi.version = 0;
	fixture.symbol[S_ABI].st_size = 64;
	cr_expect_not(image_parse(&img, "t.elf", &fixture, sizeof(fixture), &err));
	cr_expect(strstr(err.text, "image has ABI version 0"), "%s", err.text);
}

Test(image, a_long_name_is_refused)
{
	static char file[sizeof(fixture) + 1024];

	image_fini(&img);
	fixture.section[2].sh_offset = sizeof(fixture);
	fixture.section[2].sh_size = 1024;
	memcpy(file, &fixture, sizeof(fixture));
	memset(file + sizeof(fixture), 'n', 1023);
	cr_expect_not(image_parse(&img, "t.elf", file, sizeof(file), &err));
	cr_expect(strstr(err.text, "its name is longer than 255 bytes"), "%s", err.text);
}

Test(image, survives_being_cut_at_every_length)
{
	/* A copy of its own size, so that ASan sees a read past the cut. */
	for (size_t size = 0; size < sizeof(fixture); size++) {
		char *cut = malloc(size + !size);

		image_fini(&img);
		memcpy(cut, &fixture, size);
		cr_assert_not(image_parse(&img, "t.elf", cut, size, &err), "cut at %zu", size);
		fixture_assert_empty("cut");
		free(cut);
	}
}

static void ask_everything(const struct image *image)
{
	char name[64], text[300];
	uint64_t address;

	for (uint64_t a = CM_IMAGE_BASE - 1; a < CM_IMAGE_BASE + CM_IMAGE_MAX; a += 0x3fff)
		image_name_address(image, a, name, sizeof(name));
	for (size_t i = 0; i < image->nsymbols; i++) {
		image_name_address(image, image->symbols[i].address, name, sizeof(name));
		snprintf(text, sizeof(text), "%s+1", image->symbols[i].name);
		image_resolve(image, text, &address, NULL);
		cr_assert_not_null(image_symbol(image, image->symbols[i].name));
	}
}

/* xorshift64: the same damage on every host and in every run. */
static uint64_t next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

Test(image, survives_20000_damages_by_chance)
{
	uint64_t state = 0x9e3779b97f4a7c15u;
	unsigned int loaded = 0;

	for (unsigned int i = 0; i < 20000; i++) {
		struct fixture damaged = fixture;
		unsigned int n = 1 + next_random(&state) % 4;

		while (n--) {
			uint64_t r = next_random(&state);

			((uint8_t *)&damaged)[(r >> 8) % sizeof(damaged)] = (uint8_t)r;
		}
		image_fini(&img);
		if (image_parse(&img, "t.elf", &damaged, sizeof(damaged), &err)) {
			ask_everything(&img);
			loaded++;
		} else {
			cr_assert_eq(err.code, ERR_INPUT);
			fixture_assert_empty("chance");
		}
	}
	/* Most bytes are padding: were all refused, nothing would have been tried. */
	cr_expect_gt(loaded, 1000);
	cr_expect_lt(loaded, 19000);
}
