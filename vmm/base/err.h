/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * err.h - how a function says that it failed, and why.
 *
 * Guest misbehaviour is data and never comes here. What does: the user's
 * input, the host, and what the host cannot do. No library file prints or
 * exits; main.c turns the code into the exit status.
 */
#ifndef CROSSMOD_ERR_H
#define CROSSMOD_ERR_H

#include <stdbool.h>

enum err_code {
	ERR_NONE = 0,
	ERR_INPUT,	 /* the user's file or option: exit status 2 */
	ERR_HOST,	 /* KVM or the operating system: 3 */
	ERR_UNSUPPORTED, /* this host cannot do it: 77 */
};

struct err {
	enum err_code code;
	char text[512];
};

/*
 * Record a failure; always returns false, so that `return err_set(...)` is
 * one line. A later call replaces an earlier text. (e) may be NULL.
 */
bool err_set(struct err *e, enum err_code code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* As err_set(ERR_HOST), ending in ": " and the text of (errnum). */
bool err_sys(struct err *e, int errnum, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* Put a prefix before the text of a failure already recorded. Returns false. */
bool err_prefix(struct err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* The exit status that belongs to (code). */
int err_exit_status(enum err_code code);

#endif
