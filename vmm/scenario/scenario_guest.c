// SPDX-License-Identifier: BSD-2-Clause
/*
 * scenario_guest.c - which guest a scenario is for: the instruction set of its
 * sites, and on Arm whether the kernel is one in AArch64 or in AArch32.
 *
 * T32 runs at EL0 of either, at EL1 of an AArch32 kernel only. Must not know
 * which images there are, nor what this host can run.
 */
#include "scenario/scenario_internal.h"
#include "image/isa.h"

#include <string.h>

/* What the directory below scenarios/ says; 0: nothing. */
static uint32_t directory_isa(const struct scenario *s)
{
	static const struct {
		const char *directory;
		enum cm_isa isa;
	} usual[] = { { "x86_64/", CM_ISA_X86_64 },
		      { "arm64/", CM_ISA_A64 },
		      { "arm/", CM_ISA_T32 } };

	for (size_t i = 0; i < sizeof(usual) / sizeof(usual[0]); i++)
		if (!strncmp(s->name, usual[i].directory, strlen(usual[i].directory)))
			return usual[i].isa;
	return 0;
}

/*
 * As the file says; else as its directory does, until a site of the image says
 * it better. Of those that are not for Arm, all are x86_64.
 */
bool scenario_read_isa(struct scenario *s, const struct jnode *root)
{
	uint32_t usual = directory_isa(s);
	struct jnode n;
	size_t which;

	s->isa = usual ? (enum cm_isa)usual : CM_ISA_X86_64;
	if (!jnode_get(root, "isa", &n))
		return true;
	if (!jnode_choice(&n, isa_names, ISA_NAMES, &which))
		return false;
	s->isa = (enum cm_isa)(which + CM_ISA_X86_64);
	s->isa_said = true;
	return true;
}

/* What an image for another architecture has, its scenarios cannot find here: that is no mistake. */
bool scenario_check_image(const struct scenario *s, const struct image *img, struct err *e)
{
	uint32_t isa = s->isa_said ? s->isa : directory_isa(s);
	bool arm = isa_is_arm(isa);

	if (!img || !isa || arm == isa_is_arm(img->abi.isa))
		return true;
	return err_set(e, ERR_UNSUPPORTED, "%s: for %s, and the guest image is for %s: run it %s",
		       s->path, arm ? "Arm" : "x86-64", arm ? "x86-64" : "Arm",
		       arm ? "with --host arm64, or on an Arm host" : "on an x86-64 host");
}

/* ---- the kernel ---- */

static const char *const kernel_names[KERNELS] = {
	[KERNEL_AARCH64] = "aarch64",
	[KERNEL_AARCH32] = "aarch32",
};

const char *kernel_name(enum kernel k)
{
	return (unsigned int)k < KERNELS ? kernel_names[k] : "?";
}

enum kernel kernel_of(const struct image *img)
{
	return img->abi.isa == CM_ISA_T32 ? KERNEL_AARCH32 : KERNEL_AARCH64;
}

bool scenario_read_kernel(struct scenario *s, const struct jnode *root)
{
	struct jnode n;
	size_t which;

	s->kernel = KERNEL_AARCH64;
	if (!jnode_get(root, "kernel", &n))
		return true;
	if (!isa_is_arm(s->isa))
		return jnode_fail(&n, "kernels differ on Arm; this scenario is for %s",
				  isa_name(s->isa));
	if (!jnode_choice(&n, kernel_names, KERNELS, &which))
		return false;
	s->kernel = (enum kernel)which;
	s->kernel_said = true;
	return s->kernel != KERNEL_AARCH32 || s->isa != CM_ISA_A64 ||
	       jnode_fail(&n, "a kernel in AArch32 executes no A64, which the sites are");
}

/* What is executed at EL1, by whom, and with it that only a kernel in AArch32 will do; or NULL. */
static const char *runs_t32_at_el1(const struct scenario *s)
{
	if (s->isa != CM_ISA_T32)
		return NULL;
	return s->nmi_runs_site	    ? "nmi_runs_site" :
	       s->ipi_runs_site	    ? "ipi_runs_site" :
	       s->executor_cpl == 0 ? "executors" :
				      NULL;
}

/*
 * An image with the other kernel cannot run it: that is no mistake in the
 * file. Where it does not matter to a scenario either will do.
 */
static bool fits(const struct scenario *s, const struct image *img, struct err *e)
{
	enum kernel has;

	if (!img || !isa_is_arm(s->isa) || !isa_is_arm(img->abi.isa))
		return true;
	has = kernel_of(img);
	if (has == s->kernel || (s->kernel == KERNEL_AARCH64 && !s->kernel_said))
		return true;
	return err_set(e, ERR_UNSUPPORTED, "%s: for a kernel in %s, and the one of %.200s is in %s",
		       s->path, s->kernel == KERNEL_AARCH32 ? "AArch32" : "AArch64", img->path,
		       has == KERNEL_AARCH32 ? "AArch32" : "AArch64");
}

bool scenario_check_kernel(struct scenario *s, const struct image *img, const struct jnode *root)
{
	const char *who = runs_t32_at_el1(s);
	struct jnode n;

	if (who && s->kernel_said && s->kernel == KERNEL_AARCH64) {
		jnode_get(root, who, &n);
		return jnode_fail(&n, "T32 sites are executed at EL1 by a kernel in AArch32 only; "
				      "\"kernel\" is 'aarch64'");
	}
	if (who)
		s->kernel = KERNEL_AARCH32;
	if (isa_is_arm(s->isa) && s->nmi_latch) {
		jnode_get(root, "nmi_latch", &n);
		return jnode_fail(&n, "for x86: on Arm FIQs stay masked until the handler returns");
	}
	return fits(s, img, root->err);
}
