// SPDX-License-Identifier: BSD-2-Clause
/*
 * image.c - reads a guest's ELF file.
 *
 * Owns the way from untrusted bytes to checked segments, memory and symbols.
 * Does not know what the ABI record, a protocol or a site is
 * (image_registry.c), how a name is found (image_lookup.c), and nothing of KVM.
 */
#include "image/image.h"
#include "image/image_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <inttypes.h>
#include <libelf.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#define IMAGE_PAGE	  4096u
#define IMAGE_FILE_MAX	  (64u << 20)
#define IMAGE_SYMBOLS_MAX 65536u

/* An ELF file while it is read. */
struct reader {
	struct image *img;
	const uint8_t *bytes;
	size_t size;
	Elf *elf;
	GElf_Ehdr ehdr;
	struct err *e;
};

bool image_bad(const struct image *img, struct err *e, const char *fmt, ...)
{
	char text[sizeof(e->text)];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return err_set(e, ERR_INPUT, "%s: %s", img->path, text);
}

static bool no_memory(const struct reader *r)
{
	return err_set(r->e, ERR_HOST, "%s: out of memory", r->img->path);
}

/* ---- ELF header -------------------------------------------------------- */

/* Is [offset, offset+size) inside the file? */
static bool in_file(const struct reader *r, uint64_t offset, uint64_t size)
{
	return offset <= r->size && size <= r->size - offset;
}

static bool check_table(const struct reader *r, const char *what, uint64_t offset, uint64_t count,
			uint64_t entry_size, uint64_t right_size)
{
	if (!count)
		return true;
	if (entry_size != right_size)
		return image_bad(r->img, r->e,
				 "ELF header: %s entries of %" PRIu64 " bytes, must be %" PRIu64,
				 what, entry_size, right_size);
	if (!in_file(r, offset, count * entry_size))
		return image_bad(r->img, r->e,
				 "ELF header: %" PRIu64 " %ss at offset 0x%" PRIx64
				 " end past the end of the file (%zu bytes); is it cut off?",
				 count, what, offset, r->size);
	return true;
}

static bool check_tables(const struct reader *r)
{
	const GElf_Ehdr *eh = &r->ehdr;

	/* Real counts are then elsewhere in the file; no guest has that many. */
	if (eh->e_phnum == PN_XNUM || (eh->e_shoff && !eh->e_shnum))
		return image_bad(r->img, r->e,
				 "ELF header: %u program and %u section headers mean extended "
				 "numbering, which a guest image does not use",
				 eh->e_phnum, eh->e_shnum);
	return check_table(r, "program header", eh->e_phoff, eh->e_phnum, eh->e_phentsize,
			   gelf_fsize(r->elf, ELF_T_PHDR, 1, EV_CURRENT)) &&
	       check_table(r, "section header", eh->e_shoff, eh->e_shnum, eh->e_shentsize,
			   gelf_fsize(r->elf, ELF_T_SHDR, 1, EV_CURRENT));
}

static bool read_header(struct reader *r)
{
	GElf_Ehdr *eh = &r->ehdr;

	if (elf_kind(r->elf) != ELF_K_ELF || !gelf_getehdr(r->elf, eh))
		return image_bad(r->img, r->e,
				 "not an ELF file, or cut off in its header; give a guest image "
				 "as `make guest` builds it");
	if (eh->e_ident[EI_DATA] != ELFDATA2LSB)
		return image_bad(r->img, r->e,
				 "ELF header: big-endian; a guest image is little-endian");
	if (eh->e_machine != EM_X86_64 && eh->e_machine != EM_AARCH64 && eh->e_machine != EM_ARM)
		return image_bad(r->img, r->e,
				 "ELF header: machine %u; must be EM_X86_64, EM_AARCH64 or EM_ARM",
				 eh->e_machine);
	if (gelf_getclass(r->elf) != (eh->e_machine == EM_ARM ? ELFCLASS32 : ELFCLASS64))
		return image_bad(
			r->img, r->e,
			"ELF header: a %d-bit file; a guest image is ELFCLASS64, and one of "
			"EM_ARM ELFCLASS32",
			gelf_getclass(r->elf) == ELFCLASS32 ? 32 : 64);
	if (eh->e_type != ET_EXEC)
		return image_bad(r->img, r->e,
				 "ELF header: type %u; must be ET_EXEC (linked -static, no PIE)",
				 eh->e_type);
	return check_tables(r);
}

static enum cm_isa machine_isa(const GElf_Ehdr *eh)
{
	return eh->e_machine == EM_X86_64  ? CM_ISA_X86_64 :
	       eh->e_machine == EM_AARCH64 ? CM_ISA_A64 :
					     CM_ISA_T32;
}

/* ---- segments ---------------------------------------------------------- */

static uint64_t page_up(uint64_t x)
{
	return (x + IMAGE_PAGE - 1) & ~(uint64_t)(IMAGE_PAGE - 1);
}

static bool check_segment(const struct reader *r, size_t index, const GElf_Phdr *ph)
{
	const struct image *img = r->img;
	uint64_t base = CM_IMAGE_BASE, max = CM_IMAGE_MAX;

	if (ph->p_filesz > ph->p_memsz)
		return image_bad(img, r->e,
				 "program header %zu: PT_LOAD with 0x%" PRIx64
				 " bytes in the file but 0x%" PRIx64 " in memory",
				 index, ph->p_filesz, ph->p_memsz);
	if (!in_file(r, ph->p_offset, ph->p_filesz))
		return image_bad(img, r->e,
				 "program header %zu: PT_LOAD of 0x%" PRIx64
				 " bytes at offset 0x%" PRIx64
				 " ends past the end of the file (%zu bytes)",
				 index, ph->p_filesz, ph->p_offset, r->size);
	if (ph->p_vaddr < base || ph->p_memsz > max || ph->p_vaddr - base > max - ph->p_memsz)
		return image_bad(img, r->e,
				 "program header %zu: PT_LOAD of 0x%" PRIx64
				 " bytes at address 0x%" PRIx64
				 " is not inside the image range 0x%" PRIx64 "..0x%" PRIx64,
				 index, ph->p_memsz, ph->p_vaddr, base, base + max);
	if ((ph->p_flags & PF_W) && (ph->p_flags & PF_X))
		return image_bad(img, r->e,
				 "program header %zu: PT_LOAD is both writable and executable; "
				 "split it into one of each",
				 index);
	return true;
}

static int compare_segments(const void *a, const void *b)
{
	const struct image_segment *x = a, *y = b;

	return (x->address > y->address) - (x->address < y->address);
}

static bool check_overlaps(const struct reader *r)
{
	const struct image *img = r->img;

	for (size_t i = 1; i < img->nsegments; i++) {
		const struct image_segment *a = &img->segments[i - 1], *b = &img->segments[i];

		if (a->address + a->size > b->address)
			return image_bad(img, r->e,
					 "segments at 0x%" PRIx64 " (0x%" PRIx64
					 " bytes) and 0x%" PRIx64 " overlap",
					 a->address, a->size, b->address);
		if (page_up(a->address + a->size) > b->address)
			return image_bad(img, r->e,
					 "segments at 0x%" PRIx64 " (0x%" PRIx64
					 " bytes) and 0x%" PRIx64
					 " share a 4 KiB page; align each to a page of its own",
					 a->address, a->size, b->address);
	}
	return true;
}

/* An empty PT_LOAD is nothing to load; linkers leave such behind. */
static bool loadable(const GElf_Phdr *ph)
{
	return ph->p_type == PT_LOAD && (ph->p_memsz || ph->p_filesz);
}

static bool read_segments(struct reader *r)
{
	struct image *img = r->img;
	GElf_Phdr ph;

	img->segments = calloc(r->ehdr.e_phnum + 1u, sizeof(*img->segments));
	if (!img->segments)
		return no_memory(r);
	for (int i = 0; i < r->ehdr.e_phnum; i++) {
		if (!gelf_getphdr(r->elf, i, &ph))
			return image_bad(img, r->e, "program header %d: %s", i, elf_errmsg(-1));
		if (!loadable(&ph))
			continue;
		if (!check_segment(r, i, &ph))
			return false;
		img->segments[img->nsegments++] = (struct image_segment){
			.address = ph.p_vaddr,
			.size = ph.p_memsz,
			.filled = ph.p_filesz,
			.write = ph.p_flags & PF_W,
			.execute = ph.p_flags & PF_X,
		};
	}
	if (!img->nsegments)
		return image_bad(img, r->e, "no PT_LOAD program header: nothing to load");
	qsort(img->segments, img->nsegments, sizeof(*img->segments), compare_segments);
	return check_overlaps(r);
}

static bool read_memory(struct reader *r)
{
	struct image *img = r->img;
	const struct image_segment *last = &img->segments[img->nsegments - 1];
	GElf_Phdr ph;

	img->memory_size = page_up(last->address + last->size) - CM_IMAGE_BASE;
	img->memory = calloc(1, img->memory_size);
	if (!img->memory)
		return no_memory(r);
	for (int i = 0; i < r->ehdr.e_phnum; i++)
		if (gelf_getphdr(r->elf, i, &ph) && loadable(&ph))
			memcpy(img->memory + (ph.p_vaddr - CM_IMAGE_BASE), r->bytes + ph.p_offset,
			       ph.p_filesz);
	return true;
}

/* ---- symbols ----------------------------------------------------------- */

/* The contents of section (index), known to be all in the file; NULL on error. */
static Elf_Data *section_data(const struct reader *r, size_t index, const char *what,
			      GElf_Word type)
{
	Elf_Scn *scn = elf_getscn(r->elf, index);
	Elf_Data *data = NULL;
	GElf_Shdr sh;

	if (!scn || !gelf_getshdr(scn, &sh) || sh.sh_type != type || sh.sh_flags & SHF_COMPRESSED)
		image_bad(r->img, r->e, "section %zu: not a plain %s", index, what);
	else if (!in_file(r, sh.sh_offset, sh.sh_size))
		image_bad(r->img, r->e,
			  "section %zu (%s): 0x%" PRIx64 " bytes at offset 0x%" PRIx64
			  " end past the end of the file (%zu bytes)",
			  index, what, sh.sh_size, sh.sh_offset, r->size);
	else if (!(data = elf_getdata(scn, NULL)) || !data->d_buf)
		image_bad(r->img, r->e, "section %zu (%s): %s", index, what,
			  data ? "empty" : elf_errmsg(-1));
	return data && data->d_buf ? data : NULL;
}

/* Index of the symbol table, its header in (*sh); 0 = none. */
static size_t find_symtab(const struct reader *r, GElf_Shdr *sh)
{
	for (Elf_Scn *scn = elf_nextscn(r->elf, NULL); scn; scn = elf_nextscn(r->elf, scn))
		if (gelf_getshdr(scn, sh) && sh->sh_type == SHT_SYMTAB)
			return elf_ndxscn(scn);
	return 0;
}

/* Bit 0 of a T32 function says so, and is no part of its address (AAELF32, 5.5.3). */
static uint64_t address_of(const struct reader *r, const GElf_Sym *sym)
{
	bool thumb = r->ehdr.e_machine == EM_ARM && GELF_ST_TYPE(sym->st_info) == STT_FUNC;

	return thumb ? sym->st_value & ~(uint64_t)1 : sym->st_value;
}

/* Names for people: no sections, files, imports, or Arm's mapping symbols ($x, $d...). */
static bool keep_symbol(const GElf_Sym *sym, const char *name)
{
	int type = GELF_ST_TYPE(sym->st_info);

	return name[0] && name[0] != '$' && sym->st_shndx != SHN_UNDEF &&
	       sym->st_shndx != SHN_COMMON &&
	       (type == STT_NOTYPE || type == STT_OBJECT || type == STT_FUNC);
}

/* What is sorted: every start waits for it, and words are what qsort() moves fastest. */
struct ordered {
	const struct image_symbol *symbol;
};

static int compare_symbols(const void *a, const void *b)
{
	const struct image_symbol *x = ((const struct ordered *)a)->symbol;
	const struct image_symbol *y = ((const struct ordered *)b)->symbol;

	if (x->address != y->address)
		return x->address > y->address ? 1 : -1;
	return strcmp(x->name, y->name);
}

/* By address. */
static bool sort_symbols(const struct reader *r)
{
	struct image *img = r->img;
	struct image_symbol *found = malloc(img->nsymbols * sizeof(*found) + 1);
	struct ordered *order = malloc(img->nsymbols * sizeof(*order) + 1);
	bool ok = found && order;

	for (size_t i = 0; ok && i < img->nsymbols; i++) {
		found[i] = img->symbols[i];
		order[i].symbol = &found[i];
	}
	if (ok)
		qsort(order, img->nsymbols, sizeof(*order), compare_symbols);
	for (size_t i = 0; ok && i < img->nsymbols; i++)
		img->symbols[i] = *order[i].symbol;
	free(found);
	free(order);
	return ok || no_memory(r);
}

/*
 * The symbols and a copy of their string table share one allocation, so that
 * many symbols with one long name cost that name only once.
 */
static bool copy_symbols(struct reader *r, Elf_Data *table, size_t count, const Elf_Data *strings)
{
	struct image *img = r->img;
	char *names;

	img->symbols = malloc(count * sizeof(*img->symbols) + strings->d_size);
	if (!img->symbols)
		return no_memory(r);
	names = (char *)(img->symbols + count);
	memcpy(names, strings->d_buf, strings->d_size);
	for (size_t i = 0; i < count; i++) {
		GElf_Sym sym;

		if (!gelf_getsym(table, (int)i, &sym) || sym.st_name >= strings->d_size)
			return image_bad(img, r->e,
					 "symbol %zu: its name is at 0x%x, outside the string "
					 "table (0x%zx bytes)",
					 i, sym.st_name, strings->d_size);
		if (strnlen(names + sym.st_name, IMAGE_NAME_MAX + 1) > IMAGE_NAME_MAX)
			return image_bad(img, r->e, "symbol %zu: its name is longer than %u bytes",
					 i, IMAGE_NAME_MAX);
		if (keep_symbol(&sym, names + sym.st_name))
			img->symbols[img->nsymbols++] = (struct image_symbol){
				.name = names + sym.st_name,
				.address = address_of(r, &sym),
				.size = sym.st_size,
				.function = GELF_ST_TYPE(sym.st_info) == STT_FUNC,
			};
	}
	return sort_symbols(r);
}

static bool read_symbols(struct reader *r)
{
	const struct image *img = r->img;
	uint64_t entry_size = gelf_fsize(r->elf, ELF_T_SYM, 1, EV_CURRENT);
	Elf_Data *table, *strings;
	GElf_Shdr sh = { 0 };
	size_t index = find_symtab(r, &sh);

	if (!index)
		return image_bad(img, r->e, "no symbol table; do not strip the guest image");
	table = section_data(r, index, "symbol table", SHT_SYMTAB);
	if (!table)
		return false;
	if (sh.sh_entsize != entry_size || table->d_size / entry_size > IMAGE_SYMBOLS_MAX)
		return image_bad(img, r->e,
				 "section %zu (symbol table): 0x%zx bytes in entries of %" PRIu64
				 "; must be at most %u entries of %" PRIu64,
				 index, table->d_size, sh.sh_entsize, IMAGE_SYMBOLS_MAX,
				 entry_size);
	strings = section_data(r, sh.sh_link, "string table", SHT_STRTAB);
	if (!strings)
		return false;
	if (((const char *)strings->d_buf)[strings->d_size - 1])
		return image_bad(img, r->e, "section %u (string table): does not end in a NUL",
				 sh.sh_link);
	return copy_symbols(r, table, table->d_size / entry_size, strings);
}

/* ---- loading ----------------------------------------------------------- */

static void digest(char text[33], const void *bytes, size_t size)
{
	XXH128_canonical_t canonical;

	XXH128_canonicalFromHash(&canonical, XXH3_128bits(bytes, size));
	for (size_t i = 0; i < sizeof(canonical.digest); i++)
		snprintf(text + 2 * i, 3, "%02x", canonical.digest[i]);
}

/* As image_parse(); libelf may write to (bytes). */
static bool parse(struct image *img, const char *path, uint8_t *bytes, size_t size, struct err *e)
{
	struct reader r = { .img = img, .bytes = bytes, .size = size, .e = e };
	bool ok = false;

	*img = (struct image){ 0 };
	img->path = strdup(path);
	if (!img->path)
		return err_set(e, ERR_HOST, "%s: out of memory", path);
	digest(img->digest, bytes, size);
	elf_version(EV_CURRENT);
	r.elf = elf_memory((char *)bytes, size);
	ok = read_header(&r) && read_segments(&r) && read_memory(&r) && read_symbols(&r) &&
	     image_registry_read(img, machine_isa(&r.ehdr), e);
	elf_end(r.elf);
	if (!ok)
		image_fini(img);
	return ok;
}

bool image_parse(struct image *img, const char *path, const void *bytes, size_t size, struct err *e)
{
	uint8_t *copy = malloc(size + !size);
	bool ok;

	*img = (struct image){ 0 };
	if (!copy)
		return err_set(e, ERR_HOST, "%s: out of memory", path);
	if (size)
		memcpy(copy, bytes, size);
	ok = parse(img, path, copy, size, e);
	free(copy);
	return ok;
}

static bool read_file(int fd, uint8_t *bytes, size_t size)
{
	for (size_t done = 0; done < size;) {
		ssize_t n = read(fd, bytes + done, size - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n == 0)
			errno = ESTALE; /* it shrank since fstat() */
		if (n <= 0)
			return false;
		done += n;
	}
	return true;
}

bool image_load(struct image *img, const char *path, struct err *e)
{
	uint8_t *bytes = MAP_FAILED;
	struct stat st = { 0 };
	bool ok = false;
	int fd;

	*img = (struct image){ 0 };
	/* O_NONBLOCK: a FIFO is refused below, not waited for. */
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0 || fstat(fd, &st) < 0) {
		err_set(e, ERR_INPUT, "%s: %s", path, strerror(errno));
		goto out;
	}
	if (!S_ISREG(st.st_mode) || st.st_size > IMAGE_FILE_MAX) {
		err_set(e, ERR_INPUT, "%s: must be a regular file of at most %u MiB", path,
			IMAGE_FILE_MAX >> 20);
		goto out;
	}
	/* Not the file itself, which may change under us; its pages at once, not a fault for each. */
	bytes = mmap(NULL, st.st_size + 1, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (bytes == MAP_FAILED) {
		err_set(e, ERR_HOST, "%s: out of memory", path);
		goto out;
	}
	if (!read_file(fd, bytes, st.st_size)) {
		err_set(e, ERR_INPUT, "%s: cannot read: %s", path, strerror(errno));
		goto out;
	}
	ok = parse(img, path, bytes, st.st_size, e);
out:
	if (bytes != MAP_FAILED)
		munmap(bytes, st.st_size + 1);
	if (fd >= 0)
		close(fd);
	return ok;
}

void image_fini(struct image *img)
{
	free(img->path);
	free(img->memory);
	free(img->segments);
	free(img->symbols);
	free(img->protocols);
	free(img->sites);
	*img = (struct image){ 0 };
}
