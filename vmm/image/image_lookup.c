// SPDX-License-Identifier: BSD-2-Clause
/*
 * image_lookup.c - finds names and addresses in a loaded image.
 *
 * Owns which symbol speaks for an address, and what a user's "symbol+offset"
 * means. Trusts the image, which was checked when loaded; not its user's text.
 * Does not know ELF.
 */
#include "image/image.h"
#include "image/image_internal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define IMAGE_NEAREST  3u  /* names offered in place of an unknown one */
#define IMAGE_COMPARED 64u /* bytes of a name the edit distance looks at */

const struct image_segment *image_segment_at(const struct image *img, uint64_t address,
					     uint64_t size)
{
	for (size_t i = 0; i < img->nsegments; i++) {
		const struct image_segment *s = &img->segments[i];

		if (address >= s->address && size <= s->size &&
		    address - s->address <= s->size - size)
			return s;
	}
	return NULL;
}

const void *image_bytes(const struct image *img, uint64_t address, size_t size)
{
	if (!image_segment_at(img, address, size))
		return NULL;
	return img->memory + (address - CM_IMAGE_BASE);
}

const void *image_bytes_up_to(const struct image *img, uint64_t address, size_t *size)
{
	const struct image_segment *s = image_segment_at(img, address, 1);

	if (!s)
		return NULL;
	if (*size > s->address + s->size - address)
		*size = s->address + s->size - address;
	return img->memory + (address - CM_IMAGE_BASE);
}

const struct image_protocol *image_protocol(const struct image *img, const char *name)
{
	for (size_t i = 0; i < img->nprotocols; i++)
		if (!strcmp(img->protocols[i].name, name))
			return &img->protocols[i];
	return NULL;
}

const struct image_site *image_site(const struct image *img, const char *name)
{
	for (size_t i = 0; i < img->nsites; i++)
		if (!strcmp(img->sites[i].name, name))
			return &img->sites[i];
	return NULL;
}

const struct image_symbol *image_symbol(const struct image *img, const char *name)
{
	for (size_t i = 0; i < img->nsymbols; i++)
		if (!strcmp(img->symbols[i].name, name))
			return &img->symbols[i];
	return NULL;
}

/* How well (sym), at or below (address), names it; 0 = not at all. */
static unsigned int naming_rank(const struct image_symbol *sym, const struct image_segment *seg,
				uint64_t address)
{
	if (sym->address == address)
		return 4 + 2 * !!sym->size + sym->function;
	if (address - sym->address < sym->size)
		return 2 + sym->function;
	/* A label of assembly names what follows it, up to the next one. */
	return !sym->size && seg->execute && sym->address >= seg->address;
}

const struct image_symbol *image_symbol_at(const struct image *img, uint64_t address,
					   uint64_t *offset)
{
	const struct image_segment *seg = image_segment_at(img, address, 1);
	const struct image_symbol *best = NULL;
	unsigned int best_rank = 0;

	if (!seg)
		return NULL;
	for (size_t i = 0; i < img->nsymbols && img->symbols[i].address <= address; i++) {
		const struct image_symbol *sym = &img->symbols[i];
		unsigned int rank = naming_rank(sym, seg, address);

		if (rank > best_rank ||
		    (rank && rank == best_rank && sym->address > best->address)) {
			best = sym;
			best_rank = rank;
		}
	}
	if (best)
		*offset = address - best->address;
	return best;
}

const char *image_name_address(const struct image *img, uint64_t address, char *buf, size_t size)
{
	uint64_t offset = 0;
	const struct image_symbol *sym = image_symbol_at(img, address, &offset);

	if (!sym)
		snprintf(buf, size, "0x%" PRIx64, address);
	else if (!offset)
		snprintf(buf, size, "%s", sym->name);
	else
		snprintf(buf, size, "%s+0x%" PRIx64, sym->name, offset);
	return buf;
}

/* Levenshtein distance of the first IMAGE_COMPARED bytes of (a) and (b). */
static unsigned int edit_distance(const char *a, const char *b)
{
	size_t na = strnlen(a, IMAGE_COMPARED), nb = strnlen(b, IMAGE_COMPARED);
	unsigned int row[IMAGE_COMPARED + 1];

	for (size_t j = 0; j <= nb; j++)
		row[j] = j;
	for (size_t i = 1; i <= na; i++) {
		unsigned int diagonal = row[0];

		row[0] = i;
		for (size_t j = 1; j <= nb; j++) {
			unsigned int best = diagonal + (a[i - 1] != b[j - 1]);

			diagonal = row[j];
			if (row[j] + 1 < best)
				best = row[j] + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			row[j] = best;
		}
	}
	return row[nb];
}

struct nearest {
	const char *name[IMAGE_NEAREST]; /* "" = none */
	unsigned int distance[IMAGE_NEAREST];
};

/* Keep (name) if it is among the nearest so far, and not there yet. */
static void nearest_add(struct nearest *n, const char *name, unsigned int distance)
{
	size_t at = 0;

	for (size_t i = 0; i < IMAGE_NEAREST; i++)
		if (!strcmp(n->name[i], name))
			return;
	while (at < IMAGE_NEAREST && n->name[at][0] && n->distance[at] <= distance)
		at++;
	if (at == IMAGE_NEAREST)
		return;
	for (size_t i = IMAGE_NEAREST - 1; i > at; i--) {
		n->name[i] = n->name[i - 1];
		n->distance[i] = n->distance[i - 1];
	}
	n->name[at] = name;
	n->distance[at] = distance;
}

static bool unknown_symbol(const struct image *img, const char *name, struct err *e)
{
	struct nearest n = { .name = { "", "", "" } };

	for (size_t i = 0; i < img->nsymbols; i++)
		nearest_add(&n, img->symbols[i].name, edit_distance(name, img->symbols[i].name));
	return err_set(e, ERR_INPUT, "no symbol '%.64s' in %.160s; nearest: %.64s%s%.64s%s%.64s",
		       name, img->path, n.name[0], n.name[1][0] ? ", " : "", n.name[1],
		       n.name[2][0] ? ", " : "", n.name[2]);
}

/* The one address called (name): two static functions of one name are no answer. */
static bool resolve_name(const struct image *img, const char *name, uint64_t *address,
			 struct err *e)
{
	const struct image_symbol *sym = image_symbol(img, name);

	if (!sym)
		return unknown_symbol(img, name, e);
	for (size_t i = sym - img->symbols; i < img->nsymbols; i++)
		if (img->symbols[i].address != sym->address && !strcmp(img->symbols[i].name, name))
			return image_bad(img, e,
					 "symbol '%s' is at 0x%" PRIx64 " and at 0x%" PRIx64
					 "; give each a name of its own",
					 name, sym->address, img->symbols[i].address);
	*address = sym->address;
	return true;
}

/* "0x1f" or "31", and nothing else strtoull() would take. */
static bool parse_offset(const char *text, uint64_t *offset)
{
	bool hex = text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
	const char *digits = hex ? text + 2 : text;
	char *end;

	if (!digits[0] ||
	    strspn(digits, hex ? "0123456789abcdefABCDEF" : "0123456789") != strlen(digits))
		return false;
	errno = 0;
	*offset = strtoull(digits, &end, hex ? 16 : 10);
	return !errno && !*end;
}

bool image_resolve(const struct image *img, const char *text, uint64_t *address, struct err *e)
{
	const char *sign = text + strcspn(text, "+-");
	char name[IMAGE_NAME_MAX + 1];
	uint64_t offset = 0, base = 0;

	if (!*sign || image_symbol(img, text))
		return resolve_name(img, text, address, e);
	if ((size_t)(sign - text) >= sizeof(name))
		return unknown_symbol(img, text, e);
	memcpy(name, text, sign - text);
	name[sign - text] = '\0';
	if (!parse_offset(sign + 1, &offset))
		return image_bad(img, e, "'%.100s': the offset must be like +0x1f, +12 or -4",
				 text);
	if (!resolve_name(img, name, &base, e))
		return false;
	if (*sign == '+' ? __builtin_add_overflow(base, offset, &base) :
			   __builtin_sub_overflow(base, offset, &base))
		return image_bad(img, e, "'%.100s': the offset leads out of the address space",
				 text);
	*address = base;
	return true;
}
