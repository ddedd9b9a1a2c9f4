// SPDX-License-Identifier: BSD-2-Clause
/* survey_choice.c - which cells are wanted: names, defaults, and lists as they are typed. */
#include "survey/survey.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Of the page that a site of five bytes crosses into: four places. */
#define FIRST_STRADDLE (4096u - SURVEY_STRADDLES)

static const struct {
	const char *name, *site;
} kinds[SURVEY_KINDS] = {
	[SURVEY_IMMEDIATE] = { "immediate", "mov_imm32" },
	[SURVEY_OPCODE] = { "opcode", "mov_xor_imm32" },
	[SURVEY_DISPLACEMENT] = { "displacement", "call5_call5" },
};

const char *survey_kind_name(enum survey_kind kind)
{
	return kinds[kind].name;
}

const char *survey_kind_site(enum survey_kind kind)
{
	return kinds[kind].site;
}

const char *survey_sync_name(enum cm_survey_sync sync)
{
	static const char *const names[CM_SYNCS] = {
		[CM_SYNC_NONE] = "none",	   [CM_SYNC_LFENCE] = "LFENCE",
		[CM_SYNC_MFENCE] = "MFENCE",	   [CM_SYNC_LOCKED] = "locked add",
		[CM_SYNC_CPUID] = "CPUID",	   [CM_SYNC_IRET] = "IRET to self",
		[CM_SYNC_SERIALIZE] = "SERIALIZE", [CM_SYNC_IPI] = "IPI + IRET",
	};

	return names[sync];
}

uint32_t survey_offset(uint32_t i)
{
	return i < SURVEY_IN_LINE ? i : FIRST_STRADDLE + i - SURVEY_IN_LINE;
}

void survey_choose_all(struct survey_choice *c)
{
	*c = (struct survey_choice){ .cpl3 = true, .npauses = 2, .pause = { 0, 100 } };
	memset(c->kind, true, sizeof(c->kind));
	memset(c->position, true, sizeof(c->position));
	memset(c->width, true, sizeof(c->width));
}

/* One item of a list into (c). False: it is none. */
typedef bool (*take_item)(struct survey_choice *c, const char *item);

static bool each_item(struct survey_choice *c, const char *option, const char *text, take_item take,
		      const char *right, struct err *e)
{
	for (const char *at = text;; at++) {
		size_t length = strcspn(at, ",");
		char item[32];

		if (length >= sizeof(item))
			length = sizeof(item) - 1;
		snprintf(item, sizeof(item), "%.*s", (int)length, at);
		if (!take(c, item))
			return err_set(e, ERR_INPUT, "%s %.100s: '%s' is not %s", option, text,
				       item, right);
		at += strcspn(at, ",");
		if (!*at)
			return true;
	}
}

/* Decimal digits up to (*end). */
static bool number(const char *text, char **end, uint64_t max, uint32_t *value)
{
	unsigned long long n;

	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	n = strtoull(text, end, 10);
	*value = (uint32_t)n;
	return !errno && n <= max;
}

static bool take_offset(struct survey_choice *c, const char *item)
{
	uint32_t first, last;
	char *end;

	if (!strcmp(item, "page")) {
		memset(c->position + SURVEY_IN_LINE, true, SURVEY_STRADDLES);
		return true;
	}
	if (!number(item, &end, SURVEY_IN_LINE - 1, &first))
		return false;
	last = first;
	if (*end == '-' && !number(end + 1, &end, SURVEY_IN_LINE - 1, &last))
		return false;
	if (*end || last < first)
		return false;
	memset(c->position + first, true, last - first + 1);
	return true;
}

static bool take_width(struct survey_choice *c, const char *item)
{
	for (uint32_t i = 0; i < SURVEY_WIDTHS; i++) {
		const char digit[] = { (char)('0' + (1 << i)), '\0' };

		if (!strcmp(item, digit))
			return c->width[i] = true;
	}
	return false;
}

static bool take_kind(struct survey_choice *c, const char *item)
{
	for (uint32_t i = 0; i < SURVEY_KINDS; i++)
		if (!strcmp(item, kinds[i].name))
			return c->kind[i] = true;
	return false;
}

static bool take_pause(struct survey_choice *c, const char *item)
{
	uint32_t pause;
	char *end;

	if (!number(item, &end, SURVEY_PAUSE_MAX, &pause) || *end)
		return false;
	for (uint32_t i = 0; i < c->npauses; i++)
		if (c->pause[i] == pause)
			return true;
	if (c->npauses == SURVEY_PAUSES)
		return false;
	c->pause[c->npauses++] = pause;
	return true;
}

static bool take_cpl(struct survey_choice *c, const char *item)
{
	if (!strcmp(item, "0"))
		return c->cpl0 = true;
	return !strcmp(item, "3") && (c->cpl3 = true);
}

bool survey_parse_offsets(struct survey_choice *c, const char *text, struct err *e)
{
	memset(c->position, false, sizeof(c->position));
	return each_item(c, "--offsets", text, take_offset,
			 "an offset in a line, 0 to 63, a range of them, as in 56-63, or page", e);
}

bool survey_parse_widths(struct survey_choice *c, const char *text, struct err *e)
{
	memset(c->width, false, sizeof(c->width));
	return each_item(c, "--widths", text, take_width, "the width of a store, 1, 2, 4 or 8", e);
}

bool survey_parse_kinds(struct survey_choice *c, const char *text, struct err *e)
{
	memset(c->kind, false, sizeof(c->kind));
	return each_item(c, "--kinds", text, take_kind, "immediate, opcode or displacement", e);
}

bool survey_parse_pauses(struct survey_choice *c, const char *text, struct err *e)
{
	c->npauses = 0;
	return each_item(c, "--pauses", text, take_pause,
			 "a number of PAUSE instructions, 0 to 1000000, at most four of them", e);
}

bool survey_parse_cpls(struct survey_choice *c, const char *text, struct err *e)
{
	c->cpl0 = c->cpl3 = false;
	return each_item(c, "--cpl", text, take_cpl, "a privilege level of the executor, 0 or 3",
			 e);
}
