/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_image_fixture.h - a small valid image, for the tests that load it and
 * the tests that damage it first.
 */
#ifndef CROSSMOD_TEST_IMAGE_FIXTURE_H
#define CROSSMOD_TEST_IMAGE_FIXTURE_H

#include <elf.h>

#include "image/image.h"

#define TEXT   (CM_IMAGE_BASE + 0x0000u)
#define RODATA (CM_IMAGE_BASE + 0x2000u)
#define DATA   (CM_IMAGE_BASE + 0x3000u)

#define SITE_CODE (TEXT + 0x80)
#define VECTORS	  (TEXT + 0x1000) /* in the part that the file does not hold */
#define CONTROL	  DATA
#define CPUS	  (DATA + 0x400)
#define COUNTS	  (DATA + 0x1000)
#define PATCHES	  (DATA + 0x5600)
#define GHOST_END (DATA + 0x8000)
#define STACKS	  (DATA + 0x8000)
#define DATA_SIZE (0x8000u + CM_MAX_VCPUS * CM_STACKS * CM_STACK_SIZE)

/* Its symbols, in the order of the symbol table. */
enum {
	S_NULL,
	S_FILE,
	S_ABI,
	S_SITE,
	S_PROTOCOL,
	S_SUMMARY,
	S_START,
	S_STEP,
	S_LABEL,
	S_INNER,
	S_CONTROL,
	S_TWIN,
	S_TWIN2,
	S_MAPPING,
	S_SPARE,
	S_COUNT
};

/* A whole ELF file. What a test damages is a member. */
struct fixture {
	Elf64_Ehdr ehdr;
	Elf64_Phdr phdr[3];
	uint8_t text[0x200];
	struct rodata {
		struct cm_abi abi;
		struct cm_site_record site;
		uint8_t protocol[64];
		char summary[32];
		char filler[512]; /* no NUL up to the end of the segment */
	} rodata;
	uint8_t data[16];
	Elf64_Sym symbol[S_COUNT];
	char strings[256];
	Elf64_Shdr section[3];
};

extern struct fixture fixture; /* the file as it is now */
extern struct image img;       /* what was loaded from it last */

/* Undo all damage. Loads nothing, and leaves (img) alone. */
void fixture_make(void);

/* Before and after every test of the suite: (fixture) is whole and (img) loaded from it. */
void fixture_load(void);
void fixture_drop(void);

/* (img) must be as if nothing had been loaded; (what) names the failure before. */
void fixture_assert_empty(const char *what);

#endif
