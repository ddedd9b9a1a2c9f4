// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_vm.c - the x86 backend: a quirk's workaround is needed where the quirk
 * was found, the self-check leaves no trace, and a KVM without shared
 * registers gives the same runs. On a real KVM; other hosts have no x86.h.
 */
#if defined(__x86_64__)
#include "arch/x86_64/x86.h"
#include "vm/guard.h"
#include "kvmtest.h"

#include <criterion/criterion.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static struct vm *boot(enum vm_kind kind, uint32_t vcpus)
{
	struct err e = { 0 };
	struct vm *vm;

	kvmtest_take_turns(false);
	vm = vm_new(kvmtest_image(), kind, vcpus, &e);
	if (!vm || !vm_boot(vm, &e))
		kvmtest_skip_or_fail(&e);
	return vm;
}

TestSuite(vm, .timeout = 30);

/* ---- quirks ---- */

/* The flags of struct quirks whose workaround can be turned off. */
static const size_t flags[] = {
	offsetof(struct quirks, int3_cpl0_fails), offsetof(struct quirks, step_cpl3_via_guest),
	offsetof(struct quirks, iret_runs_on),	  offsetof(struct quirks, pushf_shows_step),
	offsetof(struct quirks, rep_runs_whole),
};

static bool *flag(struct quirks *q, size_t offset)
{
	return (bool *)((char *)q + offset);
}

/* What people call the quirk at (offset). */
static const char *name_of(size_t offset)
{
	for (const struct quirk_info *i = arch_quirks(); i->name; i++) {
		struct quirks one;

		memset(&one, 0, sizeof(one));
		*flag(&one, offset) = true;
		if (quirk_in_force(i, &one))
			return i->name;
	}
	return NULL;
}

Test(vm, every_quirk_has_a_name_and_one_name)
{
	static const size_t all[] = {
		offsetof(struct quirks, no_sync_regs),
		offsetof(struct quirks, cpl0_emulated),
		offsetof(struct quirks, int3_cpl0_fails),
		offsetof(struct quirks, step_cpl3_via_guest),
		offsetof(struct quirks, iret_runs_on),
		offsetof(struct quirks, pushf_shows_step),
		offsetof(struct quirks, rep_runs_whole),
	};
	size_t named = 0;

	for (size_t i = 0; i < COUNT(all); i++) {
		cr_assert(name_of(all[i]), "flag %zu", i);
		for (size_t k = 0; k < i; k++)
			cr_expect_str_neq(name_of(all[k]), name_of(all[i]));
	}
	for (const struct quirk_info *i = arch_quirks(); i->name; i++, named++) {
		struct quirks none;

		memset(&none, 0, sizeof(none));
		cr_expect(!quirk_in_force(i, &none), "%s", i->name);
		cr_expect(*i->found && *i->handled, "%s", i->name);
	}
	cr_expect_geq(named, COUNT(all));
}

/* The guard ends a step that never stops, which a missing workaround may well be. */
static bool confirms(struct vm *vm, struct err *e)
{
	bool ok;

	guard_watch(vm, vm->vcpus, 1, true);
	ok = x86_confirm(vm, e);
	guard_release();
	return ok;
}

Test(vm, a_quirk_s_workaround_is_needed_where_it_was_found)
{
	struct vm *vm = boot(VM_STEPPED, 1);
	struct quirks found = *vm_quirks(vm);
	struct err e = { 0 };

	guard_install();
	cr_assert(confirms(vm, &e), "as found: %s", e.text);
	for (size_t i = 0; i < COUNT(flags); i++) {
		const char *name = name_of(flags[i]);

		if (!*flag(&found, flags[i])) {
			fprintf(stderr, "quirk %s: not found on this host\n", name);
			continue;
		}
		*flag(&vm->quirks, flags[i]) = false;
		memset(&e, 0, sizeof(e));
		cr_expect(!confirms(vm, &e), "quirk %s: in force, but not needed", name);
		cr_expect_neq(e.text[0], '\0', "quirk %s: no reason given", name);
		fprintf(stderr, "quirk %s: needed on this host (without: %s)\n", name, e.text);
		vm->quirks = found;
		memset(&e, 0, sizeof(e));
		cr_assert(confirms(vm, &e), "after %s: %s", name, e.text);
	}
	vm_free(vm);
}

static void digest_of(struct vm *vm, struct vcpu_state *state, uint8_t *memory)
{
	vcpu_save(&vm->vcpu[0], state);
	memcpy(memory, vm->host.image, vm->host.image_size);
}

Test(vm, the_self_check_leaves_no_trace)
{
	struct vm *vm = boot(VM_STEPPED, 2);
	uint8_t *before = malloc(vm->host.image_size), *after = malloc(vm->host.image_size);
	struct vcpu_state ready, again;
	struct err e = { 0 };

	cr_assert(before && after);
	digest_of(vm, &ready, before);
	cr_assert(x86_confirm(vm, &e), "%s", e.text);
	digest_of(vm, &again, after);
	cr_expect_eq(memcmp(before, after, vm->host.image_size), 0);
	cr_expect_eq(ready.size, again.size);
	cr_expect_eq(memcmp(ready.bytes, again.bytes, ready.size), 0);
	free(before);
	free(after);
	vm_free(vm);
}

Test(vm, the_second_vm_of_a_process_has_the_quirks_of_the_first)
{
	struct vm *first = boot(VM_STEPPED, 1), *second = boot(VM_FREE, 1);
	struct quirks a = *vm_quirks(first), b = *vm_quirks(second);
	struct err e = { 0 };

	for (const struct quirk_info *i = arch_quirks(); i->name; i++)
		cr_expect_eq(quirk_in_force(i, &a), quirk_in_force(i, &b), "%s", i->name);
	cr_expect_float_eq(a.cpl0_ns, b.cpl0_ns, 0);
	/* A few hundred instructions of a processor, rather than an emulator, are too fast to see. */
	cr_expect(a.cpl0_emulated ? a.cpl0_ns > 0 : a.cpl0_ns >= 0, "%f ns", a.cpl0_ns);
	vm_free(second);
	cr_expect(x86_confirm(first, &e), "%s", e.text);
	vm_free(first);
}

/* ---- repetitions ---- */

/* RSI points to "aab", RDI to "aac", AL is 'c'. */
static const struct {
	const char *what, *bytes;
	uint64_t count, left;
	uint32_t steps;
} repetitions[] = {
	{ "rep movsb, 3", "\xf3\xa4", 3, 0, 3 },   { "rep movsb, 1", "\xf3\xa4", 1, 0, 1 },
	{ "rep movsb, 0", "\xf3\xa4", 0, 0, 1 },   { "rep stosb, 2", "\xf3\xaa", 2, 0, 2 },
	{ "repe cmpsb, 5", "\xf3\xa6", 5, 2, 3 },  { "repe cmpsb, 2", "\xf3\xa6", 2, 0, 2 },
	{ "repne cmpsb, 5", "\xf2\xa6", 5, 4, 1 }, { "repne scasb, 5", "\xf2\xae", 5, 2, 3 },
	{ "repe scasb, 5", "\xf3\xae", 5, 4, 1 },  { "repne scasb, 3", "\xf2\xae", 3, 0, 3 },
};

static uint64_t start_repetition(struct vm *vm, const struct vcpu_state *ready, size_t i,
				 uint32_t cpl)
{
	struct vcpu *v = &vm->vcpu[0];
	uint64_t start = vm->image->abi.selfcheck;

	vcpu_load(v, ready);
	memcpy(vm_host(vm, start, 3), repetitions[i].bytes, 3);
	v->arch.regs->rip = start;
	v->arch.regs->rflags = 2;
	v->arch.regs->rax = 'c';
	v->arch.regs->rcx = repetitions[i].count;
	v->arch.regs->rsi = v->arch.regs->rsp - 64;
	v->arch.regs->rdi = v->arch.regs->rsp - 32;
	memcpy(vm_host(vm, v->arch.regs->rsi, 8), "aab", 4);
	memcpy(vm_host(vm, v->arch.regs->rdi, 8), "aac", 4);
	x86_set_cpl(v, cpl);
	return start;
}

Test(vm, a_step_over_a_repetition_is_one_iteration)
{
	struct vm *vm = boot(VM_STEPPED, 1);
	struct vcpu *v = &vm->vcpu[0];
	struct vcpu_state ready;
	struct vcpu_exit x;
	struct err e = { 0 };

	vcpu_save(v, &ready);
	for (size_t i = 0; i < 2 * COUNT(repetitions); i++) {
		const char *what = repetitions[i / 2].what;
		uint32_t cpl = i % 2 ? 3 : 0, steps = 0;
		uint64_t start = start_repetition(vm, &ready, i / 2, cpl);

		do {
			cr_assert(vcpu_step(v, &x, &e), "%s: %s", what, e.text);
			cr_assert_eq(x.kind, EXIT_STEPPED, "%s: %d", what, x.kind);
			steps++;
		} while (v->arch.regs->rip == start && steps < 9);
		cr_expect_eq(v->arch.regs->rip, start + 2, "%s", what);
		cr_expect_eq(steps, repetitions[i / 2].steps, "%s at CPL%u: %u", what, cpl, steps);
		cr_expect_eq(v->arch.regs->rcx, repetitions[i / 2].left, "%s at CPL%u: %llu", what,
			     cpl, v->arch.regs->rcx);
	}
	vm_free(vm);
}

/* ---- what the emulator lacks ---- */

Test(vm, an_instruction_that_kvm_does_not_emulate_is_named)
{
	static const uint8_t vzeroupper[] = { 0xc5, 0xf8, 0x77 };
	struct vm *vm = boot(VM_STEPPED, 1);
	struct vcpu *v = &vm->vcpu[0];
	uint64_t start = vm->image->abi.selfcheck;
	struct vcpu_exit x;
	struct err e = { 0 };

	memcpy(vm_host(vm, start, sizeof(vzeroupper)), vzeroupper, sizeof(vzeroupper));
	v->arch.regs->rip = start;
	x86_set_cpl(v, 0);
	cr_assert(vcpu_step(v, &x, &e), "%s", e.text);
	if (x.kind != EXIT_UNEMULATED) {
		fprintf(stderr, "SKIPPED: this host executes VZEROUPPER at CPL0, or says #UD\n");
	} else {
		cr_expect(strstr(x.text, "emulate c5 f8 77, vzeroupper, at 0x"), "%s", x.text);
		cr_expect(strstr(x.text, "(CPL0): \"cpl\": 3 runs it on the processor"), "%s",
			  x.text);
	}
	vm_free(vm);
}

/* ---- state ---- */

Test(vm, what_lies_behind_a_null_selector_is_no_state)
{
	struct vm *vm = boot(VM_STEPPED, 1);
	struct vcpu *v = &vm->vcpu[0];
	struct vcpu_state plain, other;

	v->arch.sregs->ss = v->arch.sregs->ds = x86_null_segment(0);
	vcpu_save(v, &plain);
	v->arch.sregs->ss.limit = 0xffffffff;
	v->arch.sregs->ss.present = v->arch.sregs->ss.s = 1;
	v->arch.sregs->ds.type = 3;
	vcpu_save(v, &other);
	cr_expect_eq(memcmp(plain.bytes, other.bytes, plain.size), 0);
	v->arch.sregs->gs.base++;
	vcpu_save(v, &other);
	cr_expect_neq(memcmp(plain.bytes, other.bytes, plain.size), 0);
	vm_free(vm);
}

/* ---- without shared registers ---- */

static const char *const scenarios[] = {
	"scenarios/x86_64/naive/new-head-old-tail.json",
	"scenarios/x86_64/int3_fixup/a0-nmi-on-the-breakpoint.json",
	"scenarios/x86_64/stop_machine/quiet.json",
};

Test(vm, separate_ioctls_give_the_same_runs)
{
	for (size_t i = 0; i < COUNT(scenarios); i++) {
		char digest[33], *text, *again;
		enum verdict verdict;
		struct rig r;

		rig_load(&r, scenarios[i]);
		verdict = rig_play(&r, NULL, NULL);
		memcpy(digest, r.observation.digest, sizeof(digest));
		text = schedule_encode(&r.taken);
		rig_tear_down(&r);

		setenv("CROSSMOD_NO_SYNC_REGS", "1", 1);
		rig_load(&r, scenarios[i]);
		cr_expect(vm_quirks(r.machine->vm)->no_sync_regs);
		cr_expect_eq(rig_play(&r, NULL, NULL), verdict, "%s", scenarios[i]);
		cr_expect_str_eq(r.observation.digest, digest, "%s", scenarios[i]);
		again = schedule_encode(&r.taken);
		cr_expect_str_eq(again, text, "%s", scenarios[i]);
		rig_tear_down(&r);
		unsetenv("CROSSMOD_NO_SYNC_REGS");
		free(again);
		free(text);
	}
}

Test(vm, separate_ioctls_pass_the_self_check)
{
	struct err e = { 0 };
	struct vm *vm;

	setenv("CROSSMOD_NO_SYNC_REGS", "1", 1);
	vm = boot(VM_STEPPED, 2);
	cr_expect(vm_quirks(vm)->no_sync_regs);
	cr_expect(x86_confirm(vm, &e), "%s", e.text);
	vm_free(vm);
}

/* ---- a vCPU's state is plain data ---- */

Test(vm, a_loaded_state_is_the_one_that_was_saved)
{
	struct vm *vm = boot(VM_STEPPED, 2);
	struct vcpu *v = vm_vcpu(vm, 1);
	struct vcpu_state ready, stepped, again;
	struct vcpu_exit x;
	struct err e = { 0 };
	char text[256];

	vcpu_save(v, &ready);
	vcpu_set_pc(v, vm->image->abi.selfcheck);
	cr_assert(vcpu_step(v, &x, &e), "%s", e.text);
	cr_expect_eq(x.kind, EXIT_STEPPED);
	cr_expect_eq(vcpu_pc(v), vm->image->abi.selfcheck + 1);
	vcpu_save(v, &stepped);
	cr_expect_neq(memcmp(ready.bytes, stepped.bytes, ready.size), 0);
	for (int i = 0; i < 3; i++) {
		vcpu_load(v, &ready);
		vcpu_set_pc(v, vm->image->abi.selfcheck);
		cr_assert(vcpu_step(v, &x, &e), "%s", e.text);
		vcpu_save(v, &again);
		cr_expect_eq(memcmp(again.bytes, stepped.bytes, stepped.size), 0, "turn %d", i);
	}
	cr_expect(strstr(vcpu_describe(v, text, sizeof(text)), "rip=0x"), "%s", text);
	vm_free(vm);
}

/* The frame of the handler that the vCPU stands before. */
static const uint64_t *frame_of(struct vcpu *v)
{
	const uint64_t *frame = vm_host(v->vm, vcpu_sp(v), 7 * sizeof(*frame));

	cr_assert(frame, "its stack is not in the image");
	return frame;
}

Test(vm, a_delivery_ends_in_the_handler_s_stub)
{
	struct vm *vm = boot(VM_STEPPED, 1);
	struct vcpu *v = vm_vcpu(vm, 0);
	uint64_t ip = vm->image->abi.selfcheck;
	struct vcpu_exit x;
	struct err e = { 0 };

	vcpu_set_pc(v, ip);
	cr_expect(vcpu_can_take(v, EVENT_NMI));
	cr_expect(!vcpu_can_take(v, EVENT_IPI), "interrupts are off at READY");
	cr_assert(vcpu_deliver(v, EVENT_NMI, &x, &e), "%s", e.text);
	cr_expect_eq(x.kind, EXIT_DELIVERED);
	cr_expect_eq(x.vector, X86_VECTOR_NMI);
	cr_expect_eq(x.pushed_ip, ip);
	cr_expect(!vcpu_can_take(v, EVENT_NMI), "NMIs are masked in the handler");
	cr_expect_eq(frame_of(v)[0], X86_VECTOR_NMI);
	cr_expect_eq(frame_of(v)[2], ip);
	cr_expect_eq(frame_of(v)[4] & X86_TF, 0);
	vm_free(vm);
}

/* The trap flag that steps it must not be found in the flags it pushed. */
Test(vm, a_trap_s_frame_is_as_without_stepping)
{
	struct vm *vm = boot(VM_STEPPED, 1);
	struct vcpu *v = vm_vcpu(vm, 0);
	uint64_t int3 = kvmtest_address("cm_selfcheck_int3");
	struct vcpu_state ready;
	struct vcpu_exit x;
	struct err e = { 0 };

	vcpu_save(v, &ready);
	for (uint32_t cpl = 0; cpl <= 3; cpl += 3) {
		vcpu_load(v, &ready);
		vcpu_set_pc(v, int3);
		x86_set_cpl(v, cpl);
		cr_assert(vcpu_step(v, &x, &e), "%s", e.text);
		cr_expect_eq(x.kind, EXIT_DELIVERED);
		cr_expect_eq(x.vector, X86_VECTOR_BP);
		cr_expect_eq(frame_of(v)[0], X86_VECTOR_BP);
		cr_expect_eq(frame_of(v)[2], int3 + 1, "CPL%u", cpl);
		cr_expect_eq(frame_of(v)[3] & 3, cpl);
		cr_expect_eq(frame_of(v)[4] & X86_TF, 0, "CPL%u", cpl);
		cr_expect_eq(vcpu_cpl(v), 0);
		cr_expect(vcpu_can_take(v, EVENT_NMI), "a #BP does not mask NMIs");
	}
	vm_free(vm);
}

/* While the kick is on, KVM_RUN returns at its next call; the state is not touched. */
Test(vm, a_kicked_vcpu_comes_back_as_it_was)
{
	struct vm *vm = boot(VM_STEPPED, 1);
	struct vcpu *v = vm_vcpu(vm, 0);
	struct vcpu_exit x;
	struct err e = { 0 };

	vcpu_set_pc(v, vm->image->abi.selfcheck);
	vcpu_kick(v, true);
	cr_assert(vcpu_step(v, &x, &e), "%s", e.text);
	cr_expect_eq(x.kind, EXIT_KICKED);
	cr_expect_eq(vcpu_pc(v), vm->image->abi.selfcheck);
	cr_assert(vcpu_run(v, &x, &e), "%s", e.text);
	cr_expect_eq(x.kind, EXIT_KICKED);
	cr_expect_eq(vcpu_pc(v), vm->image->abi.selfcheck);
	vcpu_kick(v, false);
	cr_assert(vcpu_step(v, &x, &e), "%s", e.text);
	cr_expect_eq(x.kind, EXIT_STEPPED);
	cr_expect_eq(vcpu_pc(v), vm->image->abi.selfcheck + 1);
	vm_free(vm);
}
#endif
