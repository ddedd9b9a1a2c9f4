// SPDX-License-Identifier: BSD-2-Clause
/* report_bench.c - the figures of bench as JSON. */
#include "bench/bench.h"

#include "report/report_json.h"

char *report_bench(const struct bench_figure *f, size_t n)
{
	json_t *list = json_array();

	for (size_t i = 0; i < n; i++)
		json_array_append_new(list,
				      json_pack("{ss sf sf sf sf sf ss sf sb sb ss ss}", "name",
						f[i].name, "ratio", f[i].ratio, "low", f[i].low,
						"high", f[i].high, "ours", f[i].ours, "raw",
						f[i].raw, "unit", f[i].unit, "target", f[i].target,
						"at_most", f[i].at_most, "met", f[i].met, "what",
						f[i].what, "unsupported", f[i].unsupported));
	return report_dump(list);
}
