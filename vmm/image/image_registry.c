// SPDX-License-Identifier: BSD-2-Clause
/*
 * image_registry.c - what a guest image says of itself: the ABI record, the
 * protocols, the kinds of site. The symbol table is the registry.
 *
 * Owns every check of guest/abi.h's promises about an image. Does not know
 * ELF or libelf: it works on the segments, memory and symbols already read.
 */
#include "image/image.h"
#include "image/image_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REGISTRY_MAX	1024u /* protocols, and as many kinds of site */
#define SUMMARY_MAX	400u  /* bytes, so that a line of `list` stays one */
#define CODE_IMAGE_MAX	(CM_SLOT_SIZE - CM_SLOT_ORIGIN - 4096u)
#define PROTOCOL_PREFIX "cm_protocol_"
#define SUMMARY_PREFIX	"cm_summary_"
#define BYPASS_PREFIX	"cm_bypass_"
#define T32_PREFIX	"cm_only_t32_"
#define A64_PREFIX	"cm_only_a64_"
#define SITE_PREFIX	"cm_site_"

/* ---- the ABI record ---------------------------------------------------- */

static bool check_version(const struct image *img, const struct image_symbol *sym, struct err *e)
{
	const struct cm_abi *abi = &img->abi;

	if (abi->magic != CM_ABI_MAGIC)
		return image_bad(
			img, e, "cm_abi: magic 0x%" PRIx64 ", must be 0x%llx; not a crossmod guest",
			abi->magic, CM_ABI_MAGIC);
	if (abi->version != CM_ABI_VERSION)
		return image_bad(img, e,
				 "image has ABI version %u, this crossmod speaks %u; "
				 "rebuild the guest",
				 abi->version, CM_ABI_VERSION);
	if (sym->size < sizeof(*abi))
		return image_bad(img, e, "cm_abi: symbol of %" PRIu64 " bytes, must be %zu",
				 sym->size, sizeof(*abi));
	return true;
}

static bool check_sizes(const struct image *img, struct err *e)
{
	const struct {
		const char *member;
		uint32_t has;
		size_t right;
	} sizes[] = {
		{ "control_size", img->abi.control_size, sizeof(struct cm_control) },
		{ "cpu_size", img->abi.cpu_size, sizeof(struct cm_cpu) },
		{ "counts_size", img->abi.counts_size, sizeof(struct cm_counts) },
		{ "site_record_size", img->abi.site_record_size, sizeof(struct cm_site_record) },
		{ "patches_size", img->abi.patches_size, sizeof(struct cm_patches) },
	};

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		if (sizes[i].has != sizes[i].right)
			return image_bad(img, e, "cm_abi.%s: %u, must be %zu; rebuild the guest",
					 sizes[i].member, sizes[i].has, sizes[i].right);
	return true;
}

static bool check_addresses(const struct image *img, struct err *e)
{
	const struct cm_abi *abi = &img->abi;
	/* What is asked of the vectors beyond x86 is for its backend to say. */
	uint64_t vectors_size = abi->isa == CM_ISA_X86_64 ? 256 * CM_VECTOR_STRIDE : 1;
	uint64_t ghost_size = abi->ghost_end - abi->ghost_start;
	const struct {
		const char *member;
		uint64_t address, size, align;
		bool execute;
	} places[] = {
		{ "start", abi->start, 1, 1, true },
		{ "vectors", abi->vectors, vectors_size, 1, true },
		{ "vectors_stepped", abi->vectors_stepped, vectors_size, 1, true },
		{ "loop", abi->loop, 1, 1, true },
		{ "selfcheck", abi->selfcheck ? abi->selfcheck : abi->start, 1, 1, true },
		{ "control", abi->control, sizeof(struct cm_control), 8, false },
		{ "cpu", abi->cpu, CM_MAX_VCPUS * sizeof(struct cm_cpu), 8, false },
		{ "counts", abi->counts, CM_MAX_VCPUS * sizeof(struct cm_counts), 8, false },
		{ "patches", abi->patches, sizeof(struct cm_patches), 8, false },
		{ "stacks", abi->stacks, CM_MAX_VCPUS * CM_STACKS * CM_STACK_SIZE, 16, false },
		{ "ghost_start", abi->ghost_start, ghost_size, 1, false },
	};

	if (abi->ghost_start > abi->ghost_end)
		return image_bad(img, e,
				 "cm_abi.ghost_start: 0x%" PRIx64
				 ", must not be above ghost_end 0x%" PRIx64,
				 abi->ghost_start, abi->ghost_end);
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		const struct image_segment *seg =
			image_segment_at(img, places[i].address, places[i].size);

		if (!seg || !(places[i].execute ? seg->execute : seg->write))
			return image_bad(img, e,
					 "cm_abi.%s: 0x%" PRIx64 " (%" PRIu64
					 " bytes) is not inside one %s segment",
					 places[i].member, places[i].address, places[i].size,
					 places[i].execute ? "executable" : "writable");
		if (places[i].address % places[i].align)
			return image_bad(img, e,
					 "cm_abi.%s: 0x%" PRIx64 " is not %" PRIu64 "-byte aligned",
					 places[i].member, places[i].address, places[i].align);
	}
	return true;
}

static bool read_abi(struct image *img, struct err *e)
{
	const struct image_symbol *sym = image_symbol(img, "cm_abi");
	size_t size = sizeof(img->abi);
	const void *bytes;

	if (!sym)
		return image_bad(img, e, "no symbol cm_abi; not a crossmod guest");
	/* A record of another version may be shorter: its version is what to report. */
	if (sym->size < size && sym->size >= offsetof(struct cm_abi, isa))
		size = sym->size;
	bytes = image_bytes(img, sym->address, size);
	if (!bytes)
		return image_bad(img, e,
				 "cm_abi: the record at 0x%" PRIx64 " (%zu bytes) is not inside "
				 "one segment",
				 sym->address, size);
	memcpy(&img->abi, bytes, size);
	/* Pointers to T32 functions have bit 0 set; their addresses have not. */
	if (img->abi.isa == CM_ISA_T32) {
		img->abi.start &= ~1ull;
		img->abi.loop &= ~1ull;
		img->abi.selfcheck &= ~1ull;
	}
	return check_version(img, sym, e) && check_sizes(img, e);
}

/* T32 and A32 run on one machine, and at EL0 of an A64 one; x86-64 on its own. */
static bool same_machine(uint32_t isa, uint32_t machine)
{
	bool arm32 = isa == CM_ISA_T32 || isa == CM_ISA_A32;

	return isa == machine ||
	       (arm32 && (machine == CM_ISA_T32 || machine == CM_ISA_A32 || machine == CM_ISA_A64));
}

static bool check_isa(const struct image *img, uint32_t machine_isa, struct err *e)
{
	if (!same_machine(img->abi.isa, machine_isa))
		return image_bad(img, e, "cm_abi.isa: %u, but the ELF header's machine runs ISA %u",
				 img->abi.isa, machine_isa);
	return true;
}

/* ---- the registry ------------------------------------------------------ */

/* Asked of every symbol, several times, at every start: the first letter mostly answers it. */
static bool starts_with(const char *text, const char *prefix)
{
	while (*prefix && *text == *prefix) {
		text++;
		prefix++;
	}
	return !*prefix;
}

/* Does (name) do as a word in a scenario and in a path? */
static bool is_word(const char *name)
{
	size_t n = 0;

	while ((name[n] >= 'a' && name[n] <= 'z') || (name[n] >= 'A' && name[n] <= 'Z') ||
	       (name[n] >= '0' && name[n] <= '9') || name[n] == '_')
		n++;
	return n && !name[n];
}

/*
 * Allocate entries of (entry_size) for the symbols called (prefix)<name>, and
 * one more.
 */
static void *new_entries(const struct image *img, const char *prefix, size_t entry_size,
			 struct err *e)
{
	void *entries;
	size_t n = 0;

	for (size_t i = 0; i < img->nsymbols; i++) {
		const struct image_symbol *sym = &img->symbols[i];

		if (!starts_with(sym->name, prefix))
			continue;
		if (!is_word(sym->name + strlen(prefix)) || sym->function || n == REGISTRY_MAX) {
			image_bad(img, e,
				  "symbol %s: must be a data record, one of at most %u, "
				  "its name of letters, digits and _ only",
				  sym->name, REGISTRY_MAX);
			return NULL;
		}
		n++;
	}
	entries = calloc(n + 1, entry_size);
	if (!entries)
		err_set(e, ERR_HOST, "%s: out of memory", img->path);
	return entries;
}

static bool duplicate(const struct image *img, const char *prefix, const char *name, struct err *e)
{
	return image_bad(img, e, "two symbols %s%s; give each a name of its own", prefix, name);
}

static int compare_protocols(const void *a, const void *b)
{
	return strcmp(((const struct image_protocol *)a)->name,
		      ((const struct image_protocol *)b)->name);
}

static int compare_sites(const void *a, const void *b)
{
	return strcmp(((const struct image_site *)a)->name, ((const struct image_site *)b)->name);
}

/* ---- protocols --------------------------------------------------------- */

/* The text of (p)'s summary, at (sym): NUL-terminated inside its segment. */
static bool read_summary(const struct image *img, const struct image_symbol *sym,
			 struct image_protocol *p, struct err *e)
{
	const struct image_segment *seg = image_segment_at(img, sym->address, 1);
	const char *text;
	uint64_t room, length;

	if (!seg)
		return image_bad(img, e, "protocol %s: symbol %s is outside every segment", p->name,
				 sym->name);
	text = image_bytes(img, sym->address, 1);
	room = seg->address + seg->size - sym->address;
	length = strnlen(text, room < SUMMARY_MAX + 1 ? room : SUMMARY_MAX + 1);
	if (length > SUMMARY_MAX)
		return image_bad(img, e, "protocol %s: %s is longer than %u bytes", p->name,
				 sym->name, SUMMARY_MAX);
	if (length == room)
		return image_bad(img, e, "protocol %s: %s does not end in a NUL in its segment",
				 p->name, sym->name);
	p->summary = text;
	return true;
}

/* The protocol that (sym), called (prefix)<name>, speaks of; NULL when it is none such. */
static struct image_protocol *protocol_of(const struct image *img, const struct image_symbol *sym,
					  const char *prefix)
{
	struct image_protocol key = { 0 };

	if (!starts_with(sym->name, prefix))
		return NULL;
	key.name = sym->name + strlen(prefix);
	return bsearch(&key, img->protocols, img->nprotocols, sizeof(key), compare_protocols);
}

/* What is said of each protocol elsewhere: one pass, since every command's start waits for it. */
static bool read_companions(const struct image *img, struct err *e)
{
	for (size_t i = 0; i < img->nsymbols; i++) {
		const struct image_symbol *sym = &img->symbols[i];
		struct image_protocol *p = protocol_of(img, sym, SUMMARY_PREFIX);

		if (p && !p->summary && !read_summary(img, sym, p, e))
			return false;
		p = protocol_of(img, sym, BYPASS_PREFIX);
		if (p)
			p->bypass = true;
		p = protocol_of(img, sym, T32_PREFIX);
		if (p)
			p->isa = CM_ISA_T32;
		p = protocol_of(img, sym, A64_PREFIX);
		if (p)
			p->isa = CM_ISA_A64;
	}
	for (size_t i = 0; i < img->nprotocols; i++)
		if (!img->protocols[i].summary)
			return image_bad(img, e, "protocol %s: symbol %s%s is missing",
					 img->protocols[i].name, SUMMARY_PREFIX,
					 img->protocols[i].name);
	return true;
}

static bool read_protocols(struct image *img, struct err *e)
{
	img->protocols = new_entries(img, PROTOCOL_PREFIX, sizeof(*img->protocols), e);
	if (!img->protocols)
		return false;
	for (size_t i = 0; i < img->nsymbols; i++) {
		const struct image_symbol *sym = &img->symbols[i];
		struct image_protocol *p = &img->protocols[img->nprotocols];

		if (!starts_with(sym->name, PROTOCOL_PREFIX))
			continue;
		p->name = sym->name + strlen(PROTOCOL_PREFIX);
		p->address = sym->address;
		if (!image_segment_at(img, sym->address, sym->size ? sym->size : 1))
			return image_bad(img, e,
					 "protocol %s: its record at 0x%" PRIx64 " (%" PRIu64
					 " bytes) is not inside one segment",
					 p->name, sym->address, sym->size);
		img->nprotocols++;
	}
	qsort(img->protocols, img->nprotocols, sizeof(*img->protocols), compare_protocols);
	for (size_t i = 1; i < img->nprotocols; i++)
		if (!strcmp(img->protocols[i - 1].name, img->protocols[i].name))
			return duplicate(img, PROTOCOL_PREFIX, img->protocols[i].name, e);
	return read_companions(img, e);
}

/* ---- sites ------------------------------------------------------------- */

/* Does the site, and its code around it, fit where it says and into a slot? */
static bool check_extent(const struct image *img, const struct image_site *site, struct err *e)
{
	const struct cm_site_record *rec = &site->record;

	if (!same_machine(rec->isa, img->abi.isa))
		return image_bad(img, e, "site %s: ISA %u, but the image's is %u", site->name,
				 rec->isa, img->abi.isa);
	if (rec->length < 1 || rec->length > CM_MAX_SITE_LEN)
		return image_bad(img, e, "site %s: length %u, must be 1 to %u", site->name,
				 rec->length, CM_MAX_SITE_LEN);
	if (rec->image_size < 1 || rec->image_size > CODE_IMAGE_MAX)
		return image_bad(img, e, "site %s: code of %u bytes, must be 1 to %u to fit a slot",
				 site->name, rec->image_size, CODE_IMAGE_MAX);
	if (rec->site_offset > rec->image_size || rec->length > rec->image_size - rec->site_offset)
		return image_bad(img, e,
				 "site %s: bytes %u..+%u are not inside its code of %u bytes",
				 site->name, rec->site_offset, rec->length, rec->image_size);
	if (rec->site_offset > CM_SLOT_ORIGIN)
		return image_bad(img, e, "site %s: %u bytes of code before it, must be at most %u",
				 site->name, rec->site_offset, CM_SLOT_ORIGIN);
	return true;
}

/* Offsets count from the site's first byte, so there is that much less room. */
static bool check_offsets(const struct image *img, const struct image_site *site, struct err *e)
{
	const struct cm_site_record *rec = &site->record;
	uint32_t room = rec->image_size - rec->site_offset;
	const struct {
		const char *member;
		uint32_t offset;
	} offsets[] = {
		{ "resume_offset", rec->resume_offset },
		{ "target_offset", rec->target_offset },
		{ "pad_old", rec->pad_old },
		{ "pad_new", rec->pad_new },
	};

	for (size_t i = 0; i < sizeof(offsets) / sizeof(offsets[0]); i++)
		if (offsets[i].offset != CM_NO_PAD && offsets[i].offset >= room)
			return image_bad(img, e,
					 "site %s: %s %u is past the end of its code (%u bytes "
					 "from the site on)",
					 site->name, offsets[i].member, offsets[i].offset, room);
	return true;
}

static bool check_forms(const struct image *img, const struct image_site *site, struct err *e)
{
	const struct cm_site_record *rec = &site->record;

	if (memcmp(rec->old_bytes, site->code + rec->site_offset, rec->length))
		return image_bad(
			img, e, "site %s: old_bytes differ from the bytes of its code at offset %u",
			site->name, rec->site_offset);
	if (!memcmp(rec->old_bytes, rec->new_bytes, rec->length))
		return image_bad(img, e, "site %s: old_bytes and new_bytes are the same",
				 site->name);
	return true;
}

static bool read_site(const struct image *img, const struct image_symbol *sym,
		      struct image_site *site, struct err *e)
{
	struct cm_site_record *rec = &site->record;
	const void *bytes = image_bytes(img, sym->address, sizeof(*rec));

	site->name = sym->name + strlen(SITE_PREFIX);
	/* Assembly need not give its symbols a size. */
	if (!bytes || (sym->size && sym->size < sizeof(*rec)))
		return image_bad(img, e,
				 "site %s: its record at 0x%" PRIx64 " must be %zu bytes inside "
				 "one segment",
				 site->name, sym->address, sizeof(*rec));
	memcpy(rec, bytes, sizeof(*rec));
	if (!check_extent(img, site, e))
		return false;
	site->code = image_bytes(img, rec->image, rec->image_size);
	if (!site->code)
		return image_bad(img, e,
				 "site %s: its code at 0x%" PRIx64
				 " (%u bytes) is not inside one segment",
				 site->name, rec->image, rec->image_size);
	return check_offsets(img, site, e) && check_forms(img, site, e);
}

static bool read_sites(struct image *img, struct err *e)
{
	img->sites = new_entries(img, SITE_PREFIX, sizeof(*img->sites), e);
	if (!img->sites)
		return false;
	for (size_t i = 0; i < img->nsymbols; i++) {
		if (!starts_with(img->symbols[i].name, SITE_PREFIX))
			continue;
		if (!read_site(img, &img->symbols[i], &img->sites[img->nsites], e))
			return false;
		img->nsites++;
	}
	qsort(img->sites, img->nsites, sizeof(*img->sites), compare_sites);
	for (size_t i = 1; i < img->nsites; i++)
		if (!strcmp(img->sites[i - 1].name, img->sites[i].name))
			return duplicate(img, SITE_PREFIX, img->sites[i].name, e);
	return true;
}

bool image_registry_read(struct image *img, enum cm_isa machine_isa, struct err *e)
{
	return read_abi(img, e) && check_isa(img, machine_isa, e) && check_addresses(img, e) &&
	       read_protocols(img, e) && read_sites(img, e);
}
