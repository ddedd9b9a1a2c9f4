// SPDX-License-Identifier: BSD-2-Clause
/* main.c - the command line. The only file that prints usage and exits. */
#include <argp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command/cmd.h"
#include "command/emulated.h"
#include "vm/guard.h"

const char *argp_program_version = "crossmod " CROSSMOD_VERSION " (" CROSSMOD_COMMIT ")";

struct command {
	const char *name;
	int (*run)(const struct options *o);
	const char *accepts; /* keys of the options below */
	const char *args;
	enum { NO_ARGUMENTS, ARGUMENTS, OPTIONAL_ARGUMENTS } takes;
	bool falls_back; /* without /dev/kvm: to an emulated host */
	const char *doc;
};

#define KEY_GUEST 'g'
#define KEY_ALL	  'a'

static const struct argp_option all_options[] = {
	{ "json", 'j', NULL, 0, "Print JSON, one object a line", 0 },
	{ "output", 'o', "DIR", 0, "Write result files to DIR (default: results)", 0 },
	{ "guest", KEY_GUEST, "FILE", 0, "The guest image (default: the one built with crossmod)",
	  0 },
	{ "trace", 't', NULL, 0, "Print what each vCPU did, where it matters", 0 },
	{ "html", 'H', "FILE", 0, "Write what each vCPU did to FILE, a page for a browser", 0 },
	{ "markdown", 'm', NULL, 0, "Print the verdicts as a Markdown table", 0 },
	{ "all", KEY_ALL, NULL, 0, "With --trace or --html: every instruction", 0 },
	{ "fetch", 'F', "MODEL[/CHUNK]", 0, "Fetch model and chunk instead of the scenario's", 0 },
	{ "nmi", 'N', "VCPU=N", 0,
	  "NMI budget of a vCPU: a number, or unlimited (default: none); matrix: only this row: "
	  "none, E, P or each; may be repeated",
	  0 },
	{ "vcpus", 'C', "N", 0, "vCPUs instead of the scenario's; matrix: a list (default: 2,3)",
	  0 },
	{ "jobs", 'J', "N", 0, "Workers, each with a VM of its own (default: one a processor)", 0 },
	{ "no-reduction", 'R', NULL, 0, "A choice point at every instruction", 0 },
	{ "every-violation", 'K', NULL, 0,
	  "Do not stop at the first violation: say which kinds can be reached", 0 },
	{ "resume", 'U', NULL, 0, "Go on with a search or sweep that was ended early", 0 },
	{ "rates", 'r', "LIST", 0,
	  "NMIs a second and vCPU: numbers with commas, FROM:TO:STEP or FROM:TO:FACTORlog", 0 },
	{ "repeat", 'n', "N", 0, "Run every point N times (default: 5)", 0 },
	{ "seconds", 's', "S", 0,
	  "sweep: run a point for S seconds each time (default: 2); survey: take S seconds in all "
	  "(default: 60)",
	  0 },
	{ "distribution", 'd', "NAME", 0, "periodic (default), poisson or burst", 0 },
	{ "target", 'v', "VCPU", 0,
	  "The vCPU that NMIs are sent to, or all (default: as the scenario says)", 0 },
	{ "max-states", 'S', "N", 0, "Stop after N states", 0 },
	{ "max-seconds", 'T', "N", 0, "Stop after N seconds; matrix: of all cells (default: 1140)",
	  0 },
	{ "max-memory-mb", 'M', "N", 0, "Stop at N MiB of memory", 0 },
	{ "quick", 'q', NULL, 0, "Two vCPUs, without NMIs, 170 seconds at most", 0 },
	{ "protocol", 'P', "NAME", 0, "Only protocols of that name or glob; may be repeated", 0 },
	{ "expect", 'E', "VERDICT", 0, "The verdict that counts as expected (default: safe)", 0 },
	{ "offsets", 'O', "LIST", 0,
	  "Of the instruction in its line: 0 to 63, ranges, page (default: 0-63,page)", 0 },
	{ "widths", 'w', "LIST", 0, "Bytes of a store (default: 1,2,4,8)", 0 },
	{ "kinds", 'k', "LIST", 0, "What changes (default: immediate,opcode,displacement)", 0 },
	{ "pauses", 'p', "LIST", 0, "PAUSE loops between two pokes (default: 0,100)", 0 },
	{ "cpl", 'l', "LIST", 0, "Of the executor (default: 3, and 0 where that is not emulated)",
	  0 },
	{ "compare", 'c', NULL, 0, "Compare two survey.json; measure nothing", 0 },
	{ 0 },
};

static const struct command commands[] = {
	{ "run", cmd_run, "jogtam", "SCENARIO...", ARGUMENTS, true,
	  "Run scenarios (files or directories) and compare the verdicts with what they expect." },
	{ "explore", cmd_explore, "jogFNCJRKUSTME", "SCENARIO...", ARGUMENTS, true,
	  "Try every schedule of a scenario's protocol, sites and vCPUs: all interleavings, NMIs "
	  "within their budgets, and every fetch the model allows. The scenario's own schedule is "
	  "not looked at." },
	{ "matrix", cmd_matrix, "jogqPFNCJTM", "[PROTOCOL...]", OPTIONAL_ARGUMENTS, true,
	  "Explore protocols of the guest image (default: all) under every fetch model, with two and "
	  "three vCPUs, without NMIs and with one on the executor, the patcher or each; write "
	  "matrix.json, matrix.md, matrix.html and each cell's result to DIR." },
	{ "sweep", cmd_sweep, "jogUrnsdv", "SCENARIO...", ARGUMENTS, false,
	  "Run scenarios of the method free at rising NMI rates, point by point in turn: retries and "
	  "time a patch, progress against rate 0, the rate at which that falls below half. Writes "
	  "sweep.json, sweep.csv, sweep.svg and sweep.png to DIR (default: results/sweep)." },
	{ "replay", cmd_replay, "jgtHa", "WITNESS...", ARGUMENTS, true,
	  "Execute the schedule recorded in a result file again: it must reach the same verdict in "
	  "the same state." },
	{ "check", cmd_check, "g", "SCENARIO...", ARGUMENTS, false,
	  "Validate scenarios; run nothing." },
	{ "list", cmd_list, "jg", "", NO_ARGUMENTS, false,
	  "List protocols, kinds of site and shipped scenarios." },
	{ "probe", cmd_probe, "jg", "", NO_ARGUMENTS, false,
	  "Show what this host's KVM can do, which quirks are in force and how that was found." },
	{ "survey", cmd_survey, "ogsOwkplc", "[A.json B.json]", OPTIONAL_ARGUMENTS, false,
	  "Count which instructions this processor tears when another stores them back and forth at "
	  "full speed, by place, store and kind; how long a store takes to be executed, and what "
	  "synchronising costs. Writes survey.json, .csv, .svg and .txt to DIR (default: "
	  "results/survey). With --compare: what two of those say differently." },
	{ "bench", cmd_bench, "jg", "", NO_ARGUMENTS, false,
	  "Measure crossmod's own layers against the raw KVM operations." },
};

#define NCOMMANDS (sizeof(commands) / sizeof(commands[0]))

static const char top_doc[] =
	"Can a CPU ever execute something that is neither the old nor the new instruction, hang, or "
	"trap unexpectedly, while other CPUs patch?\v"
	"Commands:\n"
	"  run SCENARIO...      run scenarios, compare verdicts with what is expected\n"
	"  explore SCENARIO...  try every schedule, until no new state appears\n"
	"  matrix [PROTOCOL...] every protocol under every fetch model\n"
	"  sweep SCENARIO...    progress of patching against the rate of NMIs\n"
	"  replay WITNESS...    execute a recorded schedule again (--trace, --html explain it)\n"
	"  check SCENARIO...    validate scenarios only\n"
	"  list                 protocols, kinds of site, scenarios\n"
	"  probe                what this host can do, and its quirks\n"
	"  survey               which instructions this silicon tears, and how often\n"
	"  bench                crossmod's layers against raw KVM\n\n"
	"`crossmod COMMAND --help' tells more. Exit status: 0 every verdict as expected, 1 some not, "
	"2 bad input, 3 host failure, 77 nothing could run here, 130 interrupted: what was measured "
	"is kept.";

struct parse {
	const struct command *command;
	struct options *o;
};

/* Options that are no more than what was typed, or that they were given. */
static const struct {
	size_t member; /* of struct options: a const char *, or a bool */
	int key;
	bool flag;
} plain[] = {
#define TEXT(key, member)                                      \
	{                                                      \
		offsetof(struct options, member), (key), false \
	}
#define FLAG(key, member)                                     \
	{                                                     \
		offsetof(struct options, member), (key), true \
	}
	TEXT('o', out),	       TEXT(KEY_GUEST, guest),	TEXT('H', html),
	TEXT('F', fetch),      TEXT('C', vcpus),	TEXT('J', jobs),
	TEXT('S', max_states), TEXT('T', max_seconds),	TEXT('M', max_memory),
	TEXT('E', expect),     TEXT('r', rates),	TEXT('n', repeat),
	TEXT('s', seconds),    TEXT('d', distribution), TEXT('v', target),
	TEXT('O', offsets),    TEXT('w', widths),	TEXT('k', kinds),
	TEXT('p', pauses),     TEXT('l', cpl),		FLAG('j', json),
	FLAG('t', trace),      FLAG('m', markdown),	FLAG(KEY_ALL, all),
	FLAG('q', quick),      FLAG('R', no_reduction), FLAG('K', every),
	FLAG('U', resume),     FLAG('c', compare),
#undef TEXT
#undef FLAG
};

static bool take_plain(struct options *o, int key, const char *arg)
{
	for (size_t i = 0; i < sizeof(plain) / sizeof(plain[0]); i++) {
		char *member = (char *)o + plain[i].member;

		if (plain[i].key != key)
			continue;
		if (plain[i].flag)
			*(bool *)member = true;
		else
			memcpy(member, &arg, sizeof(arg));
		return true;
	}
	return false;
}

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct parse *p = state->input;

	if (take_plain(p->o, key, arg))
		return 0;
	switch (key) {
	case 'N':
		if (p->o->nnmi == (int)(sizeof(p->o->nmi) / sizeof(p->o->nmi[0])))
			argp_error(state, "too many --nmi");
		p->o->nmi[p->o->nnmi++] = arg;
		return 0;
	case 'P':
		if (p->o->nprotocol == (int)(sizeof(p->o->protocol) / sizeof(p->o->protocol[0])))
			argp_error(state, "too many --protocol");
		p->o->protocol[p->o->nprotocol++] = arg;
		return 0;
	case ARGP_KEY_ARG:
		if (p->command->takes == NO_ARGUMENTS)
			argp_error(state, "'%s' takes no arguments, but there is '%s'",
				   p->command->name, arg);
		return ARGP_ERR_UNKNOWN; /* all of them: ARGP_KEY_ARGS */
	case ARGP_KEY_ARGS:
		p->o->file = state->argv + state->next;
		p->o->files = state->argc - state->next;
		return 0;
	case ARGP_KEY_NO_ARGS:
		if (p->command->takes == ARGUMENTS)
			argp_error(state, "'%s' needs %s", p->command->name, p->command->args);
		return 0;
	case ARGP_KEY_END:
		if (p->o->json && (p->o->trace || p->o->markdown))
			argp_error(state, "--json is one object a line: not beside --%s",
				   p->o->trace ? "trace" : "markdown");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_option top_options[] = {
	{ "host", 'h', "HOST", 0,
	  "Where COMMAND runs: local; on amd, arm64 or arm64-el0, which QEMU emulates; auto: local, "
	  "or amd where there is no /dev/kvm (default)",
	  0 },
	{ 0 },
};

struct top {
	enum emulated_host host;
	const struct command *command;
	int at; /* its index in argv */
};

static error_t parse_top(int key, char *arg, struct argp_state *state)
{
	struct top *t = state->input;

	switch (key) {
	case 'h':
		if (!emulated_parse(arg, &t->host))
			argp_error(state, "--host %s: must be %s", arg, emulated_names());
		return 0;
	case ARGP_KEY_NO_ARGS:
		argp_usage(state);
		return 0;
	case ARGP_KEY_ARG:
		for (size_t i = 0; i < NCOMMANDS; i++)
			if (!strcmp(arg, commands[i].name))
				t->command = &commands[i];
		if (!t->command)
			argp_error(state, "unknown command '%s'", arg);
		/* The rest is the command's. */
		t->at = state->next - 1;
		state->next = state->argc;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/* To another host, when (host) is one. Returns when the command is to run here. */
static void leave(enum emulated_host host, const struct command *c, char *const *arguments)
{
	enum emulated_host chosen = emulated_choose(host, c->falls_back);
	struct err e = { 0 };

	if (chosen == HOST_LOCAL)
		return;
	if (host == HOST_AUTO)
		fprintf(stderr, "crossmod: no /dev/kvm here: this runs on AMD-V in QEMU's emulator "
				"(--host local forbids it)\n");
	emulated_enter(chosen, c->name, arguments, &e);
	exit(cmd_fail(&e));
}

/* (argv) starts with the command's name. */
/* (status), unless what was printed could not be written, to a full disk for one. */
static int flushed(int status)
{
	struct err e;

	if (!fflush(stdout) && !ferror(stdout))
		return status;
	err_set(&e, ERR_HOST, "cannot write to standard output");
	return cmd_fail(&e);
}

static int run_command(const struct top *t, int argc, char **argv)
{
	const struct command *c = t->command;
	struct argp_option options[sizeof(all_options) / sizeof(all_options[0])] = { 0 };
	struct argp argp = { options, parse_option, c->args, c->doc, NULL, NULL, NULL };
	struct options o = { 0 };
	struct parse p = { c, &o };
	char name[32];
	size_t n = 0;

	for (size_t i = 0; all_options[i].name; i++)
		if (strchr(c->accepts, all_options[i].key))
			options[n++] = all_options[i];
	snprintf(name, sizeof(name), "crossmod %s", c->name);
	argv[0] = name;
	argp_parse(&argp, argc, argv, 0, NULL, &p);
	leave(t->host, c, argv + 1);
	guard_install();
	return flushed(c->run(&o));
}

int main(int argc, char **argv)
{
	static const struct argp argp = { top_options, parse_top, "COMMAND [ARGUMENT...]",
					  top_doc,     NULL,	  NULL,
					  NULL };
	struct top top = { .host = HOST_AUTO };

	argp_err_exit_status = 2;
	argp_parse(&argp, argc, argv, ARGP_IN_ORDER, NULL, &top);
	return run_command(&top, argc - top.at, argv + top.at);
}
