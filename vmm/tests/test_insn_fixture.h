/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_insn_fixture.h - what is asked of the decoder of every Arm instruction
 * set, table by table: the codes are the test's, the questions are here.
 */
#ifndef CROSSMOD_TEST_INSN_FIXTURE_H
#define CROSSMOD_TEST_INSN_FIXTURE_H

#include "image/insn.h"

#define NONE	     INSN_NO_REGISTER
#define W(r)	     (1u << (r))
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Every code lies at (at), and a branch of 16 bytes leads to (branch); (link): the register. */
struct insn_machine {
	enum cm_isa isa;
	uint64_t at;
	uint64_t branch;
	uint8_t link;
};

/* Before and after each test. (m) stays the caller's. */
void insn_fixture_init(const struct insn_machine *m);
void insn_fixture_fini(void);

/* A64: a word; T32: one halfword, or two with the first on top. Returns the bytes' number. */
size_t insn_fixture_bytes(uint32_t code, uint8_t bytes[4]);
struct insn_access insn_fixture_access(uint32_t code);
/* Of (size) bytes of a code, which need not be all of it. */
struct insn insn_fixture_decode(const uint8_t *bytes, size_t size);
uint32_t insn_fixture_stack_pointer(void);

struct insn_class_case {
	const char *what;
	uint32_t code;
	enum insn_class class;
};
void insn_check_classes(const struct insn_class_case *c, size_t n);

struct insn_cache_case {
	const char *what;
	uint32_t code;
	enum insn_maintenance maintenance;
	uint8_t operand;
};
void insn_check_caches(const struct insn_cache_case *c, size_t n);

/* What reaches nothing but registers, and what cannot be told. */
struct insn_reach_case {
	const char *what;
	uint32_t code;
	enum insn_reach reach;
	enum insn_flow flow;
	uint32_t writes;
	bool stack_known;
	int32_t stack;
};
void insn_check_reach(const struct insn_reach_case *c, size_t n);

struct insn_operand_case {
	const char *what;
	uint32_t code;
	struct insn_access want;
};
void insn_check_operands(const struct insn_operand_case *c, size_t n);

struct insn_target_case {
	uint32_t code;
	uint64_t target; /* 0: none */
};
void insn_check_targets(const struct insn_target_case *c, size_t n);

struct insn_text_case {
	uint32_t code;
	const char *text;
};
void insn_check_texts(const struct insn_text_case *c, size_t n);

#endif
