// SPDX-License-Identifier: BSD-2-Clause
/*
 * fuzz_scenario.c - libFuzzer on the scenario reader: any bytes are either a
 * scenario or one line of ERR_INPUT, and nothing is left behind.
 */
#include <assert.h>
#include <string.h>

#include "scenario.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct scenario empty;
	struct err e = { ERR_NONE, "" };
	struct scenario s;

	if (scenario_parse(&s, "fuzz.json", (const char *)data, size, NULL, &e)) {
		assert(s.nsites >= 1 && s.nsites <= CM_MAX_SITES && s.batch <= s.nsites);
		assert(s.vcpus >= 1 && s.vcpus <= CM_MAX_VCPUS && s.patcher < s.vcpus);
		assert(!(s.executors >> s.vcpus) && !(s.executors & 1u << s.patcher));
		assert(s.why && s.protocol_name && s.expect);
		scenario_fini(&s);
	} else {
		assert(e.code == ERR_INPUT && !strncmp(e.text, "fuzz.json:", 10));
		assert(!strchr(e.text, '\n'));
	}
	/* Its padding too: fini and a failed parse leave nothing behind. */
	/* NOLINTNEXTLINE(bugprone-suspicious-memory-comparison) */
	assert(!memcmp(&s, &empty, sizeof(s)));
	return 0;
}
