// SPDX-License-Identifier: BSD-2-Clause
/*
 * report_matrix_html.c - the matrix as a page: a verdict is a colour and a
 * word, its reason a tooltip, its witness a link. Everything that is not this
 * file's own text is escaped.
 */
#include "matrix/report_matrix.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

#include "report/report.h"

static const char style[] =
	":root{color-scheme:light dark;--bg:#fff;--fg:#1b1f23;--line:#d0d7de;--dim:#57606a;"
	"--safe:#d8f5dd;--bad:#ffd7d5;--stuck:#ead9ff;--open:#eaeef2;--odd:#fff1c2}\n"
	"@media(prefers-color-scheme:dark){:root{--bg:#0d1117;--fg:#e6edf3;--line:#30363d;"
	"--dim:#9198a1;--safe:#12361d;--bad:#5a1e1c;--stuck:#3b2659;--open:#21262d;"
	"--odd:#4a3a08}}\n"
	"body{margin:2rem;background:var(--bg);color:var(--fg);font:15px/1.45 system-ui,"
	"sans-serif}\n"
	"table{border-collapse:collapse}th,td{border:1px solid var(--line);padding:.3rem .6rem;"
	"text-align:left;vertical-align:top}\n"
	"thead th{position:sticky;top:0;background:var(--bg)}code{font:13px ui-monospace,"
	"monospace}\n"
	"td small{display:block;color:var(--dim)}a{color:inherit}dt{color:var(--dim)}"
	"dd{margin:0 0 .3rem}\n"
	".safe{background:var(--safe)}.bad{background:var(--bad)}.stuck{background:var(--stuck)}"
	".open{background:var(--open)}.odd{background:var(--odd)}\n";

static void escape(FILE *out, const char *text)
{
	for (; *text; text++)
		switch (*text) {
		case '&':
			fputs("&amp;", out);
			break;
		case '<':
			fputs("&lt;", out);
			break;
		case '>':
			fputs("&gt;", out);
			break;
		case '"':
			fputs("&quot;", out);
			break;
		case '\'':
			fputs("&#39;", out);
			break;
		default:
			fputc(*text, out);
		}
}

static const char *class_of(enum verdict v)
{
	switch (v) {
	case VERDICT_SAFE:
	case VERDICT_NOT_SEEN:
		return "safe";
	case VERDICT_DEADLOCK:
	case VERDICT_LIVELOCK:
		return "stuck";
	case VERDICT_INCONCLUSIVE:
		return "open";
	case VERDICT_UNSUPPORTED:
	case VERDICT_SUSPECT:
		return "odd";
	default:
		return "bad";
	}
}

static void print_cell(FILE *out, const struct matrix_cell *c)
{
	if (c->barred) {
		fputs("<td title=\"the protocol does not patch such a site\"></td>", out);
		return;
	}
	if (!c->done) {
		fputs("<td title=\"not run\">-</td>", out);
		return;
	}
	fprintf(out, "<td class=\"%s\" title=\"", class_of(c->verdict));
	escape(out, c->reason);
	fputs("\">", out);
	if (c->witness) {
		fputs("<a href=\"", out);
		escape(out, c->file);
		fputs("\">", out);
	}
	escape(out, verdict_name(c->verdict));
	fprintf(out, "%s<small>%" PRIu64 " states, %.1f s", c->witness ? "</a>" : "", c->states,
		c->seconds);
	if (c->bound) {
		fputs(", bound: ", out);
		escape(out, c->bound);
	}
	fputs("</small></td>", out);
}

static void print_table(FILE *out, const struct matrix *m)
{
	assert(m->columns > 0);
	fputs("<table>\n<thead><tr><th>protocol</th><th>vCPUs</th><th>NMIs</th>", out);
	for (size_t i = 0; i < m->columns; i++) {
		char head[64], fetch[32];

		report_fetch(&m->cell[i].fetch, fetch, sizeof(fetch));
		fputs("<th>", out);
		if (m->cell[0].site != m->cell[m->columns - 1].site) {
			escape(out, matrix_column(m, i, head, sizeof(head)));
			fputs("<br>", out);
		}
		escape(out, fetch);
		fputs("</th>", out);
	}
	fputs("</tr></thead>\n<tbody>\n", out);
	for (size_t i = 0; i < m->ncells; i++) {
		const struct matrix_cell *c = &m->cell[i];

		if (i % m->columns == 0) {
			fputs("<tr><th><code>", out);
			escape(out, c->protocol);
			fprintf(out, "</code></th><td>%u</td><td>%s</td>", c->vcpus,
				matrix_nmis_name(c->nmis));
		}
		print_cell(out, c);
		if ((i + 1) % m->columns == 0)
			fputs("</tr>\n", out);
	}
	fputs("</tbody>\n</table>\n", out);
}

/* ": nop5_jmp5 at cross-line" */
static void print_sites(FILE *out, const struct matrix *m)
{
	const struct matrix_site *before = NULL;

	for (size_t i = 0; i < m->columns; i++) {
		const struct matrix_site *site = m->cell[i].site;

		if (site == before)
			continue;
		fprintf(out, "%s <code>", before ? "," : ":");
		escape(out, site->name);
		fputs("</code> at ", out);
		escape(out, site->at);
		before = site;
	}
}

static void print_fact(FILE *out, const char *name, const char *value)
{
	if (!*value)
		return;
	fprintf(out, "<dt>%s</dt><dd>", name);
	escape(out, value);
	fputs("</dd>\n", out);
}

static void print_host(FILE *out, const struct matrix *m)
{
	const struct host *h = m->host;
	char quirks[160], run[160];

	fputs("<h2>Where this was measured</h2>\n<dl>\n", out);
	print_fact(out, "CPU", h->cpu);
	print_fact(out, "microcode", h->microcode);
	print_fact(out, "kernel", h->kernel);
	print_fact(out, "KVM module", h->kvm_module);
	print_fact(out, "emulated by", h->emulated);
	print_fact(out, "quirks in force", host_quirks(h, quirks, sizeof(quirks)));
	snprintf(run, sizeof(run), "%s (%s)", h->version, h->commit);
	print_fact(out, "crossmod", run);
	print_fact(out, "guest image", m->image->digest);
	snprintf(run, sizeof(run), "%zu of %zu cells, %.0f s of at most %.0f s, %u jobs",
		 matrix_done(m), matrix_to_run(m), m->seconds, m->max_seconds, m->jobs);
	print_fact(out, "run", run);
	fputs("</dl>\n", out);
}

void report_matrix_html(FILE *out, const struct matrix *m)
{
	fprintf(out,
		"<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
		"<meta name=\"viewport\" content=\"width=device-width\">\n"
		"<title>crossmod matrix</title>\n<style>\n%s</style>\n</head>\n<body>\n"
		"<h1>crossmod matrix</h1>\n"
		"<p>One poke of one site",
		style);
	print_sites(out, m);
	fputs("; vCPU 0 (P) patches, every other vCPU (E) executes the site once, NMI bodies run "
	      "it where they can (T32 they cannot). A verdict links to its witness: <code>crossmod "
	      "replay --trace</code> explains it.</p>\n",
	      out);
	print_table(out, m);
	print_host(out, m);
	fputs("</body>\n</html>\n", out);
}
