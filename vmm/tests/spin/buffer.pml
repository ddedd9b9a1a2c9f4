/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Two producers and a consumer at a buffer of N, the same moves as toy_buffer:
 * lock, move an item, unlock. An item is its producer's number; an emptied place
 * is 0 again, and what is consumed stays in (got), as in the toy. Nobody ends.
 */
#ifndef N
#define N 3
#endif

bit lock;
byte used, in, out, got;
byte item[N];

active [2] proctype producer()
{
	do
	:: d_step { lock == 0 && used < N; lock = 1 };
	   d_step { item[in] = _pid + 1; in = (in + 1) % N; used++ };
	   lock = 0
	od
}

active proctype consumer()
{
	do
	:: d_step { lock == 0 && used > 0; lock = 1 };
	   d_step { got = item[out]; item[out] = 0; out = (out + 1) % N; used-- };
	   lock = 0
	od
}
