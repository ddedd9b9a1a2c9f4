// SPDX-License-Identifier: BSD-2-Clause
/* test_scenario_schema.c - the schema for editors says what the reader does. */
#include <criterion/criterion.h>
#include <jansson.h>
#include <regex.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "scenario/scenario.h"
#include "scenario/scenario_internal.h"
#include "test_scenario_fixture.h"

static void assert_same_keys(const char *form, const json_t *schema, const char *const *keys)
{
	const json_t *properties = json_object_get(schema, "properties");
	const json_t *additional = json_object_get(schema, "additionalProperties");
	const char *key;
	json_t *value;
	size_t n = 0;

	cr_assert(json_is_object(properties), "%s: not in schema.json", form);
	cr_expect(json_is_false(additional), "%s: additionalProperties is not false", form);
	for (; keys[n]; n++)
		cr_expect(json_object_get(properties, keys[n]), "%s: '%s' is not in schema.json",
			  form, keys[n]);
	json_object_foreach ((json_t *)(uintptr_t)properties, key, value) {
		bool known = false;

		for (size_t i = 0; i < n; i++)
			known |= !strcmp(keys[i], key);
		cr_expect(known, "%s: '%s' of schema.json is not read", form, key);
	}
}

static void assert_same_names(const json_t *list, const char *what, size_t count,
			      const char *(*name)(size_t))
{
	cr_assert_eq(json_array_size(list), count, "%s: schema.json lists %zu of %zu", what,
		     json_array_size(list), count);
	for (size_t i = 0; i < count; i++)
		cr_expect_str_eq(json_string_value(json_array_get(list, i)), name(i), "%s", what);
}

static const char *nth_verdict(size_t i)
{
	return verdict_name((enum verdict)i);
}

static const char *nth_model(size_t i)
{
	return fetch_model_name((enum fetch_model)i);
}

static const char *nth_method(size_t i)
{
	return method_name((enum method)i);
}

static const char *nth_kernel(size_t i)
{
	return kernel_name((enum kernel)i);
}

static json_t *enum_of(const json_t *form, const char *key)
{
	return json_object_get(json_object_get(json_object_get(form, "properties"), key), "enum");
}

Test(scenario, schema_has_the_same_keys)
{
	json_t *schema = example_tree("scenarios/schema.json");
	json_t *defs = json_object_get(schema, "$defs"), *def;
	size_t objects = 0;
	const char *name;

	for (size_t i = 0; i < scenario_nforms; i++) {
		const struct scenario_form *f = &scenario_forms[i];

		assert_same_keys(f->name ? f->name : "$",
				 f->name ? json_object_get(defs, f->name) : schema, f->keys);
	}
	json_object_foreach (defs, name, def)
		objects += !!json_object_get(def, "properties");
	cr_expect_eq(objects + 1, scenario_nforms, "a kind of object only schema.json knows");
	json_decref(schema);
}

Test(scenario, schema_has_the_same_names)
{
	json_t *schema = example_tree("scenarios/schema.json");
	json_t *defs = json_object_get(schema, "$defs");

	assert_same_names(json_object_get(json_object_get(defs, "verdict"), "enum"), "verdict",
			  VERDICTS, nth_verdict);
	assert_same_names(enum_of(json_object_get(defs, "fetch"), "model"), "model", FETCH_MODELS,
			  nth_model);
	assert_same_names(enum_of(schema, "method"), "method", METHODS, nth_method);
	assert_same_names(enum_of(schema, "kernel"), "kernel", KERNELS, nth_kernel);
	json_decref(schema);
}

/* What the schema says beyond the properties when (method) is chosen. */
static const json_t *then_of(const json_t *schema, enum method method)
{
	const json_t *all = json_object_get(schema, "allOf"), *then = NULL;
	const char *name = method_name(method);

	for (size_t i = 0; i < json_array_size(all); i++) {
		const json_t *item = json_array_get(all, i);
		const json_t *which = json_object_get(json_object_get(item, "if"), "properties");

		which = json_object_get(json_object_get(which, "method"), "const");
		if (which && !strcmp(json_string_value(which), name)) {
			cr_assert_null(then, "'%s' is twice in \"allOf\"", name);
			then = json_object_get(item, "then");
		}
	}
	cr_assert(then, "'%s' is not in \"allOf\"", name);
	return then;
}

Test(scenario, schema_has_the_same_keys_for_each_method)
{
	json_t *schema = example_tree("scenarios/schema.json");

	for (int m = 0; m < METHODS; m++) {
		const json_t *then = then_of(schema, (enum method)m);
		const json_t *refused = json_object_get(then, "properties");
		size_t n = 0;

		for (size_t i = 0; i < scenario_nmethod_keys; i++) {
			const struct scenario_method_key *k = &scenario_method_keys[i];
			bool mine = k->methods & 1u << m;

			cr_expect_eq(json_is_false(json_object_get(refused, k->key)), !mine,
				     "%s: '%s'", method_name((enum method)m), k->key);
			n += !mine;
		}
		cr_expect_eq(json_object_size(refused), n, "%s refuses others",
			     method_name((enum method)m));
	}
	json_decref(schema);
}

static const json_t *explore_property(const json_t *schema, const char *key)
{
	const json_t *explore = json_object_get(json_object_get(schema, "$defs"), "explore");

	return json_object_get(json_object_get(explore, "properties"), key);
}

static bool reads_explore(const char *options)
{
	json_t *change = json_pack("{s:i, s:o}", "vcpus", CM_MAX_VCPUS, "explore",
				   json_loads(options, 0, NULL));
	char *text = example_merged(EXPLORE_BASE, change, NULL);
	struct scenario s;
	bool ok;

	cr_assert(change, "the test's own JSON: %s", options);
	ok = scenario_parse(&s, "t.json", text, strlen(text), &example_image, NULL);
	if (ok)
		scenario_fini(&s);
	free(text);
	json_decref(change);
	return ok;
}

/* The keys are numbers of vCPUs, which the schema can only tell by a pattern. */
Test(scenario, schema_takes_nmis_of_the_same_vcpus)
{
	static const char *const keys[] = {
		"0",  "1",   "5", "9",	"10", "15", "16", "19",	 "20",
		"00", "010", "",  "-1", "+1", "1 ", "a",  "all", "1a",
	};
	json_t *schema = example_tree("scenarios/schema.json");
	const json_t *nmi = explore_property(schema, "nmi");
	json_t *patterns = json_object_get(nmi, "patternProperties");
	regex_t pattern;

	cr_expect(json_is_false(json_object_get(nmi, "additionalProperties")));
	cr_assert_eq(json_object_size(patterns), 1);
	cr_assert_eq(regcomp(&pattern, json_object_iter_key(json_object_iter(patterns)),
			     REG_EXTENDED | REG_NOSUB),
		     0);
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		char options[60];

		snprintf(options, sizeof(options), "{\"nmi\": {\"%s\": 1}}", keys[i]);
		cr_expect_eq(!regexec(&pattern, keys[i], 0, NULL, 0), reads_explore(options),
			     "'%s'", keys[i]);
	}
	regfree(&pattern);
	json_decref(schema);
}

/* The greatest value the schema takes is read, the next one is not. */
Test(scenario, schema_has_the_same_bounds_for_explore)
{
	static const char *const keys[] = { "max_states", "max_seconds", "max_memory_mb" };
	json_t *schema = example_tree("scenarios/schema.json");

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		const json_t *property = explore_property(schema, keys[i]);
		json_int_t most = json_integer_value(json_object_get(property, "maximum"));
		char options[60];

		cr_assert_gt(most, 0, "%s", keys[i]);
		snprintf(options, sizeof(options), "{\"%s\": %lld}", keys[i], (long long)most);
		cr_expect(reads_explore(options), "%s", options);
		if (most == INT64_MAX)
			continue;
		snprintf(options, sizeof(options), "{\"%s\": %lld}", keys[i], (long long)most + 1);
		cr_expect_not(reads_explore(options), "%s", options);
	}
	json_decref(schema);
}
