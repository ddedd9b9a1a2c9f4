// SPDX-License-Identifier: BSD-2-Clause
/* test_insn_fixture.c - asks a decoder about tables of codes. Knows no instruction set's codes. */
#include "test_insn_fixture.h"

#include <criterion/criterion.h>

static const struct insn_machine *machine;
static struct insn_decoder decoder;

void insn_fixture_init(const struct insn_machine *m)
{
	struct err e;

	machine = m;
	cr_assert(insn_init(&decoder, m->isa, &e), "%s", e.text);
}

void insn_fixture_fini(void)
{
	insn_fini(&decoder);
}

size_t insn_fixture_bytes(uint32_t code, uint8_t bytes[4])
{
	bool halves = machine->isa == CM_ISA_T32, wide = code >> 16;

	if (halves && wide)
		code = code >> 16 | code << 16;
	for (uint32_t i = 0; i < 4; i++)
		bytes[i] = (uint8_t)(code >> 8 * i);
	return halves && !wide ? 2 : 4;
}

struct insn_access insn_fixture_access(uint32_t code)
{
	uint8_t bytes[4];
	size_t size = insn_fixture_bytes(code, bytes);

	return insn_access(&decoder, bytes, size, machine->at);
}

struct insn insn_fixture_decode(const uint8_t *bytes, size_t size)
{
	return insn_decode(&decoder, bytes, size, machine->at);
}

uint32_t insn_fixture_stack_pointer(void)
{
	return insn_stack_pointer(&decoder);
}

void insn_check_classes(const struct insn_class_case *c, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		uint8_t bytes[4];
		size_t size = insn_fixture_bytes(c[i].code, bytes);
		struct insn insn = insn_fixture_decode(bytes, size);

		cr_expect_eq(insn.class, c[i].class, "%s: class %d", c[i].what, insn.class);
		cr_expect_eq(insn.length, size, "%s: length %u", c[i].what, insn.length);
		cr_expect_eq(insn.maintenance, MAINTAIN_NOTHING, "%s", c[i].what);
	}
}

void insn_check_caches(const struct insn_cache_case *c, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		uint8_t bytes[4];
		size_t size = insn_fixture_bytes(c[i].code, bytes);
		struct insn insn = insn_fixture_decode(bytes, size);

		cr_expect_eq(insn.class, INSN_CACHE, "%s: class %d", c[i].what, insn.class);
		cr_expect_eq(insn.maintenance, c[i].maintenance, "%s: %d", c[i].what,
			     insn.maintenance);
		cr_expect_eq(insn.operand, c[i].operand, "%s: register %u", c[i].what,
			     insn.operand);
		cr_expect_eq(insn_fixture_access(c[i].code).reach, REACH_OTHER, "%s", c[i].what);
	}
}

void insn_check_reach(const struct insn_reach_case *c, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct insn_access a = insn_fixture_access(c[i].code);
		uint8_t bytes[4];

		cr_expect_eq(a.reach, c[i].reach, "%s: reach %d", c[i].what, a.reach);
		cr_expect_eq(a.flow, c[i].flow, "%s: flow %d", c[i].what, a.flow);
		cr_expect_eq(a.writes, c[i].writes, "%s: %#x", c[i].what, a.writes);
		cr_expect_eq(a.stack_known, c[i].stack_known, "%s", c[i].what);
		cr_expect_eq(a.stack, c[i].stack, "%s: %d", c[i].what, a.stack);
		if (a.flow == FLOW_JUMP || a.flow == FLOW_BRANCH || a.flow == FLOW_CALL)
			cr_expect_eq(a.target, machine->branch, "%s: %#llx", c[i].what,
				     (unsigned long long)a.target);
		if (a.flow == FLOW_RETURN)
			cr_expect_eq(a.link, machine->link, "%s", c[i].what);
		if (a.reach != REACH_OTHER)
			cr_expect_eq(a.length, insn_fixture_bytes(c[i].code, bytes), "%s",
				     c[i].what);
	}
}

void insn_check_operands(const struct insn_operand_case *c, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct insn_access *want = &c[i].want;
		struct insn_access a = insn_fixture_access(c[i].code);
		const char *what = c[i].what;

		cr_expect_eq(a.reach, REACH_MEMORY, "%s: reach %d", what, a.reach);
		cr_expect_eq(a.flow, want->flow, "%s: flow %d", what, a.flow);
		cr_expect_eq(a.base, want->base, "%s: base %u", what, a.base);
		cr_expect_eq(a.index, want->index, "%s: index %u", what, a.index);
		cr_expect(a.index == NONE || a.scale == want->scale, "%s: scale %u", what, a.scale);
		cr_expect_eq(a.extend, want->extend, "%s: extend %d", what, a.extend);
		cr_expect_eq(a.size, want->size, "%s: size %u", what, a.size);
		cr_expect_eq(a.write, want->write, "%s", what);
		cr_expect_eq(a.displacement, want->displacement, "%s: %#llx", what,
			     (unsigned long long)a.displacement);
		cr_expect_eq(a.writes, want->writes, "%s: %#x", what, a.writes);
		cr_expect(a.stack_known, "%s", what);
		cr_expect_eq(a.stack, want->stack, "%s: %d", what, a.stack);
		cr_expect_eq(a.return_at, want->return_at, "%s: %u", what, a.return_at);
		if (a.flow == FLOW_RETURN)
			cr_expect_eq(a.link, NONE, "%s", what);
	}
}

void insn_check_targets(const struct insn_target_case *c, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		uint64_t target = 7;
		uint8_t bytes[4];
		size_t size = insn_fixture_bytes(c[i].code, bytes);
		bool found = insn_direct_target(&decoder, bytes, size, machine->at, &target);

		cr_expect_eq(found, c[i].target != 0, "%08x", c[i].code);
		cr_expect_eq(target, found ? c[i].target : 7, "%08x: %#llx", c[i].code,
			     (unsigned long long)target);
		cr_expect_not(insn_direct_target(&decoder, bytes, size - 1, machine->at, &target));
	}
}

void insn_check_texts(const struct insn_text_case *c, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		uint8_t bytes[4];
		size_t size = insn_fixture_bytes(c[i].code, bytes);
		char buf[64];

		insn_text(&decoder, bytes, size, machine->at, buf, sizeof(buf));
		cr_expect_str_eq(buf, c[i].text, "%s, not %s", buf, c[i].text);
	}
}
