// SPDX-License-Identifier: BSD-2-Clause
/* test_scenario_isa.c - the instruction set of a scenario, and what depends on it. */
#include "test_scenario_fixture.h"

#include "image/isa.h"

#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

static struct image_site sites[] = {
	{ .name = "nop5_jmp5", .record = { .isa = CM_ISA_X86_64, .length = 5 } },
	{ .name = "bl_bl", .record = { .isa = CM_ISA_T32, .length = 4 } },
	{ .name = "nop_b", .record = { .isa = CM_ISA_A64, .length = 4 } },
};

#define SCENARIO(site, rest)                                                               \
	"{\"why\": \"w\", \"protocol\": \"naive\", \"sites\": [{\"site\": \"" site "\"}, " \
	"{\"site\": \"" site "\"}], \"method\": \"explore\", \"expect\": \"safe\"" rest "}"

/*
 * The example's image with sites of three kinds, for the architecture of the one
 * that (text) names; NULL when there is none to ask.
 */
static bool parse(struct scenario *s, const char *path, const char *text, bool with_image,
		  struct err *e)
{
	struct image img = example_image;

	img.abi.isa = strstr(text, "nop5_jmp5") ? CM_ISA_X86_64 : CM_ISA_A64;
	img.sites = sites;
	img.nsites = sizeof(sites) / sizeof(sites[0]);
	return scenario_parse(s, path, text, strlen(text), with_image ? &img : NULL, e);
}

static const struct {
	const char *path, *text;
	bool image;
	enum cm_isa isa;
	uint32_t chunk;
	bool delivery_syncs;
} accepted[] = {
	{ "t.json", SCENARIO("nop5_jmp5", ""), true, CM_ISA_X86_64, 1, false },
	{ "t.json", SCENARIO("bl_bl", ""), true, CM_ISA_T32, 2, true },
	{ "t.json", SCENARIO("nop_b", ""), true, CM_ISA_A64, 4, true },
	{ "scenarios/arm/naive/t.json", SCENARIO("nop_b", ""), true, CM_ISA_A64, 4, true },
	{ "scenarios/arm/naive/t.json", SCENARIO("x", ""), false, CM_ISA_T32, 2, true },
	{ "scenarios/arm64/naive/t.json", SCENARIO("x", ""), false, CM_ISA_A64, 4, true },
	{ "scenarios/x86_64/naive/t.json", SCENARIO("x", ""), false, CM_ISA_X86_64, 1, false },
	{ "t.json", SCENARIO("x", ", \"isa\": \"a32\""), false, CM_ISA_A32, 4, true },
	{ "t.json", SCENARIO("bl_bl", ", \"isa\": \"t32\""), true, CM_ISA_T32, 2, true },
	{ "t.json", SCENARIO("bl_bl", ", \"fetch\": {\"model\": \"arm\", \"chunk\": \"word\"}"),
	  true, CM_ISA_T32, 4, true },
	{ "t.json", SCENARIO("bl_bl", ", \"fetch\": {\"delivery_syncs\": false}"), true, CM_ISA_T32,
	  2, false },
};

Test(scenario_isa, is_said_or_that_of_the_sites_or_of_the_directory)
{
	for (size_t i = 0; i < sizeof(accepted) / sizeof(accepted[0]); i++) {
		struct scenario s;
		struct err e = { 0 };

		cr_assert(parse(&s, accepted[i].path, accepted[i].text, accepted[i].image, &e),
			  "%zu: %s", i, e.text);
		cr_expect_eq(s.isa, accepted[i].isa, "%zu: %s", i, isa_name(s.isa));
		cr_expect_eq(s.fetch.chunk, accepted[i].chunk, "%zu: %u", i, s.fetch.chunk);
		cr_expect_eq(s.fetch.delivery_syncs, accepted[i].delivery_syncs, "%zu", i);
		scenario_fini(&s);
	}
}

Test(scenario_isa, model_arm_and_its_knobs)
{
	struct scenario s;
	struct err e = { 0 };

	cr_assert(parse(&s, "t.json",
			SCENARIO("nop_b", ", \"fetch\": {\"model\": \"arm\", \"dline\": 128, "
					  "\"iline\": 32, \"return_syncs\": false}"),
			true, &e),
		  "%s", e.text);
	cr_expect_eq(s.fetch.model, FETCH_ARM);
	cr_expect_eq(s.fetch.dline, 128);
	cr_expect_eq(s.fetch.iline, 32);
	cr_expect(s.fetch.return_lax && s.fetch.delivery_syncs && s.check_changes);
	scenario_fini(&s);
	cr_assert(parse(&s, "t.json", SCENARIO("nop_b", ""), true, &e));
	cr_expect_not(s.fetch.return_lax);
	scenario_fini(&s);
	cr_assert(parse(&s, "t.json", SCENARIO("bl_bl", ", \"fetch\": {\"check_changes\": false}"),
			true, &e));
	cr_expect_not(s.check_changes);
	scenario_fini(&s);
	cr_assert(parse(&s, "t.json", SCENARIO("nop5_jmp5", ""), true, &e));
	cr_expect_not(s.check_changes, "x86 has no such list");
	scenario_fini(&s);
}

static const struct {
	const char *text, *error;
} refused[] = {
	{ SCENARIO("nop5_jmp5", ", \"fetch\": {\"model\": \"arm\"}"),
	  "t.json: $.fetch.model: model 'arm' is of Arm processors; this scenario is for x86_64" },
	{ SCENARIO("nop5_jmp5", ", \"fetch\": {\"return_syncs\": true}"),
	  "t.json: $.fetch.return_syncs: a knob of Arm processors; this scenario is for x86_64" },
	{ SCENARIO("bl_bl", ", \"fetch\": {\"mfence_syncs\": true}"),
	  "t.json: $.fetch.mfence_syncs: a knob of x86 processors; this scenario is for t32" },
	{ SCENARIO("nop_b", ", \"fetch\": {\"own_alias_visible\": true}"),
	  "t.json: $.fetch.own_alias_visible: a knob of x86 processors; this scenario is for a64" },
	{ SCENARIO("nop_b", ", \"fetch\": {\"dline\": 64}"),
	  "t.json: $.fetch.dline: only in model 'arm'; this is 'sc'" },
	{ SCENARIO("nop_b", ", \"fetch\": {\"model\": \"arm\", \"iline\": 48}"),
	  "t.json: $.fetch.iline: expected a power of 2, found 48" },
	{ SCENARIO("nop_b", ", \"fetch\": {\"model\": \"arm\", \"iline\": 8}"),
	  "t.json: $.fetch.iline: 8 is out of range: 16 to 2048" },
	{ SCENARIO("nop_b", ", \"isa\": \"t32\""),
	  "t.json: $.sites[0].site: 'nop_b' is a site of a64, and the scenario is one of t32" },
	{ SCENARIO("nop_b", ", \"isa\": \"mips\""),
	  "t.json: $.isa: 'mips' is none of x86_64, a64, t32, a32" },
	{ "{\"why\": \"w\", \"protocol\": \"naive\", \"sites\": [{\"site\": \"bl_bl\"}, "
	  "{\"site\": \"nop_b\"}], \"method\": \"explore\", \"expect\": \"safe\"}",
	  "t.json: $.sites[1].site: 'nop_b' is a site of a64, and the first is one of t32" },
};

Test(scenario_isa, what_does_not_fit_is_said)
{
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		struct scenario s;
		struct err e = { 0 };

		cr_assert_not(parse(&s, "t.json", refused[i].text, true, &e), "%zu", i);
		cr_expect_eq(e.code, ERR_INPUT);
		cr_expect_str_eq(e.text, refused[i].error, "%s, not %s", e.text, refused[i].error);
	}
}

/* Not a mistake in the file: whoever runs a whole directory passes it over. */
Test(scenario_isa, what_is_for_another_architecture_is_unsupported)
{
	static const struct {
		const char *path, *text, *error;
	} other[] = {
		{ "scenarios/arm/naive/t.json", SCENARIO("nop5_jmp5", ""),
		  "scenarios/arm/naive/t.json: for Arm, and the guest image is for x86-64: "
		  "run it with --host arm64, or on an Arm host" },
		{ "t.json", SCENARIO("nop5_jmp5", ", \"isa\": \"t32\""),
		  "t.json: for Arm, and the guest image is for x86-64: "
		  "run it with --host arm64, or on an Arm host" },
		{ "scenarios/x86_64/naive/t.json", SCENARIO("nop_b", ""),
		  "scenarios/x86_64/naive/t.json: for x86-64, and the guest image is for Arm: "
		  "run it on an x86-64 host" },
	};

	for (size_t i = 0; i < sizeof(other) / sizeof(other[0]); i++) {
		struct scenario s;
		struct err e = { 0 };

		cr_assert_not(parse(&s, other[i].path, other[i].text, true, &e), "%zu", i);
		cr_expect_eq(e.code, ERR_UNSUPPORTED);
		cr_expect_str_eq(e.text, other[i].error, "%s, not %s", e.text, other[i].error);
	}
}

/* ---- the kernel ---- */

static bool parse_for(struct scenario *s, const char *text, uint32_t isa, struct err *e)
{
	static char path[] = "guest.elf";
	struct image img = example_image;

	img.path = path;
	img.abi.isa = isa;
	img.sites = sites;
	img.nsites = sizeof(sites) / sizeof(sites[0]);
	return scenario_parse(s, "t.json", text, strlen(text), isa ? &img : NULL, e);
}

/* T32 at EL1 takes a kernel in AArch32, and says so itself; everything else runs on either. */
Test(scenario_isa, the_kernel_is_said_or_what_the_roles_take)
{
	static const struct {
		const char *text;
		enum kernel kernel;
		uint32_t cpl; /* of the executors */
	} table[] = {
		{ SCENARIO("bl_bl", ""), KERNEL_AARCH64, 3 },
		{ SCENARIO("bl_bl", ", \"executors\": {\"el\": 0}"), KERNEL_AARCH64, 3 },
		{ SCENARIO("bl_bl", ", \"executors\": {\"el\": 1}"), KERNEL_AARCH32, 0 },
		{ SCENARIO("bl_bl", ", \"nmi_runs_site\": true"), KERNEL_AARCH32, 3 },
		{ SCENARIO("bl_bl", ", \"ipi_runs_site\": true"), KERNEL_AARCH32, 3 },
		{ SCENARIO("bl_bl", ", \"kernel\": \"aarch32\""), KERNEL_AARCH32, 0 },
		{ SCENARIO("bl_bl", ", \"kernel\": \"aarch32\", \"executors\": {\"el\": 0}"),
		  KERNEL_AARCH32, 3 },
		{ SCENARIO("bl_bl", ", \"kernel\": \"aarch64\""), KERNEL_AARCH64, 3 },
		{ SCENARIO("nop_b", ", \"nmi_runs_site\": true"), KERNEL_AARCH64, 0 },
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		uint32_t has = table[i].kernel == KERNEL_AARCH32 ? CM_ISA_T32 : CM_ISA_A64;
		uint32_t other = has == CM_ISA_T32 ? CM_ISA_A64 : CM_ISA_T32;
		bool either = !strstr(table[i].text, "kernel") && has == CM_ISA_A64;
		struct scenario s;
		struct err e = { 0 };

		cr_assert(parse_for(&s, table[i].text, has, &e), "%zu: %s", i, e.text);
		cr_expect_eq(s.kernel, table[i].kernel, "%zu: %s", i, kernel_name(s.kernel));
		cr_expect_eq(s.executor_cpl, table[i].cpl, "%zu: %u", i, s.executor_cpl);
		scenario_fini(&s);
		cr_expect_eq(parse_for(&s, table[i].text, other, &e), either, "%zu", i);
		if (either)
			scenario_fini(&s);
		else
			cr_expect_eq(e.code, ERR_UNSUPPORTED, "%zu: %s", i, e.text);
	}
}

Test(scenario_isa, a_kernel_that_cannot_do_it_is_said)
{
	static const struct {
		const char *text, *error;
		uint32_t isa; /* the image's; 0: none */
		enum err_code code;
	} table[] = {
		{ SCENARIO("bl_bl", ", \"kernel\": \"aarch64\", \"nmi_runs_site\": true"),
		  "t.json: $.nmi_runs_site: T32 sites are executed at EL1 by a kernel in AArch32 "
		  "only; \"kernel\" is 'aarch64'",
		  CM_ISA_A64, ERR_INPUT },
		{ SCENARIO("bl_bl", ", \"kernel\": \"aarch64\", \"executors\": {\"el\": 1}"),
		  "t.json: $.executors: T32 sites are executed at EL1 by a kernel in AArch32 "
		  "only; \"kernel\" is 'aarch64'",
		  CM_ISA_A64, ERR_INPUT },
		{ SCENARIO("nop_b", ", \"kernel\": \"aarch32\""),
		  "t.json: $.kernel: a kernel in AArch32 executes no A64, which the sites are",
		  CM_ISA_A64, ERR_INPUT },
		{ SCENARIO("nop5_jmp5", ", \"kernel\": \"aarch32\""),
		  "t.json: $.kernel: kernels differ on Arm; this scenario is for x86_64",
		  CM_ISA_X86_64, ERR_INPUT },
		{ SCENARIO("bl_bl", ", \"kernel\": \"arm\""),
		  "t.json: $.kernel: 'arm' is none of aarch64, aarch32", CM_ISA_A64, ERR_INPUT },
		{ SCENARIO("bl_bl", ", \"executors\": {\"el\": 1}"),
		  "t.json: for a kernel in AArch32, and the one of guest.elf is in AArch64",
		  CM_ISA_A64, ERR_UNSUPPORTED },
		{ SCENARIO("bl_bl", ", \"kernel\": \"aarch64\""),
		  "t.json: for a kernel in AArch64, and the one of guest.elf is in AArch32",
		  CM_ISA_T32, ERR_UNSUPPORTED },
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct scenario s;
		struct err e = { 0 };

		cr_assert_not(parse_for(&s, table[i].text, table[i].isa, &e), "%zu", i);
		cr_expect_eq(e.code, table[i].code, "%zu", i);
		cr_expect_str_eq(e.text, table[i].error, "%s, not %s", e.text, table[i].error);
	}
}

Test(scenario_isa, names)
{
	cr_expect_str_eq(isa_name(CM_ISA_X86_64), "x86_64");
	cr_expect_str_eq(isa_name(CM_ISA_A32), "a32");
	cr_expect_str_eq(isa_name(0), "?");
	cr_expect_str_eq(isa_name(5), "?");
	cr_expect_not(isa_is_arm(CM_ISA_X86_64));
	cr_expect(isa_is_arm(CM_ISA_A64) && isa_is_arm(CM_ISA_T32) && isa_is_arm(CM_ISA_A32));
}
