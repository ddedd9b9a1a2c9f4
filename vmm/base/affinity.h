/* SPDX-License-Identifier: BSD-2-Clause */
/* affinity.h - the processors this process may use, counted from 0, and threads on them. */
#ifndef CROSSMOD_AFFINITY_H
#define CROSSMOD_AFFINITY_H

#include <stdint.h>

#include "base/err.h"

/* How many the calling thread may use; 0 where the host does not say. */
uint32_t affinity_count(void);

/*
 * Put the calling thread on the (index)-th of them, round again when they run
 * out; from then on it may use no other. Where the host refuses, it stays free.
 */
void affinity_pin(uint32_t index);

/*
 * The first two of them into (core), by the kernel's numbers, the one twice
 * where there is only one: for the two sides of a measurement, which change
 * places. Returns how many differ, 0 with (e) set on failure.
 */
uint32_t affinity_two(int core[2], struct err *e);

/* Put the calling thread on (core), or on either of the two. */
void affinity_on(int core);
void affinity_on_either(const int core[2]);

#endif
