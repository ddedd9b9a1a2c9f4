// SPDX-License-Identifier: BSD-2-Clause
/*
 * exclusive.c - atomic read-modify-writes: under a schedule the host does them,
 * at full speed an LDAXR/STLXR pair does, which never succeeds when it is
 * stepped (guest/abi.h, struct cm_atomic). The pairs are in cm_exclusive() and
 * nowhere else, and who calls that is cm_atomic() alone: a test looks.
 */
#include "guest/kernel.h"

uint32_t cm_exclusive(enum cm_atomic_op op, uint32_t *variable, uint32_t operand, uint32_t compare);

__attribute__((noinline)) uint32_t cm_exclusive(enum cm_atomic_op op, uint32_t *variable,
						uint32_t operand, uint32_t compare)
{
	switch (op) {
	case CM_ATOMIC_CMPXCHG:
		__atomic_compare_exchange_n(variable, &compare, operand, false, __ATOMIC_SEQ_CST,
					    __ATOMIC_SEQ_CST);
		return compare;
	case CM_ATOMIC_AND:
		return __atomic_fetch_and(variable, operand, __ATOMIC_SEQ_CST);
	case CM_ATOMIC_OR:
		return __atomic_fetch_or(variable, operand, __ATOMIC_SEQ_CST);
	default:
		return __atomic_fetch_add(variable, operand, __ATOMIC_SEQ_CST);
	}
}

/*
 * Nothing of a protocol's that surrounds it may be moved across it, as with
 * x86's locked instructions: acquire and release alone leave that to plain
 * accesses (Linux, Documentation/atomic_t.txt, ORDERING).
 */
static uint32_t fully_ordered(enum cm_atomic_op op, uint32_t *variable, uint32_t operand,
			      uint32_t compare)
{
	uint32_t before;

	cm_mb();
	before = cm_exclusive(op, variable, operand, compare);
	cm_mb();
	return before;
}

uint32_t cm_atomic(enum cm_atomic_op op, uint32_t *variable, uint32_t operand, uint32_t compare)
{
	if (cm_control.free_running)
		return fully_ordered(op, variable, operand, compare);
	return cm_atomic_by_host(op, variable, operand, compare);
}
