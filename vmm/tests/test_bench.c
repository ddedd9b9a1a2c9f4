// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_bench.c - the shape of the figures, from runs far too short to mean
 * anything. How good they are is never a test: the machine may be busy.
 */
#include "bench/bench.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <math.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>

#include "vm/guard.h"
#include "kvmtest.h"

#define SHORTER 50u

static const char *const names[] = { "step_efficiency",	 "free_run_ratio",     "nmi_ratio",
				     "startup_ratio",	 "explore_efficiency", "parallel_speedup",
				     "reduction_factor", "survey_ratio" };

static size_t open_files(void)
{
	DIR *dir = opendir("/proc/self/fd");
	size_t n = 0;

	cr_assert(dir);
	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

static void check_shape(const struct bench_figure *f)
{
	cr_assert(*f->what && *f->unit && f->target > 0, "%s", f->name);
	if (*f->unsupported) {
		fprintf(stderr, "SKIPPED: %s: %s\n", f->name, f->unsupported);
		return;
	}
	cr_assert(isfinite(f->ours) && f->ours > 0, "%s: %g", f->name, f->ours);
	cr_assert(isfinite(f->raw) && f->raw > 0, "%s: %g", f->name, f->raw);
	cr_assert(isfinite(f->ratio) && f->ratio > 0, "%s: %g", f->name, f->ratio);
	cr_assert(f->low <= f->ratio && f->ratio <= f->high, "%s: %g not in %g - %g", f->name,
		  f->ratio, f->low, f->high);
	cr_assert_eq(f->met, f->at_most ? f->ratio <= f->target : f->ratio >= f->target, "%s",
		     f->name);
}

/* Twice: the second finds every address, file and processor as the first did. */
Test(bench, shape, .timeout = 120)
{
	struct bench_figure figure[BENCH_MAX];
	cpu_set_t before, after;
	size_t files;

	kvmtest_guest(arch_name(), "");
	kvmtest_needs_kvm();
	guard_install();
	cr_assert_eq(sched_getaffinity(0, sizeof(before), &before), 0);
	files = open_files();
	for (int i = 0; i < 2; i++) {
		struct err e = { 0 };
		size_t n = bench_sized(kvmtest_image(), NULL, 1, SHORTER, figure, &e);

		cr_assert_eq(n, sizeof(names) / sizeof(names[0]), "%s", e.text);
		for (size_t k = 0; k < n; k++) {
			cr_assert_str_eq(figure[k].name, names[k]);
			check_shape(&figure[k]);
		}
		/* Steps need nothing but what `stepped` needs. */
		cr_assert_str_empty(figure[0].unsupported, "%s", figure[0].unsupported);
		cr_assert_eq(figure[0].target, 0.85);
		cr_assert(*figure[3].unsupported, "start-up without a program to start");
		cr_assert_null(strstr(figure[1].unsupported, "taken"), "%s", figure[1].unsupported);
	}
	cr_assert_eq(open_files(), files, "files left open");
	cr_assert_eq(sched_getaffinity(0, sizeof(after), &after), 0);
	cr_assert(CPU_EQUAL(&before, &after), "pinned for good");
}
