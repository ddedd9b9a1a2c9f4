/* SPDX-License-Identifier: BSD-2-Clause */
/* affinity.h - the processors this process may use, counted from 0, and threads on them. */
#ifndef CROSSMOD_AFFINITY_H
#define CROSSMOD_AFFINITY_H

#include <stdint.h>

/* How many the calling thread may use; 0 where the host does not say. */
uint32_t affinity_count(void);

/*
 * Put the calling thread on the (index)-th of them, round again when they run
 * out; from then on it may use no other. Where the host refuses, it stays free.
 */
void affinity_pin(uint32_t index);

#endif
