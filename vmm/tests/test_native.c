// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_native.c - the guest's image in this process: one text behind two
 * addresses, and the survey's loops run there. What they count is planted.
 */
#include "vm/native.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include "vm/arch_bench.h"
#include "kvmtest.h"
#include "model/site.h"

static struct native native;

static void set_up(void)
{
	struct err e = { 0 };

	if (!native_map(&native, kvmtest_image(), &e))
		kvmtest_skip_or_fail(&e);
}

static void tear_down(void)
{
	native_unmap(&native);
}

TestSuite(native, .init = set_up, .fini = tear_down, .timeout = 20);

Test(native, the_text_is_one_behind_two_addresses)
{
	cr_assert_eq((uintptr_t)native.text, CM_TEXT_BASE);
	cr_assert_eq((uintptr_t)native.alias, CM_ALIAS_BASE);
	native.alias[5] = 0xc3;
	cr_expect_eq(native.text[5], 0xc3);
	cr_expect_eq(native.text[CM_TEXT_SIZE - 1], 0);
	cr_expect_arr_eq(native.image, kvmtest_image()->memory, native.image_size);
}

/* By a system call, which fails where a store would end the test. */
Test(native, nothing_is_writable_and_executable)
{
	int zero = open("/dev/zero", O_RDONLY | O_CLOEXEC);

	cr_expect_eq(read(zero, native.text, 1), -1);
	cr_expect_eq(read(zero, (void *)(uintptr_t)kvmtest_address("cm_survey_write"), 1), -1);
	cr_expect_eq(read(zero, native.alias, 1), 1);
	close(zero);
}

Test(native, an_address_that_is_taken_is_said)
{
	struct native second;
	struct err e = { 0 };

	cr_expect_not(native_map(&second, kvmtest_image(), &e));
	cr_expect_eq(e.code, ERR_UNSUPPORTED);
	cr_expect(strstr(e.text, "0x10000000 cannot be had"), "%s", e.text);
	native.alias[0] = 1; /* the first is as it was */
	native_unmap(&native);
	cr_expect(native_map(&second, kvmtest_image(), &e), "%s", e.text);
	native_unmap(&second);
}

/* ---- the survey's loops, told what they find ---- */

static struct cm_survey *survey;
static struct cm_site site;

static void on_alarm(int signal)
{
	(void)signal;
	survey->stop = survey->spent = 1;
}

/* cm_survey_execute() for some milliseconds, over a site that nobody stores to. */
static void execute(void)
{
	typedef void (*loop_function)(struct cm_cpu *, struct cm_survey *);
	struct itimerval soon = { .it_value = { .tv_usec = 5000 } };
	loop_function loop = (loop_function)(uintptr_t)kvmtest_address("cm_survey_execute");

	signal(SIGALRM, on_alarm);
	setitimer(ITIMER_REAL, &soon, NULL);
	loop((struct cm_cpu *)(uintptr_t)kvmtest_image()->abi.cpu, survey);
}

static void place(bool new_form)
{
	struct site s;

	site_place(&s, image_site(kvmtest_image(), "mov_imm32"), 0, 8);
	site_install(&s, native.alias);
	site = s.placed;
	if (new_form)
		memcpy(native.alias + (site.text - CM_TEXT_BASE), site.new_bytes, site.length);
	native_written(&native);
	survey = (struct cm_survey *)(uintptr_t)kvmtest_address("cm_survey");
	memset(survey, 0, sizeof(*survey));
	survey->site = site;
}

/* A fence that promises the new form, and a store that never came: every execution is stale. */
Test(native, the_old_form_behind_a_fence_is_stale)
{
	place(false);
	survey->timed = 1;
	survey->started = survey->fenced = 1;
	execute();
	cr_expect_gt(survey->executions, 0);
	cr_expect_eq(survey->stale_runs, survey->executions);
	cr_expect_eq(survey->stale_pokes, 1);
	cr_expect_eq(survey->seen, 0);
	cr_expect_eq(survey->samples, 0);
}

/* Before the fence the old form is nobody's fault; the new one is seen once. */
Test(native, what_runs_before_a_fence_is_not)
{
	place(false);
	survey->timed = 1;
	survey->started = 1;
	execute();
	cr_expect_gt(survey->executions, 0);
	cr_expect_eq(survey->stale_runs, 0);
	place(true);
	survey->timed = 1;
	survey->started = survey->fenced = 1;
	survey->stored_at = bare_cycles();
	execute();
	cr_expect_eq(survey->stale_runs, 0);
	cr_expect_eq(survey->seen, 1);
	cr_expect_eq(survey->samples, 1);
	cr_expect_eq(survey->new_runs, survey->executions);
}

/* Bytes that are neither form, there all the time. */
Test(native, every_mixture_is_tallied_by_what_it_left)
{
	place(false);
	native.alias[site.text - CM_TEXT_BASE + 2] = 0x22;
	native_written(&native);
	execute();
	cr_expect_gt(survey->executions, 0);
	cr_expect_eq(survey->other_runs, survey->executions);
	cr_expect_eq(survey->tally[0].count, survey->executions);
	cr_expect_eq(survey->tally[0].value, 0x11112211);
	cr_expect_eq(survey->tally[0].pad, site.pad_old);
	cr_expect_eq(survey->tally[1].count, 0);
	cr_expect_eq(survey->transitions, 0);
}
