// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_stray.c - which changes of the text are stray, tried byte by byte, and
 * what is said of them. Nothing runs.
 */
#include "model/stray.h"

#include <criterion/criterion.h>
#include <string.h>

#define LENGTH 5u

static const struct image_site kind = { .name = "any", .record = { .length = LENGTH } };
static struct site sites[2];
static uint8_t before[CM_TEXT_SIZE], now[CM_TEXT_SIZE];

static void place(void)
{
	site_place(&sites[0], &kind, 0, 61);
	site_place(&sites[1], &kind, 1, 8);
	site_add_bypass(&sites[1]);
	memset(before, 0x90, sizeof(before));
	memcpy(now, before, sizeof(now));
}

TestSuite(stray, .init = place);

static bool stray(bool everywhere, struct violation *v)
{
	return stray_store(sites, 2, before, now, everywhere, v);
}

Test(stray, every_byte_that_is_no_sites)
{
	struct violation v;

	cr_assert_not(stray(true, &v));
	for (uint32_t at = 0; at < CM_TEXT_SIZE; at++) {
		uint64_t address = CM_TEXT_BASE + at;
		bool patched = site_offset(&sites[0], address) >= 0 ||
			       site_offset(&sites[1], address) >= 0;

		/* Every one near sites and slots' borders; of the others one in a hundred. */
		if (at % 100 && (at + 64) % CM_SLOT_SIZE > 0x1200)
			continue;
		now[at] = 0xcc;
		cr_assert_eq(stray(true, &v), !patched, "%#x", at);
		cr_assert_eq(stray(false, &v), !patched && at < 2 * CM_SLOT_SIZE, "%#x", at);
		now[at] = before[at];
	}
}

static void says(uint64_t address, uint32_t length, const char *text)
{
	struct violation v = { .vcpu = 7 };

	memset(now + (address - CM_TEXT_BASE), 0xcc, length);
	cr_assert(stray(true, &v), "%s", text);
	cr_expect_eq(v.kind, VIOLATION_STRAY_STORE);
	cr_expect_str_eq(v.text, text);
	memcpy(now, before, sizeof(now));
}

Test(stray, what_is_said)
{
	uint64_t text = sites[0].placed.text, bypass = sites[1].bypass;

	says(text + LENGTH, 3,
	     "wrote 3 bytes of text behind site0, at 0x20001042 (site0+5): 90 90 90 -> cc cc cc");
	says(text - 1, 1,
	     "wrote 1 byte of text in front of site0, at 0x2000103c (site0-1): 90 -> cc");
	/* A store that goes on from the site's own bytes: those are not counted. */
	says(text + 3, 4,
	     "wrote 2 bytes of text behind site0, at 0x20001042 (site0+5): 90 90 -> cc cc");
	says(bypass + LENGTH, 1,
	     "wrote 1 byte of text behind site1's bypass, at 0x20008005 (site1's bypass+5): 90 -> cc");
	says(sites[1].placed.text - 1, 1,
	     "wrote 1 byte of text in front of site1, at 0x20009007 (site1-1): 90 -> cc");
	says(CM_TEXT_BASE + 3 * CM_SLOT_SIZE, 9,
	     "wrote 9 bytes of text at 0x20018000, where no site is: "
	     "90 90 90 90 90 90 90 90 -> cc cc cc cc cc cc cc cc ...");
}
