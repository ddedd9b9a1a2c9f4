// SPDX-License-Identifier: BSD-2-Clause
/* test_err.c - error records. */
#include "base/err.h"

#include <errno.h>
#include <string.h>

#include <criterion/criterion.h>

Test(err, set)
{
	struct err e = { 0 };

	cr_assert_not(err_set(&e, ERR_INPUT, "%s: line %d", "file", 3));
	cr_assert_eq(e.code, ERR_INPUT);
	cr_assert_str_eq(e.text, "file: line 3");
	cr_assert_not(err_set(&e, ERR_UNSUPPORTED, "no"));
	cr_assert_eq(e.code, ERR_UNSUPPORTED);
	cr_assert_str_eq(e.text, "no");
}

Test(err, sys)
{
	struct err e;

	cr_assert_not(err_sys(&e, ENOENT, "KVM_RUN on vCPU %d", 1));
	cr_assert_eq(e.code, ERR_HOST);
	cr_assert_str_eq(e.text, "KVM_RUN on vCPU 1: No such file or directory");
}

Test(err, prefix)
{
	struct err e;

	err_set(&e, ERR_UNSUPPORTED, "not here");
	cr_assert_not(err_prefix(&e, "vCPU %d: ", 2));
	cr_assert_not(err_prefix(&e, "run: "));
	cr_assert_eq(e.code, ERR_UNSUPPORTED);
	cr_assert_str_eq(e.text, "run: vCPU 2: not here");
}

Test(err, null)
{
	cr_assert_not(err_set(NULL, ERR_INPUT, "x"));
	cr_assert_not(err_sys(NULL, EIO, "x"));
	cr_assert_not(err_prefix(NULL, "x"));
}

/* Too long a text is cut, and stays a string. */
Test(err, long_text)
{
	char big[2 * sizeof(((struct err *)0)->text)];
	struct err e;

	memset(big, 'x', sizeof(big));
	big[sizeof(big) - 1] = '\0';
	err_set(&e, ERR_INPUT, "%s", big);
	cr_assert_eq(strlen(e.text), sizeof(e.text) - 1);
	err_sys(&e, EIO, "%s", big);
	cr_assert_eq(strlen(e.text), sizeof(e.text) - 1);
	err_set(&e, ERR_INPUT, "tail");
	err_prefix(&e, "%s", big);
	cr_assert_eq(strlen(e.text), sizeof(e.text) - 1);
	err_set(&e, ERR_INPUT, "%s", big);
	err_prefix(&e, "head: ");
	cr_assert_eq(strlen(e.text), sizeof(e.text) - 1);
	cr_assert_eq(strncmp(e.text, "head: xx", 8), 0);
}

Test(err, exit_status)
{
	cr_assert_eq(err_exit_status(ERR_NONE), 0);
	cr_assert_eq(err_exit_status(ERR_INPUT), 2);
	cr_assert_eq(err_exit_status(ERR_HOST), 3);
	cr_assert_eq(err_exit_status(ERR_UNSUPPORTED), 77);
	cr_assert_eq(err_exit_status((enum err_code)99), 3);
}
