// SPDX-License-Identifier: BSD-2-Clause
/*
 * scenario_point.c - points in the run: an address, a number of stores, a
 * variable.
 *
 * Owns how a point is written and what makes it possible in a given image.
 * Must not know what waits for the point.
 */
#include "scenario/scenario_internal.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const scenario_variable_keys[] = { "name", "equals", NULL };

void point_init(struct point *p)
{
	*p = (struct point){ .kind = POINT_NONE, .site = -1, .hit = 1 };
}

void point_fini(struct point *p)
{
	free(p->text);
	point_init(p);
}

/* The segment that holds all of [address, address + size), or NULL. */
static const struct image_segment *segment_of(const struct image *img, uint64_t address,
					      uint64_t size)
{
	size_t i;

	for (i = 0; i < img->nsegments; i++) {
		const struct image_segment *seg = &img->segments[i];

		if (address >= seg->address && address - seg->address < seg->size &&
		    size <= seg->size - (address - seg->address))
			return seg;
	}
	return NULL;
}

/* "site0", "site1+2": a placed site and not a symbol that happens to start so. */
static bool names_site(const char *text)
{
	if (strncmp(text, "site", 4) || !isdigit((unsigned char)text[4]))
		return false;
	for (text += 4; isdigit((unsigned char)*text); text++)
		;
	return *text == '\0' || *text == '+' || *text == '-';
}

/* Bytes of the code after the site's first one, the most an offset can reach. */
static uint64_t site_reach(const struct placement *p)
{
	if (!p->site)
		return CM_SLOT_SIZE - CM_SLOT_ORIGIN;
	return p->site->record.image_size - p->site->record.site_offset;
}

static bool read_site(struct point *p, const struct scenario *s, const struct jnode *n)
{
	unsigned long long offset = 0;
	unsigned long site;
	char *end;

	site = strtoul(p->text + strlen("site"), &end, 10);
	if (site >= s->nsites)
		return jnode_fail(n, "no site %lu; \"sites\" has %u, from site0", site, s->nsites);
	if (*end == '-')
		return jnode_fail(n, "a point is at a site or after it; write site%lu+N", site);
	if (*end == '+') {
		const char *digits = end + 1;

		if (isdigit((unsigned char)*digits))
			offset = strtoull(digits, &end, strncmp(digits, "0x", 2) ? 10 : 16);
		if (end < digits || *end)
			return jnode_fail(n, "'%.60s' is not a number of bytes", digits);
	}
	if (offset >= site_reach(&s->site[site]))
		return jnode_fail(n, "%llu bytes after site%lu is past its code, %llu bytes long",
				  offset, site, (unsigned long long)site_reach(&s->site[site]));
	p->site = (int)site;
	p->offset = offset;
	return true;
}

bool point_read_address(struct point *p, const struct scenario *s, const struct image *img,
			const struct jnode *n)
{
	const struct image_segment *seg;

	if (!jnode_string(n, &p->text))
		return false;
	p->kind = POINT_ADDRESS;
	if (names_site(p->text))
		return read_site(p, s, n);
	if (!img)
		return true;
	if (!image_resolve(img, p->text, &p->address, n->err))
		return jnode_prefix(n);
	seg = segment_of(img, p->address, 1);
	if (!seg || !seg->execute)
		return jnode_fail(n, "'%.60s' (0x%llx) is not code: no executable segment holds it",
				  p->text, (unsigned long long)p->address);
	return true;
}

bool point_read_stores(struct point *p, const struct jnode *n)
{
	char text[40];

	if (!jnode_u64(n, 1, UINT32_MAX, &p->value))
		return false;
	p->kind = POINT_STORES;
	snprintf(text, sizeof(text), "store %llu", (unsigned long long)p->value);
	return jnode_copy(n, text, &p->text);
}

/* A guest variable of 32 bits, by the plain name of its symbol. */
static bool find_variable(struct point *p, const struct image *img, const struct jnode *n)
{
	const struct image_symbol *sym;

	if (!image_resolve(img, p->text, &p->address, n->err))
		return jnode_prefix(n);
	sym = image_symbol(img, p->text);
	if (!sym)
		return jnode_fail(n, "a variable is named by its symbol alone, not '%.60s'",
				  p->text);
	if (sym->size && sym->size < 4)
		return jnode_fail(n, "'%s' has %llu byte%s; a variable here has at least 4",
				  sym->name, (unsigned long long)sym->size,
				  sym->size == 1 ? "" : "s");
	if (sym->function || !segment_of(img, sym->address, 4))
		return jnode_fail(n, "'%s' (0x%llx) is not a variable of the image", sym->name,
				  (unsigned long long)sym->address);
	return true;
}

bool point_read_variable(struct point *p, const struct image *img, const struct jnode *n)
{
	struct jnode name, equals;
	char *symbol;

	if (!jnode_object(n, scenario_variable_keys) || !jnode_require(n, "name", &name) ||
	    !jnode_require(n, "equals", &equals) || !jnode_u64(&equals, 0, UINT32_MAX, &p->value) ||
	    !jnode_string(&name, &p->text))
		return false;
	p->kind = POINT_VARIABLE;
	if (img && !find_variable(p, img, &name))
		return false;
	symbol = p->text;
	if (asprintf(&p->text, "%s = %u", symbol, (unsigned int)p->value) < 0)
		p->text = NULL;
	free(symbol);
	return p->text || jnode_out_of_memory(n);
}
