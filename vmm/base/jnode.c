// SPDX-License-Identifier: BSD-2-Clause
/*
 * jnode.c - strict, typed reading of JSON with the path of every value.
 *
 * Owns type, range and key checks and their wording. Must not know what a
 * scenario is.
 */
#include "base/jnode.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

bool jnode_open(struct jnode *root, const char *path, struct err *e)
{
	json_error_t syntax;
	FILE *f = fopen(path, "re");
	struct stat st;

	*root = (struct jnode){ .file = path, .err = e };
	if (!f)
		return err_set(e, ERR_INPUT, "%s: %s", path, strerror(errno));
	if (!fstat(fileno(f), &st) && S_ISDIR(st.st_mode)) {
		fclose(f);
		return err_set(e, ERR_INPUT, "%s: is a directory, and a file is wanted", path);
	}
	root->json = json_loadf(f, JSON_REJECT_DUPLICATES, &syntax);
	fclose(f);
	return root->json ||
	       err_set(e, ERR_INPUT, "%s:%d:%d: %s", path, syntax.line, syntax.column, syntax.text);
}

static void path_of(const struct jnode *n, char *buf, size_t size)
{
	size_t used;

	if (!n->parent) {
		snprintf(buf, size, "$");
		return;
	}
	path_of(n->parent, buf, size);
	used = strlen(buf);
	if (n->key)
		snprintf(buf + used, size - used, ".%s", n->key);
	else
		snprintf(buf + used, size - used, "[%zu]", n->index);
}

bool jnode_fail(const struct jnode *n, const char *fmt, ...)
{
	va_list ap;

	if (!n->err)
		return false;
	va_start(ap, fmt);
	n->err->code = ERR_INPUT;
	vsnprintf(n->err->text, sizeof(n->err->text), fmt, ap);
	va_end(ap);
	return jnode_prefix(n);
}

bool jnode_prefix(const struct jnode *n)
{
	char path[160];

	path_of(n, path, sizeof(path));
	return err_prefix(n->err, "%s: %s: ", n->file, path);
}

const char *jnode_type(const struct jnode *n)
{
	switch (json_typeof(n->json)) {
	case JSON_OBJECT:
		return "an object";
	case JSON_ARRAY:
		return "an array";
	case JSON_STRING:
		return "a string";
	case JSON_INTEGER:
		return "an integer";
	case JSON_REAL:
		return "a fraction";
	case JSON_TRUE:
	case JSON_FALSE:
		return "a boolean";
	case JSON_NULL:
		return "null";
	}
	return "?";
}

static bool wrong_type(const struct jnode *n, const char *expected)
{
	return jnode_fail(n, "expected %s, found %s", expected, jnode_type(n));
}

void jnode_list(char *list, size_t size, const char *name)
{
	static const char comma[] = ", ", more[] = "...";
	size_t used = strlen(list);

	if (used >= sizeof(more) - 1 && !strcmp(list + used - (sizeof(more) - 1), more))
		return;
	/* Room is always kept for one more comma and the dots. */
	if (used + strlen(name) + 2 * strlen(comma) + sizeof(more) > size)
		name = more;
	snprintf(list + used, size - used, "%s%s", used ? comma : "", name);
}

bool jnode_out_of_memory(const struct jnode *n)
{
	return err_set(n->err, ERR_HOST, "%s: out of memory", n->file);
}

bool jnode_copy(const struct jnode *n, const char *text, char **copy)
{
	char *fresh = strdup(text);

	if (!fresh)
		return jnode_out_of_memory(n);
	*copy = fresh;
	return true;
}

/* ---- objects and arrays ---- */

static bool known_key(const char *const *keys, const char *key)
{
	for (; *keys; keys++)
		if (!strcmp(*keys, key))
			return true;
	return false;
}

bool jnode_any_object(const struct jnode *n)
{
	return json_is_object(n->json) || wrong_type(n, "an object");
}

bool jnode_format(const struct jnode *n, const char *format)
{
	struct jnode has;

	if (!jnode_any_object(n) || !jnode_require(n, "format", &has))
		return false;
	return (json_is_string(has.json) && !strcmp(json_string_value(has.json), format)) ||
	       jnode_fail(&has, "not \"%s\"", format);
}

bool jnode_object(const struct jnode *n, const char *const *keys)
{
	char list[JNODE_LIST_MAX] = "";
	const char *key;
	json_t *value;

	if (!jnode_any_object(n))
		return false;
	json_object_foreach (n->json, key, value) {
		if (known_key(keys, key))
			continue;
		for (; *keys; keys++)
			jnode_list(list, sizeof(list), *keys);
		return jnode_fail(n, "unknown key '%.60s'; known here: %s", key, list);
	}
	return true;
}

bool jnode_get(const struct jnode *object, const char *key, struct jnode *child)
{
	*child = (struct jnode){ .json = json_object_get(object->json, key),
				 .file = object->file,
				 .err = object->err,
				 .parent = object,
				 .key = key };
	return child->json;
}

bool jnode_require(const struct jnode *object, const char *key, struct jnode *child)
{
	if (!jnode_get(object, key, child))
		return jnode_fail(object, "'%s' is missing", key);
	return true;
}

bool jnode_one_of(const struct jnode *object, const char *const *keys, size_t count,
		  struct jnode *child, size_t *which)
{
	char list[JNODE_LIST_MAX] = "";
	size_t i, found = count;
	struct jnode other;

	for (i = 0; i < count; i++) {
		jnode_list(list, sizeof(list), keys[i]);
		if (!jnode_get(object, keys[i], &other))
			continue;
		if (found < count)
			return jnode_fail(object, "both '%s' and '%s'; exactly one of them",
					  keys[found], keys[i]);
		found = i;
		*child = other;
	}
	if (found == count)
		return jnode_fail(object, "exactly one of these is needed: %s", list);
	*which = found;
	return true;
}

bool jnode_only_with(const struct jnode *object, const char *key, const char *other)
{
	struct jnode child, beside;

	if (!jnode_get(object, key, &child) || jnode_get(object, other, &beside))
		return true;
	return jnode_fail(&child, "only beside '%s'", other);
}

bool jnode_array(const struct jnode *n, size_t min, size_t max, size_t *count)
{
	size_t size;

	if (!json_is_array(n->json))
		return wrong_type(n, "an array");
	size = json_array_size(n->json);
	if (size < min)
		return jnode_fail(n, "expected at least %zu item%s, found %zu", min,
				  min == 1 ? "" : "s", size);
	if (size > max)
		return jnode_fail(n, "expected at most %zu items, found %zu", max, size);
	*count = size;
	return true;
}

struct jnode jnode_item(const struct jnode *array, size_t index)
{
	return (struct jnode){ .json = json_array_get(array->json, index),
			       .file = array->file,
			       .err = array->err,
			       .parent = array,
			       .index = index };
}

/* ---- values ---- */

bool jnode_string(const struct jnode *n, char **copy)
{
	if (!json_is_string(n->json))
		return wrong_type(n, "a string");
	if (!json_string_length(n->json))
		return jnode_fail(n, "must not be empty");
	return jnode_copy(n, json_string_value(n->json), copy);
}

bool jnode_choice(const struct jnode *n, const char *const *names, size_t count, size_t *which)
{
	char list[JNODE_LIST_MAX] = "";
	size_t i;

	for (i = 0; i < count; i++) {
		if (json_is_string(n->json) && !strcmp(json_string_value(n->json), names[i])) {
			*which = i;
			return true;
		}
		jnode_list(list, sizeof(list), names[i]);
	}
	if (!json_is_string(n->json))
		return jnode_fail(n, "expected one of %s; found %s", list, jnode_type(n));
	return jnode_fail(n, "'%.60s' is none of %s", json_string_value(n->json), list);
}

bool jnode_bool(const struct jnode *n, bool *value)
{
	if (!json_is_boolean(n->json))
		return wrong_type(n, "true or false");
	*value = json_is_true(n->json);
	return true;
}

bool jnode_u64(const struct jnode *n, uint64_t min, uint64_t max, uint64_t *value)
{
	json_int_t v;

	if (!json_is_integer(n->json))
		return wrong_type(n, "an integer");
	v = json_integer_value(n->json);
	if (v < 0 || (uint64_t)v < min || (uint64_t)v > max)
		return jnode_fail(
			n, "%" JSON_INTEGER_FORMAT " is out of range: %" PRIu64 " to %" PRIu64, v,
			min, max);
	*value = (uint64_t)v;
	return true;
}

bool jnode_u32(const struct jnode *n, uint32_t min, uint32_t max, uint32_t *value)
{
	uint64_t v = 0;

	if (!jnode_u64(n, min, max, &v))
		return false;
	*value = (uint32_t)v;
	return true;
}

bool jnode_real(const struct jnode *n, double min, double max, double *value)
{
	double v;

	if (!json_is_number(n->json))
		return wrong_type(n, "a number");
	v = json_number_value(n->json);
	if (!(v >= min && v <= max))
		return jnode_fail(n, "%.10g is out of range: %g to %g", v, min, max);
	*value = v;
	return true;
}

bool jnode_need_string(const struct jnode *object, const char *key, char **copy)
{
	struct jnode child;

	return jnode_require(object, key, &child) && jnode_string(&child, copy);
}

bool jnode_need_u64(const struct jnode *object, const char *key, uint64_t min, uint64_t max,
		    uint64_t *value)
{
	struct jnode child;

	return jnode_require(object, key, &child) && jnode_u64(&child, min, max, value);
}

bool jnode_need_u32(const struct jnode *object, const char *key, uint32_t min, uint32_t max,
		    uint32_t *value)
{
	struct jnode child;

	return jnode_require(object, key, &child) && jnode_u32(&child, min, max, value);
}

bool jnode_opt_string(const struct jnode *object, const char *key, char **copy)
{
	struct jnode child;

	return !jnode_get(object, key, &child) || jnode_string(&child, copy);
}

bool jnode_opt_bool(const struct jnode *object, const char *key, bool *value)
{
	struct jnode child;

	return !jnode_get(object, key, &child) || jnode_bool(&child, value);
}

bool jnode_opt_u64(const struct jnode *object, const char *key, uint64_t min, uint64_t max,
		   uint64_t *value)
{
	struct jnode child;

	return !jnode_get(object, key, &child) || jnode_u64(&child, min, max, value);
}

bool jnode_opt_u32(const struct jnode *object, const char *key, uint32_t min, uint32_t max,
		   uint32_t *value)
{
	struct jnode child;

	return !jnode_get(object, key, &child) || jnode_u32(&child, min, max, value);
}
