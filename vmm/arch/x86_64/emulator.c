// SPDX-License-Identifier: BSD-2-Clause
/* emulator.c - whether the processor we run on is one of silicon. Knows no KVM. */
#include <cpuid.h>
#include <string.h>

#include "vm/arch.h"

#define CPUID_HYPERVISOR       0x40000000u
#define CPUID_1_ECX_HYPERVISOR (1u << 31)

/*
 * QEMU's translator names itself where a hypervisor does, and only it: under KVM
 * QEMU says "KVMKVMKVM" (target/i386/cpu.c, tcg_cpuid of leaf 0x40000000).
 */
const char *arch_emulator(void)
{
	unsigned int eax, ebx, ecx, edx, name[3];

	if (!__get_cpuid(1, &eax, &ebx, &ecx, &edx) || !(ecx & CPUID_1_ECX_HYPERVISOR))
		return NULL;
	__cpuid(CPUID_HYPERVISOR, eax, name[0], name[1], name[2]);
	return memcmp(name, "TCGTCGTCGTCG", sizeof(name)) ? NULL : "QEMU's translator (TCG)";
}
