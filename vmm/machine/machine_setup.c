// SPDX-License-Identifier: BSD-2-Clause
/*
 * machine_setup.c - from nothing to the start of a run: boot once, snapshot,
 * and for every run put the snapshot back and tell the guest what to do.
 */
#include "image/isa.h"
#include "vm/guard.h"
#include "machine/machine_internal.h"
#include "machine/setup.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#define LINE 64u

static bool boot(struct machine *m, struct err *e)
{
	bool ok;

	guard_watch(m->vm, m->scenario->vcpus, GUARD_SECONDS, true);
	ok = vm_boot(m->vm, e);
	guard_release();
	return ok;
}

/* Has this host's core the sites' instruction set? */
static bool can_execute(const struct machine *m, struct err *e)
{
	return m->scenario->isa != CM_ISA_T32 || !vm_quirks(m->vm)->no_aarch32_el0 ||
	       err_set(e, ERR_UNSUPPORTED, "T32 sites: this core has no AArch32 at EL0");
}

struct machine *machine_new(const struct image *image, const struct scenario *scenario,
			    struct err *e)
{
	struct machine *m = calloc(1, sizeof(*m));

	if (!m) {
		err_set(e, ERR_HOST, "out of memory");
		return NULL;
	}
	m->image = image;
	m->scenario = scenario;
	m->idle = image_symbol(image, "cm_idle");
	if (!m->idle) {
		err_set(e, ERR_INPUT, "%s: no cm_idle symbol", image->path);
		goto fail;
	}
	m->decoded = calloc(image->memory_size, sizeof(*m->decoded));
	m->ready_image = malloc(image->memory_size);
	m->start_text = malloc(CM_TEXT_SIZE);
	if (!m->decoded || !m->ready_image || !m->start_text) {
		err_set(e, ERR_HOST, "out of memory");
		goto fail;
	}
	if (!insn_init(&m->decoder, (enum cm_isa)image->abi.isa, e))
		goto fail;
	if (isa_is_arm(image->abi.isa) && !insn_init(&m->narrow, CM_ISA_T32, e))
		goto fail;
	m->vm = vm_new(image, VM_STEPPED, scenario->vcpus, e);
	if (!m->vm || !boot(m, e) || !can_execute(m, e))
		goto fail;
	m->memory = vm_memory(m->vm);
	memcpy(m->ready_image, m->memory->image, m->memory->image_size);
	for (uint32_t i = 0; i < scenario->vcpus; i++)
		vcpu_save(vm_vcpu(m->vm, i), &m->ready[i]);
	return m;
fail:
	machine_free(m);
	return NULL;
}

void machine_free(struct machine *m)
{
	if (!m)
		return;
	vm_free(m->vm);
	insn_fini(&m->decoder);
	insn_fini(&m->narrow);
	fetch_fini(&m->fetch);
	fetch_fini(&m->changes);
	free(m->decoded);
	free(m->ready_image);
	free(m->start_text);
	free(m->base_image);
	free(m);
}

/* Write only what differs: most of the image is text and untouched stacks. */
static void restore_image(struct machine *m)
{
	for (size_t at = 0; at < m->memory->image_size; at += 4096)
		if (memcmp(m->memory->image + at, m->ready_image + at, 4096))
			memcpy(m->memory->image + at, m->ready_image + at, 4096);
}

/* The lines that (length) bytes at (address) lie in, as the next range of the window. */
static void add_range(struct fetch_range *range, uint32_t *count, uint64_t address, uint32_t length)
{
	uint64_t first = address & ~(uint64_t)(LINE - 1),
		 last = (address + length - 1) | (LINE - 1);
	uint32_t used = *count ? range[*count - 1].offset + range[*count - 1].length : 0;

	range[*count] = (struct fetch_range){ first, (uint32_t)(last + 1 - first), used };
	++*count;
}

/* The cache lines the sites and bypasses touch are the window that is fetched by version. */
static void start_fetching(struct machine *m)
{
	struct fetch_range range[FETCH_RANGES_MAX];
	uint8_t window[FETCH_WINDOW_MAX];
	const struct scenario *s = m->scenario;
	uint32_t count = 0;

	for (uint32_t i = 0; i < s->nsites; i++) {
		const struct site *site = &m->site[i];

		if (site->bypass) /* it comes first in its slot */
			add_range(range, &count, site->bypass, site->placed.length);
		add_range(range, &count, site->placed.text, site->placed.length);
	}
	for (uint32_t i = 0; i < count; i++)
		memcpy(window + range[i].offset,
		       m->memory->text + (range[i].address - CM_TEXT_BASE), range[i].length);
	memcpy(m->start_text, m->memory->text, CM_TEXT_SIZE);
	m->strayed = false;
	machine_show_text(m);
	machine_start_history(m, range, count, window);
}

bool machine_reset(struct machine *m, struct observation *o, struct err *e)
{
	const struct scenario *s = m->scenario;

	memset(o, 0, sizeof(*o));
	o->stepped = true;
	o->vcpus = s->vcpus;
	m->observation = o;
	m->steps = 0;
	memset(m->cpu, 0, sizeof(m->cpu));
	restore_image(m);
	for (uint32_t i = 0; i < s->vcpus; i++)
		vcpu_load(vm_vcpu(m->vm, i), &m->ready[i]);
	if (!setup_guest(m->vm, m->image, s, m->site, e))
		return false;
	for (uint32_t i = 0; i < s->vcpus; i++)
		m->cpu[i].offline = s->offline & 1u << i;
	start_fetching(m);
	/* A vCPU without a role steps from its doorbell into the idle loop proper. */
	for (uint32_t i = 0; i < s->vcpus; i++)
		while (setup_mailbox(m->vm, m->image, i)->done && !machine_idle(m, i)) {
			struct vcpu_exit x;

			if (!vcpu_step(vm_vcpu(m->vm, i), &x, e))
				return false;
		}
	return true;
}

/*
 * In the form that is equal where the future is: a store more or less in the past is no matter.
 * As long as it is: only a search bounds a history, a stepped run does not.
 */
static void hash_fetch(const struct machine *m, XXH3_state_t *state)
{
	size_t versions =
		(size_t)m->fetch.count * m->fetch.size + (size_t)m->changes.count * m->changes.size;
	size_t room = MACHINE_HISTORY_MAX + versions, used;
	uint8_t *packed = malloc(room);

	assert(packed);
	used = machine_pack_history(m, packed, room);
	assert(used <= room);
	XXH3_128bits_update(state, packed, used);
	free(packed);
}

void machine_digest(const struct machine *m, char digest[33])
{
	const struct cm_abi *abi = &m->image->abi;
	size_t ghost = abi->ghost_start - CM_IMAGE_BASE, after = abi->ghost_end - CM_IMAGE_BASE;
	XXH3_state_t *state = XXH3_createState();
	XXH128_canonical_t canonical;

	assert(state);
	XXH3_128bits_reset(state);
	for (uint32_t i = 0; i < m->scenario->vcpus; i++) {
		const struct machine_cpu *c = &m->cpu[i];
		uint8_t pending[] = { (uint8_t)(c->nmi_latched | c->nmi_sent << 1), c->ipi_pending,
				      c->dead, c->offline };
		struct vcpu_state s;

		vcpu_save(vm_vcpu(m->vm, i), &s);
		XXH3_128bits_update(state, s.bytes, s.size);
		XXH3_128bits_update(state, pending, sizeof(pending));
	}
	XXH3_128bits_update(state, m->memory->image, ghost);
	XXH3_128bits_update(state, m->memory->image + after, m->memory->image_size - after);
	XXH3_128bits_update(state, m->memory->text, CM_TEXT_SIZE);
	hash_fetch(m, state);
	XXH128_canonicalFromHash(&canonical, XXH3_128bits_digest(state));
	XXH3_freeState(state);
	for (size_t i = 0; i < sizeof(canonical.digest); i++)
		snprintf(digest + 2 * i, 3, "%02x", canonical.digest[i]);
}
