/* The command line. See options.h. */
#include "options.h"

#include <errno.h>
#include <getopt.h>
#include <regex.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "option_defaults.h"
#include "suggest.h"

struct complaint {
	char *text;
	int bytes;
};

__attribute__((format(printf, 2, 3))) static int complain(struct complaint c, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(c.text, (size_t)c.bytes, format, args);
	va_end(args);
	return -EINVAL;
}

static int parse_scale(const char *text, double *ret)
{
	char *end;

	if (strspn(text, "0123456789.") != strlen(text) || !*text)
		return -EINVAL;
	double v = strtod(text, &end);

	if (*end || !(v >= 0 && v <= 1000))
		return -EINVAL;
	*ret = v;
	return 0;
}

static int parse_color(const char *text, enum ct_color *ret)
{
	if (!strcmp(text, "auto"))
		*ret = CT_COLOR_AUTO;
	else if (!strcmp(text, "always"))
		*ret = CT_COLOR_ALWAYS;
	else if (!strcmp(text, "never"))
		*ret = CT_COLOR_NEVER;
	else
		return -EINVAL;
	return 0;
}

/* Adds a list to those given before. */
static int add_causes(struct ct_options *o, const char *text)
{
	char *joined;

	if (asprintf(&joined, "%s%s%s", o->causes ? o->causes : "", o->causes ? "," : "", text) < 0)
		return -ENOMEM;
	free(o->causes);
	o->causes = joined;
	return 0;
}

static int split_causes(struct ct_options *o)
{
	char *rest = NULL;

	if (!o->causes)
		return 0;
	for (char *name = strtok_r(o->causes, ",", &rest); name; name = strtok_r(NULL, ",", &rest)) {
		if (o->cause_count == CT_OPTIONS_CAUSES)
			return -EINVAL;
		o->cause[o->cause_count++] = name;
	}
	return o->cause_count ? 0 : -EINVAL;
}

/* --- the options --- */

static int take_text(const char **to, const char *value)
{
	*to = value;
	return *value ? 0 : -EINVAL;
}

#define FLAG(member)                                                       \
	static int take_##member(struct ct_options *o, const char *value)  \
	{                                                                  \
		(void)value;                                               \
		o->member = true;                                          \
		return 0;                                                  \
	}
#define TEXT(member)                                                       \
	static int take_##member(struct ct_options *o, const char *value)  \
	{                                                                  \
		return take_text(&o->member, value);                       \
	}

FLAG(json)
FLAG(csv)
FLAG(group)
FLAG(help)
FLAG(version)
TEXT(thread)
TEXT(lock)
TEXT(call)
TEXT(process)
TEXT(sort)
TEXT(output)
TEXT(format)
TEXT(profile)
TEXT(symbols)
TEXT(host)
TEXT(region)
TEXT(task)
FLAG(no_open)

static int take_top(struct ct_options *o, const char *value)
{
	uint64_t n;
	int error = ct_parse_number(value, UINT32_MAX, &n);

	if (error)
		return error;
	o->top = (uint32_t)n;
	o->top_given = true;
	return 0;
}

static int take_from(struct ct_options *o, const char *value)
{
	return ct_parse_moment(value, &o->from);
}

static int take_to(struct ct_options *o, const char *value)
{
	return ct_parse_moment(value, &o->to);
}

static int take_regex(const char **to, const char *value)
{
	regex_t compiled;

	if (!*value || regcomp(&compiled, value, REG_EXTENDED | REG_NOSUB))
		return -EINVAL;
	regfree(&compiled);
	*to = value;
	return 0;
}

static int take_object(struct ct_options *o, const char *value)
{
	return take_regex(&o->object, value);
}

static int take_site(struct ct_options *o, const char *value)
{
	return take_regex(&o->site, value);
}

static const char *const group_names[] = {
	[CT_GROUP_THREAD] = "thread", [CT_GROUP_ROUTINE] = "start-routine", [CT_GROUP_SITE] = "site",
	[CT_GROUP_OBJECT] = "object", [CT_GROUP_PROCESS] = "process",	    [CT_GROUP_CAUSE] = "cause",
};

const char *ct_group_by_name(enum ct_group_by by)
{
	return group_names[by] ? group_names[by] : "";
}

static int take_group_by(struct ct_options *o, const char *value)
{
	for (enum ct_group_by i = CT_GROUP_THREAD; i <= CT_GROUP_CAUSE; i++)
		if (!strcmp(value, group_names[i])) {
			o->group_by = i;
			return 0;
		}
	return -EINVAL;
}

static int take_min(struct ct_options *o, const char *value)
{
	return ct_parse_duration(value, 0, &o->min_ns);
}

static int take_max(struct ct_options *o, const char *value)
{
	int error = ct_parse_duration(value, 0, &o->max_ns);

	return error ? error : o->max_ns ? 0 : -EINVAL;
}

static int take_stack(struct ct_options *o, const char *value)
{
	o->stack_given = true;
	return ct_parse_number(value, UINT32_MAX, &o->stack);
}

static int take_scale(struct ct_options *o, const char *value)
{
	return parse_scale(value, &o->scale);
}

static int take_split(struct ct_options *o, const char *value)
{
	uint64_t n;
	int error = ct_parse_number(value, 1024, &n);

	if (!error)
		o->split = (uint32_t)n;
	return error ? error : n ? 0 : -EINVAL;
}

static int take_port(struct ct_options *o, const char *value)
{
	uint64_t n;
	int error = ct_parse_number(value, UINT16_MAX, &n);

	if (!error)
		o->port = (uint16_t)n;
	return error;
}

static int take_by(struct ct_options *o, const char *value)
{
	o->by = value;
	return !strcmp(value, "blocked") || !strcmp(value, "off-cpu") || !strcmp(value, "waker") ? 0 : -EINVAL;
}

static int take_color(struct ct_options *o, const char *value)
{
	return parse_color(value, &o->color);
}

#define MOMENTS "1.5s after the begin, -2s before the end, 25%, @12:34:56 or =NANOSECONDS of the clock"
#define REGEX   "an extended regular expression"
/* What has no waits to choose from. */
#define WHOLE   "!stats check explain"
#define NO_WAITS WHOLE " path whatif"

const struct ct_option ct_options_table[] = {
	{ "json", NULL, "one JSON object, times in nanoseconds", take_json, "!export flame serve report" },
	{ "csv", NULL, "the table as CSV, times in nanoseconds", take_csv, "blocks deadlocks diff io latency locks malloc path regions sched sql stats summary tasks threads waits wakers whatif" },
	{ "top", "N", "rows of each list (default 10; 0: all)", take_top, "!dump check export flame serve report sql explain", "a number", true },
	{ "sort", "KEY", "rows in the order of a column; see below", take_sort, "blocks io latency locks malloc path regions sched stats tasks threads waits wakers", NULL, true },
	{ "group-by", "GROUP", "what belongs together in one row: thread, start-routine,\n"
	  "site, object, process or cause; see below", take_group_by,
	  "blocks export flame io latency locks malloc path sched threads wakers", "thread, start-routine, site, object, process or cause", true },
	{ "from", "T", "only from then on; see below", take_from, WHOLE " deadlocks", MOMENTS, true },
	{ "to", "T", "only up to then", take_to, WHOLE " deadlocks", MOMENTS, true },
	{ "thread", "NAME|TID", "only threads of that name (a pattern such as 'worker*')", take_thread, WHOLE, NULL, true },
	{ "process", "NAME|PID", "only threads of such processes", take_process, WHOLE, NULL, true },
	{ "cause", "CAUSE,...", "only those causes or categories: mutex,poll or io", add_causes, WHOLE " path", NULL, true },
	{ "object", "REGEX", "only waits for such objects, as reports name them", take_object, NO_WAITS, REGEX, true },
	{ "site", "REGEX", "only waits with such a function, or FILE:LINE, in the\n"
	  "stack", take_site, WHOLE " path", REGEX, true },
	{ "min", "DURATION", "only waits of at least that long, such as 10ms", take_min, NO_WAITS,
	  "a duration with its unit, such as 10ms", true },
	{ "region", "NAME", "only waits in such regions of the program (a pattern)", take_region,
	  NO_WAITS " summary deadlocks", NULL, true },
	{ "task", "NAME", "only waits in regions of such tasks", take_task, NO_WAITS " summary deadlocks", NULL, true },
	{ "call", "NAME", "only that call, such as fdatasync", take_call, "latency waits", NULL, true },
	{ "max", "DURATION", "only waits shorter than that", take_max, "latency waits", "a duration with its unit, such as 10ms", true },
	{ "stack", "NUMBER", "only waits with that call stack", take_stack, "waits", "a stack_id of waits --json", true },
	{ "group", NULL, "only groups of threads", take_group, "threads", NULL, true },
	{ "lock", "NAME", "the critical sections of that lock", take_lock, "whatif", NULL, true },
	{ "scale", "X", "so many times as long (default 0: gone)", take_scale, "whatif", "a number from 0 to 1000", true },
	{ "split", "N", "as if the lock were N locks", take_split, "whatif", "a number from 1 to 1024", true },
	{ "format", "FORMAT", "what to write; see below", take_format, "export" },
	{ "profile", "PROFILE", "all, or only one part: io, sync, syscall, sched, malloc", take_profile, "export" },
	{ "by", "WHAT", "blocked (default), off-cpu, or waker", take_by, "export flame" },
	{ "output", "FILE", "where to (-: standard output)", take_output, "export flame report" },
	{ "port", "PORT", "of the server (default: any that is free)", take_port, "serve" },
	{ "host", "ADDRESS", "to listen on (default 127.0.0.1: nobody but you)", take_host, "serve" },
	{ "no-open", NULL, "do not open the browser", take_no_open, "serve" },
	{ "symbols", "DIR", "where to look for the program's files and debug files, too", take_symbols, NULL },
	{ "color", "WHEN", "auto, always or never (NO_COLOR is respected)", take_color, NULL, "auto, always or never" },
	{ "help", NULL, "this text", take_help, NULL },
	{ "version", NULL, "the version", take_version, NULL },
	{ NULL, NULL, NULL, NULL, NULL },
};

static bool is_word_of(const char *word, const char *words)
{
	const char *at = words, *end;

	for (size_t n = strlen(word); (end = strchrnul(at, ' ')); at = end + 1) {
		if ((size_t)(end - at) == n && !strncmp(at, word, n))
			return true;
		if (!*end)
			break;
	}
	return false;
}

bool ct_option_is_for(const struct ct_option *option, const char *command)
{
	const char *words = option->commands;

	if (!words)
		return true;
	return *words == '!' ? !is_word_of(command, words + 1) : is_word_of(command, words);
}

#define OPTIONS (sizeof(ct_options_table) / sizeof(ct_options_table[0]))

static const char *end_of_complaint(const struct ct_option *option, char *to, size_t bytes)
{
	*to = 0;
	if (option->wants)
		snprintf(to, bytes, ": it takes %s", option->wants);
	return to;
}

static int complain_unknown(struct complaint c, const char *option)
{
	char name[64];
	struct ct_suggestion s = { .typed = name };

	snprintf(name, sizeof(name), "%.*s", (int)strcspn(option + 2, "="), option + 2);
	for (size_t i = 0; ct_options_table[i].name && !strncmp(option, "--", 2); i++)
		ct_suggest(&s, ct_options_table[i].name);
	if (s.best)
		return complain(c, "unknown option '%s'; did you mean --%s?", option, s.best);
	return complain(c, "unknown option '%s'", option);
}

/* Moments of one kind are compared here already. */
static bool is_reversed(const struct ct_moment *from, const struct ct_moment *to)
{
	if (!from->given || !to->given || from->kind != to->kind)
		return false;
	if (from->kind == CT_MOMENT_SHARE)
		return from->share > to->share;
	return from->kind == CT_MOMENT_BEFORE ? from->ns < to->ns : from->ns > to->ns;
}

bool ct_is_command(const struct ct_options *o, const char *command)
{
	return o->command && !strcmp(o->command, command);
}

bool ct_options_select(const struct ct_options *o)
{
	return o->from.given || o->to.given || o->thread || o->process || o->cause_count || o->object || o->site ||
	       o->min_ns || o->region || o->task;
}

int ct_options_parse(struct ct_options *o, int argc, char **argv, char *error, int error_bytes)
{
	struct option options[OPTIONS] = { 0 };
	bool given[OPTIONS] = { false };
	struct complaint c = { error, error_bytes };
	char wants[128];
	int found, index = 0;

	*o = (struct ct_options){ .top = 10 };
	for (size_t i = 0; ct_options_table[i].name; i++)
		options[i] = (struct option){ ct_options_table[i].name,
					      ct_options_table[i].value ? required_argument : no_argument, NULL, 1 };
	opterr = 0;
	optind = 0;
	while ((found = getopt_long(argc, argv, ":ho:", options, &index)) != -1) {
		if (found == ':')
			return complain(c, "option '%s' needs a value", argv[optind - 1]);
		if (found == '?')
			return complain_unknown(c, argv[optind - 1]);
		if (found != 1)
			for (index = 0; strcmp(ct_options_table[index].name, found == 'h' ? "help" : "output");)
				index++;
		given[index] = true;
		if (ct_options_table[index].take(o, optarg))
			return complain(c, "'%.100s' is no value for --%s%s", optarg, ct_options_table[index].name,
					end_of_complaint(&ct_options_table[index], wants, sizeof(wants)));
	}
	if (optind < argc)
		ct_option_defaults(o, argv[optind], given);
	if (split_causes(o))
		return complain(c, "too many or no causes for --cause");
	if (is_reversed(&o->from, &o->to))
		return complain(c, "--from is after --to");
	if (o->json && o->csv)
		return complain(c, "--json and --csv exclude each other");
	if (optind < argc)
		o->command = argv[optind++];
	for (size_t i = 0; o->command && ct_options_table[i].name; i++)
		if (given[i] && !ct_option_is_for(&ct_options_table[i], o->command))
			return complain(c, "--%s is no option of %s", ct_options_table[i].name, o->command);
	o->argument = argv + optind;
	o->argument_count = (uint32_t)(argc - optind);
	if (o->argument_count)
		o->file = o->argument[0];
	return 0;
}

void ct_options_free(struct ct_options *o)
{
	free(o->causes);
	o->causes = NULL;
}
