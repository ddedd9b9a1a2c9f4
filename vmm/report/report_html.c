// SPDX-License-Identifier: BSD-2-Clause
/*
 * report_html.c - a replay's lines as JSON, and the page with that in it. Owns
 * the members that report_page.html's script reads. Knows neither how a line
 * came about nor how it will look. Out of memory ends the program.
 */
#include "report/report_html.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "report/report_internal.h"

struct report_page {
	json_t *lines;
	json_t *forms; /* of each site: its instructions, old and new */
	json_t *summary;
};

struct report_page *report_page_new(struct machine *m)
{
	const struct scenario *s = m->scenario;
	struct report_page *p = calloc(1, sizeof(*p));
	char text[256];

	assert(p);
	p->lines = json_array();
	p->forms = json_array();
	p->summary = s->protocol && s->protocol->summary ? report_text(s->protocol->summary) :
							   json_null();
	for (uint32_t i = 0; i < s->nsites; i++) {
		json_t *forms = json_object();
		struct site site;

		site_place(&site, s->site[i].site, i, s->site[i].offset);
		report_put(forms, "old",
			   report_text(trace_disassemble(m, &site.placed, site.placed.old_bytes,
							 text, sizeof(text))));
		report_put(forms, "new",
			   report_text(trace_disassemble(m, &site.placed, site.placed.new_bytes,
							 text, sizeof(text))));
		report_append(p->forms, forms);
	}
	return p;
}

void report_page_free(struct report_page *p)
{
	if (!p)
		return;
	json_decref(p->lines);
	json_decref(p->forms);
	json_decref(p->summary);
	free(p);
}

/* ---- lines ---- */

/* Remarks, each an array of [text, tone]; plain text has no tone. */
static json_t *remarks_json(const struct trace_line *l)
{
	static const char *const tones[TRACE_TONES] = {
		[TONE_PLAIN] = "",    [TONE_OLD] = "old",
		[TONE_NEW] = "new",   [TONE_BREAKPOINT] = "breakpoint",
		[TONE_TORN] = "torn", [TONE_ALARM] = "alarm",
	};
	json_t *remarks = json_array(), *remark = NULL;

	for (size_t i = 0; i < l->npieces; i++) {
		const struct trace_piece *piece = &l->piece[i];
		json_t *json = json_array();

		if (piece->first) {
			remark = json_array();
			report_append(remarks, remark);
		}
		report_append(json, report_text(piece->text));
		report_append(json, json_string(tones[piece->tone]));
		report_append(remark, json);
	}
	return remarks;
}

static json_t *bytes_json(const struct trace_bytes *b)
{
	char hex[4 * CM_MAX_SITE_LEN];
	json_t *o = json_object();

	report_put(o, "site", json_integer(b->site));
	report_put(o, "at", json_integer(b->at));
	report_put(o, "bytes", json_string(site_hex(b->bytes, b->length, hex, sizeof(hex))));
	report_put(o, "letters", json_string(b->letters));
	report_put(o, "form", json_string(site_form_name(b->form)));
	return o;
}

/* Of the vCPUs that moved unseen: [vCPU, instructions]. */
static json_t *skipped_json(const uint64_t skipped[CM_MAX_VCPUS])
{
	json_t *list = json_array();

	for (uint32_t i = 0; i < CM_MAX_VCPUS; i++) {
		json_t *pair;

		if (!skipped[i])
			continue;
		pair = json_array();
		report_append(pair, json_integer(i));
		report_append(pair, json_integer((json_int_t)skipped[i]));
		report_append(list, pair);
	}
	return list;
}

static json_t *changes_json(const struct trace_line *l)
{
	json_t *list = json_array();

	for (size_t i = 0; i < l->nchanges; i++) {
		json_t *change = json_array();

		report_append(change, report_text(l->change[i].name));
		report_append(change, report_text(l->change[i].from));
		report_append(change, report_text(l->change[i].to));
		report_append(list, change);
	}
	return list;
}

void report_page_line(void *page, const struct trace_line *l)
{
	struct report_page *p = page;
	json_t *o = json_object(), *memory = json_array();

	report_put(o, "n", json_integer((json_int_t)l->number));
	report_put(o, "vcpu", json_integer(l->vcpu));
	report_put(o, "place", report_text(l->place));
	report_put(o, "deed", report_text(l->deed));
	report_put(o, "says", remarks_json(l));
	report_put(o, "fetched", l->at_site ? bytes_json(&l->fetched) : json_null());
	for (uint32_t i = 0; i < l->nsites; i++)
		report_append(memory, bytes_json(&l->memory[i]));
	report_put(o, "memory", memory);
	report_put(o, "changes", changes_json(l));
	report_put(o, "stored", json_boolean(l->stored));
	report_put(o, "violation", json_boolean(l->violation));
	report_put(o, "skipped", skipped_json(l->skipped));
	report_append(p->lines, o);
}

/* ---- the page ---- */

static json_t *recorded_json(const struct witness *w)
{
	json_t *o = json_object();

	report_put(o, "path", report_text(w->path));
	report_put(o, "verdict", report_text(w->verdict));
	report_put(o, "reason", w->reason ? report_text(w->reason) : json_null());
	return o;
}

static char *data_text(const struct report_page *p, const struct report_page_end *end)
{
	json_t *o = json_object();
	char *text;

	report_put(o, "result", report_object(end->result));
	report_put(o, "recorded", recorded_json(end->witness));
	report_put(o, "same", json_boolean(end->same));
	report_put(o, "summary", json_incref(p->summary));
	report_put(o, "forms", json_incref(p->forms));
	report_put(o, "schedule", report_text(end->witness->schedule));
	report_put(o, "lines", json_incref(p->lines));
	report_put(o, "skipped", skipped_json(end->skipped));
	text = json_dumps(o, JSON_COMPACT);
	assert(text);
	json_decref(o);
	return text;
}

/*
 * The page with (data) in its place. A browser ends the element at "</script"
 * and reads on strangely behind "<!--", so that no < goes in as it is: in
 * JSON it can only stand in a string, where \u003c is the same.
 */
static char *page_text(const char *data)
{
	const char *mark = strstr(report_page, REPORT_PAGE_MARK);
	size_t size = 0;
	char *text = NULL;
	FILE *out = open_memstream(&text, &size);

	assert(mark && out);
	fwrite(report_page, 1, (size_t)(mark - report_page), out);
	for (; *data; data++)
		if (*data == '<')
			fputs("\\u003c", out);
		else
			fputc(*data, out);
	fputs(mark + strlen(REPORT_PAGE_MARK), out);
	if (fclose(out))
		assert(!"memory for a page");
	return text;
}

/* Renaming replaces whatever is there: a device, or the link that /dev/stdout is, must not go. */
static bool replaceable(const char *path, struct err *e)
{
	struct stat there;

	return lstat(path, &there) || S_ISREG(there.st_mode) ||
	       err_set(e, ERR_INPUT, "%s: not a regular file", path);
}

bool report_page_write(const struct report_page *p, const struct report_page_end *end,
		       const char *path, struct err *e)
{
	char *data, *page, *dir, *slash;
	bool ok;

	if (!replaceable(path, e))
		return false;
	data = data_text(p, end);
	page = page_text(data);
	dir = strdup(path);
	assert(dir);
	slash = strrchr(dir, '/');
	if (slash)
		slash[slash == dir] = '\0';
	ok = report_write_atomically(slash ? dir : ".", path, page, e);
	free(dir);
	free(page);
	free(data);
	return ok;
}
