/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * image.h - a guest image: ELF segments, symbols, and the registry of
 * protocols and kinds of site that the symbol table is.
 *
 * Owns everything it read; the file is closed again before image_load()
 * returns. Knows nothing of KVM and runs nothing. libelf lives here only.
 */
#ifndef CROSSMOD_IMAGE_H
#define CROSSMOD_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "guest/abi.h"

/* A guest virtual address: a struct, so that it cannot be dereferenced. */
struct gva {
	uint64_t v;
};

#define GVA(x) ((struct gva){ (x) })

struct image_symbol {
	const char *name; /* owned by the image */
	uint64_t address;
	uint64_t size;
	bool function;
};

struct image_segment {
	uint64_t address; /* linked (virtual) = where the machine puts it */
	uint64_t size;	  /* in memory */
	uint64_t filled;  /* so much of it comes from the file; the rest is zero */
	bool write;
	bool execute;
};

/* cm_protocol_<name>, with the text of cm_summary_<name>. */
struct image_protocol {
	const char *name;
	const char *summary;
	uint64_t address;
	bool bypass;  /* there is a cm_bypass_<name>: its sites want one */
	uint32_t isa; /* cm_only_<isa>_<name>: enum cm_isa of the only sites it patches; 0: any */
};

/* cm_site_<name>: a kind of site. (code) points into the image's own copy. */
struct image_site {
	const char *name;
	const uint8_t *code;
	struct cm_site_record record;
};

struct image {
	char *path;
	char digest[33]; /* XXH3-128 of the file's bytes, hex */
	struct cm_abi abi;
	uint8_t *memory;    /* CM_IMAGE_BASE .. + memory_size, as loaded */
	size_t memory_size; /* page-multiple, at most CM_IMAGE_MAX */
	struct image_segment *segments;
	size_t nsegments;
	struct image_symbol *symbols; /* sorted by address, then name */
	size_t nsymbols;
	struct image_protocol *protocols; /* sorted by name */
	size_t nprotocols;
	struct image_site *sites; /* sorted by name */
	size_t nsites;
};

/*
 * Read the guest image at (path) into (img). Checks, before believing a word:
 * ELF class and machine, segment bounds, no overlap, no segment both writable
 * and executable, the ABI record and its version, every address in it, every
 * registry entry. On failure (ERR_INPUT, naming the path and the header,
 * segment or symbol at fault) (img) holds nothing. image_fini() frees; it is
 * safe on a zeroed struct.
 */
bool image_load(struct image *img, const char *path, struct err *e);

/* The same for an ELF file already in memory; (path) is for messages only. */
bool image_parse(struct image *img, const char *path, const void *bytes, size_t size,
		 struct err *e);
void image_fini(struct image *img);

/* By exact name; NULL where there is none. */
const struct image_protocol *image_protocol(const struct image *img, const char *name);
const struct image_site *image_site(const struct image *img, const char *name);
const struct image_symbol *image_symbol(const struct image *img, const char *name);

/* The symbol (address) lies in (functions and objects first), or NULL; offset into (*offset). */
const struct image_symbol *image_symbol_at(const struct image *img, uint64_t address,
					   uint64_t *offset);

/*
 * Resolve "symbol", "symbol+0x1f" or "symbol-4" to an address. On failure
 * ERR_INPUT; the text names the nearest existing symbols.
 */
bool image_resolve(const struct image *img, const char *text, uint64_t *address, struct err *e);

/* "symbol+0x1f" for (address), or its plain hexadecimal form. Returns (buf). */
const char *image_name_address(const struct image *img, uint64_t address, char *buf, size_t size);

/* The bytes at (address), or NULL when [address, address+size) is not in the image. */
const void *image_bytes(const struct image *img, uint64_t address, size_t size);

/* The bytes from (address) to the end of its segment, (*size) at most, which is set; or NULL. */
const void *image_bytes_up_to(const struct image *img, uint64_t address, size_t *size);

#endif
