/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * image_internal.h - between image.c (ELF and memory),
 * image_registry.c (what the image says of itself) and image_lookup.c (names
 * and addresses). Nobody else includes it.
 */
#ifndef CROSSMOD_IMAGE_INTERNAL_H
#define CROSSMOD_IMAGE_INTERNAL_H

#include "image/image.h"

#define IMAGE_NAME_MAX 255u /* bytes in a symbol's name, without its NUL */

/* Record ERR_INPUT, "<path>: " before the text. Returns false. */
bool image_bad(const struct image *img, struct err *e, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* The one segment that holds all of [address, address+size), or NULL. */
const struct image_segment *image_segment_at(const struct image *img, uint64_t address,
					     uint64_t size);

/*
 * Fill (abi), (protocols) and (sites) from (memory), (segments) and (symbols),
 * believing nothing unchecked; (machine_isa) is one that the ELF machine runs.
 * What it allocated is (img)'s, failed or not.
 */
bool image_registry_read(struct image *img, enum cm_isa machine_isa, struct err *e);

#endif
