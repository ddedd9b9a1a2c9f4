// SPDX-License-Identifier: BSD-2-Clause
/*
 * report_pieces.c - what reports in JSON are made of (report_json.h). Knows
 * neither results nor studies; files are report.c's.
 */
#include "report/report_json.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

void report_put(json_t *o, const char *key, json_t *value)
{
	if (json_object_set_new(o, key, value))
		assert(!"memory for a report");
}

void report_append(json_t *array, json_t *value)
{
	if (json_array_append_new(array, value))
		assert(!"memory for a report");
}

json_t *report_made(json_t *json)
{
	assert(json);
	return json;
}

/* ---- values ---- */

/* JSON is UTF-8; a path or a processor's name need not be. Then only its ASCII is kept. */
json_t *report_text(const char *s)
{
	json_t *json = json_string(s);
	char *copy;

	if (json)
		return json;
	copy = strdup(s);
	assert(copy);
	for (char *p = copy; *p; p++)
		if ((unsigned char)*p >= 0x80)
			*p = '?';
	json = json_string(copy);
	free(copy);
	return json;
}

json_t *report_text_or_null(const char *s)
{
	return s && *s ? report_text(s) : json_null();
}

json_t *report_number(double x)
{
	return isfinite(x) ? json_real(x) : json_null();
}

json_t *report_vcpus(uint32_t mask)
{
	json_t *list = json_array();

	for (uint32_t i = 0; i < CM_MAX_VCPUS; i++)
		if (mask & 1u << i)
			report_append(list, json_integer(i));
	return list;
}

json_t *report_date(void)
{
	time_t now = time(NULL);
	char buf[32];
	struct tm tm;

	if (!gmtime_r(&now, &tm) || !strftime(buf, sizeof(buf), "%Y-%m-%dT%H:%M:%SZ", &tm))
		return json_null();
	return json_string(buf);
}

/* ---- where a result comes from ---- */

void report_put_host(json_t *o, const struct host *h)
{
	json_t *host = json_object();
	char buf[160];

	report_put(host, "arch", report_text(h->arch));
	report_put(host, "cpu", report_text(h->cpu));
	report_put(host, "microcode", report_text_or_null(h->microcode));
	report_put(host, "kernel", report_text(h->kernel));
	report_put(host, "kvm", report_text(h->kvm_module));
	report_put(host, "emulated", report_text_or_null(h->emulated));
	report_put(host, "cores", json_integer(h->cores));
	report_put(host, "quirks", json_string(host_quirks(h, buf, sizeof(buf))));
	report_put(host, "version", report_text(h->version));
	report_put(host, "commit", report_text(h->commit));
	report_put(o, "host", host);
}

void report_put_guest(json_t *o, const struct image *img)
{
	json_t *guest = json_object();

	report_put(guest, "path", report_text(img->path));
	report_put(guest, "digest", report_text(img->digest));
	report_put(guest, "abi", json_integer(img->abi.version));
	report_put(o, "guest", guest);
}

/* ---- the text ---- */

char *report_indented(json_t *o)
{
	char *text = json_dumps(report_made(o), JSON_INDENT(2) | REPORT_PRECISION);

	assert(text);
	json_decref(o);
	return text;
}

char *report_dump(json_t *json)
{
	char *line = json ? json_dumps(json, JSON_COMPACT | REPORT_PRECISION) : NULL;

	json_decref(json);
	return line;
}
