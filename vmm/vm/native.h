/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * native.h - the guest's image and text in this process, at the addresses that
 * they are linked for: a host thread can then run the guest's own loops, which
 * is the control that a vCPU is held against. Knows no vCPU and no loop.
 */
#ifndef CROSSMOD_NATIVE_H
#define CROSSMOD_NATIVE_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "image/image.h"

struct native {
	uint8_t *image; /* CM_IMAGE_BASE */
	size_t image_size;
	uint8_t *text;	/* CM_TEXT_BASE: executable, never writable */
	uint8_t *alias; /* CM_ALIAS_BASE: the same pages, writable, never executable */
};

/*
 * Map (image) as the guest has it, its segments with their permissions, and a
 * text of zeros. One at a time. ERR_UNSUPPORTED: this processor cannot execute
 * the image's ISA, or an address is taken; (n) then holds nothing.
 */
bool native_map(struct native *n, const struct image *image, struct err *e);
/* Safe on a zeroed struct. No thread may be in there. */
void native_unmap(struct native *n);

/* Somebody else's bytes have been written to the text: make this processor fetch them. */
void native_written(const struct native *n);

#endif
