// SPDX-License-Identifier: BSD-2-Clause
/*
 * report_kept.c - an earlier search's result held against a search that is to
 * be written in its place. Owns which members make two searches the same one;
 * must not know what a checkpoint holds.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "report/report_internal.h"

/* What a search depends on, as a person would say it; what is most often the reason comes first. */
static const struct {
	const char *words;
	const char *key, *below; /* below: a member of that member, or NULL */
} members[] = {
	{ "the guest image", "guest", "digest" },
	{ "the protocol", "protocol", NULL },
	{ "the fetch model", "fetch", NULL },
	{ "the number of vCPUs", "vcpus", NULL },
	{ "the NMI budget", "budgets", "nmis" },
	{ "the list of executors", "executors", "vcpus" },
	{ "--every-violation", "bounds", "every_violation" },
	{ "the reduction", "bounds", "reduction" },
	{ "the list of knobs", "knobs", NULL },
	{ "the scenario's text", "scenario_text", NULL },
};
#define NMEMBERS    (sizeof(members) / sizeof(members[0]))
#define VALUE_BYTES 100 /* longer ones are not quoted */

static const json_t *member(const json_t *o, size_t i)
{
	const json_t *value = json_object_get(o, members[i].key);

	return members[i].below ? json_object_get(value, members[i].below) : value;
}

static void say(size_t i, const json_t *there, const json_t *here, char *text, size_t size)
{
	char *has = json_dumps(there, JSON_ENCODE_ANY | JSON_COMPACT);
	char *wants = json_dumps(here, JSON_ENCODE_ANY | JSON_COMPACT);

	if (has && wants && strlen(has) < VALUE_BYTES && strlen(wants) < VALUE_BYTES)
		snprintf(text, size, "%s is %s there and %s here", members[i].words, has, wants);
	else
		snprintf(text, size, "%s is another", members[i].words);
	free(has);
	free(wants);
}

bool report_same_search(const struct result *r, char *difference, size_t size)
{
	json_t *there = json_load_file(r->path, 0, NULL);
	json_t *here = report_object(r);
	bool same = there != NULL;

	*difference = '\0';
	for (size_t i = 0; same && i < NMEMBERS; i++) {
		const json_t *has = member(there, i), *wants = member(here, i);

		same = json_equal(has, wants);
		if (!same)
			say(i, has, wants, difference, size);
	}
	json_decref(there);
	json_decref(here);
	return same;
}
