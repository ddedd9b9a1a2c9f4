// SPDX-License-Identifier: BSD-2-Clause
/*
 * scenario_explore.c - "explore": how many NMIs the search may place, and what
 * ends it early.
 *
 * Owns the JSON form of these. Must not know how the search is made.
 */
#include "scenario/scenario_internal.h"

#include <stdio.h>
#include <string.h>

#define SECONDS_MAX   1e9
#define MEMORY_MB_MAX (1u << 30)

const char *const scenario_explore_keys[] = { "nmi",	       "max_states", "max_seconds",
					      "max_memory_mb", "reduction",  NULL };

/* A vCPU of this scenario as a key: its number, written in one way only. */
static bool vcpu_of(const struct scenario *s, const char *key, uint32_t *vcpu)
{
	char number[12];
	uint32_t i;

	for (i = 0; i < s->vcpus; i++) {
		snprintf(number, sizeof(number), "%u", i);
		if (!strcmp(key, number)) {
			*vcpu = i;
			return true;
		}
	}
	return false;
}

static bool read_nmi(const struct jnode *n, uint8_t *nmis)
{
	uint32_t number;

	if (json_is_string(n->json) && !strcmp(json_string_value(n->json), "unlimited")) {
		*nmis = SCENARIO_NMI_UNLIMITED;
		return true;
	}
	if (!json_is_integer(n->json))
		return jnode_fail(n, "expected a number of NMIs or \"unlimited\"");
	if (!jnode_u32(n, 0, SCENARIO_NMI_UNLIMITED - 1, &number))
		return false;
	*nmis = (uint8_t)number;
	return true;
}

static bool read_nmis(struct scenario *s, const struct jnode *n)
{
	const char *key;
	json_t *value;
	uint32_t vcpu;

	if (!jnode_any_object(n))
		return false;
	json_object_foreach (n->json, key, value) {
		struct jnode budget;

		if (!vcpu_of(s, key, &vcpu))
			return jnode_fail(n, "no vCPU '%.60s'; \"vcpus\" is %u, so \"0\" to \"%u\"",
					  key, s->vcpus, s->vcpus - 1);
		jnode_get(n, key, &budget);
		if (!read_nmi(&budget, &s->explore.nmis[vcpu]))
			return false;
	}
	return true;
}

static bool read_seconds(const struct jnode *n, double *seconds)
{
	double value;

	if (!jnode_real(n, 0, SECONDS_MAX, &value))
		return false;
	if (value <= 0)
		return jnode_fail(n, "must be greater than 0");
	*seconds = value;
	return true;
}

bool scenario_read_explore(struct scenario *s, const struct jnode *n)
{
	struct explore_options *x = &s->explore;
	struct jnode nmi, seconds;
	bool reduction = true;

	if (!jnode_object(n, scenario_explore_keys))
		return false;
	if (jnode_get(n, "nmi", &nmi) && !read_nmis(s, &nmi))
		return false;
	if (jnode_get(n, "max_seconds", &seconds) && !read_seconds(&seconds, &x->max_seconds))
		return false;
	if (!jnode_opt_u64(n, "max_states", 1, INT64_MAX, &x->max_states) ||
	    !jnode_opt_u64(n, "max_memory_mb", 1, MEMORY_MB_MAX, &x->max_memory_mb) ||
	    !jnode_opt_bool(n, "reduction", &reduction))
		return false;
	x->no_reduction = !reduction;
	return true;
}
