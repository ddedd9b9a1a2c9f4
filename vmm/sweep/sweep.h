/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sweep.h - free runs of several protocols at rising NMI rates, and what
 * follows from them: intervals over the repeats, progress against rate 0, the
 * knee. Owns the order of the runs and the statistics; knows no machine. Who
 * runs one is a sweep_runner: sweep_lab.c's.
 *
 * A curve is one scenario. A point is a curve at a rate; it is run (repeat)
 * times. Rate 0 is always there, first.
 */
#ifndef CROSSMOD_SWEEP_H
#define CROSSMOD_SWEEP_H

#include "scenario/scenario.h"
#include "model/verdict.h"

#define SWEEP_RATES_MAX	  64u
#define SWEEP_CURVES_MAX  16u
#define SWEEP_REPEAT_MAX  100u
#define SWEEP_RATE_MAX	  1e6 /* NMIs a second and vCPU */
#define SWEEP_SECONDS_MIN 0.2
#define SWEEP_SECONDS_MAX 3600.0

/*
 * A patch that takes longer than this, in seconds, has missed its deadline.
 * That is `livelock` in the sense of this measurement: a bound on time, not the
 * explorer's proof that it can go on for ever.
 */
#define SWEEP_DEADLINE 0.1

/* What one run showed. Times in seconds; NAN where there is none. */
struct sweep_run {
	bool done;
	bool whole; /* it lasted to its end; else it counts in no statistics */
	double seconds;
	uint64_t nmis_requested, nmis_sent, nmis_delivered, nmis_coalesced; /* of all targets */
	uint64_t patches;						    /* completed in time */
	uint64_t executions, traps;
	/* of every patch begun; the last one with what it had come to */
	double retries_mean, retries_p50, retries_p99, retries_max;
	double time_p50, time_p99, time_max;
	double lateness_p50, lateness_p99, lateness_max; /* of the injector */
	bool missed;					 /* a patch missed its deadline */
	enum verdict verdict;
	bool as_expected;
	char reason[256];
};

struct sweep_curve {
	const struct scenario *scenario;
	uint32_t targets; /* mask: vCPUs that NMIs are sent to */
};

struct sweep {
	struct sweep_curve curve[SWEEP_CURVES_MAX];
	uint32_t ncurves;
	double rate[SWEEP_RATES_MAX]; /* NMIs a second and target, rising; rate[0] is 0 */
	uint32_t nrates;
	uint32_t repeat;
	double seconds; /* of a run */
	enum distribution distribution;
	struct sweep_run *run; /* by sweep_run_at() */
};

/*
 * "0,100,1000", "FROM:TO:STEP" or "FROM:TO:FACTORlog" into rate[]; 0 is added
 * where it is missing. ERR_INPUT says what is wrong with (text).
 */
bool sweep_parse_rates(struct sweep *s, const char *text, struct err *e);

/*
 * "all", the number of a vCPU, or NULL for the scenario's own "nmi_vcpus"
 * (without them: all), for every curve. ERR_INPUT: no such vCPU in one of them.
 */
bool sweep_target(struct sweep *s, const char *text, struct err *e);

/* Room for the runs, none done. Curves, rates and repeat are set. sweep_fini() frees. */
bool sweep_begin(struct sweep *s, struct err *e);
void sweep_fini(struct sweep *s);

struct sweep_run *sweep_run_at(const struct sweep *s, uint32_t curve, uint32_t rate,
			       uint32_t repeat);
uint32_t sweep_runs(const struct sweep *s);
uint32_t sweep_done(const struct sweep *s);

struct sweep_runner {
	void *self;
	void *keeper; /* (settle)'s */
	/* Run (curve) at rate[(rate)] and fill in (r). */
	bool (*run)(void *self, uint32_t curve, uint32_t rate, struct sweep_run *r, struct err *e);
	/* A run is done: keep it. */
	bool (*settle)(void *keeper, struct err *e);
	bool (*stopped)(void *self);
};

/*
 * Run what is not done: repeat after repeat, in it rate after rate, at each
 * rate one curve after the other, so that what drifts hits all alike. A run
 * during which it is stopped does not count. True when it is stopped, too.
 */
bool sweep_run_all(struct sweep *s, const struct sweep_runner *runner, struct err *e);

/* ---- what follows ---- */

enum sweep_metric {
	SWEEP_REQUESTED, /* NMIs a second and target */
	SWEEP_SENT,
	SWEEP_DELIVERED,
	SWEEP_COALESCED,
	SWEEP_PATCHES,	/* completed, a second */
	SWEEP_PROGRESS, /* the same against rate 0 of the same repeat */
	SWEEP_RETRIES_MEAN,
	SWEEP_RETRIES_P50,
	SWEEP_RETRIES_P99,
	SWEEP_RETRIES_MAX,
	SWEEP_TIME_P50,
	SWEEP_TIME_P99,
	SWEEP_TIME_MAX,
	SWEEP_EXECUTIONS, /* of sites, a patch completed */
	SWEEP_TRAPS,	  /* taken by the protocol's hook, a patch completed */
	SWEEP_MISSED,	  /* 1: a patch missed its deadline */
	SWEEP_LATENESS_P50,
	SWEEP_LATENESS_P99,
	SWEEP_LATENESS_MAX,
	SWEEP_METRICS
};

/* "delivered_rate", "time_p99_seconds": the unit is in the name. */
const char *sweep_metric_name(enum sweep_metric m);

/* Of one run; NAN: there is none. */
double sweep_value(const struct sweep *s, uint32_t curve, uint32_t rate, uint32_t repeat,
		   enum sweep_metric m);

/* Over the repeats: median, smallest, largest of the (n) that have a value; NAN when n is 0. */
struct sweep_interval {
	double median, low, high;
	uint32_t n;
};
struct sweep_interval sweep_interval(const struct sweep *s, uint32_t curve, uint32_t rate,
				     enum sweep_metric m);

/* The rate from which on progress stays below half. */
struct sweep_knee {
	enum { KNEE_UNKNOWN, KNEE_NONE, KNEE_BELOW, KNEE_AT } kind;
	/*
	 * KNEE_NONE: progress is half or more up to the rate (from).
	 * KNEE_BELOW: it is less from the lowest rate on, which is (to).
	 * KNEE_AT: it is half at (rate), between (from) and (to).
	 */
	double rate, from, to;
};

/*
 * From (n) points with (progress) at (rate), in any order; a NAN in either is
 * left out. Between the last point with half or more and the next one it is
 * interpolated, over the logarithm of the rate. Of no rate above 0: unknown.
 */
struct sweep_knee sweep_knee_of(const double *rate, const double *progress, uint32_t n);

/* Of (curve)'s medians over the delivered rate; and of one repeat alone. */
struct sweep_knee sweep_knee(const struct sweep *s, uint32_t curve);
struct sweep_knee sweep_knee_once(const struct sweep *s, uint32_t curve, uint32_t repeat);

#endif
