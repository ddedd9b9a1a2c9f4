// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_site.c - where a placed site lies, what the bytes executed there are,
 * and what an event of the guest says of it. Kinds built by hand, the five of
 * guest/x86_64/sites.S; nothing runs.
 */
#include "model/site.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#define COUNT(array)	(sizeof(array) / sizeof((array)[0]))
#define MARKER		0x8000c0debad00000u
#define LENGTH		5u
#define ORIGIN		(CM_TEXT_BASE + CM_SLOT_ORIGIN)
#define VECTOR_BP	3u
#define VECTOR_UD	6u
#define VECTOR_GP	13u
#define VECTOR_PF	14u
#define FORMS(old, new) .old_bytes = old, .new_bytes = new
#define BYTES(...)          \
	{                   \
		__VA_ARGS__ \
	}

enum { NOP5_JMP5, NOP5_CALL5, CALL5_CALL5, MOV_IMM32, NOP1X5_JMP5, KINDS };

static uint8_t code[0x4800];

static const struct image_site kinds[KINDS] = {
	[NOP5_JMP5] = { "nop5_jmp5",
			code,
			{ .image_size = 0x4460,
			  .length = LENGTH,
			  .resume_offset = 5,
			  .target_offset = 16,
			  .pad_old = 5,
			  .pad_new = 16,
			  .value_old = MARKER,
			  .value_new = MARKER,
			  FORMS(BYTES(0x0f, 0x1f, 0x44, 0x00, 0x00),
				BYTES(0xe9, 0x0b, 0x00, 0x00, 0x00)) } },
	[NOP5_CALL5] = { "nop5_call5",
			 code,
			 { .image_size = 0x4460,
			   .length = LENGTH,
			   .resume_offset = 5,
			   .target_offset = 16,
			   .pad_old = CM_NO_PAD,
			   .pad_new = 16,
			   .value_old = MARKER,
			   .value_new = MARKER,
			   FORMS(BYTES(0x0f, 0x1f, 0x44, 0x00, 0x00),
				 BYTES(0xe8, 0x0b, 0x00, 0x00, 0x00)) } },
	[CALL5_CALL5] = { "call5_call5",
			  code,
			  { .image_size = 0x2a0,
			    .length = LENGTH,
			    .resume_offset = 0x40,
			    .target_offset = 0x185,
			    .pad_old = 0x245,
			    .pad_new = 0x185,
			    .value_old = MARKER,
			    .value_new = MARKER,
			    FORMS(BYTES(0xe8, 0x40, 0x02, 0x00, 0x00),
				  BYTES(0xe8, 0x80, 0x01, 0x00, 0x00)) } },
	[MOV_IMM32] = { "mov_imm32",
			code,
			{ .image_size = 0x60,
			  .length = LENGTH,
			  .resume_offset = 0x40,
			  .target_offset = 5,
			  .pad_old = 5,
			  .pad_new = 5,
			  .value_old = 0x11111111,
			  .value_new = 0x22222222,
			  FORMS(BYTES(0xb8, 0x11, 0x11, 0x11, 0x11),
				BYTES(0xb8, 0x22, 0x22, 0x22, 0x22)) } },
	[NOP1X5_JMP5] = { "nop1x5_jmp5",
			  code,
			  { .image_size = 0xa0,
			    .length = LENGTH,
			    .resume_offset = 5,
			    .target_offset = 16,
			    .pad_old = 5,
			    .pad_new = 16,
			    .value_old = MARKER,
			    .value_new = MARKER,
			    FORMS(BYTES(0x90, 0x90, 0x90, 0x90, 0x90),
				  BYTES(0xe9, 0x0b, 0x00, 0x00, 0x00)) } },
};

static const struct image image = { .path = (char[]){ "none.elf" } };
static struct insn_decoder decoder;
static struct site site[2];

static void set_up(void)
{
	struct err e = { 0 };

	cr_assert(insn_init(&decoder, CM_ISA_X86_64, &e), "%s", e.text);
	site_place(&site[0], &kinds[NOP5_JMP5], 0, 0x3d);
	site_place(&site[1], &kinds[NOP1X5_JMP5], 1, 8);
}

static void tear_down(void)
{
	insn_fini(&decoder);
}

TestSuite(site, .init = set_up, .fini = tear_down, .timeout = 10);

static void use(uint32_t kind)
{
	site_place(&site[0], &kinds[kind], 0, 0x3d);
}

/* The site's bytes, new where (mask) has a bit. */
static void mix(const struct site *s, uint32_t mask, uint8_t bytes[LENGTH])
{
	for (uint32_t i = 0; i < LENGTH; i++)
		bytes[i] = mask >> i & 1 ? s->placed.new_bytes[i] : s->placed.old_bytes[i];
}

static enum site_form form_of(const struct site *s, uint32_t offset, const uint8_t *bytes,
			      uint32_t length)
{
	return site_form(s, &decoder, s->placed.text + offset, bytes, length);
}

/* ---- placing ---- */

Test(site, is_placed_in_its_own_slot)
{
	const struct cm_site *p = &site[0].placed;

	cr_assert_eq(p->text, ORIGIN + 0x3d);
	cr_assert_eq(p->alias, CM_ALIAS_BASE + CM_SLOT_ORIGIN + 0x3d);
	cr_assert_eq(p->resume, p->text + 5);
	cr_assert_eq(p->target, p->text + 16);
	cr_assert_eq(p->pad_old, p->text + 5);
	cr_assert_eq(p->pad_new, p->text + 16);
	cr_assert_eq(p->value_old, MARKER);
	cr_assert_eq(p->length, LENGTH);
	cr_assert_eq(p->started, 0);
	cr_assert_eq(p->promised, 0);
	cr_assert_eq(site[1].placed.text, ORIGIN + CM_SLOT_SIZE + 8);
	cr_assert_eq(site[1].placed.alias - CM_ALIAS_BASE, site[1].placed.text - CM_TEXT_BASE);
	cr_assert_arr_eq(p->old_bytes, kinds[NOP5_JMP5].record.old_bytes, CM_MAX_SITE_LEN);
	cr_assert_arr_eq(p->new_bytes, kinds[NOP5_JMP5].record.new_bytes, CM_MAX_SITE_LEN);
}

Test(site, a_form_without_a_pad_has_address_0)
{
	use(NOP5_CALL5);
	cr_assert_eq(site[0].placed.pad_old, 0);
	cr_assert_eq(site[0].placed.pad_new, site[0].placed.text + 16);
}

Test(site, code_before_the_site_is_copied_too)
{
	struct image_site kind = kinds[MOV_IMM32];
	static uint8_t text[CM_TEXT_SIZE];
	uint8_t *at = text + 3 * CM_SLOT_SIZE + CM_SLOT_ORIGIN + 100;
	struct site s;

	kind.record.site_offset = 4;
	for (uint32_t i = 0; i < kind.record.image_size; i++)
		code[i] = (uint8_t)(i + 1);
	memset(text, 0xcc, sizeof(text));
	site_place(&s, &kind, 3, 100);
	site_install(&s, text);
	cr_assert_eq(s.placed.text - CM_TEXT_BASE, (uint64_t)(at - text));
	cr_assert_arr_eq(at - 4, code, kind.record.image_size);
	cr_assert_eq(at[-5], 0xcc);
	cr_assert_eq(at[kind.record.image_size - 4], 0xcc);
}

Test(site, addresses_have_the_names_people_use)
{
	char buf[64];

	cr_assert_str_eq(site_name_address(site, 2, &image, site[0].placed.text, buf, 64), "site0");
	cr_assert_str_eq(site_name_address(site, 2, &image, site[0].placed.text - 1, buf, 64),
			 "site0-1");
	cr_assert_str_eq(site_name_address(site, 2, &image, site[1].placed.text + 16, buf, 64),
			 "site1+16");
	cr_assert_str_eq(site_hex((const uint8_t *)"\xe9\x0b", 2, buf, sizeof(buf)), "e9 0b");
	cr_assert_str_eq(site_hex((const uint8_t *)"\xe9", 0, buf, sizeof(buf)), "");
	site_hex((const uint8_t *)"\xe9\x0b\x00\x00", 4, buf, 8);
	cr_assert(strlen(buf) < 8, "%s", buf);
}

/* ---- forms ---- */

Test(site, old_new_and_breakpoint_are_what_they_are)
{
	static const uint8_t int3[] = { 0xcc, 0x90, 0x90, 0x90, 0x90 };

	for (uint32_t k = 0; k < KINDS; k++) {
		use(k);
		cr_expect_eq(form_of(&site[0], 0, site[0].placed.old_bytes, LENGTH), FORM_OLD);
		cr_expect_eq(form_of(&site[0], 0, site[0].placed.new_bytes, LENGTH), FORM_NEW);
		cr_expect_eq(form_of(&site[0], 0, int3, 1), FORM_BREAKPOINT);
		cr_expect_eq(form_of(&site[0], 1, int3, 1), FORM_TORN, "%s", kinds[k].name);
		cr_expect_eq(form_of(&site[0], LENGTH, int3, 1), FORM_OUTSIDE);
		cr_expect_eq(form_of(&site[0], (uint32_t)-1, int3, 1), FORM_OUTSIDE);
		cr_expect_eq(form_of(&site[0], 0, int3, 0), FORM_OUTSIDE);
	}
}

Test(site, every_mixture_is_torn)
{
	for (uint32_t k = 0; k < KINDS; k++) {
		uint32_t torn = 0;

		use(k);
		for (uint32_t mask = 0; mask < 1u << LENGTH; mask++) {
			const struct cm_site *p = &site[0].placed;
			enum site_form wanted = FORM_TORN;
			uint8_t bytes[LENGTH];

			mix(&site[0], mask, bytes);
			if (!memcmp(bytes, p->old_bytes, LENGTH))
				wanted = FORM_OLD;
			else if (!memcmp(bytes, p->new_bytes, LENGTH))
				wanted = FORM_NEW;
			torn += wanted == FORM_TORN;
			cr_expect_eq(form_of(&site[0], 0, bytes, LENGTH), wanted,
				     "%s, mask %#x: %s", kinds[k].name, mask,
				     site_form_name(form_of(&site[0], 0, bytes, LENGTH)));
		}
		cr_expect_geq(torn, 2, "%s", kinds[k].name);
	}
}

/* Of five NOPs each may be executed alone; of a jump there is no middle. */
Test(site, a_cpu_may_stand_between_old_nops_but_not_inside_the_new_jump)
{
	const struct cm_site *p = &site[1].placed;

	for (uint32_t offset = 1; offset < LENGTH; offset++) {
		cr_expect_eq(form_of(&site[1], offset, p->old_bytes + offset, 1), FORM_OLD);
		cr_expect_eq(form_of(&site[1], offset, p->new_bytes + offset, LENGTH - offset),
			     FORM_TORN, "offset %u", offset);
		cr_expect_eq(form_of(&site[0], offset, site[0].placed.old_bytes + offset,
				     LENGTH - offset),
			     FORM_TORN, "offset %u of a five-byte NOP", offset);
	}
	cr_expect_eq(form_of(&site[1], 0, p->old_bytes, 1), FORM_OLD);
}

/* What lies behind the site is not part of it. */
Test(site, bytes_behind_the_site_do_not_count)
{
	uint8_t bytes[8] = { 0x90, 0x48, 0x8d, 0x15 };

	cr_expect_eq(form_of(&site[1], 4, bytes, 4), FORM_OLD);
	bytes[0] = 0x0b;
	cr_expect_eq(form_of(&site[1], 4, bytes, 4), FORM_TORN);
}

/* ---- explaining ---- */

static bool explains(const struct cm_event *ev, uint8_t mixture[CM_MAX_SITE_LEN])
{
	return site_explain(&site[0], &decoder, ev, mixture);
}

Test(site, a_jump_that_is_a_mixture_is_found_by_the_pad_it_leads_to)
{
	static const struct {
		uint32_t kind, pad;
		const char *bytes;
	} wild[] = {
		{ NOP5_JMP5, 5 + 0x1f, "e9 1f 00 00 00" },
		{ NOP5_JMP5, 5 + 0x440b, "e9 0b 44 00 00" },
		{ NOP5_JMP5, 5 + 0x441f, "e9 1f 44 00 00" },
		{ NOP5_CALL5, 5 + 0x1f, "e8 1f 00 00 00" },
		{ NOP5_CALL5, 5 + 0x441f, "e8 1f 44 00 00" },
		{ CALL5_CALL5, 5 + 0x140, "e8 40 01 00 00" },
		{ CALL5_CALL5, 5 + 0x280, "e8 80 02 00 00" },
		{ NOP1X5_JMP5, 5 + 0x90, "e9 90 00 00 00" },
	};

	for (uint32_t i = 0; i < COUNT(wild); i++) {
		struct cm_event ev = { .kind = CM_EVENT_OUTCOME, .value = MARKER };
		uint8_t mixture[CM_MAX_SITE_LEN];
		char hex[64];

		use(wild[i].kind);
		ev.pad = site[0].placed.text + wild[i].pad;
		cr_assert(explains(&ev, mixture), "%s", wild[i].bytes);
		cr_expect_str_eq(site_hex(mixture, LENGTH, hex, sizeof(hex)), wild[i].bytes);
		ev.pad += 1;
		cr_expect(!explains(&ev, mixture));
	}
}

Test(site, an_immediate_that_is_a_mixture_is_found_by_its_value)
{
	use(MOV_IMM32);
	for (uint32_t mask = 2; mask < 30; mask += 2) {
		struct cm_event ev = { .kind = CM_EVENT_OUTCOME, .pad = site[0].placed.pad_old };
		uint8_t bytes[LENGTH], mixture[CM_MAX_SITE_LEN];
		uint32_t value;

		mix(&site[0], mask, bytes);
		memcpy(&value, bytes + 1, sizeof(value));
		ev.value = value;
		cr_assert(explains(&ev, mixture), "mask %#x", mask);
		cr_expect_arr_eq(mixture, bytes, LENGTH);
	}
}

Test(site, old_and_new_explain_nothing)
{
	struct cm_event ev = { .kind = CM_EVENT_OUTCOME, .pad = site[0].placed.pad_new };
	uint8_t mixture[CM_MAX_SITE_LEN];

	cr_expect(!explains(&ev, mixture));
	use(MOV_IMM32);
	ev.value = site[0].placed.value_new;
	cr_expect(!explains(&ev, mixture));
	ev.value = site[0].placed.value_old;
	cr_expect(!explains(&ev, mixture));
}

Test(site, a_fault_at_the_site_is_found_to_be_the_undefined_instruction)
{
	struct cm_event ev = { .kind = CM_EVENT_TRAP,
			       .vector = VECTOR_UD,
			       .ip = site[0].placed.text };
	uint8_t mixture[CM_MAX_SITE_LEN];

	cr_assert(explains(&ev, mixture));
	cr_expect_arr_eq(mixture, "\x0f\x0b", 2);
	ev.vector = VECTOR_GP; /* 0f 1f 00, then 00 00: add %al, (%rax) */
	ev.ip = site[0].placed.text + 3;
	cr_assert(explains(&ev, mixture));
	cr_expect_arr_eq(mixture, "\x0f\x1f\x00\x00\x00", LENGTH);
}

/* ---- judging ---- */

static struct violation judge(struct cm_event ev, const struct site_mixture *fetched)
{
	struct violation v;

	memset(&v, 0xff, sizeof(v));
	site_judge(site, 2, &decoder, &image, &ev, fetched, &v);
	cr_expect_arr_eq(&v.event, &ev, sizeof(ev), "the guest's own record is kept");
	return v;
}

static void says(const struct violation *v, enum violation_kind kind, const char *what)
{
	cr_expect_eq(v->kind, kind, "%d: %s", v->kind, v->text);
	cr_expect(strstr(v->text, what), "\"%s\" does not say \"%s\"", v->text, what);
}

Test(site, a_breakpoint_nobody_claims_is_an_unhandled_trap)
{
	struct violation v = judge((struct cm_event){ .kind = CM_EVENT_TRAP,
						      .vector = VECTOR_BP,
						      .ip = site[1].placed.text + 1 },
				   NULL);

	says(&v, VIOLATION_UNHANDLED_TRAP, "the breakpoint of site1 was hit");
}

Test(site, a_breakpoint_outside_an_execution_is_an_unhandled_trap_too)
{
	struct violation v = judge((struct cm_event){ .kind = CM_EVENT_CRASH,
						      .vector = VECTOR_BP,
						      .ip = site[0].placed.text + 1 },
				   NULL);

	says(&v, VIOLATION_UNHANDLED_TRAP, "the breakpoint of site0 was hit");
}

Test(site, a_pad_of_another_slot_is_the_wrong_target)
{
	struct violation v = judge((struct cm_event){ .kind = CM_EVENT_OUTCOME,
						      .value = MARKER,
						      .pad = site[1].placed.pad_old },
				   NULL);

	says(&v, VIOLATION_WRONG_TARGET, "the execution of site0");
	says(&v, VIOLATION_WRONG_TARGET, "site1+5");
}

Test(site, a_fetch_fault_where_no_mixture_leads_is_the_wrong_target)
{
	struct violation v = judge((struct cm_event){ .kind = CM_EVENT_TRAP,
						      .vector = VECTOR_PF,
						      .error = 0x14,
						      .ip = 0x40000000,
						      .address = 0x40000000 },
				   NULL);

	says(&v, VIOLATION_WRONG_TARGET, "raised exception 14 at 0x40000000");
	v = judge((struct cm_event){ .kind = CM_EVENT_TRAP,
				     .vector = VECTOR_PF,
				     .ip = 0x40000000,
				     .address = 0x50000000 },
		  NULL);
	says(&v, VIOLATION_CRASH, "address 0x50000000");
}

Test(site, a_fetch_fault_where_a_mixture_leads_is_torn)
{
	/* e9 90 90 00 00 at site1 */
	uint64_t target = site[1].placed.text + 5 + 0x9090;
	struct violation v = judge((struct cm_event){ .kind = CM_EVENT_TRAP,
						      .vector = VECTOR_PF,
						      .site = 1,
						      .ip = target,
						      .address = target },
				   NULL);

	says(&v, VIOLATION_TORN, "e9 90 90 00 00");
}

Test(site, an_exception_outside_any_execution_is_a_crash)
{
	struct violation v = judge((struct cm_event){ .kind = CM_EVENT_CRASH,
						      .vector = VECTOR_GP,
						      .error = 8,
						      .ip = CM_IMAGE_BASE },
				   NULL);

	says(&v, VIOLATION_CRASH, "outside any site raised exception 13 at 0x10000000");
}

Test(site, the_old_form_after_the_promise_is_stale)
{
	struct violation v = judge(
		(struct cm_event){ .kind = CM_EVENT_STALE, .site = 1, .promised = 3, .started = 3 },
		NULL);

	says(&v, VIOLATION_STALE, "site1 ran its old form although poke 3 was promised");
	v = judge((struct cm_event){ .kind = CM_EVENT_STALE, .promised = 2, .started = 2 }, NULL);
	says(&v, VIOLATION_STALE, "site0 ran its new form");
}

Test(site, an_outcome_of_a_mixture_is_torn)
{
	struct site_mixture fetched = { site[0].placed.text, 5, { 0xe9, 0x0b, 0x44, 0x00, 0x00 } };
	struct cm_event ev = { .kind = CM_EVENT_OUTCOME,
			       .value = MARKER,
			       .pad = site[0].placed.text + 5 + 0x1f };
	struct violation v = judge(ev, NULL);

	says(&v, VIOLATION_TORN, "the mixture e9 1f 00 00 00 (jmp ");
	v = judge(ev, &fetched); /* who saw the fetch knows better */
	says(&v, VIOLATION_TORN, "the mixture e9 0b 44 00 00 (jmp ");
	ev.pad = site[0].placed.text + 2;
	v = judge(ev, NULL);
	says(&v, VIOLATION_TORN, "no mixture of old and new does");
}

Test(site, a_record_that_names_no_site_is_damaged)
{
	static const uint32_t event_kinds[] = { CM_EVENT_OUTCOME, CM_EVENT_STALE, CM_EVENT_TRAP };

	for (uint32_t i = 0; i < COUNT(event_kinds); i++) {
		struct violation v =
			judge((struct cm_event){ .kind = event_kinds[i], .site = 2 }, NULL);

		says(&v, VIOLATION_CRASH, "record is damaged: it names site2");
	}
}

/* A text is one line of a fixed size, whatever the guest wrote. */
Test(site, a_text_is_never_cut_inside_the_buffer)
{
	for (uint32_t kind = 0; kind < 7; kind++) {
		struct cm_event ev;
		struct violation v;

		memset(&ev, 0xff, sizeof(ev));
		ev.kind = kind;
		ev.site = 1;
		v = judge(ev, NULL);
		cr_expect_lt(strnlen(v.text, sizeof(v.text)), sizeof(v.text));
		cr_expect(v.text[0]);
	}
}
