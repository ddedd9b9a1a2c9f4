/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * insn_internal.h - what insn.c and the files of the instruction sets share.
 * Nobody else includes it: Capstone is not seen beyond.
 */
#ifndef CROSSMOD_INSN_INTERNAL_H
#define CROSSMOD_INSN_INTERNAL_H

#include "image/insn.h"

#include <capstone/capstone.h>

/* One instruction set. The functions are those of insn.h, with their contracts. */
struct insn_isa {
	cs_arch arch;
	cs_mode mode;
	bool detail; /* wants the handle with operands */
	uint8_t stack_pointer;
	uint8_t link_register; /* INSN_NO_REGISTER: a call pushes its return address */
	struct insn (*decode)(struct insn_decoder *d, const uint8_t *bytes, size_t size,
			      uint64_t address);
	struct insn_access (*access)(struct insn_decoder *d, const uint8_t *bytes, size_t size,
				     uint64_t address);
	bool (*direct_target)(struct insn_decoder *d, const uint8_t *bytes, size_t size,
			      uint64_t address, uint64_t *target);
	/* The text of what Capstone is not to be asked about; NULL for everything else. */
	const char *(*own_text)(const uint8_t *bytes, size_t size, char *buf, size_t bufsize);
};

extern const struct insn_isa insn_isa_x86, insn_isa_a64, insn_isa_t32;

/* Capstone's answer, in d->insn and with operands in d->detail; false when it knows none. */
bool insn_plain(struct insn_decoder *d, const uint8_t *bytes, size_t size, uint64_t address);
bool insn_detailed(struct insn_decoder *d, const uint8_t *bytes, size_t size, uint64_t address);

/* Bits (high) to (low) of an encoding; the same as a number with a sign; one of them. */
static inline uint32_t insn_bits(uint32_t word, unsigned int high, unsigned int low)
{
	return word >> low & (uint32_t)((1ull << (high - low + 1)) - 1);
}

static inline int64_t insn_signed(uint32_t field, unsigned int width)
{
	uint64_t sign = 1ull << (width - 1);

	return (int64_t)((field ^ sign) - sign);
}

static inline bool insn_bit(uint32_t word, unsigned int n)
{
	return word >> n & 1;
}

#endif
