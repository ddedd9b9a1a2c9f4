/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * coverage.h - which of a protocol's own instructions were never executed: a
 * search that never reached a handler has not judged it.
 */
#ifndef CROSSMOD_COVERAGE_H
#define CROSSMOD_COVERAGE_H

#include "image/image.h"
#include "image/insn.h"
#include "model/observation.h"

/*
 * Into (c): the instructions of (p)'s hooks and of what they call directly, but
 * for the guest kernel's, and those among them not marked in (executed), a byte
 * for each of the image's. What other variants of the file have is not counted,
 * unless it is in the same functions.
 */
void coverage_of(const struct image *img, const struct image_protocol *p, struct insn_decoder *d,
		 const uint8_t *executed, struct coverage *c);

#endif
