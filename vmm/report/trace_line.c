// SPDX-License-Identifier: BSD-2-Clause
/*
 * trace_line.c - from the machine between two decisions to a line. Owns what
 * is worth a line, and the names of places and deeds; never moves the machine,
 * and knows nothing of who decides or of how a line is shown.
 */
#include "report/trace_line.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "report/trace_internal.h"
#include "image/vector.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* ---- places ---- */

/* The protocol's step that starts at (address): "int3_fixup.tail". NULL where none does. */
static const char *step_label(const struct image *img, uint64_t address)
{
	for (size_t i = 0; i < img->nsymbols && img->symbols[i].address <= address; i++)
		if (img->symbols[i].address == address && strchr(img->symbols[i].name, '.'))
			return img->symbols[i].name;
	return NULL;
}

/* In the text region there are no symbols: there a place is named after the site of its slot. */
bool trace_address(const struct machine *m, uint64_t address, char *buf, size_t size)
{
	uint64_t slot = (address - CM_TEXT_BASE) / CM_SLOT_SIZE, offset;

	if (address >= CM_TEXT_BASE && slot < m->scenario->nsites) {
		const struct site *s = &m->site[slot];
		/* The bypass, its INT3, and what #BP says of that. */
		bool bypass = s->bypass && address - s->bypass <= s->placed.length + 1;
		uint64_t start = bypass ? s->bypass : s->placed.text;
		const char *part = bypass ? "'s bypass" : "";

		if (address == start)
			snprintf(buf, size, "site%u%s", (unsigned int)slot, part);
		else
			snprintf(buf, size, "site%u%s%c0x%" PRIx64, (unsigned int)slot, part,
				 address < start ? '-' : '+',
				 address < start ? start - address : address - start);
		return true;
	}
	image_name_address(m->image, address, buf, size);
	return image_symbol_at(m->image, address, &offset) != NULL;
}

static void name_place(struct trace_maker *k)
{
	const char *label = step_label(k->m->image, k->r->pc);

	if (label)
		snprintf(k->l->place, sizeof(k->l->place), "%s", label);
	else
		trace_address(k->m, k->r->pc, k->l->place, sizeof(k->l->place));
}

/* What the vCPU did: an instruction, or what was done to it. */
static void name_deed(struct trace_maker *k)
{
	uint32_t isa = k->m->image->abi.isa;
	const struct step_report *r = k->r;

	switch (r->action.kind) {
	case ACTION_STEP:
		insn_text(machine_decoder(k->m, r->isa), r->bytes, r->length, r->pc, k->l->deed,
			  sizeof(k->l->deed));
		break;
	case ACTION_LATCH:
		snprintf(k->l->deed, sizeof(k->l->deed), "(fetch)");
		break;
	case ACTION_NMI:
		snprintf(k->l->deed, sizeof(k->l->deed), "(%s)", vector_nmi_name(isa));
		break;
	case ACTION_IPI:
		snprintf(k->l->deed, sizeof(k->l->deed), "(%s)", vector_ipi_name(isa));
		break;
	case ACTION_RAISE:
		snprintf(k->l->deed, sizeof(k->l->deed), "(%s raised)", vector_ipi_name(isa));
		break;
	default:
		snprintf(k->l->deed, sizeof(k->l->deed), "(comes online)");
	}
}

const char *trace_disassemble(struct machine *m, const struct cm_site *p, const uint8_t *bytes,
			      char *buf, size_t size)
{
	struct insn_decoder *d = machine_decoder(m, p->isa);
	uint32_t at = 0;
	size_t used = 0;
	char text[64];

	*buf = '\0';
	while (at < p->length && used < size) {
		struct insn insn = insn_decode(d, bytes + at, p->length - at, p->text + at);

		insn_text(d, bytes + at, p->length - at, p->text + at, text, sizeof(text));
		used += (size_t)snprintf(buf + used, size - used, "%s%s", at ? "; " : "", text);
		at += insn.length ? insn.length : p->length;
	}
	return buf;
}

/* ---- pieces ---- */

static void add_piece(struct trace_line *l, bool first, enum trace_tone tone, const char *fmt,
		      va_list ap)
{
	struct trace_piece *grown = realloc(l->piece, (l->npieces + 1) * sizeof(*grown));
	char *text = NULL;

	assert(grown);
	if (vasprintf(&text, fmt, ap) < 0)
		text = NULL;
	assert(text);
	l->piece = grown;
	l->piece[l->npieces++] = (struct trace_piece){ text, tone, first };
}

void trace_remark(struct trace_maker *k, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	add_piece(k->l, true, TONE_PLAIN, fmt, ap);
	va_end(ap);
}

void trace_add(struct trace_maker *k, enum trace_tone tone, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	add_piece(k->l, false, tone, fmt, ap);
	va_end(ap);
}

enum trace_tone trace_tone_of(enum site_form form)
{
	static const enum trace_tone tones[] = {
		[FORM_OUTSIDE] = TONE_PLAIN,   [FORM_OLD] = TONE_OLD,
		[FORM_NEW] = TONE_NEW,	       [FORM_BREAKPOINT] = TONE_BREAKPOINT,
		[FORM_OVER] = TONE_BREAKPOINT, [FORM_TORN] = TONE_TORN,
	};

	assert((unsigned int)form < COUNT(tones));
	return tones[form];
}

/* ---- bytes ---- */

static void letter_bytes(struct trace_bytes *b, const struct cm_site *p)
{
	for (uint32_t i = 0; i < b->length; i++) {
		bool old = b->bytes[i] == p->old_bytes[b->at + i];
		bool new = b->bytes[i] == p->new_bytes[b->at + i];

		if ((b->form == FORM_BREAKPOINT || b->form == FORM_OVER) && b->at + i == 0)
			b->letters[i] = 'B';
		else if (old && new)
			b->letters[i] = '=';
		else
			b->letters[i] = old ? 'O' : new ? 'N' : '?';
	}
	b->letters[b->length] = '\0';
}

static void copy_memory(struct trace_maker *k)
{
	const struct fetch *f = &k->m->fetch;

	k->l->nsites = k->m->scenario->nsites;
	for (uint32_t i = 0; i < k->l->nsites; i++) {
		const struct cm_site *p = &k->m->site[i].placed;
		struct trace_bytes *b = &k->l->memory[i];

		*b = (struct trace_bytes){ .site = i, .length = p->length };
		memcpy(b->bytes, fetch_window(f, fetch_now(f)) + fetch_offset(f, p->text),
		       p->length);
		b->form = site_form(&k->m->site[i], machine_decoder(k->m, p->isa), p->text,
				    b->bytes, p->length);
		letter_bytes(b, p);
	}
}

static void copy_fetched(struct trace_maker *k)
{
	const struct step_report *r = k->r;
	struct trace_bytes *b = &k->l->fetched;
	struct trace_fetch x;
	const struct cm_site *p;

	if (r->form == FORM_OUTSIDE)
		return;
	trace_find_fetch(k->m, r, &x);
	p = &x.site->placed;
	b->site = r->site;
	b->at = (uint32_t)site_offset(x.site, r->pc);
	b->length = x.length < p->length - b->at ? x.length : p->length - b->at;
	b->form = r->form;
	memcpy(b->bytes, r->bytes, b->length);
	letter_bytes(b, p);
	k->l->at_site = b->length != 0;
}

/* ---- lines ---- */

bool trace_line_matters(const struct machine *m, const struct step_report *r,
			const struct trace_vars *vars)
{
	return r->action.kind != ACTION_STEP || r->form != FORM_OUTSIDE || r->stored ||
	       r->delivered || r->door || r->synchronised || r->violation || vars->nchanges ||
	       step_label(m->image, r->pc);
}

void trace_line_make(struct trace_line *l, struct machine *m, const struct step_report *r,
		     const struct trace_vars *vars)
{
	struct trace_maker k = { .l = l, .m = m, .r = r, .vars = vars };

	*l = (struct trace_line){
		.number = r->number,
		.vcpu = r->action.vcpu,
		.stored = r->stored,
		.violation = r->violation,
		.change = vars->change,
		.nchanges = vars->nchanges,
	};
	name_place(&k);
	name_deed(&k);
	copy_memory(&k);
	copy_fetched(&k);
	trace_say(&k);
}

void trace_line_fini(struct trace_line *l)
{
	for (size_t i = 0; i < l->npieces; i++)
		free(l->piece[i].text);
	free(l->piece);
	*l = (struct trace_line){ 0 };
}
