// SPDX-License-Identifier: BSD-2-Clause
/* test_insn_access.c - what an instruction reaches, writes and leads to. */
#include "image/insn.h"

#include <criterion/criterion.h>

#define AT 0x20001000u

#define BYTES(s) (const uint8_t *)(s), sizeof(s) - 1
#define NONE	 INSN_NO_REGISTER

enum { RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI, R8 };
#define W(r) (uint16_t)(1u << (r))
#define ANY  (uint16_t)(UINT16_MAX & ~W(RSP)) /* not known which */

static struct insn_access access_of(const uint8_t *bytes, size_t size)
{
	struct insn_decoder d;
	struct insn_access a;
	struct err e;

	cr_assert(insn_init(&d, CM_ISA_X86_64, &e), "%s", e.text);
	a = insn_access(&d, bytes, size, AT);
	insn_fini(&d);
	return a;
}

static const struct {
	const char *what;
	const uint8_t *bytes;
	size_t size;
	enum insn_reach reach;
	enum insn_flow flow;
	bool stack_known;
	int32_t stack;
	uint16_t writes;
} table[] = {
	{ "mov eax, ecx", BYTES("\x89\xc8"), REACH_OWN, FLOW_NEXT, true, 0, W(RAX) },
	{ "mov ah, cl", BYTES("\x88\xcc"), REACH_OWN, FLOW_NEXT, true, 0, W(RAX) },
	{ "xchg rbx, r8", BYTES("\x4c\x87\xc3"), REACH_OWN, FLOW_NEXT, true, 0, W(RBX) | W(R8) },
	{ "mul rcx", BYTES("\x48\xf7\xe1"), REACH_OWN, FLOW_NEXT, true, 0, ANY },
	{ "cmp rax, rcx", BYTES("\x48\x39\xc8"), REACH_OWN, FLOW_NEXT, true, 0, 0 },
	{ "lea rax, [rdi+8]", BYTES("\x48\x8d\x47\x08"), REACH_OWN, FLOW_NEXT, true, 0, W(RAX) },
	{ "push rax", BYTES("\x50"), REACH_OWN, FLOW_NEXT, true, -8, 0 },
	{ "push rsp", BYTES("\x54"), REACH_OWN, FLOW_NEXT, true, -8, 0 },
	{ "pushfq", BYTES("\x9c"), REACH_OWN, FLOW_NEXT, true, -8, 0 },
	{ "push 2", BYTES("\x6a\x02"), REACH_OWN, FLOW_NEXT, true, -8, 0 },
	{ "push ax", BYTES("\x66\x50"), REACH_OWN, FLOW_NEXT, false, 0, 0 },
	{ "pop rdi", BYTES("\x5f"), REACH_OWN, FLOW_NEXT, true, 8, W(RDI) },
	{ "pop rsp", BYTES("\x5c"), REACH_OWN, FLOW_NEXT, false, 0, 0 },
	{ "sub rsp, 40", BYTES("\x48\x83\xec\x28"), REACH_OWN, FLOW_NEXT, true, -40, 0 },
	{ "add rsp, 16", BYTES("\x48\x83\xc4\x10"), REACH_OWN, FLOW_NEXT, true, 16, 0 },
	{ "add rsp, rax", BYTES("\x48\x01\xc4"), REACH_OWN, FLOW_NEXT, false, 0, 0 },
	{ "mov rsp, rbp", BYTES("\x48\x89\xec"), REACH_OWN, FLOW_NEXT, false, 0, 0 },
	{ "leave", BYTES("\xc9"), REACH_OWN, FLOW_NEXT, false, 0, ANY },
	{ "jmp +5", BYTES("\xeb\x05"), REACH_OWN, FLOW_JUMP, true, 0, 0 },
	{ "jne +5", BYTES("\x75\x05"), REACH_OWN, FLOW_BRANCH, true, 0, 0 },
	{ "loop +5", BYTES("\xe2\x05"), REACH_OWN, FLOW_BRANCH, true, 0, ANY },
	{ "call +0", BYTES("\xe8\x02\x00\x00\x00"), REACH_OWN, FLOW_CALL, true, -8, 0 },
	{ "call rax", BYTES("\xff\xd0"), REACH_OWN, FLOW_OTHER, true, -8, 0 },
	{ "jmp [rax]", BYTES("\xff\x20"), REACH_MEMORY, FLOW_OTHER, true, 0, 0 },
	{ "ret", BYTES("\xc3"), REACH_OWN, FLOW_RETURN, true, 8, 0 },
	{ "ret 16", BYTES("\xc2\x10\x00"), REACH_OWN, FLOW_OTHER, true, 8, 0 },
	{ "mov [rdi], eax", BYTES("\x89\x07"), REACH_MEMORY, FLOW_NEXT, true, 0, 0 },
	{ "pop [rdi]", BYTES("\x8f\x07"), REACH_MEMORY, FLOW_NEXT, true, 8, 0 },
	{ "lock cmpxchg [rdx], ecx", BYTES("\xf0\x0f\xb1\x0a"), REACH_MEMORY, FLOW_NEXT, true, 0,
	  ANY },
	{ "sti", BYTES("\xfb"), REACH_OTHER, FLOW_NEXT, false, 0, 0 },
	{ "iretq", BYTES("\x48\xcf"), REACH_OTHER, FLOW_NEXT, false, 0, 0 },
	{ "out 0xc3, al", BYTES("\xe6\xc3"), REACH_OTHER, FLOW_NEXT, false, 0, 0 },
	{ "movsb", BYTES("\xa4"), REACH_COPY, FLOW_NEXT, true, 0, ANY },
	{ "movsq", BYTES("\x48\xa5"), REACH_COPY, FLOW_NEXT, true, 0, ANY },
	{ "movsb [rdi], gs:[rsi]", BYTES("\x65\xa4"), REACH_OTHER, FLOW_NEXT, false, 0, 0 },
	{ "movsb [edi], [esi]", BYTES("\x67\xa4"), REACH_OTHER, FLOW_NEXT, false, 0, 0 },
	{ "movsd xmm0, [rsi]", BYTES("\xf2\x0f\x10\x06"), REACH_MEMORY, FLOW_NEXT, true, 0, ANY },
	{ "cmpsb", BYTES("\xa6"), REACH_OTHER, FLOW_NEXT, false, 0, 0 },
	{ "int3", BYTES("\xcc"), REACH_OTHER, FLOW_NEXT, false, 0, 0 },
};

Test(insn_access, reach_flow_stack_and_registers)
{
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct insn_access a = access_of(table[i].bytes, table[i].size);

		cr_expect_eq(a.reach, table[i].reach, "%s: reach %d", table[i].what, a.reach);
		cr_expect_eq(a.flow, table[i].flow, "%s: flow %d", table[i].what, a.flow);
		cr_expect_eq(a.writes, table[i].writes, "%s: %#x", table[i].what, a.writes);
		cr_expect_eq(a.stack_known, table[i].stack_known, "%s", table[i].what);
		if (a.stack_known)
			cr_expect_eq(a.stack, table[i].stack, "%s: %d", table[i].what, a.stack);
		if (a.flow == FLOW_JUMP || a.flow == FLOW_BRANCH || a.flow == FLOW_CALL)
			cr_expect_eq(a.target, AT + 7, "%s: %#llx", table[i].what,
				     (unsigned long long)a.target);
		if (a.reach != REACH_OTHER)
			cr_expect_eq(a.length, table[i].size, "%s", table[i].what);
	}
}

static void operand(const uint8_t *bytes, size_t size, struct insn_access want)
{
	struct insn_access a = access_of(bytes, size);

	cr_expect_eq(a.reach, REACH_MEMORY);
	cr_expect_eq(a.base, want.base);
	cr_expect_eq(a.index, want.index);
	cr_expect(a.index == NONE || a.scale == want.scale);
	cr_expect_eq(a.displacement, want.displacement, "%lld", (long long)a.displacement);
	cr_expect_eq(a.segment, want.segment);
	cr_expect_eq(a.write, want.write);
}

Test(insn_access, the_operand_in_memory)
{
	operand(BYTES("\x8b\x44\xc7\x08"), /* mov eax, [rdi+8*rax+8] */
		(struct insn_access){ .base = RDI, .index = RAX, .scale = 8, .displacement = 8 });
	operand(BYTES("\x89\x05\x10\x00\x00\x00"), /* mov [rip+16], eax */
		(struct insn_access){
			.base = NONE, .index = NONE, .displacement = AT + 6 + 16, .write = true });
	operand(BYTES("\x65\x48\x8b\x04\x25\x08\x00\x00\x00"), /* mov rax, gs:8 */
		(struct insn_access){
			.base = NONE, .index = NONE, .displacement = 8, .segment = true });
	operand(BYTES("\x83\x44\x24\x04\x01"), /* add dword [rsp+4], 1 */
		(struct insn_access){
			.base = RSP, .index = NONE, .displacement = 4, .write = true });
}

Test(insn_access, a_string_instruction_repeats)
{
	cr_expect(access_of(BYTES("\xf3\xaa")).repeats);     /* rep stosb */
	cr_expect(access_of(BYTES("\xf2\xae")).repeats);     /* repne scasb */
	cr_expect_not(access_of(BYTES("\xaa")).repeats);     /* stosb */
	cr_expect_not(access_of(BYTES("\x89\x07")).repeats); /* mov [rdi], eax */
}
