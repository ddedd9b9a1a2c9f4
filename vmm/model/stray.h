/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * stray.h - stores to the text that went beside every site.
 *
 * Fetches are forced at the patched bytes, which are a site's and its bypass's;
 * all other text is taken for constant, by the machine and by the search. Here
 * is found where it was not. Pure: bytes in, a violation out.
 */
#ifndef CROSSMOD_STRAY_H
#define CROSSMOD_STRAY_H

#include <stdbool.h>
#include <stdint.h>

#include "model/observation.h"
#include "model/site.h"

/*
 * Does (now) differ from (before), both of them all CM_TEXT_SIZE bytes of text,
 * in a byte that belongs to none of the (nsites) placed sites, nor to a bypass?
 * Then (v) is the violation, but for vCPU and step: it names the first such
 * bytes. Sites are in ascending order, as slots are. Looked at are the sites'
 * slots or, with (everywhere), those that no site is in as well.
 */
bool stray_store(const struct site *sites, uint32_t nsites, const uint8_t *before,
		 const uint8_t *now, bool everywhere, struct violation *v);

#endif
