// SPDX-License-Identifier: BSD-2-Clause
/*
 * scenario_setup.c - what a run starts from: the sites and where they stand,
 * who patches and who executes, what a fetch may return, a free run's rates.
 *
 * Owns the JSON form and the defaults of these. Must not know the schedule.
 */
#include "scenario/scenario_internal.h"
#include "image/isa.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#define COUNT(array)	  (sizeof(array) / sizeof((array)[0]))
/* Of a site when there is no image to ask: the near jump's. */
#define USUAL_SITE_LENGTH 5u
#define PAGE_BYTES	  4096u

/* A vCPU's list of its kind as a mask; each at most once. */
static bool read_vcpu_mask(const struct scenario *s, const struct jnode *n, size_t min,
			   uint32_t *mask)
{
	uint32_t vcpu, found = 0;
	size_t i, count;

	if (!jnode_array(n, min, CM_MAX_VCPUS, &count))
		return false;
	for (i = 0; i < count; i++) {
		struct jnode item = jnode_item(n, i);

		if (!scenario_read_vcpu(s, &item, &vcpu))
			return false;
		if (found & (1u << vcpu))
			return jnode_fail(&item, "vCPU %u is listed twice", vcpu);
		found |= 1u << vcpu;
	}
	*mask = found;
	return true;
}

/* ---- sites ---- */

const char *const scenario_site_keys[] = { "site", "at", NULL };
const char *const placement_names[PLACEMENTS] = {
	[AT_IN_LINE] = "in-line",
	[AT_CROSS_8] = "cross-8",
	[AT_CROSS_LINE] = "cross-line",
	[AT_CROSS_PAGE] = "cross-page",
};

/* Crossing a boundary: the first half, the larger one if odd, lies before it. */
uint32_t placement_offset(enum placement_at at, uint32_t length)
{
	static const uint32_t boundary[PLACEMENTS] = {
		[AT_CROSS_8] = 8, [AT_CROSS_LINE] = 64, [AT_CROSS_PAGE] = PAGE_BYTES
	};

	assert(at < PLACEMENTS && length <= CM_MAX_SITE_LEN);
	return at == AT_IN_LINE ? 8 : boundary[at] - (length + 1) / 2;
}

static bool read_at(struct placement *p, const struct jnode *n)
{
	uint32_t length = p->site ? p->site->record.length : USUAL_SITE_LENGTH;
	char text[16];
	size_t at;

	if (json_is_integer(n->json)) {
		if (!jnode_u32(n, 0, PAGE_BYTES - 1, &p->offset))
			return false;
		snprintf(text, sizeof(text), "%u", p->offset);
		return jnode_copy(n, text, &p->at);
	}
	if (!json_is_string(n->json))
		return jnode_fail(n, "expected an offset in the page or the name of one, found %s",
				  jnode_type(n));
	if (!jnode_choice(n, placement_names, PLACEMENTS, &at))
		return false;
	if (at != AT_IN_LINE && length < 2)
		return jnode_fail(n, "a site of %u byte cannot cross anything", length);
	p->offset = placement_offset((enum placement_at)at, length);
	return jnode_copy(n, placement_names[at], &p->at);
}

static bool no_such_site(const struct jnode *n, const struct image *img, const char *name)
{
	char list[JNODE_LIST_MAX] = "";
	size_t i;

	for (i = 0; i < img->nsites; i++)
		jnode_list(list, sizeof(list), img->sites[i].name);
	return jnode_fail(n, "no site '%.60s' in %.80s; it has: %s", name, img->path, list);
}

static bool check_alignment(const struct scenario *s, const struct placement *p,
			    const struct jnode *at)
{
	uint32_t unit = isa_chunk(s->isa);

	return p->offset % unit == 0 ||
	       jnode_fail(at, "offset %u: instructions of %s are at multiples of %u", p->offset,
			  isa_name(s->isa), unit);
}

/* All sites of a scenario are of one instruction set: the one that it, or the first of them, says. */
static bool check_isa(struct scenario *s, const struct placement *p, const struct jnode *name)
{
	enum cm_isa isa = (enum cm_isa)p->site->record.isa;

	if (!s->isa_said && p == s->site)
		s->isa = isa;
	if (isa == s->isa)
		return true;
	return jnode_fail(name, "'%.60s' is a site of %s, and %s of %s", p->name, isa_name(isa),
			  s->isa_said ? "the scenario is one" : "the first is one",
			  isa_name(s->isa));
}

static bool read_site(struct scenario *s, struct placement *p, const struct image *img,
		      const struct jnode *n)
{
	struct jnode name, at;

	if (!jnode_object(n, scenario_site_keys) || !jnode_require(n, "site", &name) ||
	    !jnode_string(&name, &p->name))
		return false;
	if (img) {
		p->site = image_site(img, p->name);
		if (!p->site)
			return no_such_site(&name, img, p->name);
		if (!check_isa(s, p, &name))
			return false;
	}
	if (jnode_get(n, "at", &at))
		return read_at(p, &at) && check_alignment(s, p, &at);
	p->offset = placement_offset(AT_IN_LINE, USUAL_SITE_LENGTH);
	return jnode_copy(n, placement_names[AT_IN_LINE], &p->at);
}

bool scenario_read_sites(struct scenario *s, const struct image *img, const struct jnode *n)
{
	size_t i, count;

	if (!jnode_array(n, 1, CM_MAX_SITES, &count))
		return false;
	for (i = 0; i < count; i++) {
		struct jnode item = jnode_item(n, i);

		s->nsites = (uint32_t)i + 1;
		if (!read_site(s, &s->site[i], img, &item))
			return false;
	}
	return true;
}

/* ---- roles ---- */

const char *const scenario_patcher_keys[] = {
	"vcpu", "cpl", "el", "pokes", "batch", "pause", NULL
};
const char *const scenario_executors_keys[] = { "vcpus", "cpl", "el", "calls", "pause", NULL };

/* Where a role is played: CPL 0 or 3 or, in the terms of Arm, EL1 or EL0. */
static bool read_level(const struct scenario *s, const struct jnode *object, uint32_t *cpl)
{
	struct jnode n;
	uint32_t value;

	if (jnode_get(object, "el", &n)) {
		struct jnode both;

		if (!isa_is_arm(s->isa))
			return jnode_fail(&n, "exception levels are Arm's; on %s say \"cpl\"",
					  isa_name(s->isa));
		if (jnode_get(object, "cpl", &both))
			return jnode_fail(&both, "\"el\" says it already");
		if (!jnode_u32(&n, 0, 1, &value))
			return false;
		*cpl = value ? 0 : 3;
		return true;
	}
	if (!jnode_get(object, "cpl", &n))
		return true;
	if (isa_is_arm(s->isa))
		return jnode_fail(&n, "privilege levels are x86's; on %s say \"el\", 0 or 1",
				  isa_name(s->isa));
	if (!jnode_u32(&n, 0, 3, &value))
		return false;
	if (value != 0 && value != 3)
		return jnode_fail(&n, "expected 0 or 3, found %u", value);
	*cpl = value;
	return true;
}

/* A number of rounds. Only a free run has an end of its own that 0 could wait for. */
static bool read_rounds(const struct scenario *s, const struct jnode *object, const char *key,
			uint32_t *rounds)
{
	struct jnode n;

	*rounds = s->method == METHOD_FREE ? 0 : 1;
	if (!jnode_get(object, key, &n))
		return true;
	if (!jnode_u32(&n, 0, UINT32_MAX, rounds))
		return false;
	if (!*rounds && s->method != METHOD_FREE)
		return jnode_fail(&n, "0 (until the end) is for method 'free' only");
	return true;
}

bool scenario_read_patcher(struct scenario *s, const struct jnode *root)
{
	struct jnode n, vcpu, batch;

	if (jnode_get(root, "patcher", &n) && !jnode_object(&n, scenario_patcher_keys))
		return false;
	s->batch = 1;
	if (jnode_get(&n, "vcpu", &vcpu) && !scenario_read_vcpu(s, &vcpu, &s->patcher))
		return false;
	if (!read_level(s, &n, &s->patcher_cpl) || !read_rounds(s, &n, "pokes", &s->pokes) ||
	    !jnode_opt_u32(&n, "batch", 1, CM_MAX_SITES, &s->batch) ||
	    !jnode_opt_u32(&n, "pause", 0, UINT32_MAX, &s->pause))
		return false;
	if (s->batch > s->nsites && jnode_get(&n, "batch", &batch))
		return jnode_fail(&batch, "a batch of %u needs as many sites; \"sites\" has %u",
				  s->batch, s->nsites);
	return true;
}

bool scenario_read_executors(struct scenario *s, const struct jnode *root)
{
	struct jnode n, vcpus, pause;

	if (jnode_get(root, "executors", &n) && !jnode_object(&n, scenario_executors_keys))
		return false;
	s->executors = ((1u << s->vcpus) - 1) & ~(1u << s->patcher);
	if (jnode_get(&n, "vcpus", &vcpus)) {
		if (!read_vcpu_mask(s, &vcpus, 0, &s->executors))
			return false;
		if (s->executors & (1u << s->patcher))
			return jnode_fail(&vcpus, "vCPU %u is the patcher and cannot execute too",
					  s->patcher);
	}
	/* T32 runs everywhere at EL0, and at EL1 where somebody wants a kernel for that. */
	s->executor_cpl = s->isa == CM_ISA_T32 && s->kernel == KERNEL_AARCH64 ? 3 : 0;
	if (!read_level(s, &n, &s->executor_cpl) || !read_rounds(s, &n, "calls", &s->calls) ||
	    !jnode_opt_u32(&n, "pause", 0, UINT32_MAX, &s->executor_pause))
		return false;
	if (jnode_get(&n, "pause", &pause) && s->method != METHOD_FREE)
		return jnode_fail(&pause, "an executor's pause is for method 'free' only");
	return true;
}

/* vCPU 0 prepares the protocol and the patcher has to be there: neither can come late. */
bool scenario_read_offline(struct scenario *s, const struct jnode *root)
{
	struct jnode n;

	if (!jnode_get(root, "offline", &n))
		return true;
	if (!read_vcpu_mask(s, &n, 0, &s->offline))
		return false;
	if (s->offline & (1u | 1u << s->patcher))
		return jnode_fail(&n, "vCPU %u %s, so it cannot be offline at first",
				  s->offline & 1u ? 0 : s->patcher,
				  s->offline & 1u ? "prepares the protocol" : "is the patcher");
	return true;
}

/* ---- fetch ---- */

const char *const scenario_fetch_keys[] = {
	"model",	 "chunk",	 "delivery_syncs", "mfence_syncs", "own_alias_visible",
	"check_changes", "return_syncs", "dline",	   "iline",	   NULL
};

/* Arm: exception entry and return synchronise the context, unless FEAT_ExS says otherwise. */
void scenario_default_fetch(struct scenario *s)
{
	s->fetch.chunk = isa_chunk(s->isa);
	s->fetch.delivery_syncs = isa_is_arm(s->isa);
	s->check_changes = isa_is_arm(s->isa);
}

static bool read_model(struct scenario *s, const struct jnode *n)
{
	const char *names[FETCH_MODELS];
	size_t i;

	for (i = 0; i < FETCH_MODELS; i++)
		names[i] = fetch_model_name((enum fetch_model)i);
	if (!jnode_choice(n, names, FETCH_MODELS, &i))
		return false;
	s->fetch.model = (enum fetch_model)i;
	if (!fetch_model_fits(s->fetch.model, s->isa))
		return jnode_fail(n, "model '%s' is of Arm processors; this scenario is for %s",
				  names[i], isa_name(s->isa));
	return true;
}

static bool read_chunk(struct scenario *s, const struct jnode *n)
{
	static const char *const names[] = { "byte", "halfword", "word", "line", "page" };
	static const uint32_t sizes[] = { 1, 2, 4, 64, FETCH_CHUNK_PAGE };
	size_t which;

	if (json_is_string(n->json)) {
		if (!jnode_choice(n, names, COUNT(names), &which))
			return false;
		s->fetch.chunk = sizes[which];
		return true;
	}
	if (!json_is_integer(n->json) ||
	    (json_integer_value(n->json) != 8 && json_integer_value(n->json) != 16))
		return jnode_fail(n, "expected byte, halfword, word, 8, 16, line or page");
	s->fetch.chunk = (uint32_t)json_integer_value(n->json);
	return true;
}

/* Knobs that only processors of the one kind or the other have. */
static bool check_knobs(const struct scenario *s, const struct jnode *n)
{
	static const struct {
		const char *key;
		bool arm;
	} knobs[] = {
		{ "mfence_syncs", false }, { "own_alias_visible", false },
		{ "return_syncs", true },  { "dline", true },
		{ "iline", true },	   { "check_changes", true },
	};
	struct jnode knob;

	for (size_t i = 0; i < COUNT(knobs); i++)
		if (jnode_get(n, knobs[i].key, &knob) && knobs[i].arm != isa_is_arm(s->isa))
			return jnode_fail(&knob, "a knob of %s processors; this scenario is for %s",
					  knobs[i].arm ? "Arm" : "x86", isa_name(s->isa));
	return true;
}

/* What CTR_EL0.DminLine or IminLine is, in bytes. Only maintenance goes by lines. */
static bool read_line(const struct scenario *s, const struct jnode *n, const char *key,
		      uint32_t *line)
{
	struct jnode size;

	if (!jnode_get(n, key, &size))
		return true;
	if (s->fetch.model != FETCH_ARM)
		return jnode_fail(&size, "only in model 'arm'; this is '%s'",
				  fetch_model_name(s->fetch.model));
	if (!jnode_u32(&size, FETCH_GRANULE, FETCH_LINE_MAX, line))
		return false;
	if (*line & (*line - 1))
		return jnode_fail(&size, "expected a power of 2, found %u", *line);
	return true;
}

bool scenario_read_fetch(struct scenario *s, const struct jnode *n)
{
	struct jnode model, chunk;
	bool return_syncs = true;

	if (!jnode_object(n, scenario_fetch_keys))
		return false;
	if (jnode_get(n, "model", &model) && !read_model(s, &model))
		return false;
	if (jnode_get(n, "chunk", &chunk) && !read_chunk(s, &chunk))
		return false;
	if (!check_knobs(s, n) || !read_line(s, n, "dline", &s->fetch.dline) ||
	    !read_line(s, n, "iline", &s->fetch.iline) ||
	    !jnode_opt_bool(n, "return_syncs", &return_syncs))
		return false;
	s->fetch.return_lax = !return_syncs;
	return jnode_opt_bool(n, "check_changes", &s->check_changes) &&
	       jnode_opt_bool(n, "delivery_syncs", &s->fetch.delivery_syncs) &&
	       jnode_opt_bool(n, "mfence_syncs", &s->fetch.mfence_syncs) &&
	       jnode_opt_bool(n, "own_alias_visible", &s->fetch.own_alias_visible);
}

/* ---- free ---- */

const char *const scenario_free_keys[] = { "iterations", "seconds",   "nmi_rate",     "nmi_vcpus",
					   "ipi_rate",	 "ipi_vcpus", "distribution", NULL };

static const char *const distributions[DISTRIBUTIONS] = {
	[DISTRIBUTION_PERIODIC] = "periodic",
	[DISTRIBUTION_POISSON] = "poisson",
	[DISTRIBUTION_BURST] = "burst",
};

const char *distribution_name(enum distribution d)
{
	assert((unsigned int)d < DISTRIBUTIONS);
	return distributions[d];
}

bool distribution_parse(const char *name, enum distribution *d)
{
	for (unsigned int i = 0; i < DISTRIBUTIONS; i++)
		if (!strcmp(name, distributions[i])) {
			*d = (enum distribution)i;
			return true;
		}
	return false;
}

#define SECONDS_MIN 0.001
#define SECONDS_MAX 1e6
#define RATE_MAX    1e7

/* One kind of event: its rate, and the vCPUs it hits, by default all. */
static bool read_rate(const struct scenario *s, const struct jnode *n, const char *rate_key,
		      const char *vcpus_key, double *rate, uint32_t *mask)
{
	struct jnode value, vcpus;

	if (!jnode_only_with(n, vcpus_key, rate_key))
		return false;
	if (!jnode_get(n, rate_key, &value))
		return true;
	*mask = (1u << s->vcpus) - 1;
	if (!jnode_real(&value, 0, RATE_MAX, rate))
		return false;
	return !jnode_get(n, vcpus_key, &vcpus) || read_vcpu_mask(s, &vcpus, 1, mask);
}

static bool read_distribution(struct free_options *f, const struct jnode *object)
{
	struct jnode n;
	size_t which;

	if (!jnode_get(object, "distribution", &n))
		return true;
	if (!jnode_choice(&n, distributions, DISTRIBUTIONS, &which))
		return false;
	f->distribution = (enum distribution)which;
	return true;
}

bool scenario_read_free(struct scenario *s, const struct jnode *n)
{
	static const char *const ends[] = { "iterations", "seconds" };
	struct free_options *f = &s->free;
	struct jnode end;
	size_t which;

	if (!jnode_object(n, scenario_free_keys) ||
	    !jnode_one_of(n, ends, COUNT(ends), &end, &which))
		return false;
	if (which == 0 && !jnode_u32(&end, 1, UINT32_MAX, &f->iterations))
		return false;
	if (which == 1 && !jnode_real(&end, SECONDS_MIN, SECONDS_MAX, &f->seconds))
		return false;
	return read_rate(s, n, "nmi_rate", "nmi_vcpus", &f->nmi_rate, &f->nmi_mask) &&
	       read_rate(s, n, "ipi_rate", "ipi_vcpus", &f->ipi_rate, &f->ipi_mask) &&
	       read_distribution(f, n);
}
