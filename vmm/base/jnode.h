/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * jnode.h - a JSON value that knows where in its file it stands.
 *
 * Owns the strict, typed reading of Jansson values and the form of the
 * messages ("FILE: $.schedule[3].until: what is wrong"). Knows nothing of what
 * the values mean. A reader that fails (ERR_INPUT) returns false and leaves its
 * output alone.
 */
#ifndef CROSSMOD_JNODE_H
#define CROSSMOD_JNODE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/* Borrows everything; lives on the stack no longer than its parent. */
struct jnode {
	json_t *json; /* NULL: not in the file */
	const char *file;
	struct err *err;	    /* where failures go; may be NULL */
	const struct jnode *parent; /* NULL: the whole file, "$" */
	const char *key;	    /* in the parent object; NULL: an item of an array */
	size_t index;
};

/*
 * Read the file at (path), which must outlive the values, into (root), to be
 * given to json_decref(). A syntax error is told with its line and column.
 */
bool jnode_open(struct jnode *root, const char *path, struct err *e);

/* Record "FILE: PATH: text". Returns false. */
bool jnode_fail(const struct jnode *n, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Put "FILE: PATH: " before the failure another module has recorded. Returns false. */
bool jnode_prefix(const struct jnode *n);

/* Is it an object with no other keys than (keys), NULL-terminated? */
bool jnode_object(const struct jnode *n, const char *const *keys);
/* Is it an object, whatever its keys? And one whose "format" is (format)? */
bool jnode_any_object(const struct jnode *n);
bool jnode_format(const struct jnode *n, const char *format);
/*
 * Is (key) in the object? (child) is its value, else an absent one in which no
 * key is found either. No failure is recorded.
 */
bool jnode_get(const struct jnode *object, const char *key, struct jnode *child);
/* The same, and its absence is a failure. */
bool jnode_require(const struct jnode *object, const char *key, struct jnode *child);
/* Exactly one of the (count) (keys) must be there; (child).key tells which, (*which) its index. */
bool jnode_one_of(const struct jnode *object, const char *const *keys, size_t count,
		  struct jnode *child, size_t *which);
/* (key) makes sense beside (other) only. */
bool jnode_only_with(const struct jnode *object, const char *key, const char *other);

/* Is it an array of (min) to (max) items? */
bool jnode_array(const struct jnode *n, size_t min, size_t max, size_t *count);
struct jnode jnode_item(const struct jnode *array, size_t index);

/* A string that is not empty; the caller frees the copy. */
bool jnode_string(const struct jnode *n, char **copy);
/* One of (count) (names). */
bool jnode_choice(const struct jnode *n, const char *const *names, size_t count, size_t *which);
bool jnode_bool(const struct jnode *n, bool *value);
bool jnode_u64(const struct jnode *n, uint64_t min, uint64_t max, uint64_t *value);
bool jnode_u32(const struct jnode *n, uint32_t min, uint32_t max, uint32_t *value);
bool jnode_real(const struct jnode *n, double min, double max, double *value);

/* As above for the value of (key), which must be there. */
bool jnode_need_string(const struct jnode *object, const char *key, char **copy);
bool jnode_need_u64(const struct jnode *object, const char *key, uint64_t min, uint64_t max,
		    uint64_t *value);
bool jnode_need_u32(const struct jnode *object, const char *key, uint32_t min, uint32_t max,
		    uint32_t *value);

/* As above for the value of an optional (key): absent, the output keeps what it holds. */
bool jnode_opt_string(const struct jnode *object, const char *key, char **copy);
bool jnode_opt_bool(const struct jnode *object, const char *key, bool *value);
bool jnode_opt_u64(const struct jnode *object, const char *key, uint64_t min, uint64_t max,
		   uint64_t *value);
bool jnode_opt_u32(const struct jnode *object, const char *key, uint32_t min, uint32_t max,
		   uint32_t *value);

/* "a string", "an object", ...: for messages. */
const char *jnode_type(const struct jnode *n);
/* Append (name) to a comma-separated (list); what does not fit becomes "...". */
void jnode_list(char *list, size_t size, const char *name);
#define JNODE_LIST_MAX 320u

/* A copy of (text) for the caller to free; (n) is what it was needed for. */
bool jnode_copy(const struct jnode *n, const char *text, char **copy);
/* Record that the host is out of memory (ERR_HOST). Returns false. */
bool jnode_out_of_memory(const struct jnode *n);

#endif
