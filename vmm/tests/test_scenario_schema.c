// SPDX-License-Identifier: BSD-2-Clause
/* test_scenario_schema.c - the schema for editors says what the reader does. */
#include <criterion/criterion.h>
#include <jansson.h>
#include <stdint.h>
#include <string.h>

#include "scenario.h"
#include "scenario_internal.h"
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
	json_decref(schema);
}
