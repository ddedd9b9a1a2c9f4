// SPDX-License-Identifier: BSD-2-Clause
/*
 * fuzz_scenario.c - libFuzzer on the scenario reader: any bytes are either a
 * scenario or one line of ERR_INPUT, and nothing is left behind.
 */
#include <assert.h>
#include <string.h>

#include "scenario/scenario.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A scenario holds what its method has, and nothing of another one's. */
static void check_method(const struct scenario *s)
{
	static const struct free_options no_free;
	static const struct explore_options no_explore;
	const struct explore_options *x = &s->explore;

	assert(s->method < METHODS);
	assert(s->method == METHOD_FREE || (s->pokes && s->calls));
	assert(s->method == METHOD_STEPPED || (!s->nmoves && !s->ninjections));
	/* Both are zeroed with the scenario, their padding too. */
	/* NOLINTBEGIN(bugprone-suspicious-memory-comparison) */
	assert(s->method == METHOD_FREE || !memcmp(&s->free, &no_free, sizeof(no_free)));
	assert(s->method == METHOD_EXPLORE || !memcmp(x, &no_explore, sizeof(no_explore)));
	/* NOLINTEND(bugprone-suspicious-memory-comparison) */
	for (uint32_t i = s->vcpus; i < CM_MAX_VCPUS; i++)
		assert(!x->nmis[i]);
	assert(x->max_seconds >= 0 && x->max_states <= INT64_MAX && x->max_memory_mb <= 1u << 30);
}

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
		check_method(&s);
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
