// SPDX-License-Identifier: BSD-2-Clause
/* site.c - placed sites and their mixtures. Runs nothing. */
#include "model/site.h"
#include "image/isa.h"
#include "image/vector.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

static uint64_t slot_start(uint32_t index)
{
	return (uint64_t)index * CM_SLOT_SIZE;
}

static uint64_t at_offset(uint64_t site, uint32_t offset)
{
	return offset == CM_NO_PAD ? 0 : site + offset;
}

void site_place(struct site *s, const struct image_site *kind, uint32_t index, uint32_t offset)
{
	const struct cm_site_record *r = &kind->record;
	uint64_t at = slot_start(index) + CM_SLOT_ORIGIN + offset;
	uint64_t text = CM_TEXT_BASE + at;

	memset(s, 0, sizeof(*s));
	s->kind = kind;
	s->index = index;
	s->placed = (struct cm_site){
		.text = text,
		.alias = CM_ALIAS_BASE + at,
		.resume = text + r->resume_offset,
		.target = text + r->target_offset,
		.pad_old = at_offset(text, r->pad_old),
		.pad_new = at_offset(text, r->pad_new),
		.value_old = r->value_old,
		.value_new = r->value_new,
		.length = r->length,
		.isa = (uint16_t)r->isa,
		.lead = isa_is_arm(r->isa) ? (uint16_t)r->site_offset : 0,
	};
	memcpy(s->placed.old_bytes, r->old_bytes, CM_MAX_SITE_LEN);
	memcpy(s->placed.new_bytes, r->new_bytes, CM_MAX_SITE_LEN);
}

void site_add_bypass(struct site *s)
{
	s->bypass = CM_TEXT_BASE + slot_start(s->index) + CM_SLOT_BYPASS;
}

int site_offset(const struct site *s, uint64_t address)
{
	if (address - s->placed.text < s->placed.length)
		return (int)(address - s->placed.text);
	if (s->bypass && address - s->bypass < s->placed.length)
		return (int)(address - s->bypass);
	return -1;
}

void site_install(const struct site *s, uint8_t *text)
{
	uint64_t at = s->placed.text - CM_TEXT_BASE - s->kind->record.site_offset;

	assert(at + s->kind->record.image_size <= slot_start(s->index) + CM_SLOT_SIZE);
	memcpy(text + at, s->kind->code, s->kind->record.image_size);
}

/* Do the executed bytes stand in (form) at (offset), on a boundary between its instructions? */
static bool matches(const uint8_t *form, uint32_t form_length, struct insn_decoder *d,
		    uint32_t offset, const uint8_t *bytes, uint32_t length)
{
	uint32_t boundary = 0;
	uint32_t inside = form_length - offset < length ? form_length - offset : length;

	while (boundary < offset) {
		struct insn i = insn_decode(d, form + boundary, form_length - boundary, boundary);

		if (!i.length)
			return false;
		boundary += i.length;
	}
	return boundary == offset && !memcmp(form + offset, bytes, inside);
}

/* The other 16-bit instruction of a Thumb-2 scheme: it skips what is changed next. */
static bool leads_over(const struct site *s, struct insn_decoder *d, const uint8_t *bytes,
		       uint32_t length)
{
	uint64_t text = s->placed.text, target;

	return s->placed.isa == CM_ISA_T32 && s->placed.length > 2 &&
	       insn_decode(d, bytes, length, text).length == 2 &&
	       insn_access(d, bytes, length, text).flow == FLOW_JUMP &&
	       insn_direct_target(d, bytes, length, text, &target) &&
	       target == text + s->placed.length;
}

enum site_form site_form(const struct site *s, struct insn_decoder *d, uint64_t address,
			 const uint8_t *bytes, uint32_t length)
{
	const struct cm_site *p = &s->placed;
	int offset = site_offset(s, address);

	if (offset < 0 || !length)
		return FORM_OUTSIDE;
	if (matches(p->old_bytes, p->length, d, (uint32_t)offset, bytes, length))
		return FORM_OLD;
	if (matches(p->new_bytes, p->length, d, (uint32_t)offset, bytes, length))
		return FORM_NEW;
	if (offset == 0 && insn_decode(d, bytes, length, address).class == INSN_BREAKPOINT)
		return FORM_BREAKPOINT;
	if (offset == 0 && leads_over(s, d, bytes, length))
		return FORM_OVER;
	return FORM_TORN;
}

const char *site_form_name(enum site_form form)
{
	static const char *const names[] = { "outside",	   "old",	  "new",
					     "breakpoint", "branch over", "torn" };

	return names[form];
}

static bool undefined(struct insn insn)
{
	return !insn.length || insn.class == INSN_UNDEFINED;
}

/* Can (mix) fault at (offset)? At its first undefined instruction, or at a later one it reaches. */
static bool faults_at(const struct site *s, struct insn_decoder *d, const uint8_t *mix,
		      uint64_t offset)
{
	uint32_t at = 0, length = s->placed.length;

	while (at < length) {
		struct insn i = insn_decode(d, mix + at, length - at, s->placed.text + at);

		if (undefined(i))
			return at == offset;
		if (at && at == offset)
			return true;
		at += i.length;
	}
	return false;
}

#define XOR_EAX_IMM32 0x35

/* What MOV $imm32, %eax leaves in RAX; or XOR, which the marker comes to in a kind's new form. */
static uint64_t value_of(const struct site *s, const uint8_t *mix)
{
	uint32_t immediate, whole;

	memcpy(&immediate, mix + 1, sizeof(immediate));
	if (mix[0] != XOR_EAX_IMM32)
		return immediate;
	memcpy(&whole, s->placed.new_bytes + 1, sizeof(whole));
	return s->placed.value_new ^ whole ^ immediate;
}

/*
 * Would the (length) bytes (mix) at the site lead to the event? The first
 * instruction decides: where it leads, what it loads, or that it or one
 * behind it, still inside the site, faults.
 */
static bool leads_to(const struct site *s, struct insn_decoder *d, const uint8_t *mix,
		     const struct cm_event *ev)
{
	uint64_t text = s->placed.text, target;
	struct insn first = insn_decode(d, mix, s->placed.length, text);

	if (insn_direct_target(d, mix, s->placed.length, text, &target)) {
		if (ev->kind == CM_EVENT_OUTCOME)
			return target == ev->pad;
		return target == vector_trap_address(s->placed.isa, ev->vector, ev->ip) ||
		       target == ev->ip;
	}
	if (ev->kind == CM_EVENT_OUTCOME)
		return !isa_is_arm(s->placed.isa) && first.length == s->placed.length &&
		       value_of(s, mix) == ev->value;
	return faults_at(s, d, mix, ev->ip - text);
}

bool site_explain(const struct site *s, struct insn_decoder *d, const struct cm_event *event,
		  uint8_t mix[CM_MAX_SITE_LEN])
{
	const struct cm_site *p = &s->placed;

	for (uint32_t take_new = 1; take_new + 1 < 1u << p->length; take_new++) {
		for (uint32_t i = 0; i < p->length; i++)
			mix[i] = take_new >> i & 1 ? p->new_bytes[i] : p->old_bytes[i];
		if (site_form(s, d, p->text, mix, p->length) == FORM_TORN &&
		    leads_to(s, d, mix, event))
			return true;
	}
	return false;
}

const char *site_hex(const uint8_t *bytes, uint32_t length, char *buf, size_t size)
{
	size_t used = 0;

	*buf = '\0';
	for (uint32_t i = 0; i < length && used + 4 < size; i++)
		used += (size_t)snprintf(buf + used, size - used, "%s%02x", i ? " " : "", bytes[i]);
	return buf;
}

/* Whose breakpoint may be at (address): a site's, or the one behind what is in its bypass. */
static const struct site *site_at(const struct site *sites, uint32_t nsites, uint64_t address)
{
	for (uint32_t i = 0; i < nsites; i++)
		if (sites[i].placed.text == address ||
		    (sites[i].bypass && address - sites[i].bypass <= sites[i].placed.length))
			return &sites[i];
	return NULL;
}

static bool in_slot(const struct site *s, uint64_t address)
{
	return address - (CM_TEXT_BASE + slot_start(s->index)) < CM_SLOT_SIZE;
}

const char *site_name_address(const struct site *sites, uint32_t nsites, const struct image *img,
			      uint64_t address, char *buf, size_t size)
{
	for (uint32_t i = 0; i < nsites; i++)
		if (in_slot(&sites[i], address)) {
			bool bypass = sites[i].bypass && address < sites[i].placed.text &&
				      site_offset(&sites[i], address) >= 0;
			long long off = (long long)(address - (bypass ? sites[i].bypass :
									sites[i].placed.text));
			const char *part = bypass ? "'s bypass" : "";

			if (off)
				snprintf(buf, size, "site%u%s%+lld", i, part, off);
			else
				snprintf(buf, size, "site%u%s", i, part);
			return buf;
		}
	return image_name_address(img, address, buf, size);
}

/* What judging one event needs. */
struct judge {
	const struct site *sites;
	uint32_t nsites;
	struct insn_decoder *d;
	const struct image *img;
	const struct cm_event *ev;
	const struct site_mixture *fetched;
};

static void torn(const struct judge *j, const struct site_mixture *mix, const char *what,
		 struct violation *v)
{
	char hex[64], text[64], where[64];

	v->kind = VIOLATION_TORN;
	site_hex(mix->bytes, mix->length, hex, sizeof(hex));
	insn_text(j->d, mix->bytes, mix->length, mix->address, text, sizeof(text));
	site_name_address(j->sites, j->nsites, j->img, mix->address, where, sizeof(where));
	snprintf(v->text, sizeof(v->text), "neither old nor new ran at %s: the mixture %s (%s) %s",
		 where, hex, text, what);
}

/* The mixture of (s) that was fetched, or one that explains the event. */
static bool mixture_of(const struct judge *j, const struct site *s, struct site_mixture *mix)
{
	if (j->fetched) {
		*mix = *j->fetched;
		return site_offset(s, mix->address) >= 0;
	}
	mix->address = s->placed.text;
	mix->length = (uint8_t)s->placed.length;
	return site_explain(s, j->d, j->ev, mix->bytes);
}

static void judge_outcome(const struct judge *j, struct violation *v)
{
	const struct cm_event *ev = j->ev;
	const struct site *s = &j->sites[ev->site];
	struct site_mixture mix;
	char where[64], what[128];

	site_name_address(j->sites, j->nsites, j->img, ev->pad, where, sizeof(where));
	snprintf(what, sizeof(what), "left the value %#llx and passed %s%s",
		 (unsigned long long)ev->value, ev->pad ? "the pad at " : "no pad",
		 ev->pad ? where : "");
	if (ev->pad && !in_slot(s, ev->pad)) {
		v->kind = VIOLATION_WRONG_TARGET;
		snprintf(v->text, sizeof(v->text), "the execution of site%u %s", ev->site, what);
	} else if (mixture_of(j, s, &mix)) {
		torn(j, &mix, what, v);
	} else {
		v->kind = VIOLATION_TORN;
		snprintf(
			v->text, sizeof(v->text),
			"neither old nor new ran at site%u: it %s (no mixture of old and new does)",
			ev->site, what);
	}
}

/* x86's have a number that everybody knows. */
static void name_exception(uint32_t isa, const struct cm_event *ev, const char *where, char *buf,
			   size_t size)
{
	const char *name = isa_is_arm(isa) ? vector_name(isa, ev->vector) : NULL;

	if (name)
		snprintf(buf, size, "raised an exception, %s, at %s", name, where);
	else
		snprintf(buf, size, "raised exception %llu at %s", (unsigned long long)ev->vector,
			 where);
}

static void judge_trap(const struct judge *j, struct violation *v)
{
	const struct cm_event *ev = j->ev;
	uint32_t isa = j->sites[0].placed.isa;
	uint64_t at = vector_trap_address(isa, ev->vector, ev->ip);
	const struct site *hit =
		vector_is_breakpoint(isa, ev->vector) ? site_at(j->sites, j->nsites, at) : NULL;
	struct site_mixture mix;
	char where[64], what[128];

	if (hit) {
		v->kind = VIOLATION_UNHANDLED_TRAP;
		snprintf(v->text, sizeof(v->text),
			 "the breakpoint of site%u%s was hit and nobody claimed it", hit->index,
			 at == hit->placed.text ? "" : "'s bypass");
		return;
	}
	site_name_address(j->sites, j->nsites, j->img, ev->ip, where, sizeof(where));
	name_exception(isa, ev, where, what, sizeof(what));
	for (uint32_t i = 0; ev->kind == CM_EVENT_TRAP && i < j->nsites; i++)
		if (mixture_of(j, &j->sites[i], &mix)) {
			torn(j, &mix, what, v);
			return;
		}
	v->kind = ev->kind == CM_EVENT_TRAP && vector_is_fault(isa, ev->vector) &&
				  ev->address == ev->ip ?
			  VIOLATION_WRONG_TARGET :
			  VIOLATION_CRASH;
	snprintf(v->text, sizeof(v->text), "%s %s, error code %#llx, address %#llx",
		 ev->kind == CM_EVENT_TRAP ? "executing a site" : "outside any site", what,
		 (unsigned long long)ev->error, (unsigned long long)ev->address);
}

void site_judge(const struct site *sites, uint32_t nsites, struct insn_decoder *d,
		const struct image *img, const struct cm_event *event,
		const struct site_mixture *fetched, struct violation *v)
{
	struct judge j = { sites, nsites, d, img, event, fetched };

	v->event = *event;
	if (event->site >= nsites) {
		v->kind = VIOLATION_CRASH;
		snprintf(v->text, sizeof(v->text), "the guest's record is damaged: it names site%u",
			 event->site);
		return;
	}
	switch (event->kind) {
	case CM_EVENT_OUTCOME:
		judge_outcome(&j, v);
		break;
	case CM_EVENT_STALE:
		v->kind = VIOLATION_STALE;
		snprintf(
			v->text, sizeof(v->text),
			"site%u ran its %s form although poke %u was promised and none was in flight",
			event->site, event->promised & 1 ? "old" : "new", event->promised);
		break;
	default:
		judge_trap(&j, v);
		break;
	}
}
