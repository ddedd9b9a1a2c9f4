// SPDX-License-Identifier: BSD-2-Clause
/*
 * schedule.c - the list of scheduling decisions and its text form. Owns the
 * list's memory; knows no machine, and not which decision was possible when.
 */
#include "scenario/schedule.h"

#include <assert.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "guest/abi.h"

/* Of one word, and of a whole text: no text can ask for more memory than the user has. */
#define REPEAT_MAX 10000000u

/* The last that means itself. */
#define VERSION_MAX (ACTION_OLDEST - 1)

/* The letter of each kind, by enum action_kind. */
static const char kind_letters[] = "slniro";

void schedule_fini(struct schedule *s)
{
	free(s->action);
	memset(s, 0, sizeof(*s));
}

void schedule_add(struct schedule *s, const struct action *a)
{
	if (s->count == s->allocated) {
		s->allocated = s->allocated ? 2 * s->allocated : 64;
		s->action = realloc(s->action, s->allocated * sizeof(*s->action));
		assert(s->action);
	}
	s->action[s->count++] = *a;
}

void schedule_begin_cycle(struct schedule *s)
{
	assert(!s->repeats);
	s->repeats = true;
	s->cycle = s->count;
}

bool action_equal(const struct action *a, const struct action *b)
{
	return a->kind == b->kind && a->vcpu == b->vcpu && a->nversions == b->nversions &&
	       !memcmp(a->version, b->version, a->nversions * sizeof(a->version[0]));
}

static void encode_action(FILE *out, const struct action *a, size_t repeat)
{
	assert(a->kind < sizeof(kind_letters) - 1 && a->vcpu < CM_MAX_VCPUS);
	assert(a->nversions <= ACTION_VERSIONS_MAX && (!a->nversions || a->kind == ACTION_STEP));
	fprintf(out, "%u%c", a->vcpu, kind_letters[a->kind]);
	for (unsigned int i = 0; i < a->nversions; i++) {
		assert(a->version[i] <= VERSION_MAX);
		fprintf(out, "%c%u", i ? ',' : '@', a->version[i]);
	}
	if (repeat > 1)
		fprintf(out, "*%zu", repeat);
}

char *schedule_encode(const struct schedule *s)
{
	char *text = NULL;
	size_t size, repeat;
	FILE *out = open_memstream(&text, &size);

	assert(out);
	for (size_t i = 0; i < s->count; i += repeat) {
		size_t end = s->repeats && i < s->cycle ? s->cycle : s->count;

		repeat = 1;
		while (i + repeat < end && action_equal(&s->action[i], &s->action[i + repeat]))
			repeat++;
		if (i)
			fputc(' ', out);
		if (s->repeats && i == s->cycle)
			fputs("( ", out);
		encode_action(out, &s->action[i], repeat);
	}
	if (s->repeats && s->cycle < s->count)
		fputs(" )", out);
	if (fclose(out) || !text)
		assert(!"memory for a schedule's text");
	return text;
}

/* A decimal number of at most (max) at (*p), without sign or leading zeros; moves (*p). */
static bool decode_number(const char **p, uint32_t max, uint32_t *number)
{
	uint64_t n = 0;

	if (!isdigit((unsigned char)**p) || (**p == '0' && isdigit((unsigned char)(*p)[1])))
		return false;
	for (; isdigit((unsigned char)**p); ++*p) {
		n = 10 * n + (uint64_t)(**p - '0');
		if (n > max)
			return false;
	}
	*number = (uint32_t)n;
	return true;
}

static bool decode_versions(const char **p, struct action *a)
{
	uint32_t version;

	do {
		++*p; /* '@' or ',' */
		if (a->nversions == ACTION_VERSIONS_MAX || !decode_number(p, VERSION_MAX, &version))
			return false;
		a->version[a->nversions++] = (uint16_t)version;
	} while (**p == ',');
	return true;
}

/* One word up to (end). */
static bool decode_word(const char *p, const char *end, struct action *a, uint32_t *repeat)
{
	const char *letter;
	uint32_t vcpu;

	memset(a, 0, sizeof(*a));
	*repeat = 1;
	if (!decode_number(&p, CM_MAX_VCPUS - 1, &vcpu) || p == end)
		return false;
	letter = strchr(kind_letters, *p++);
	if (!letter)
		return false;
	a->vcpu = (uint8_t)vcpu;
	a->kind = (uint8_t)(letter - kind_letters);
	if (*p == '@' && (a->kind != ACTION_STEP || !decode_versions(&p, a)))
		return false;
	if (*p == '*') {
		p++;
		if (!decode_number(&p, REPEAT_MAX, repeat) || *repeat == 0)
			return false;
	}
	return p == end;
}

/* A word that does not parse, as an error. */
static bool bad_word(unsigned int word, const char *p, const char *end, const char *what,
		     struct err *e)
{
	return err_set(e, ERR_INPUT, "schedule: word %u, '%.*s', %s", word,
		       (int)(end - p > 60 ? 60 : end - p), p, what);
}

/* "(" begins what repeats for ever, ")" ends it and the text. */
static bool decode_bracket(struct schedule *s, const char *p, bool *open, const char **problem)
{
	if (*p == '(' && !s->repeats) {
		schedule_begin_cycle(s);
		*open = true;
	} else if (*p == ')' && *open && s->count > s->cycle) {
		*open = false;
	} else {
		*problem = "is out of place: one ( decisions ), the last of a schedule, repeats";
	}
	return !*problem;
}

static bool decode_decision(struct schedule *s, const char *p, const char *end, bool closed,
			    const char **problem)
{
	struct action a;
	uint32_t repeat;

	if (closed)
		*problem = "follows what repeats for ever";
	else if (!decode_word(p, end, &a, &repeat))
		*problem = "is not a decision such as 0s, 0s*37, 1s@0,2,2, 1l, 1n, 1i, 1r or 1o "
			   "(vCPU below 16, at most 10000000 times)";
	else if (repeat > REPEAT_MAX - s->count)
		*problem = "makes it longer than 10000000 decisions";
	else
		while (repeat--)
			schedule_add(s, &a);
	return !*problem;
}

_Static_assert(CM_MAX_VCPUS == 16 && REPEAT_MAX == 10000000, "the messages say so");

bool schedule_decode(struct schedule *s, const char *text, struct err *e)
{
	static const char blanks[] = " \t\r\n";
	const char *p, *end, *problem = NULL;
	unsigned int word = 0;
	bool open = false, ok = true;

	memset(s, 0, sizeof(*s));
	for (p = text + strspn(text, blanks); *p && ok; p = end + strspn(end, blanks)) {
		word++;
		end = p + strcspn(p, blanks);
		ok = end == p + 1 && strchr("()", *p) ?
			     decode_bracket(s, p, &open, &problem) :
			     decode_decision(s, p, end, s->repeats && !open, &problem);
		if (!ok)
			bad_word(word, p, end, problem, e);
	}
	if (ok && open)
		ok = err_set(e, ERR_INPUT, "schedule: the bracket is not closed");
	if (!ok)
		schedule_fini(s);
	return ok;
}
