/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_fetch_fixture.h - what the tests of the fetch models share: a window of
 * two vCPUs, the stores to it, and what a version of it holds.
 */
#ifndef CROSSMOD_TEST_FETCH_FIXTURE_H
#define CROSSMOD_TEST_FETCH_FIXTURE_H

#include "model/fetch.h"

#define LINE   64u
#define TEXT   0x20001000u
#define WRITER 0
#define READER 1

/* A window of (length) bytes at (address), in one piece, all of them 'o'. For fetch_fini(). */
void history_start(struct fetch *f, enum fetch_model model, uint32_t chunk, uint64_t address,
		   uint32_t length);

/* vCPU (writer), or none of them for -1, stores one byte. False when it was there before. */
bool history_store(struct fetch *f, uint32_t offset, char value, int writer);

/* The byte that (version) has at (offset). */
char history_byte(const struct fetch *f, uint32_t version, uint32_t offset);

#endif
