// SPDX-License-Identifier: BSD-2-Clause
/*
 * insn.c - Capstone's handles, and which instruction set is asked. Owns
 * nothing about any of them.
 */
#include "image/insn_internal.h"

#include <stdio.h>
#include <string.h>

static const struct insn_isa *const isas[] = {
	[CM_ISA_X86_64] = &insn_isa_x86,
	[CM_ISA_A64] = &insn_isa_a64,
	[CM_ISA_T32] = &insn_isa_t32,
};
#define ISAS (sizeof(isas) / sizeof(isas[0]))

static bool open_handle(size_t *handle, struct cs_insn **insn, const struct insn_isa *isa,
			bool detail, struct err *e)
{
	csh h;
	cs_err rc = cs_open(isa->arch, isa->mode, &h);

	if (rc != CS_ERR_OK)
		return err_set(e, ERR_HOST, "cs_open: %s", cs_strerror(rc));
	*handle = h;
	rc = cs_option(h, CS_OPT_DETAIL, detail ? CS_OPT_ON : CS_OPT_OFF);
	if (rc != CS_ERR_OK)
		return err_set(e, ERR_HOST, "cs_option: %s", cs_strerror(rc));
	*insn = cs_malloc(h);
	if (!*insn)
		return err_set(e, ERR_HOST, "cs_malloc: out of memory");
	return true;
}

bool insn_init(struct insn_decoder *d, enum cm_isa isa, struct err *e)
{
	memset(d, 0, sizeof(*d));
	if ((unsigned int)isa >= ISAS || !isas[isa])
		return err_set(e, ERR_UNSUPPORTED,
			       "decoding instructions of ISA %u: x86_64, A64 and T32 only",
			       (unsigned int)isa);
	d->isa = isas[isa];
	if (open_handle(&d->plain, &d->insn, d->isa, false, e) &&
	    (!d->isa->detail || open_handle(&d->detailed, &d->detail, d->isa, true, e)))
		return true;
	insn_fini(d);
	return false;
}

void insn_fini(struct insn_decoder *d)
{
	csh plain = d->plain, detailed = d->detailed;

	if (d->insn)
		cs_free(d->insn, 1);
	if (d->detail)
		cs_free(d->detail, 1);
	if (plain)
		cs_close(&plain);
	if (detailed)
		cs_close(&detailed);
	memset(d, 0, sizeof(*d));
}

bool insn_plain(struct insn_decoder *d, const uint8_t *bytes, size_t size, uint64_t address)
{
	return cs_disasm_iter(d->plain, &bytes, &size, &address, d->insn);
}

bool insn_detailed(struct insn_decoder *d, const uint8_t *bytes, size_t size, uint64_t address)
{
	return cs_disasm_iter(d->detailed, &bytes, &size, &address, d->detail);
}

uint8_t insn_stack_pointer(const struct insn_decoder *d)
{
	return d->isa->stack_pointer;
}

uint8_t insn_link_register(const struct insn_decoder *d)
{
	return d->isa->link_register;
}

struct insn insn_decode(struct insn_decoder *d, const uint8_t *bytes, size_t size, uint64_t address)
{
	return d->isa->decode(d, bytes, size, address);
}

struct insn_access insn_access(struct insn_decoder *d, const uint8_t *bytes, size_t size,
			       uint64_t address)
{
	return d->isa->access(d, bytes, size, address);
}

bool insn_direct_target(struct insn_decoder *d, const uint8_t *bytes, size_t size, uint64_t address,
			uint64_t *target)
{
	return d->isa->direct_target(d, bytes, size, address, target);
}

uint64_t insn_index(const struct insn_access *a, uint64_t value)
{
	if (a->extend == EXTEND_UXTW)
		value = (uint32_t)value;
	else if (a->extend == EXTEND_SXTW)
		value = (uint64_t)insn_signed((uint32_t)value, 32);
	return value * a->scale;
}

void insn_text(struct insn_decoder *d, const uint8_t *bytes, size_t size, uint64_t address,
	       char *buf, size_t bufsize)
{
	char text[64];
	const char *own = d->isa->own_text(bytes, size, text, sizeof(text));

	if (own)
		snprintf(buf, bufsize, "%s", own);
	else if (!insn_plain(d, bytes, size, address))
		snprintf(buf, bufsize, "(bad)");
	else if (d->insn->op_str[0])
		snprintf(buf, bufsize, "%s %s", d->insn->mnemonic, d->insn->op_str);
	else
		snprintf(buf, bufsize, "%s", d->insn->mnemonic);
}
