/* SPDX-License-Identifier: BSD-2-Clause */
/* cores.h - the processors that a measurement's two sides are pinned to. */
#ifndef CROSSMOD_CORES_H
#define CROSSMOD_CORES_H

#include <stdint.h>

#include "err.h"

/*
 * The first two processors that this process may use into (core), the one
 * twice where there is only one. Returns how many differ, 0 with (e) set on failure.
 */
uint32_t cores_find(int core[2], struct err *e);

/* Put the calling thread on (core), or on either of them. */
void cores_pin(int core);
void cores_unpin(const int core[2]);

#endif
