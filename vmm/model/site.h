/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * site.h - a placed site: where it lies, and what every mixture of its old
 * and new bytes would do.
 *
 * Pure arithmetic on bytes and addresses: nothing runs here. What a guest
 * reports is recognised against the mixtures, never guessed.
 */
#ifndef CROSSMOD_SITE_H
#define CROSSMOD_SITE_H

#include <stdbool.h>
#include <stdint.h>

#include "image/image.h"
#include "image/insn.h"
#include "model/observation.h"

struct site {
	const struct image_site *kind;
	uint32_t index;
	uint64_t bypass;       /* where its bypass is executed; 0 none */
	struct cm_site placed; /* as the guest is told */
};

/* Place (kind) into slot (index), its first byte at (offset) of the slot's page. */
void site_place(struct site *s, const struct image_site *kind, uint32_t index, uint32_t offset);

/* The protocol wants a bypass: the site has one, in its slot. */
void site_add_bypass(struct site *s);

/*
 * The place of (address) among the patched bytes, from 0: in the site, or in
 * its bypass, which is patched with the bytes of one form or the other. -1: in neither.
 */
int site_offset(const struct site *s, uint64_t address);

/* Copy the kind's code, landing pads and all, to where it belongs in (text), CM_TEXT_BASE's bytes. */
void site_install(const struct site *s, uint8_t *text);

/* What the (length) bytes executed at (address), in the site or its bypass, are. */
enum site_form {
	FORM_OUTSIDE, /* not at this site */
	FORM_OLD,
	FORM_NEW,
	FORM_BREAKPOINT,
	FORM_OVER, /* T32: a 16-bit B over the rest of the site, as harmless as a breakpoint */
	FORM_TORN, /* none of them */
};
enum site_form site_form(const struct site *s, struct insn_decoder *d, uint64_t address,
			 const uint8_t *bytes, uint32_t length);
const char *site_form_name(enum site_form form);

/*
 * Which mixture of old and new bytes explains (event)? Its bytes into (mix),
 * length of the site. Tried: a jump or call of the mixture leads to the pad
 * or fault address; its immediate is the value; the fault lies in the site.
 */
bool site_explain(const struct site *s, struct insn_decoder *d, const struct cm_event *event,
		  uint8_t mix[CM_MAX_SITE_LEN]);

/* A mixture that was fetched, when the machine saw the fetch: stepped only. */
struct site_mixture {
	uint64_t address;
	uint8_t length;
	uint8_t bytes[CM_MAX_SITE_LEN];
};

/*
 * The violation an event of the guest is. (sites) are all placed ones. The
 * text names the mixture: (fetched), or NULL when nobody saw the fetch and one
 * that explains the event has to be found. Fills (v) but vcpu and step.
 */
void site_judge(const struct site *sites, uint32_t nsites, struct insn_decoder *d,
		const struct image *img, const struct cm_event *event,
		const struct site_mixture *fetched, struct violation *v);

/* "site1+2" inside a slot, else the image's own name. Returns (buf). */
const char *site_name_address(const struct site *sites, uint32_t nsites, const struct image *img,
			      uint64_t address, char *buf, size_t size);

/* Bytes as "e9 0b 00 00 00" into (buf). Returns (buf). */
const char *site_hex(const uint8_t *bytes, uint32_t length, char *buf, size_t size);

#endif
