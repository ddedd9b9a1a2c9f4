// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_arm_guest.c - the arm64 guest image as this host can see it: what it
 * holds, that no schedule leads to an exclusive, and that every mixture of
 * halves that a kind of T32 site can give leads to where its author says.
 */
#include "image/image.h"
#include "image/insn.h"
#include "machine/setup.h"
#include "model/site.h"

#include "kvmtest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define PAD	     0x4679u /* mov r1, pc */

static struct image img;
static struct insn_decoder t32;

static void set_up(void)
{
	const char *build = getenv("CROSSMOD_BUILD");
	char path[512];
	struct err e;

	snprintf(path, sizeof(path), "%s/guest-arm64.elf", build ? build : "build");
	cr_assert(image_load(&img, path, &e), "%s", e.text);
	cr_assert(insn_init(&t32, CM_ISA_T32, &e), "%s", e.text);
}

static void tear_down(void)
{
	insn_fini(&t32);
	image_fini(&img);
}

TestSuite(arm_guest, .init = set_up, .fini = tear_down);

Test(arm_guest, is_a64_and_holds_t32)
{
	const struct image_symbol *loop = image_symbol(&img, "cm_executor_loop_t32");
	const struct image_site *site = image_site(&img, "t32_nop_w_bl");

	cr_expect_eq(img.abi.isa, CM_ISA_A64);
	cr_assert(loop && site);
	cr_expect_eq(loop->address & 1, 0);
	cr_expect(loop->function);
	cr_expect_gt(loop->size, 0);
	cr_expect_eq(site->record.isa, CM_ISA_T32);
	cr_expect_eq(image_site(&img, "a64_nop_b")->record.isa, CM_ISA_A64);
	cr_expect_eq(image_site(&img, "t32_it_nop_w_bl")->record.site_offset, 2);
	cr_expect(image_protocol(&img, "thumb2_bkpt") && image_protocol(&img, "stop_machine"));
}

/* LDXR and its like of every width, and the pairs (DDI 0487, C4.1.88); LDAR and STLR are none. */
static bool is_exclusive(uint32_t word)
{
	return (word & 0x3f800000) == 0x08000000;
}

/* Where B, BL, B.cond, CBZ or TBZ at (at) leads (C4.1.86), 0 for another instruction. */
static uint64_t branch_target(uint32_t word, uint64_t at)
{
	uint32_t low = 0, bits = 0;

	if ((word & 0x7c000000) == 0x14000000)
		bits = 26;
	else if ((word & 0xff000010) == 0x54000000 || (word & 0x7e000000) == 0x34000000)
		low = 5, bits = 19;
	else if ((word & 0x7e000000) == 0x36000000)
		low = 5, bits = 14;
	else
		return 0;
	return at + 4 * (uint64_t)((int64_t)((uint64_t)word << (64 - low - bits)) >> (64 - bits));
}

static bool is_within(const struct image_symbol *s, uint64_t address)
{
	return address - s->address < s->size;
}

static uint32_t word_at(uint64_t at)
{
	uint32_t word;

	memcpy(&word, image_bytes(&img, at, sizeof(word)), sizeof(word));
	return word;
}

Test(arm_guest, the_tests_own_decoding)
{
	cr_expect(is_exclusive(0x885f7c00) && is_exclusive(0x88017c00)); /* ldxr, stxr */
	cr_expect(is_exclusive(0x885ffc20) && is_exclusive(0x8809fc28)); /* ldaxr, stlxr */
	cr_expect_not(is_exclusive(0x88dffc00));			 /* ldar */
	cr_expect_eq(branch_target(0x97ffffff, 0x1000), 0xffc);		 /* bl -4 */
	cr_expect_eq(branch_target(0x14000002, 0x1000), 0x1008);	 /* b */
	cr_expect_eq(branch_target(0x54000040, 0x1000), 0x1008);	 /* b.eq */
	cr_expect_eq(branch_target(0xb4ffffe0, 0x1000), 0xffc);		 /* cbz x0, -4 */
	cr_expect_eq(branch_target(0x37ffffe0, 0x1000), 0xffc);		 /* tbnz w0, #31, -4 */
	cr_expect_eq(branch_target(0xd503201f, 0x1000), 0);
}

/*
 * Exclusives are in cm_exclusive() only, which cm_atomic() alone calls, once: behind its
 * question whether the run is a free one. A free run's vectors are no schedule's.
 */
Test(arm_guest, no_schedule_leads_to_an_exclusive)
{
	const struct image_symbol *first = image_symbol(&img, "cm_vectors_stepped");
	const struct image_symbol *exclusive = image_symbol(&img, "cm_exclusive");
	const struct image_symbol *atomic = image_symbol(&img, "cm_atomic");
	const struct image_segment *text = &img.segments[0];
	uint32_t inside = 0, calls = 0, stored = 0;

	cr_assert(first && exclusive && atomic && text->execute);
	for (uint64_t at = first->address; at < text->address + text->size; at += 4) {
		uint32_t word = word_at(at);

		if (is_within(exclusive, at)) {
			inside += is_exclusive(word);
			continue;
		}
		cr_expect_not(is_exclusive(word), "%#llx: %08x", (unsigned long long)at, word);
		if (!is_within(exclusive, branch_target(word, at)))
			continue;
		calls++;
		cr_expect(is_within(atomic, at), "%#llx calls it", (unsigned long long)at);
	}
	/* Nor does its address stand anywhere. */
	for (size_t i = 1; i < img.nsegments; i++)
		for (uint64_t at = 0; at + 8 <= img.segments[i].filled; at += 8) {
			uint64_t value;

			memcpy(&value, image_bytes(&img, img.segments[i].address + at, 8), 8);
			stored += is_within(exclusive, value);
		}
	cr_expect_eq(inside, 8, "a pair for each of four operations: %u", inside);
	cr_expect_eq(calls, 1, "%u", calls);
	cr_expect_eq(stored, 0, "%u", stored);
	cr_expect_neq(img.abi.vectors, img.abi.vectors_stepped);
}

/* Where the mixtures lead, from the site's first byte; old + new is case 2, new + old case 3. */
static const struct {
	const char *site;
	uint32_t old_new, new_old;
	bool unmapped; /* case 2 leads out of the slot */
} mixtures[] = {
	{ "t32_nop_w_bl", 4 + 0x3af000 + 0x40, 0x1004, true },
	{ "t32_nop_w_b_w", 4 + 0x3af000 + 0x40, 0x1004, true },
	{ "t32_bl_bl", 0x1084, 0x2044, false },
	{ "t32_it_nop_w_bl", 4 + 0x3af000 + 0x40, 0x1004, true },
};

static void expect_target(const struct image_site *kind, const uint8_t mix[4], uint32_t target,
			  bool unmapped)
{
	const struct cm_site_record *r = &kind->record;
	uint64_t base = 0x20001000, where;
	uint16_t pad;

	cr_assert(insn_direct_target(&t32, mix, 4, base, &where), "%s: %02x%02x %02x%02x",
		  kind->name, mix[1], mix[0], mix[3], mix[2]);
	cr_expect_eq(where - base, target, "%s: %#llx", kind->name,
		     (unsigned long long)(where - base));
	if (unmapped) {
		cr_expect_gt(target, CM_SLOT_SIZE);
		return;
	}
	cr_assert_lt(r->site_offset + target + sizeof(pad), r->image_size);
	memcpy(&pad, kind->code + r->site_offset + target, sizeof(pad));
	cr_expect_eq(pad, PAD, "%s+%#x: %04x", kind->name, target, pad);
}

Test(arm_guest, every_mixture_of_halves_leads_where_it_should)
{
	for (size_t i = 0; i < COUNT(mixtures); i++) {
		const struct image_site *kind = image_site(&img, mixtures[i].site);
		const uint8_t *o, *n;

		cr_assert(kind, "%s", mixtures[i].site);
		o = kind->record.old_bytes;
		n = kind->record.new_bytes;
		expect_target(kind, (const uint8_t[]){ o[0], o[1], n[2], n[3] },
			      mixtures[i].old_new, mixtures[i].unmapped);
		expect_target(kind, (const uint8_t[]){ n[0], n[1], o[2], o[3] },
			      mixtures[i].new_old, false);
		expect_target(kind, n, kind->record.target_offset, false);
	}
}

/* What a pad leaves is its own address: the outcomes of both forms are what the record says. */
Test(arm_guest, the_pads_of_every_kind_are_pads)
{
	for (size_t i = 0; i < img.nsites; i++) {
		const struct cm_site_record *r = &img.sites[i].record;
		uint32_t pads[] = { r->pad_old, r->pad_new };

		for (size_t k = 0; k < COUNT(pads) && r->isa == CM_ISA_T32; k++) {
			uint16_t pad = PAD;

			if (pads[k] != CM_NO_PAD)
				memcpy(&pad, img.sites[i].code + r->site_offset + pads[k],
				       sizeof(pad));
			cr_expect_eq(pad, PAD, "%s+%#x: %04x", img.sites[i].name, pads[k], pad);
		}
	}
}

Test(arm_guest, forms_of_a_t32_site)
{
	static const struct {
		uint8_t bytes[4];
		uint32_t length;
		enum site_form form;
	} table[] = {
		{ { 0xaf, 0xf3, 0x00, 0x80 }, 4, FORM_OLD },
		{ { 0x01, 0xf0, 0x20, 0xf8 }, 4, FORM_NEW },
		{ { 0x00, 0xbe, 0x00, 0x80 }, 2, FORM_BREAKPOINT },
		{ { 0x00, 0xe0, 0x20, 0xf8 }, 2, FORM_OVER },
		{ { 0x01, 0xe0, 0x20, 0xf8 }, 2, FORM_TORN }, /* B.N two bytes too far */
		{ { 0xaf, 0xf3, 0x20, 0xf8 }, 4, FORM_TORN },
		{ { 0x01, 0xf0, 0x00, 0x80 }, 4, FORM_TORN },
	};
	struct site s;

	site_place(&s, image_site(&img, "t32_nop_w_bl"), 0, 62);
	cr_expect_eq(s.placed.isa, CM_ISA_T32);
	for (size_t i = 0; i < COUNT(table); i++)
		cr_expect_eq(site_form(&s, &t32, s.placed.text, table[i].bytes, table[i].length),
			     table[i].form, "%zu", i);
	site_place(&s, image_site(&img, "t32_it_nop_w_bl"), 0, 62);
	cr_expect_eq(s.placed.lead, 2);
}

/* The host's half of an atomic operation, on whatever guest this host runs. */
Test(setup, atomic)
{
	static const struct {
		uint32_t op, operand, compare, from, to;
	} table[] = {
		{ CM_ATOMIC_CMPXCHG, 7, 5, 5, 7 },	{ CM_ATOMIC_CMPXCHG, 7, 5, 6, 6 },
		{ CM_ATOMIC_AND, 0xf0, 0, 0x3c, 0x30 }, { CM_ATOMIC_OR, 3, 0, 8, 11 },
		{ CM_ATOMIC_ADD, UINT32_MAX, 0, 1, 0 },
	};
	uint64_t variable, argument;
	struct rig r;
	uint8_t *memory;

	kvmtest_take_turns(false);
	rig_set_up(&r, "'protocol': 'naive', 'sites': [{'site': 'nop5_jmp5'}], "
		       "'method': 'stepped'");
	variable = kvmtest_address("cm_sync_pending");
	argument = kvmtest_image()->abi.stacks;
	memory = vm_memory(r.machine->vm)->image;
	for (size_t i = 0; i < COUNT(table); i++) {
		struct cm_atomic a = { .address = variable,
				       .op = table[i].op,
				       .operand = table[i].operand,
				       .compare = table[i].compare };

		memcpy(memory + (argument - CM_IMAGE_BASE), &a, sizeof(a));
		memcpy(memory + (variable - CM_IMAGE_BASE), &table[i].from, sizeof(uint32_t));
		cr_assert(setup_atomic(r.machine->vm, argument));
		memcpy(&a, memory + (argument - CM_IMAGE_BASE), sizeof(a));
		cr_expect_eq(a.before, table[i].from, "%zu", i);
		cr_expect_eq(machine_read32(r.machine, variable), table[i].to, "%zu", i);
	}
	cr_expect_not(setup_atomic(r.machine->vm, 0), "not in the image");
	cr_expect_not(setup_atomic(r.machine->vm,
				   CM_IMAGE_BASE + vm_memory(r.machine->vm)->image_size - 8));
	memcpy(memory + (argument - CM_IMAGE_BASE), &(struct cm_atomic){ .address = 0x1000 },
	       sizeof(struct cm_atomic));
	cr_expect_not(setup_atomic(r.machine->vm, argument), "its variable is not");
	rig_tear_down(&r);
}
