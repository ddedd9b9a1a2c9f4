// SPDX-License-Identifier: BSD-2-Clause
/* stray.c - text that changed where it must not. Runs nothing. */
#include "model/stray.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define SHOWN_MAX 8u /* bytes, in a violation's text */

/* The first run of bytes in [from, to) that differ. */
struct run {
	uint32_t at, length;
};

static bool differ(const uint8_t *a, const uint8_t *b, uint32_t from, uint32_t to, struct run *r)
{
	if (from >= to || !memcmp(a + from, b + from, to - from))
		return false;
	for (r->at = from; a[r->at] == b[r->at];)
		r->at++;
	for (r->length = 0; r->at + r->length < to && a[r->at + r->length] != b[r->at + r->length];)
		r->length++;
	return true;
}

static void say(const struct site *s, const uint8_t *before, const uint8_t *now,
		const struct run *r, struct violation *v)
{
	uint64_t address = CM_TEXT_BASE + r->at;
	bool bypass = s && s->bypass && address < s->placed.text &&
		      address - s->bypass < s->placed.text - address;
	uint64_t start = !s ? 0 : bypass ? s->bypass : s->placed.text;
	uint32_t shown = r->length < SHOWN_MAX ? r->length : SHOWN_MAX;
	char hex[2][4 * SHOWN_MAX], where[96];

	if (s)
		snprintf(where, sizeof(where),
			 "%s site%u%s, at 0x%" PRIx64 " (site%u%s%+" PRId64 ")",
			 address < start ? "in front of" : "behind", s->index,
			 bypass ? "'s bypass" : "", address, s->index, bypass ? "'s bypass" : "",
			 (int64_t)(address - start));
	else
		snprintf(where, sizeof(where), "at 0x%" PRIx64 ", where no site is", address);
	snprintf(v->text, sizeof(v->text), "wrote %u byte%s of text %s: %s -> %s%s", r->length,
		 r->length == 1 ? "" : "s", where,
		 site_hex(before + r->at, shown, hex[0], sizeof(hex[0])),
		 site_hex(now + r->at, shown, hex[1], sizeof(hex[1])),
		 shown < r->length ? " ..." : "");
}

/* From (*at) to where (length) bytes at (address) begin; on behind them. */
static bool differ_up_to(const uint8_t *before, const uint8_t *now, uint32_t *at, uint64_t address,
			 uint32_t length, struct run *r)
{
	uint32_t from = *at, to = (uint32_t)(address - CM_TEXT_BASE);

	*at = to + length;
	return differ(before, now, from, to, r);
}

bool stray_store(const struct site *sites, uint32_t nsites, const uint8_t *before,
		 const uint8_t *now, bool everywhere, struct violation *v)
{
	const struct site *s = NULL;
	struct run r = { 0 };
	bool found = false;

	for (uint32_t i = 0; i < nsites && !found; i++) {
		uint32_t at = sites[i].index * CM_SLOT_SIZE, end = at + CM_SLOT_SIZE;
		uint32_t length = sites[i].placed.length;

		s = &sites[i];
		found = (s->bypass && differ_up_to(before, now, &at, s->bypass, length, &r)) ||
			differ_up_to(before, now, &at, s->placed.text, length, &r) ||
			differ(before, now, at, end, &r);
	}
	if (!found && everywhere) {
		s = NULL;
		found = differ(before, now, nsites * CM_SLOT_SIZE, CM_TEXT_SIZE, &r);
	}
	if (!found)
		return false;
	memset(v, 0, sizeof(*v));
	v->kind = VIOLATION_STRAY_STORE;
	say(s, before, now, &r, v);
	return true;
}
