// SPDX-License-Identifier: BSD-2-Clause
/* cmd_bench.c - `crossmod bench`: the figures, as a table or as JSON. */
#include "command/cmd.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/bench.h"
#include "report/report.h"

static void print_figures(const struct bench_figure *f, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (*f[i].unsupported) {
			printf("%-16s unsupported: %s\n", f[i].name, f[i].unsupported);
			continue;
		}
		printf("%-16s %6.3f (%.3f - %.3f)  target %s %.2f  %s\n", f[i].name, f[i].ratio,
		       f[i].low, f[i].high, f[i].at_most ? "<=" : ">=", f[i].target,
		       f[i].met ? "met" : "MISSED");
		printf("%-16s %.6g against %.6g %s: %s\n", "", f[i].ours, f[i].raw, f[i].unit,
		       f[i].what);
	}
}

int cmd_bench(const struct options *o)
{
	struct bench_figure figure[BENCH_MAX];
	struct image img = { 0 };
	struct err e = { 0 };
	struct host host;
	size_t n;
	int status;

	/* Only what a stepped run's first instruction waits for; who started it asked the rest. */
	if (getenv("CROSSMOD_STARTUP"))
		return cmd_load_image(&img, o, &e) ? bench_startup_child(&img) : cmd_fail(&e);
	host_read(&host);
	if (!host_is_silicon(&host, &e) || !cmd_load_image(&img, o, &e))
		return cmd_fail(&e);
	n = bench_all(&img, "/proc/self/exe", figure, &e);
	status = n ? EXIT_AS_EXPECTED : cmd_fail(&e);
	if (n && o->json)
		status = cmd_print(report_bench(figure, n), status);
	else if (n)
		print_figures(figure, n);
	image_fini(&img);
	return status;
}
