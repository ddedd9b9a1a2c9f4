// SPDX-License-Identifier: BSD-2-Clause
/* main.c - the command line. The only file that prints usage and exits. */
#include <argp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd.h"
#include "emulated.h"
#include "guard.h"

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
	{ "nmi", 'N', "VCPU=N", 0, "NMI budget of a vCPU: a number, or unlimited (default: none)",
	  0 },
	{ "vcpus", 'C', "N", 0, "vCPUs instead of the scenario's; matrix: a list (default: 2,3)",
	  0 },
	{ "jobs", 'J', "N", 0, "Workers, each with a VM of its own (default: one a processor)", 0 },
	{ "no-reduction", 'R', NULL, 0, "A choice point at every instruction", 0 },
	{ "every-violation", 'K', NULL, 0,
	  "Do not stop at the first violation: say which kinds can be reached", 0 },
	{ "resume", 'U', NULL, 0, "Go on with a search that Ctrl-C or a bound ended", 0 },
	{ "max-states", 'S', "N", 0, "Stop after N states", 0 },
	{ "max-seconds", 'T', "N", 0, "Stop after N seconds; matrix: of all cells (default: 1140)",
	  0 },
	{ "max-memory-mb", 'M', "N", 0, "Stop at N MiB of memory", 0 },
	{ "quick", 'q', NULL, 0, "Two vCPUs, without NMIs, 170 seconds at most", 0 },
	{ "protocol", 'P', "NAME", 0, "Only protocols of that name or glob; may be repeated", 0 },
	{ "expect", 'E', "VERDICT", 0, "The verdict that counts as expected (default: safe)", 0 },
	{ 0 },
};

static const struct command commands[] = {
	{ "run", cmd_run, "jogtam", "SCENARIO...", ARGUMENTS, true,
	  "Run scenarios (files or directories) and compare the verdicts with what they expect." },
	{ "explore", cmd_explore, "jogFNCJRKUSTME", "SCENARIO...", ARGUMENTS, true,
	  "Try every schedule of a scenario's protocol, sites and vCPUs: all interleavings, NMIs "
	  "within their budgets, and every fetch the model allows. The scenario's own schedule is "
	  "not looked at." },
	{ "matrix", cmd_matrix, "jogqPFCJTM", "[PROTOCOL...]", OPTIONAL_ARGUMENTS, true,
	  "Explore protocols of the guest image (default: all) under every fetch model, with two and "
	  "three vCPUs, without NMIs and with one on the executor, the patcher or each; write "
	  "matrix.json, matrix.md, matrix.html and each cell's result to DIR." },
	{ "replay", cmd_replay, "jgtHa", "WITNESS...", ARGUMENTS, true,
	  "Execute the schedule recorded in a result file again: it must reach the same verdict in "
	  "the same state." },
	{ "check", cmd_check, "g", "SCENARIO...", ARGUMENTS, false,
	  "Validate scenarios; run nothing." },
	{ "list", cmd_list, "jg", "", NO_ARGUMENTS, false,
	  "List protocols, kinds of site and shipped scenarios." },
	{ "probe", cmd_probe, "jg", "", NO_ARGUMENTS, false,
	  "Show what this host's KVM can do, which quirks are in force and how that was found." },
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
	"  replay WITNESS...    execute a recorded schedule again (--trace, --html explain it)\n"
	"  check SCENARIO...    validate scenarios only\n"
	"  list                 protocols, kinds of site, scenarios\n"
	"  probe                what this host can do, and its quirks\n"
	"  bench                crossmod's layers against raw KVM\n\n"
	"`crossmod COMMAND --help' tells more. Exit status: 0 every verdict as expected, 1 some not, "
	"2 bad input, 3 host failure, 77 nothing could run here.";

struct parse {
	const struct command *command;
	struct options *o;
};

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct parse *p = state->input;

	switch (key) {
	case 'j':
		p->o->json = true;
		return 0;
	case 'o':
		p->o->out = arg;
		return 0;
	case KEY_GUEST:
		p->o->guest = arg;
		return 0;
	case 't':
		p->o->trace = true;
		return 0;
	case 'H':
		p->o->html = arg;
		return 0;
	case 'm':
		p->o->markdown = true;
		return 0;
	case KEY_ALL:
		p->o->all = true;
		return 0;
	case 'F':
		p->o->fetch = arg;
		return 0;
	case 'N':
		if (p->o->nnmi == (int)(sizeof(p->o->nmi) / sizeof(p->o->nmi[0])))
			argp_error(state, "too many --nmi");
		p->o->nmi[p->o->nnmi++] = arg;
		return 0;
	case 'C':
		p->o->vcpus = arg;
		return 0;
	case 'J':
		p->o->jobs = arg;
		return 0;
	case 'P':
		if (p->o->nprotocol == (int)(sizeof(p->o->protocol) / sizeof(p->o->protocol[0])))
			argp_error(state, "too many --protocol");
		p->o->protocol[p->o->nprotocol++] = arg;
		return 0;
	case 'q':
		p->o->quick = true;
		return 0;
	case 'R':
		p->o->no_reduction = true;
		return 0;
	case 'K':
		p->o->every = true;
		return 0;
	case 'U':
		p->o->resume = true;
		return 0;
	case 'S':
		p->o->max_states = arg;
		return 0;
	case 'T':
		p->o->max_seconds = arg;
		return 0;
	case 'M':
		p->o->max_memory = arg;
		return 0;
	case 'E':
		p->o->expect = arg;
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
	return c->run(&o);
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
