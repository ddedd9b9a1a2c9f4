// SPDX-License-Identifier: BSD-2-Clause
/* test_plot.c - gnuplot, and what stands in for it where it must fail. */
#include "base/plot.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "test_report_fixture.h"

TestSuite(plot, .init = scratch_make, .fini = scratch_remove, .timeout = 30);

static const char picture[] = "set xlabel 'a_b (us)'\n"
			      "$d << EOD\n1 2\n10 3.5\n100 5\nEOD\n"
			      "set logscale x\n"
			      "plot $d using 1:2 with linespoints title 'one_curve'\n";

static const char *in_scratch(const char *name)
{
	static char path[512];

	snprintf(path, sizeof(path), "%s/%s", scratch_directory, name);
	return path;
}

/* Draw, or skip loudly where gnuplot is not installed. */
static void draw(const char *name, const char *script)
{
	struct err e = { 0 };

	if (plot_draw(in_scratch(name), 320, 240, script, &e))
		return;
	if (e.code == ERR_UNSUPPORTED) {
		fprintf(stderr, "SKIPPED: %s\n", e.text);
		cr_skip_test("%s", e.text);
	}
	cr_assert_fail("%s", e.text);
}

static size_t read_scratch(const char *name, char *buf, size_t size)
{
	FILE *f = fopen(in_scratch(name), "r");
	size_t got;

	cr_assert(f, "%s", name);
	got = fread(buf, 1, size - 1, f);
	buf[got] = '\0';
	fclose(f);
	return got;
}

Test(plot, draws_svg_and_png)
{
	static char buf[1 << 16];
	struct stat st;

	draw("a.svg", picture);
	read_scratch("a.svg", buf, sizeof(buf));
	cr_expect(strstr(buf, "<svg") && strstr(buf, "</svg>"));
	cr_expect(strstr(buf, "width=\"320\" height=\"240\""));
	cr_expect(strstr(buf, ">a_b (us)<"), "plain text, no subscript");
	cr_expect(strstr(buf, ">one_curve<"));
	cr_assert_eq(stat(in_scratch("a.svg"), &st), 0);
	cr_expect_eq(st.st_mode & 0777, 0644);

	draw("a.png", picture);
	read_scratch("a.png", buf, sizeof(buf));
	cr_expect_eq(memcmp(buf, "\x89PNG\r\n\x1a\n", 8), 0);
	cr_expect_eq(memcmp(buf + 16, "\0\0\1\100\0\0\0\360", 8), 0, "320 by 240");
	scratch_drop("a.svg");
	scratch_drop("a.png");
}

/* (path) fails because of (why); what was drawn before stays. */
static void fails(const char *script, enum err_code code, const char *why)
{
	struct err e = { 0 };
	char kept[16];
	FILE *f = fopen(in_scratch("a.svg"), "w");

	cr_assert(f && fputs("before", f) >= 0 && !fclose(f));
	cr_assert(!plot_draw(in_scratch("a.svg"), 320, 240, script, &e));
	if (e.code == ERR_UNSUPPORTED && code != ERR_UNSUPPORTED) {
		scratch_drop("a.svg");
		fprintf(stderr, "SKIPPED: %s\n", e.text);
		cr_skip_test("%s", e.text);
	}
	cr_expect_eq(e.code, code);
	cr_expect(strstr(e.text, why), "%s", e.text);
	read_scratch("a.svg", kept, sizeof(kept));
	cr_expect_str_eq(kept, "before");
	scratch_drop("a.svg");
}

Test(plot, gnuplot_s_own_words_are_the_reason)
{
	fails("set xrange [0:1]\nplotz x\n", ERR_HOST, "gnuplot: line 0: invalid command");
	fails("$d << EOD\nEOD\nplot $d, x\n", ERR_HOST, "warning: Skipping");
}

/* A program called gnuplot that does (body). */
static void stand_in(const char *body)
{
	FILE *f = fopen(in_scratch("gnuplot"), "w");

	cr_assert(f && fprintf(f, "#!/bin/sh\n%s\n", body) > 0 && !fclose(f));
	cr_assert_eq(chmod(in_scratch("gnuplot"), 0755), 0);
	setenv("PATH", scratch_directory, 1);
}

Test(plot, failures_without_words)
{
	stand_in("exit 3");
	fails(picture, ERR_HOST, "gnuplot ended with status 3");
	stand_in("kill -9 $$");
	fails(picture, ERR_HOST, "gnuplot was ended by signal 9");
	stand_in("exit 0");
	fails(picture, ERR_HOST, "gnuplot drew nothing");
	stand_in("echo a picture; echo 'Fontconfig error: Cannot load default config file' >&2;"
		 "echo '   line 7: warning: something' >&2");
	fails(picture, ERR_HOST, "gnuplot: line 7: warning: something");
	scratch_drop("gnuplot");
}

Test(plot, what_the_font_library_says_is_not_a_failure)
{
	struct err e = { 0 };
	char buf[64];

	stand_in("echo a picture; echo 'Fontconfig error: Cannot load default config file' >&2");
	cr_expect(plot_draw(in_scratch("a.svg"), 320, 240, picture, &e), "%s", e.text);
	read_scratch("a.svg", buf, sizeof(buf));
	cr_expect_str_eq(buf, "a picture\n");
	scratch_drop("a.svg");
	scratch_drop("gnuplot");
}

Test(plot, not_installed_and_nowhere_to_write)
{
	struct err e = { 0 };

	setenv("PATH", scratch_directory, 1);
	fails(picture, ERR_UNSUPPORTED, "gnuplot is not installed");
	cr_expect(!plot_draw("/nonexistent/a.svg", 320, 240, picture, &e));
	cr_expect_eq(e.code, ERR_HOST);
	cr_expect(strstr(e.text, "/nonexistent/a.svg"), "%s", e.text);
}
