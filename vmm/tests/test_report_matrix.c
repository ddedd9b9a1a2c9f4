// SPDX-License-Identifier: BSD-2-Clause
/* test_report_matrix.c - a matrix made by hand as JSON, as Markdown and as a page. */
#include "matrix/report_matrix.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "test_report_fixture.h"

static const struct matrix_site site = { "nop5_jmp5", "cross-line", CM_ISA_X86_64 };

static struct matrix_cell cells[] = {
	{ .protocol = "int3",
	  .site = &site,
	  .vcpus = 2,
	  .fetch = { .model = FETCH_SC, .chunk = 1 },
	  .allowed = 9.5,
	  .done = true,
	  .verdict = VERDICT_SAFE,
	  .reason = "every schedule was tried",
	  .states = 879,
	  .transitions = 1500,
	  .seconds = 0.25,
	  .file = "matrix-int3-2cpu-nmi0-sc.json" },
	{ .protocol = "int3",
	  .site = &site,
	  .vcpus = 2,
	  .fetch = { .model = FETCH_STALE, .chunk = 1 },
	  .done = true,
	  .verdict = VERDICT_TORN,
	  .reason = "ran <\"0f\" & 'e9'>",
	  .states = 322,
	  .seconds = 0.125,
	  .file = "matrix-int3-2cpu-nmi0-stale.json",
	  .witness = true },
	{ .protocol = "int3",
	  .site = &site,
	  .vcpus = 3,
	  .nmis = MATRIX_NMI_EACH,
	  .fetch = { .model = FETCH_SC, .chunk = 1 },
	  .allowed = 3,
	  .done = true,
	  .verdict = VERDICT_INCONCLUSIVE,
	  .bound = "seconds",
	  .reason = "a bound ended the search",
	  .states = 12345,
	  .seconds = 3.0625,
	  .file = "matrix-int3-3cpu-nmi7-sc.json" },
	{ .protocol = "int3",
	  .site = &site,
	  .vcpus = 3,
	  .nmis = MATRIX_NMI_EACH,
	  .fetch = { .model = FETCH_STALE, .chunk = 1 } },
};

static const struct host host = {
	.arch = "x86_64",
	.cpu = "A <fast> CPU \xff",
	.kernel = "6.18.0",
	.kvm_module = "kvm_intel",
	.cores = 8,
	.version = "0.1.0",
	.commit = "abc",
	.quirks_known = true,
};

static const struct matrix sample = {
	.image = &sample_image,
	.host = &host,
	.cell = cells,
	.ncells = COUNT(cells),
	.columns = 2,
	.jobs = 2,
	.max_seconds = 100,
	.max_memory_mb = 512,
	.seconds = 3.5,
};

static char *printed(void (*print)(FILE *out, const struct matrix *m))
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	cr_assert(out);
	print(out, &sample);
	fclose(out);
	return text;
}

static const char *string_of(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s ? s : "(none)";
}

Test(report_matrix, json_has_every_cell_and_where_it_comes_from)
{
	json_t *o = sample_parse(report_matrix_json(&sample));
	const json_t *list = json_object_get(o, "cells"), *c;

	cr_expect_str_eq(string_of(o, "format"), REPORT_MATRIX_FORMAT);
	cr_expect_str_eq(string_of(json_object_get(o, "guest"), "digest"), sample_image.digest);
	cr_expect_str_eq(string_of(json_object_get(o, "host"), "cpu"), "A <fast> CPU ?");
	cr_assert_eq(json_array_size(list), COUNT(cells));
	c = json_array_get(list, 0);
	cr_expect_str_eq(string_of(c, "verdict"), "safe");
	cr_expect_eq(json_integer_value(json_object_get(c, "states")), 879);
	cr_expect_eq(json_integer_value(json_object_get(c, "transitions")), 1500);
	cr_expect_eq(json_real_value(json_object_get(c, "seconds")), 0.25);
	cr_expect(json_is_null(json_object_get(c, "witness")));
	cr_expect(json_is_null(json_object_get(c, "bound")));
	c = json_array_get(list, 1);
	cr_expect_str_eq(string_of(c, "protocol"), "int3");
	cr_expect_str_eq(string_of(c, "site"), "nop5_jmp5");
	cr_expect_str_eq(string_of(c, "at"), "cross-line");
	cr_expect_str_eq(string_of(c, "model"), "stale");
	cr_expect_str_eq(string_of(c, "chunk"), "byte");
	cr_expect_str_eq(string_of(c, "nmis"), "none");
	cr_expect_str_eq(string_of(c, "reason"), "ran <\"0f\" & 'e9'>");
	cr_expect_str_eq(string_of(c, "witness"), "matrix-int3-2cpu-nmi0-stale.json");
	c = json_array_get(list, 2);
	cr_expect_str_eq(string_of(c, "bound"), "seconds");
	cr_expect_eq(json_real_value(json_object_get(c, "allowed_seconds")), 3);
	cr_expect_eq(json_integer_value(json_object_get(c, "vcpus")), 3);
	cr_expect_eq(json_object_size(json_object_get(c, "nmi")), 3);
	c = json_array_get(list, 3);
	cr_expect(json_is_null(json_object_get(c, "verdict")));
	cr_expect_not(json_object_get(c, "states"), "it was not run");
	json_decref(o);
}

Test(report_matrix, markdown)
{
	static const char expected[] =
		"| protocol | vCPUs | NMIs | sc | stale |\n"
		"|---|---|---|---|---|\n"
		"| `int3` | 2 | none | safe, 879 states, 0.2 s |"
		" [**torn**](matrix-int3-2cpu-nmi0-stale.json), 322 states, 0.1 s |\n"
		"| `int3` | 3 | one on each | inconclusive at 3.0 s, 12345 states, 3.1 s | - |\n\n"
		"Host: A <fast> CPU \xff, 8 processors, kernel 6.18.0, KVM module kvm_intel, quirks "
		"in force: none; crossmod 0.1.0 (abc), guest image "
		"0123456789abcdef0123456789abcdef.\n"
		"3 of 4 cells, 4 s of at most 100 s, 2 jobs.\n";
	char *text = printed(report_matrix_markdown);

	cr_expect_str_eq(text, expected);
	free(text);
}

static size_t occurrences(const char *text, const char *what)
{
	size_t n = 0;

	for (; (text = strstr(text, what)); text += strlen(what))
		n++;
	return n;
}

Test(report_matrix, html_has_colours_words_links_and_nothing_unescaped)
{
	char *text = printed(report_matrix_html);

	cr_expect_eq(occurrences(text, "<tr>"), 3, "a head and two rows");
	cr_expect_eq(occurrences(text, "</tr>"), 3);
	cr_expect(strstr(text, "<td class=\"safe\" title=\"every schedule was tried\">safe<small>"
			       "879 states, 0.2 s</small></td>"),
		  "%s", text);
	cr_expect(strstr(text, "<td class=\"bad\" title=\"ran &lt;&quot;0f&quot; &amp; "
			       "&#39;e9&#39;&gt;\"><a href=\"matrix-int3-2cpu-nmi0-stale.json\">"
			       "torn</a>"),
		  "%s", text);
	cr_expect(strstr(text, "class=\"open\""));
	cr_expect(strstr(text, "bound: seconds</small>"));
	cr_expect(strstr(text, "<td title=\"not run\">-</td>"));
	cr_expect(strstr(text, "<dd>A &lt;fast&gt; CPU"));
	cr_expect(strstr(text, "prefers-color-scheme:dark"));
	cr_expect_not(strstr(text, "://"), "needs no network");
	cr_expect_not(strstr(text, "<fast>"));
	free(text);
}

Test(report_matrix, write, .init = scratch_make, .fini = scratch_remove)
{
	static const char *const names[] = { "matrix.json", "matrix.md", "matrix.html" };
	char *document = report_matrix_json(&sample), path[128];
	json_t *o = sample_parse(document), *written;
	json_error_t error;
	struct err e = { 0 };

	cr_assert(report_matrix_write(&sample, scratch_directory, &e), "%s", e.text);
	snprintf(path, sizeof(path), "%s/matrix.json", scratch_directory);
	written = json_load_file(path, 0, &error);
	cr_assert(written, "%s", error.text);
	json_object_del(o, "date");
	json_object_del(written, "date");
	cr_expect(json_equal(o, written));
	json_decref(o);
	json_decref(written);
	for (size_t i = 0; i < COUNT(names); i++)
		scratch_drop(names[i]);
	cr_expect_not(report_matrix_write(&sample, "/dev/null/x", &e));
	cr_expect_eq(e.code, ERR_HOST);
}
