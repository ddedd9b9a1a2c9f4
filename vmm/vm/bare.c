// SPDX-License-Identifier: BSD-2-Clause
/* bare.c - of the bare operations, what no backend does differently. Spins, and looks at a counter. */
#include "vm/arch_bench.h"

#include "base/clock.h"

#define PATIENCE_SECONDS 2
#define SPINS_PER_LOOK	 4096u

bool bare_wait(const uint64_t *counter, uint64_t seen)
{
	double start = 0;

	for (uint32_t spins = 1; __atomic_load_n(counter, __ATOMIC_RELAXED) == seen; spins++) {
		if (spins % SPINS_PER_LOOK)
			continue;
		if (start <= 0)
			start = clock_now();
		else if (clock_now() - start > PATIENCE_SECONDS)
			return false;
	}
	return true;
}

bool bare_nmis(struct vm *vm, uint32_t vcpu, const uint64_t *counter, uint32_t count, struct err *e)
{
	for (uint32_t i = 0; i < count; i++) {
		uint64_t seen = __atomic_load_n(counter, __ATOMIC_RELAXED);
		int errnum = bare_nmi(vm, vcpu);

		if (errnum)
			return err_sys(e, errnum, "the ioctl that sends an NMI");
		if (!bare_wait(counter, seen))
			return err_set(e, ERR_HOST, "an NMI was not delivered within %d s",
				       PATIENCE_SECONDS);
	}
	return true;
}
