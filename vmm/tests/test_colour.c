// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_colour.c - code written at one address and executed at another of the
 * same memory, as a guest's is. With DC CVAU and IC IVAU by the one address the
 * other runs the new code where the two agree below KVM_COLOUR; whether they
 * need to, this host's caches show (vmm/arch/arm64/cache.c). No KVM needed.
 */
#if defined(__aarch64__)
#include "arch/arm64/arm.h"
#include "kvmtest.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE   4096u
#define ROUNDS 2000u

/* mov w0, #number; ret */
static void write_function(uint32_t *at, uint32_t number)
{
	at[0] = 0x52800000u | number << 5;
	at[1] = 0xd65f03c0u;
	__builtin___clear_cache((char *)at, (char *)(at + 2));
}

/* An address that is (colour) above a multiple of KVM_COLOUR, and a mapping of (fd) there. */
static void *map_with_colour(int fd, uint32_t colour, int may)
{
	uint8_t *at = mmap(NULL, 3 * KVM_COLOUR, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uintptr_t up;

	cr_assert_neq(at, MAP_FAILED);
	up = ((uintptr_t)at + KVM_COLOUR - 1) / KVM_COLOUR * KVM_COLOUR + colour;
	at = mmap((void *)up, PAGE, may, MAP_SHARED | MAP_FIXED, fd, 0);
	cr_assert_neq(at, MAP_FAILED);
	return at;
}

/* How often the executed address runs what was there before. */
static uint32_t stale_runs(uint32_t colour)
{
	int fd = memfd_create("colour", MFD_CLOEXEC);
	uint32_t (*function)(void), stale = 0;
	uint32_t *written;
	void *executed;

	cr_assert(fd >= 0 && !ftruncate(fd, PAGE));
	executed = map_with_colour(fd, 0, PROT_READ | PROT_EXEC);
	written = map_with_colour(fd, colour, PROT_READ | PROT_WRITE);
	memcpy(&function, &executed, sizeof(function));
	for (uint32_t i = 0; i < ROUNDS; i++) {
		write_function(written, i % 1000);
		stale += function() != i % 1000;
	}
	close(fd);
	return stale;
}

Test(colour, code_written_at_an_address_of_the_same_colour_is_what_runs)
{
	uint32_t needed = 0;
	uint64_t ctr;

	cr_expect_eq(stale_runs(0), 0);
	for (uint32_t colour = PAGE; colour < KVM_COLOUR; colour *= 2) {
		uint32_t stale = stale_runs(colour);

		needed += stale > 0;
		if (stale)
			fprintf(stderr, "%u bytes apart: %u of %u runs were stale\n", colour, stale,
				ROUNDS);
	}
	__asm__("mrs %0, ctr_el0" : "=r"(ctr));
	fprintf(stderr, "colours are %s on this host, whose CTR_EL0.L1Ip says %s\n",
		needed ? "needed" : "not needed", (ctr >> 14 & 3) == 3 ? "PIPT" : "VIPT");
	cr_expect(!needed || (ctr >> 14 & 3) != 3, "a PIPT cache would not care");
}

/* And a guest's memory is at such addresses. */
Test(colour, a_guest_s_code_is_at_addresses_of_its_own_colour)
{
	for (int kind = VM_STEPPED; kind <= VM_FREE; kind++) {
		struct err e = { 0 };
		const struct vm_memory *m;
		struct vm *vm;

		kvmtest_guest("arm64", "");
		kvmtest_take_turns(false);
		vm = vm_new(kvmtest_image(), (enum vm_kind)kind, 2, &e);
		if (!vm)
			kvmtest_skip_or_fail(&e);
		m = vm_memory(vm);
		cr_expect_eq(((uintptr_t)m->image - CM_IMAGE_BASE) % KVM_COLOUR, 0);
		cr_expect_eq(((uintptr_t)m->text - CM_TEXT_BASE) % KVM_COLOUR, 0);
		for (uint32_t i = 0; kind == VM_STEPPED && i < 2; i++)
			cr_expect_eq(((uintptr_t)m->view[i] - CM_TEXT_BASE) % KVM_COLOUR, 0);
		vm_free(vm);
	}
}
#endif
