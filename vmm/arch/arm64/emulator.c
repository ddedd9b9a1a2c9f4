// SPDX-License-Identifier: BSD-2-Clause
/*
 * emulator.c - whether this program's processor is a translator. Arm has no
 * register that says so; the board does: QEMU's machine `virt` calls itself
 * linux,dummy-virt (hw/arm/virt.c). Under KVM that board has no EL2 unless
 * virtualisation is nested, which is taken for an emulator, too.
 */
#include "arch.h"

#include <stdio.h>
#include <string.h>

const char *arch_emulator(void)
{
	static const char board[] = "linux,dummy-virt";
	char compatible[64] = "";
	FILE *f = fopen("/proc/device-tree/compatible", "re");

	if (!f)
		return NULL;
	if (!fread(compatible, 1, sizeof(compatible) - 1, f))
		compatible[0] = '\0';
	fclose(f);
	return strcmp(compatible, board) ? NULL : "QEMU's machine virt";
}
