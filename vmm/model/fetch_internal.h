/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fetch_internal.h - what the files of the fetch history share: fetch.c has the
 * versions and most models, fetch_arm.c the rules of maintenance, fetch_pack.c
 * the form in which histories are compared. Nobody else includes it.
 */
#ifndef CROSSMOD_FETCH_INTERNAL_H
#define CROSSMOD_FETCH_INTERNAL_H

#include "model/fetch.h"

/* A chunk's bytes in the window: never split, as the pieces are in address order. */
struct fetch_span {
	uint32_t start;
	uint32_t length;
};

/* The chunk that window offset (offset) is in. */
struct fetch_span fetch_chunk_span(const struct fetch *f, uint32_t offset);
/* Are its bytes as of versions (a) and (b) the same? */
bool fetch_chunk_equal(const struct fetch *f, struct fetch_span s, uint32_t a, uint32_t b);
/* Where window offset (offset) is executed. */
uint64_t fetch_address(const struct fetch *f, uint32_t offset);
/* Room for the bytes of one more version, which becomes the newest. */
uint8_t *fetch_append(struct fetch *f);

/* fetch_arm.c, model arm only: number the granules; a context synchronisation event on (vcpu). */
void fetch_arm_init(struct fetch *f);
void fetch_arm_synchronised(struct fetch *f, uint32_t vcpu);
/* Raise every bound to where it begins to matter; after each change of the history. */
void fetch_arm_settle(struct fetch *f);

#endif
