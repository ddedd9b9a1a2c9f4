// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_scenario_fixture.c - owns a guest image built by hand, so that no test
 * of scenario files needs a guest build.
 */
#include "test_scenario_fixture.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char image_path[] = "hand-built.elf";
static struct image_segment segments[] = {
	{ .address = CODE, .size = 0x2000, .execute = true },
	{ .address = DATA, .size = 0x1000, .write = true },
};
static struct image_symbol symbols[] = {
	{ .name = "naive_patch", .address = CODE + 0x100, .size = 0x80, .function = true },
	{ .name = "int3_fixup.tail", .address = CODE + 0x200 },
	{ .name = "site_table", .address = CODE + 0x300 },
	{ .name = "patch_state", .address = DATA, .size = 4 },
	{ .name = "byte_flag", .address = DATA + 4, .size = 1 },
	{ .name = "unsized", .address = DATA + 8 },
	{ .name = "outside", .address = 0x40000000 },
};
static struct image_protocol protocols[] = { { .name = "int3" }, { .name = "naive" } };
static struct image_site sites[] = {
	{ .name = "nop1_int3", .record = { .isa = CM_ISA_X86_64, .length = 1, .image_size = 32 } },
	{ .name = "nop5_jmp5",
	  .record = { .isa = CM_ISA_X86_64, .length = 5, .image_size = 64, .site_offset = 16 } },
};

const struct image example_image = {
	.path = image_path,
	.segments = segments,
	.nsegments = sizeof(segments) / sizeof(segments[0]),
	.symbols = symbols,
	.nsymbols = sizeof(symbols) / sizeof(symbols[0]),
	.protocols = protocols,
	.nprotocols = sizeof(protocols) / sizeof(protocols[0]),
	.sites = sites,
	.nsites = sizeof(sites) / sizeof(sites[0]),
};

json_t *example_tree(const char *path)
{
	const char *top = getenv("CROSSMOD_SRC");
	char full[4096];
	json_error_t error;
	json_t *json;

	snprintf(full, sizeof(full), "%s/%s", top ? top : ".", path);
	json = json_load_file(full, JSON_REJECT_DUPLICATES, &error);
	cr_assert(json, "%s:%d: %s (set CROSSMOD_SRC to the top of the tree)", full, error.line,
		  error.text);
	return json;
}

char *example_merged(const char *base, const json_t *change, const char *without)
{
	json_t *json = json_loads(base, 0, NULL);
	char *text;

	json_object_update(json, (json_t *)(uintptr_t)change);
	if (without)
		json_object_del(json, without);
	text = json_dumps(json, 0);
	json_decref(json);
	return text;
}

struct scenario example_accept(const struct image *img, const char *base, const char *change)
{
	json_t *json = json_loads(change, 0, NULL);
	struct err e = { 0 };
	struct scenario s;
	char *text;

	cr_assert(json, "the test's own JSON: %s", change);
	text = example_merged(base, json, NULL);
	cr_assert(scenario_parse(&s, "t.json", text, strlen(text), img, &e), "%s", e.text);
	cr_assert_str_eq(s.text, text);
	free(text);
	json_decref(json);
	return s;
}

struct scenario example_stepped(const char *change)
{
	return example_accept(&example_image, STEPPED_BASE, change);
}
