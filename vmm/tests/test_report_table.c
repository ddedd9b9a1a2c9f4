// SPDX-License-Identifier: BSD-2-Clause
/* test_report_table.c - results as a table: columns, reasons, colour and the last line. */
#include "test_report_fixture.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* As when there is a result of every scenario. */
static struct report_missing missing;

static char *table(const struct result *results, size_t n, bool colour)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	cr_assert(out);
	report_table(out, results, n, missing, colour);
	fclose(out);
	return text;
}

Test(report, table)
{
	static const char expected[] =
		"scenario               site                                     "
		"  method/fetch        verdict  expected    steps or runs   time\n"
		"x86_64/int3/late-tail  nop5_jmp5@cross-line(0x3d)+nop5_jmp5@0x3d"
		"  stepped stale/byte  torn     torn|crash        4 steps  13 ms\n"
		"    after decision 3 vCPU 1: neither old nor new ran at site0\n"
		"x86_64/naive/quick     nop5_jmp5@cross-line(0x3d)               "
		"  free                torn     not-seen     3400000 runs  2.5 s\n"
		"    12 torn of 3400000 executions\n"
		"2 scenarios: 1 as expected, 1 not, 0 unsupported\n";
	struct result *r = calloc(2, sizeof(*r));
	char *text;

	sample_stepped(&r[0]);
	r[0].observation.seconds = 0.0129;
	sample_free(&r[1]);
	text = table(r, 2, false);
	cr_expect_str_eq(text, expected);
	free(text);
	text = table(r, 2, true);
	cr_expect(strstr(text, "  \033[32mtorn\033[0m     torn|crash"), "%s", text);
	cr_expect(strstr(text, "  \033[31mtorn\033[0m     not-seen"), "%s", text);
	free(text);
	free(r);
}

/* What failed or was never come to is counted. */
Test(report, table_counts_what_is_missing)
{
	struct result *r = calloc(1, sizeof(*r));
	char *text;

	missing = (struct report_missing){ .failed = 1 };
	text = table(r, 0, false);
	cr_expect_str_eq(text, "1 scenario: 0 as expected, 0 not, 0 unsupported, 1 failed\n");
	free(text);
	missing.not_run = 3;
	sample_stepped(r);
	text = table(r, 1, false);
	cr_expect(strstr(text, "\n5 scenarios: 1 as expected, 0 not, 0 unsupported, 1 failed, "
			       "3 not run\n"),
		  "%s", text);
	free(text);
	free(r);
}

/* Nothing to explain: no reason. Too much: cut at 200 columns, between characters. */
Test(report, table_reasons)
{
	struct result *r = calloc(1, sizeof(*r));
	char *text, *line, *end;

	sample_free(r);
	r->verdict = VERDICT_NOT_SEEN;
	r->as_expected = true;
	text = table(r, 1, false);
	cr_expect_not(strstr(text, r->reason), "%s", text);
	free(text);
	r->as_expected = false;
	for (size_t i = 0; i + 2 < 500; i += 2)
		memcpy(r->reason + i, "\xc3\xa4", 3);
	text = table(r, 1, false);
	line = strstr(text, "\n    \xc3\xa4");
	cr_assert(line, "%s", text);
	end = strchr(line + 1, '\n');
	cr_expect_eq(end - line - 1, 4 + 2 * 193 + 3, "%zd bytes", (ssize_t)(end - line - 1));
	cr_expect_eq(strncmp(end - 5, "\xc3\xa4...", 5), 0);
	free(text);
	free(r);
}

Test(report, table_summary)
{
	struct result *r = calloc(5, sizeof(*r));
	char *text = table(r, 0, true);

	cr_expect_str_eq(text, "0 scenarios: 0 as expected, 0 not, 0 unsupported\n");
	free(text);
	for (int i = 0; i < 5; i++) {
		sample_free(&r[i]);
		r[i].as_expected = i < 2;
		r[i].verdict = i % 2 ? VERDICT_UNSUPPORTED : VERDICT_STALE;
	}
	text = table(r, 1, false);
	cr_expect(strstr(text, "\n1 scenario: 1 as expected, 0 not, 0 unsupported\n"), "%s", text);
	free(text);
	text = table(r, 5, false);
	cr_expect(strstr(text, "\n5 scenarios: 2 as expected, 2 not, 1 unsupported\n"), "%s", text);
	free(text);
	free(r);
}
