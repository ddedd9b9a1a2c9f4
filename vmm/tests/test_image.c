// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_image.c - the image loader against a small valid image, and against the
 * guest that was really built: what is loaded, found and named. Needs no KVM.
 * Damaged images are in test_image_damage.c.
 */
#include "test_image_fixture.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct err err;

TestSuite(image, .init = fixture_load, .fini = fixture_drop, .timeout = 20);

Test(image, loads_what_it_was_given)
{
	cr_expect_str_eq(img.path, "t.elf");
	cr_expect_eq(strspn(img.digest, "0123456789abcdef"), 32);
	cr_expect_eq(img.abi.start, TEXT);
	cr_expect_eq(img.memory_size, DATA + DATA_SIZE - TEXT);
	cr_assert_eq(img.nsegments, 3);
	cr_expect(img.segments[0].execute && !img.segments[0].write);
	cr_expect(!img.segments[1].execute && !img.segments[1].write);
	cr_expect(!img.segments[2].execute && img.segments[2].write);
	cr_expect_eq(img.segments[2].size, DATA_SIZE);
	/* All but the null, the file and the mapping symbol. */
	cr_expect_eq(img.nsymbols, S_COUNT - 3);
	cr_expect_eq(img.memory[DATA - TEXT + 15], 0x5a);
	cr_expect_eq(img.memory[DATA - TEXT + 16], 0);
}

Test(image, finds_its_registry)
{
	const struct image_protocol *p = image_protocol(&img, "naive");
	const struct image_site *s = image_site(&img, "nop5");

	cr_assert(p && s && img.nprotocols == 1 && img.nsites == 1);
	cr_expect_str_eq(p->summary, "head, then tail");
	cr_expect_eq(p->address, RODATA + offsetof(struct rodata, protocol));
	cr_expect_eq(s->code, img.memory + (SITE_CODE - TEXT));
	cr_expect_eq(s->record.pad_new, 0x37);
	cr_expect_null(image_protocol(&img, "naiv"));
	cr_expect_null(image_site(&img, "cm_site_nop5"));
}

Test(image, digest_follows_every_byte)
{
	struct image other;

	fixture.data[3] ^= 1;
	cr_assert(image_parse(&other, "t.elf", &fixture, sizeof(fixture), &err));
	cr_expect_str_neq(img.digest, other.digest);
	image_fini(&other);
	fixture.data[3] ^= 1;
	cr_assert(image_parse(&other, "u.elf", &fixture, sizeof(fixture), &err));
	cr_expect_str_eq(img.digest, other.digest);
	image_fini(&other);
}

Test(image, does_not_need_an_aligned_file)
{
	static char buf[sizeof(fixture) + 1];
	struct image other;

	memcpy(buf + 1, &fixture, sizeof(fixture));
	cr_assert(image_parse(&other, "t.elf", buf + 1, sizeof(fixture), &err), "%s", err.text);
	image_fini(&other);
}

Test(image, names_addresses)
{
	static const struct {
		uint64_t address;
		const char *name;
	} cases[] = {
		{ TEXT, "start" }, /* the sized function, not the label before it */
		{ TEXT + 4, "start+0x4" },
		{ TEXT + 0x10, "start.tail" },
		{ TEXT + 0x11, "start+0x11" }, /* sized symbols contain, labels do not */
		{ TEXT + 0x20, "start.tail+0x10" },
		{ TEXT + 0x40, "common" },
		{ TEXT + 0x5f, "common+0x1f" },
		{ CONTROL + 1, "control+0x1" },
		{ CONTROL + sizeof(struct cm_control), "0x10003200" },
		{ RODATA + offsetof(struct rodata, site), "cm_site_nop5" },
		{ RODATA + offsetof(struct rodata, site) + 1, "0x10002089" },
		{ CM_TEXT_BASE, "0x20000000" },
		{ 0, "0x0" },
		{ UINT64_MAX, "0xffffffffffffffff" },
	};
	char buf[64], tiny[4];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		cr_expect_str_eq(image_name_address(&img, cases[i].address, buf, sizeof(buf)),
				 cases[i].name);
	cr_expect_str_eq(image_name_address(&img, TEXT, tiny, sizeof(tiny)), "sta");
}

Test(image, gives_bytes_of_one_segment_only)
{
	cr_expect_eq(image_bytes(&img, TEXT, 0x2000), img.memory);
	cr_expect_null(image_bytes(&img, TEXT, 0x2001));
	cr_expect_null(image_bytes(&img, TEXT - 1, 1));
	cr_expect_null(image_bytes(&img, RODATA + sizeof(struct rodata), 1));
	cr_expect_null(image_bytes(&img, RODATA, SIZE_MAX));
	cr_expect_null(image_bytes(&img, UINT64_MAX, 2));
}

Test(image, resolves_names)
{
	static const struct {
		const char *text;
		uint64_t address;
	} cases[] = {
		{ "start", TEXT },
		{ "start.tail", TEXT + 0x10 },
		{ "common+0x1f", TEXT + 0x5f },
		{ "common+0X1F", TEXT + 0x5f },
		{ "common+12", TEXT + 0x4c },
		{ "common+010", TEXT + 0x4a },
		{ "common-4", TEXT + 0x3c },
	};
	uint64_t address = 0;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		cr_assert(image_resolve(&img, cases[i].text, &address, &err), "%s", err.text);
		cr_expect_eq(address, cases[i].address, "%s", cases[i].text);
	}
}

Test(image, refuses_unknown_names)
{
	static const struct {
		const char *text, *expect;
	} cases[] = {
		{ "strat", "no symbol 'strat' in t.elf; nearest: start, spare, patch" },
		{ "comon+4", "no symbol 'comon' in t.elf; nearest: common, control, " },
		{ "", "no symbol '' in t.elf" },
		{ "+4", "no symbol '' in t.elf" },
		{ "$x", "no symbol '$x'" },
		{ "test.c", "no symbol 'test.c'" },
		{ "start+", "the offset must be like +0x1f, +12 or -4" },
		{ "start+ 4", "the offset must be like" },
		{ "start+-4", "the offset must be like" },
		{ "start+0x", "the offset must be like" },
		{ "start+4x", "the offset must be like" },
		{ "start+4+4", "the offset must be like" },
		{ "start+99999999999999999999", "the offset must be like" },
		{ "start+0xffffffffffffffff", "out of the address space" },
		{ "start-0x10000001", "out of the address space" },
		{ "patch", "symbol 'patch' is at 0x10000060 and at 0x10000070" },
	};
	uint64_t address = 42;
	char text[600];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		cr_expect_not(image_resolve(&img, cases[i].text, &address, &err));
		cr_expect_eq(err.code, ERR_INPUT);
		cr_expect(strstr(err.text, cases[i].expect), "'%s': %s", cases[i].text, err.text);
		cr_expect_eq(address, 42);
	}
	memset(text, 'y', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	cr_expect_not(image_resolve(&img, text, &address, &err));
	text[400] = '+';
	cr_expect_not(image_resolve(&img, text, &address, NULL));
}

/* ---- files ------------------------------------------------------------- */

Test(image, loads_a_file)
{
	char path[] = "/tmp/crossmod-image-XXXXXX";
	struct image other = { 0 };
	int fd = mkstemp(path);

	cr_assert_geq(fd, 0);
	cr_assert_eq(write(fd, &fixture, sizeof(fixture)), (ssize_t)sizeof(fixture));
	close(fd);
	cr_expect(image_load(&other, path, &err), "%s", err.text);
	unlink(path);
	cr_expect_str_eq(other.digest, img.digest);
	cr_expect_str_eq(other.path, path);
	image_fini(&other);
	image_fini(&other);
}

Test(image, refuses_what_is_no_file)
{
	static const struct {
		const char *path, *expect;
	} cases[] = {
		{ "/nonexistent/guest.elf", "/nonexistent/guest.elf: No such file or directory" },
		{ "/tmp", "/tmp: must be a regular file" },
		{ "/dev/null", "/dev/null: must be a regular file" },
	};

	image_fini(&img);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		cr_expect_not(image_load(&img, cases[i].path, &err));
		cr_expect_eq(err.code, ERR_INPUT);
		cr_expect(strstr(err.text, cases[i].expect), "%s", err.text);
		fixture_assert_empty(cases[i].path);
	}
}

/* The guest as built, when it is: the fixture must not be the only thing that loads. */
Test(image, loads_the_guest)
{
	const char *build = getenv("CROSSMOD_BUILD");
	char path[4096];

	snprintf(path, sizeof(path), "%s/guest-x86_64.elf", build ? build : "build");
	if (access(path, R_OK))
		cr_skip_test("%s is not built", path);
	image_fini(&img);
	cr_assert(image_load(&img, path, &err), "%s", err.text);
	cr_expect_gt(img.nprotocols, 0);
	cr_expect_gt(img.nsites, 0);
	for (size_t i = 0; i < img.nsites; i++)
		cr_expect_eq(image_site(&img, img.sites[i].name), &img.sites[i]);
	for (size_t i = 0; i < img.nprotocols; i++)
		cr_expect_eq(image_protocol(&img, img.protocols[i].name), &img.protocols[i]);
}
