// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_image.c - the image loader against a small valid image, against every
 * way to damage it, and against the guest that was really built.
 *
 * Owns a writer of ELF files that is independent of libelf, so that the two
 * cannot agree on a mistake. Needs no KVM.
 */
#include "image.h"

#include <criterion/criterion.h>
#include <elf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TEXT   (CM_IMAGE_BASE + 0x0000u)
#define RODATA (CM_IMAGE_BASE + 0x2000u)
#define DATA   (CM_IMAGE_BASE + 0x3000u)

#define SITE_CODE (TEXT + 0x80)
#define VECTORS	  (TEXT + 0x1000) /* in the part that the file does not hold */
#define CONTROL	  DATA
#define CPUS	  (DATA + 0x400)
#define COUNTS	  (DATA + 0x1000)
#define GHOST_END (DATA + 0x6000)
#define STACKS	  (DATA + 0x6000)
#define DATA_SIZE (0x6000u + CM_MAX_VCPUS * CM_STACKS * CM_STACK_SIZE)

enum {
	S_NULL,
	S_FILE,
	S_ABI,
	S_SITE,
	S_PROTOCOL,
	S_SUMMARY,
	S_START,
	S_STEP,
	S_LABEL,
	S_INNER,
	S_CONTROL,
	S_TWIN,
	S_TWIN2,
	S_MAPPING,
	S_SPARE,
	S_COUNT
};

/* A whole ELF file. What a test damages is a member. */
struct fixture {
	Elf64_Ehdr ehdr;
	Elf64_Phdr phdr[3];
	uint8_t text[0x200];
	struct rodata {
		struct cm_abi abi;
		struct cm_site_record site;
		uint8_t protocol[64];
		char summary[32];
		char filler[512]; /* no NUL up to the end of the segment */
	} rodata;
	uint8_t data[16];
	Elf64_Sym symbol[S_COUNT];
	char strings[256];
	Elf64_Shdr section[3];
};

static struct fixture fixture;
static struct image img;
static struct err err;

static uint32_t add_string(struct fixture *f, const char *text)
{
	static uint32_t end;

	if (!strcmp(text, "test.c"))
		end = 1;
	strcpy(f->strings + end, text);
	end += strlen(text) + 1;
	cr_assert_leq(end, sizeof(f->strings));
	return end - strlen(text) - 1;
}

static void add_symbol(struct fixture *f, size_t i, const char *name, unsigned int type,
		       uint64_t address, uint64_t size)
{
	f->symbol[i] = (Elf64_Sym){
		.st_name = add_string(f, name),
		.st_info = ELF64_ST_INFO(STB_GLOBAL, type),
		.st_shndx = type == STT_FILE ? SHN_ABS : 1,
		.st_value = address,
		.st_size = size,
	};
}

static void add_symbols(struct fixture *f)
{
	const uint64_t rodata = RODATA;

	add_symbol(f, S_FILE, "test.c", STT_FILE, 0, 0);
	add_symbol(f, S_ABI, "cm_abi", STT_OBJECT, rodata + offsetof(struct rodata, abi),
		   sizeof(struct cm_abi));
	add_symbol(f, S_SITE, "cm_site_nop5", STT_OBJECT, rodata + offsetof(struct rodata, site),
		   0);
	add_symbol(f, S_PROTOCOL, "cm_protocol_naive", STT_OBJECT,
		   rodata + offsetof(struct rodata, protocol), 64);
	add_symbol(f, S_SUMMARY, "cm_summary_naive", STT_OBJECT,
		   rodata + offsetof(struct rodata, summary), 32);
	add_symbol(f, S_START, "start", STT_FUNC, TEXT, 0x20);
	add_symbol(f, S_STEP, "start.tail", STT_NOTYPE, TEXT + 0x10, 0);
	add_symbol(f, S_LABEL, "common", STT_NOTYPE, TEXT + 0x40, 0);
	add_symbol(f, S_INNER, "a_begin", STT_NOTYPE, TEXT, 0);
	add_symbol(f, S_CONTROL, "control", STT_OBJECT, CONTROL, sizeof(struct cm_control));
	add_symbol(f, S_TWIN, "patch", STT_FUNC, TEXT + 0x60, 8);
	add_symbol(f, S_TWIN2, "patch", STT_FUNC, TEXT + 0x70, 8);
	add_symbol(f, S_MAPPING, "$x", STT_NOTYPE, TEXT, 0);
	add_symbol(f, S_SPARE, "spare", STT_OBJECT, DATA + 0x200, 8);
}

static Elf64_Phdr load(uint64_t offset, uint64_t address, uint64_t filesz, uint64_t memsz,
		       uint32_t flags)
{
	return (Elf64_Phdr){
		.p_type = PT_LOAD,
		.p_flags = flags,
		.p_offset = offset,
		.p_vaddr = address,
		.p_paddr = address,
		.p_filesz = filesz,
		.p_memsz = memsz,
		.p_align = 4096,
	};
}

static void add_headers(struct fixture *f)
{
	f->ehdr = (Elf64_Ehdr){
		.e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB,
			     EV_CURRENT },
		.e_type = ET_EXEC,
		.e_machine = EM_X86_64,
		.e_version = EV_CURRENT,
		.e_entry = TEXT,
		.e_phoff = offsetof(struct fixture, phdr),
		.e_shoff = offsetof(struct fixture, section),
		.e_ehsize = sizeof(Elf64_Ehdr),
		.e_phentsize = sizeof(Elf64_Phdr),
		.e_phnum = 3,
		.e_shentsize = sizeof(Elf64_Shdr),
		.e_shnum = 3,
	};
	/* Out of order in the file: the loader sorts. */
	f->phdr[0] =
		load(offsetof(struct fixture, data), DATA, sizeof(f->data), DATA_SIZE, PF_R | PF_W);
	f->phdr[1] =
		load(offsetof(struct fixture, text), TEXT, sizeof(f->text), 0x2000, PF_R | PF_X);
	f->phdr[2] = load(offsetof(struct fixture, rodata), RODATA, sizeof(f->rodata),
			  sizeof(f->rodata), PF_R);
	f->section[1] = (Elf64_Shdr){
		.sh_type = SHT_SYMTAB,
		.sh_offset = offsetof(struct fixture, symbol),
		.sh_size = sizeof(f->symbol),
		.sh_link = 2,
		.sh_info = 1,
		.sh_entsize = sizeof(Elf64_Sym),
		.sh_addralign = 8,
	};
	f->section[2] = (Elf64_Shdr){
		.sh_type = SHT_STRTAB,
		.sh_offset = offsetof(struct fixture, strings),
		.sh_size = sizeof(f->strings),
		.sh_addralign = 1,
	};
}

static void add_records(struct fixture *f)
{
	static const uint8_t nop5[] = { 0x0f, 0x1f, 0x44, 0x00, 0x00 };
	static const uint8_t jmp5[] = { 0xe9, 0x0b, 0x00, 0x00, 0x00 };

	f->rodata.abi = (struct cm_abi){
		.magic = CM_ABI_MAGIC,
		.version = CM_ABI_VERSION,
		.isa = CM_ISA_X86_64,
		.control_size = sizeof(struct cm_control),
		.cpu_size = sizeof(struct cm_cpu),
		.counts_size = sizeof(struct cm_counts),
		.site_record_size = sizeof(struct cm_site_record),
		.start = TEXT,
		.vectors = VECTORS,
		.vectors_stepped = VECTORS,
		.control = CONTROL,
		.cpu = CPUS,
		.counts = COUNTS,
		.stacks = STACKS,
		.loop = TEXT + 0x50,
		.ghost_start = COUNTS,
		.ghost_end = GHOST_END,
		.selfcheck = 0,
	};
	f->rodata.site = (struct cm_site_record){
		.isa = CM_ISA_X86_64,
		.image_size = 0x40,
		.image = SITE_CODE,
		.site_offset = 8,
		.length = 5,
		.resume_offset = 5,
		.target_offset = 16,
		.pad_old = CM_NO_PAD,
		.pad_new = 0x37,
	};
	memcpy(f->rodata.site.old_bytes, nop5, sizeof(nop5));
	memcpy(f->rodata.site.new_bytes, jmp5, sizeof(jmp5));
	memset(f->text, 0xcc, sizeof(f->text));
	memcpy(f->text + 0x80 + 8, nop5, sizeof(nop5));
	strcpy(f->rodata.summary, "head, then tail");
	memset(f->rodata.filler, 'x', sizeof(f->rodata.filler));
	memset(f->data, 0x5a, sizeof(f->data));
}

static void make_fixture(void)
{
	memset(&fixture, 0, sizeof(fixture));
	add_headers(&fixture);
	add_records(&fixture);
	add_symbols(&fixture);
	memset(&err, 0, sizeof(err));
}

static void load_fixture(void)
{
	make_fixture();
	cr_assert(image_parse(&img, "t.elf", &fixture, sizeof(fixture), &err), "%s", err.text);
}

static void drop_image(void)
{
	image_fini(&img);
}

static void assert_empty(const char *what)
{
	static const struct image nothing;

	cr_assert(!memcmp(&img, &nothing, sizeof(img)), "%s: a failed load left something", what);
}

TestSuite(image, .init = load_fixture, .fini = drop_image, .timeout = 20);

Test(image, loads_what_it_was_given)
{
	cr_expect_str_eq(img.path, "t.elf");
	cr_expect_eq(strspn(img.digest, "0123456789abcdef"), 32);
	cr_expect_eq(img.abi.start, TEXT);
	cr_expect_eq(img.memory_size, DATA + DATA_SIZE - TEXT);
	cr_assert_eq(img.nsegments, 3);
	cr_expect(img.segments[0].execute && !img.segments[0].write);
	cr_expect(!img.segments[1].execute && !img.segments[1].write);
	cr_expect(!img.segments[2].execute && img.segments[2].write);
	cr_expect_eq(img.segments[2].size, DATA_SIZE);
	/* All but the null, the file and the mapping symbol. */
	cr_expect_eq(img.nsymbols, S_COUNT - 3);
	cr_expect_eq(img.memory[DATA - TEXT + 15], 0x5a);
	cr_expect_eq(img.memory[DATA - TEXT + 16], 0);
}

Test(image, finds_its_registry)
{
	const struct image_protocol *p = image_protocol(&img, "naive");
	const struct image_site *s = image_site(&img, "nop5");

	cr_assert(p && s && img.nprotocols == 1 && img.nsites == 1);
	cr_expect_str_eq(p->summary, "head, then tail");
	cr_expect_eq(p->address, RODATA + offsetof(struct rodata, protocol));
	cr_expect_eq(s->code, img.memory + (SITE_CODE - TEXT));
	cr_expect_eq(s->record.pad_new, 0x37);
	cr_expect_null(image_protocol(&img, "naiv"));
	cr_expect_null(image_site(&img, "cm_site_nop5"));
}

Test(image, digest_follows_every_byte)
{
	struct image other;

	fixture.data[3] ^= 1;
	cr_assert(image_parse(&other, "t.elf", &fixture, sizeof(fixture), &err));
	cr_expect_str_neq(img.digest, other.digest);
	image_fini(&other);
	fixture.data[3] ^= 1;
	cr_assert(image_parse(&other, "u.elf", &fixture, sizeof(fixture), &err));
	cr_expect_str_eq(img.digest, other.digest);
	image_fini(&other);
}

Test(image, does_not_need_an_aligned_file)
{
	static char buf[sizeof(fixture) + 1];
	struct image other;

	memcpy(buf + 1, &fixture, sizeof(fixture));
	cr_assert(image_parse(&other, "t.elf", buf + 1, sizeof(fixture), &err), "%s", err.text);
	image_fini(&other);
}

Test(image, names_addresses)
{
	static const struct {
		uint64_t address;
		const char *name;
	} cases[] = {
		{ TEXT, "start" }, /* the sized function, not the label before it */
		{ TEXT + 4, "start+0x4" },
		{ TEXT + 0x10, "start.tail" },
		{ TEXT + 0x11, "start+0x11" }, /* sized symbols contain, labels do not */
		{ TEXT + 0x20, "start.tail+0x10" },
		{ TEXT + 0x40, "common" },
		{ TEXT + 0x5f, "common+0x1f" },
		{ CONTROL + 1, "control+0x1" },
		{ CONTROL + sizeof(struct cm_control), "0x100031f8" },
		{ RODATA + offsetof(struct rodata, site), "cm_site_nop5" },
		{ RODATA + offsetof(struct rodata, site) + 1, "0x10002079" },
		{ CM_TEXT_BASE, "0x20000000" },
		{ 0, "0x0" },
		{ UINT64_MAX, "0xffffffffffffffff" },
	};
	char buf[64], tiny[4];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		cr_expect_str_eq(image_name_address(&img, cases[i].address, buf, sizeof(buf)),
				 cases[i].name);
	cr_expect_str_eq(image_name_address(&img, TEXT, tiny, sizeof(tiny)), "sta");
}

Test(image, gives_bytes_of_one_segment_only)
{
	cr_expect_eq(image_bytes(&img, TEXT, 0x2000), img.memory);
	cr_expect_null(image_bytes(&img, TEXT, 0x2001));
	cr_expect_null(image_bytes(&img, TEXT - 1, 1));
	cr_expect_null(image_bytes(&img, RODATA + sizeof(struct rodata), 1));
	cr_expect_null(image_bytes(&img, RODATA, SIZE_MAX));
	cr_expect_null(image_bytes(&img, UINT64_MAX, 2));
}

Test(image, resolves_names)
{
	static const struct {
		const char *text;
		uint64_t address;
	} cases[] = {
		{ "start", TEXT },
		{ "start.tail", TEXT + 0x10 },
		{ "common+0x1f", TEXT + 0x5f },
		{ "common+0X1F", TEXT + 0x5f },
		{ "common+12", TEXT + 0x4c },
		{ "common+010", TEXT + 0x4a },
		{ "common-4", TEXT + 0x3c },
	};
	uint64_t address = 0;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		cr_assert(image_resolve(&img, cases[i].text, &address, &err), "%s", err.text);
		cr_expect_eq(address, cases[i].address, "%s", cases[i].text);
	}
}

Test(image, refuses_unknown_names)
{
	static const struct {
		const char *text, *expect;
	} cases[] = {
		{ "strat", "no symbol 'strat' in t.elf; nearest: start, spare, patch" },
		{ "comon+4", "no symbol 'comon' in t.elf; nearest: common, control, " },
		{ "", "no symbol '' in t.elf" },
		{ "+4", "no symbol '' in t.elf" },
		{ "$x", "no symbol '$x'" },
		{ "test.c", "no symbol 'test.c'" },
		{ "start+", "the offset must be like +0x1f, +12 or -4" },
		{ "start+ 4", "the offset must be like" },
		{ "start+-4", "the offset must be like" },
		{ "start+0x", "the offset must be like" },
		{ "start+4x", "the offset must be like" },
		{ "start+4+4", "the offset must be like" },
		{ "start+99999999999999999999", "the offset must be like" },
		{ "start+0xffffffffffffffff", "out of the address space" },
		{ "start-0x10000001", "out of the address space" },
		{ "patch", "symbol 'patch' is at 0x10000060 and at 0x10000070" },
	};
	uint64_t address = 42;
	char text[600];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		cr_expect_not(image_resolve(&img, cases[i].text, &address, &err));
		cr_expect_eq(err.code, ERR_INPUT);
		cr_expect(strstr(err.text, cases[i].expect), "'%s': %s", cases[i].text, err.text);
		cr_expect_eq(address, 42);
	}
	memset(text, 'y', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	cr_expect_not(image_resolve(&img, text, &address, &err));
	text[400] = '+';
	cr_expect_not(image_resolve(&img, text, &address, NULL));
}

/* ---- damages ----------------------------------------------------------- */

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
	{ AT(symbol[S_ABI].st_size), 119, "cm_abi: symbol of 119 bytes, must be 120" },
	{ AT(symbol[S_ABI].st_size), 0, "cm_abi: symbol of 0 bytes, must be 120" },
	{ AT(symbol[S_ABI].st_value), RODATA - 1, "cm_abi: the record at 0x10001fff" },
	{ AT(symbol[S_ABI].st_value), UINT64_MAX, "is not inside one segment" },
	{ AT(rodata.abi.magic), 1, "cm_abi: magic 0x1, must be 0x31444f4d53534f52" },
	{ AT(rodata.abi.version), 3,
	  "image has ABI version 3, this crossmod speaks 1; rebuild the guest" },
	{ AT(rodata.abi.isa), 0, "cm_abi.isa: 0" },
	{ AT(rodata.abi.isa), CM_ISA_A64,
	  "cm_abi.isa: 2, but the ELF header's machine runs ISA 1" },
	{ AT(ehdr.e_machine), EM_AARCH64,
	  "cm_abi.isa: 1, but the ELF header's machine runs ISA 2" },
	{ AT(ehdr.e_machine), EM_ARM, "cm_abi.isa: 1" },
	{ AT(rodata.abi.control_size), 8, "cm_abi.control_size: 8, must be 504" },
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
	{ AT(rodata.abi.control), TEXT, "cm_abi.control: 0x10000000 (504 bytes)" },
	{ AT(rodata.abi.control), CONTROL + 4, "cm_abi.control: 0x10003004 is not 8-byte aligned" },
	{ AT(rodata.abi.cpu), RODATA, "cm_abi.cpu: 0x10002000 (1408 bytes)" },
	{ AT(rodata.abi.counts), DATA + DATA_SIZE - 8, "cm_abi.counts" },
	{ AT(rodata.abi.stacks), STACKS + 16, "cm_abi.stacks" },
	{ AT(rodata.abi.stacks), STACKS - 8, "cm_abi.stacks: 0x10008ff8 is not 16-byte aligned" },
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
		make_fixture();
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
		assert_empty(d->expect);
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
		assert_empty("cut");
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
			assert_empty("chance");
		}
	}
	/* Most bytes are padding: were all refused, nothing would have been tried. */
	cr_expect_gt(loaded, 1000);
	cr_expect_lt(loaded, 19000);
}

/* ---- files ------------------------------------------------------------- */

Test(image, loads_a_file)
{
	char path[] = "/tmp/crossmod-image-XXXXXX";
	struct image other = { 0 };
	int fd = mkstemp(path);

	cr_assert_geq(fd, 0);
	cr_assert_eq(write(fd, &fixture, sizeof(fixture)), (ssize_t)sizeof(fixture));
	close(fd);
	cr_expect(image_load(&other, path, &err), "%s", err.text);
	unlink(path);
	cr_expect_str_eq(other.digest, img.digest);
	cr_expect_str_eq(other.path, path);
	image_fini(&other);
	image_fini(&other);
}

Test(image, refuses_what_is_no_file)
{
	static const struct {
		const char *path, *expect;
	} cases[] = {
		{ "/nonexistent/guest.elf", "/nonexistent/guest.elf: No such file or directory" },
		{ "/tmp", "/tmp: must be a regular file" },
		{ "/dev/null", "/dev/null: must be a regular file" },
	};

	image_fini(&img);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		cr_expect_not(image_load(&img, cases[i].path, &err));
		cr_expect_eq(err.code, ERR_INPUT);
		cr_expect(strstr(err.text, cases[i].expect), "%s", err.text);
		assert_empty(cases[i].path);
	}
}

/* The guest as built, when it is: the fixture must not be the only thing that loads. */
Test(image, loads_the_guest)
{
	const char *build = getenv("CROSSMOD_BUILD");
	char path[4096];

	snprintf(path, sizeof(path), "%s/guest-x86_64.elf", build ? build : "build");
	if (access(path, R_OK))
		cr_skip_test("%s is not built", path);
	image_fini(&img);
	cr_assert(image_load(&img, path, &err), "%s", err.text);
	cr_expect_gt(img.nprotocols, 0);
	cr_expect_gt(img.nsites, 0);
	for (size_t i = 0; i < img.nsites; i++)
		cr_expect_eq(image_site(&img, img.sites[i].name), &img.sites[i]);
	for (size_t i = 0; i < img.nprotocols; i++)
		cr_expect_eq(image_protocol(&img, img.protocols[i].name), &img.protocols[i]);
}
