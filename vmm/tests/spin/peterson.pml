/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Peterson's lock, the same moves as toy_peterson: want, yield, wait, leave.
 * Nobody ends, so Spin stores no state of an ended process; the initial state is
 * stored by both.
 */
bit flag[2];
bit turn;

active [2] proctype process()
{
again:
	flag[_pid] = 1;
	turn = 1 - _pid;
	(flag[1 - _pid] == 0 || turn == _pid);
	flag[_pid] = 0;
	goto again
}
