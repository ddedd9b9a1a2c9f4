// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_image_fixture.c - owns a writer of ELF files that is independent of
 * libelf, so that the two cannot agree on a mistake, and the one file written.
 */
#include "test_image_fixture.h"

#include <criterion/criterion.h>
#include <stddef.h>
#include <string.h>

struct fixture fixture;
struct image img;

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
	add_symbol(f, S_SPARE, "spare", STT_OBJECT, DATA + 0x300, 8);
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
		.patches_size = sizeof(struct cm_patches),
		.start = TEXT,
		.vectors = VECTORS,
		.vectors_stepped = VECTORS,
		.control = CONTROL,
		.cpu = CPUS,
		.counts = COUNTS,
		.patches = PATCHES,
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

void fixture_make(void)
{
	memset(&fixture, 0, sizeof(fixture));
	add_headers(&fixture);
	add_records(&fixture);
	add_symbols(&fixture);
}

void fixture_load(void)
{
	struct err err = { 0 };

	fixture_make();
	cr_assert(image_parse(&img, "t.elf", &fixture, sizeof(fixture), &err), "%s", err.text);
}

void fixture_drop(void)
{
	image_fini(&img);
}

void fixture_assert_empty(const char *what)
{
	static const struct image nothing;

	cr_assert(!memcmp(&img, &nothing, sizeof(img)), "%s: a failed load left something", what);
}
