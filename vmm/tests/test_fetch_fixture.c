// SPDX-License-Identifier: BSD-2-Clause
/* test_fetch_fixture.c - a window and its history. Decides nothing about what is right. */
#include "test_fetch_fixture.h"

#include <string.h>

void history_start(struct fetch *f, enum fetch_model model, uint32_t chunk, uint64_t address,
		   uint32_t length)
{
	struct fetch_config config = { .model = model, .chunk = chunk };
	struct fetch_range range = { .address = address, .length = length };
	uint8_t bytes[FETCH_WINDOW_MAX];

	memset(bytes, 'o', sizeof(bytes));
	fetch_init(f, &config, 2, &range, 1, bytes);
}

bool history_store(struct fetch *f, uint32_t offset, char value, int writer)
{
	uint8_t window[FETCH_WINDOW_MAX];

	memcpy(window, fetch_window(f, fetch_now(f)), f->size);
	window[offset] = (uint8_t)value;
	return fetch_stored(f, window, writer);
}

char history_byte(const struct fetch *f, uint32_t version, uint32_t offset)
{
	return (char)fetch_window(f, version)[offset];
}
