/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * N philosophers, the same moves as toy_philosophers: take the first fork, take
 * the second, put the second, put the first. With -DLEFT=1 the last one takes
 * them in the other order. A fork is tested and taken in one d_step, as the toy
 * does. Nobody ends; without LEFT there is an invalid end state, which pan -E
 * lets pass.
 */
#ifndef N
#define N 3
#endif
#ifndef LEFT
#define LEFT 0
#endif

#define LAST	 (LEFT && _pid == N - 1)
#define FIRST	 (LAST -> (_pid + 1) % N : _pid)
#define SECOND	 (LAST -> _pid : (_pid + 1) % N)

bit fork[N];

active [N] proctype philosopher()
{
	do
	:: d_step { fork[FIRST] == 0; fork[FIRST] = 1 };
	   d_step { fork[SECOND] == 0; fork[SECOND] = 1 };
	   fork[SECOND] = 0;
	   fork[FIRST] = 0
	od
}
