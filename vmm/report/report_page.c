// SPDX-License-Identifier: BSD-2-Clause
/*
 * report_page.c - report_page.html as a string in the program. The Makefile
 * knows that this file depends on that one.
 */
#include "report/report_internal.h"

__asm__(".pushsection .rodata\n"
	".globl report_page\n"
	"report_page:\n"
	"	.incbin \"vmm/report/report_page.html\"\n"
	"	.byte 0\n"
	".popsection\n");
