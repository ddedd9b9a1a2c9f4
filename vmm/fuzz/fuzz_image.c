// SPDX-License-Identifier: BSD-2-Clause
/*
 * fuzz_image.c - hostile ELF files for the image loader (libFuzzer).
 *
 * Owns one entry point: load the input and, when it loads, ask everything of
 * it. A finding becomes a row in tests/test_image.c. Knows nothing of KVM.
 */
#include "image/image.h"

#include <stdio.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void ask_names(const struct image *img, const char *name)
{
	char text[300];
	uint64_t address;

	image_protocol(img, name);
	image_site(img, name);
	image_symbol(img, name);
	image_resolve(img, name, &address, NULL);
	snprintf(text, sizeof(text), "%s+0x1f", name);
	image_resolve(img, text, &address, NULL);
	snprintf(text, sizeof(text), "x%s", name);
	image_resolve(img, text, &address, NULL);
}

static void ask_address(const struct image *img, uint64_t address)
{
	char text[64];
	uint64_t offset;
	const volatile uint8_t *bytes = image_bytes(img, address, 16);

	image_symbol_at(img, address, &offset);
	image_name_address(img, address, text, sizeof(text));
	if (bytes)
		(void)(bytes[0] + bytes[15]);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct image img = { 0 };
	struct err e = { 0 };

	if (!image_parse(&img, "fuzz", bytes, size, &e))
		return 0;
	for (size_t i = 0; i < img.nsymbols && i < 16; i++) {
		ask_names(&img, img.symbols[i].name);
		ask_address(&img, img.symbols[i].address);
		ask_address(&img, img.symbols[i].address + img.symbols[i].size);
	}
	for (size_t i = 0; i < img.nsegments; i++) {
		ask_address(&img, img.segments[i].address - 1);
		ask_address(&img, img.segments[i].address + img.segments[i].size - 16);
	}
	for (size_t i = 0; i < img.nprotocols; i++)
		ask_names(&img, img.protocols[i].summary);
	for (size_t i = 0; i < img.nsites; i++)
		(void)*(const volatile uint8_t *)(img.sites[i].code +
						  img.sites[i].record.image_size - 1);
	image_fini(&img);
	return 0;
}
