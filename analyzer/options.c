/* The command line. See options.h. */
#include "options.h"

#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

int ct_parse_duration(const char *text, uint64_t unit_ns, uint64_t *ret_ns)
{
	static const struct {
		const char *name;
		uint64_t ns;
	} units[] = {
		{ "ns", 1 },	       { "us", 1000 },	       { "\xc2\xb5s", 1000 }, { "\xce\xbcs", 1000 },
		{ "ms", 1000000 },     { "s", 1000000000 },    { "m", 60000000000 },  { "min", 60000000000 },
		{ "h", 3600000000000 },
	};
	char *end;

	/* strtod would also read "inf" and "0x1p3". */
	if (strspn(text, "0123456789.") == 0)
		return -EINVAL;
	double value = strtod(text, &end);

	if (end == text || strpbrk(text, "xXpP"))
		return -EINVAL;
	if (*end) {
		unit_ns = 0;
		for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
			if (!strcmp(end, units[i].name))
				unit_ns = units[i].ns;
		if (!unit_ns)
			return -EINVAL;
	}
	value *= (double)unit_ns;
	if (!(value >= 0 && value < 9e18))
		return -EINVAL;
	*ret_ns = (uint64_t)(value + 0.5);
	return 0;
}

static int parse_moment(const char *text, struct ct_moment *ret)
{
	size_t n = strlen(text);
	struct ct_moment m = { .given = true };

	if (n && text[n - 1] == '%') {
		char *end;

		m.is_share = true;
		m.share = strtod(text, &end) / 100;
		if (end != text + n - 1 || !(m.share >= 0 && m.share <= 1))
			return -EINVAL;
	} else if (ct_parse_duration(text, 1000000000, &m.ns)) {
		return -EINVAL;
	}
	*ret = m;
	return 0;
}

static int parse_number(const char *text, uint64_t max, uint64_t *ret)
{
	char *end;

	errno = 0;
	if (*text < '0' || *text > '9')
		return -EINVAL;
	unsigned long long v = strtoull(text, &end, 10);

	if (*end || errno || v > max)
		return -EINVAL;
	*ret = v;
	return 0;
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
TEXT(site)
TEXT(call)
TEXT(output)
TEXT(format)
TEXT(profile)
TEXT(symbols)
TEXT(host)
FLAG(no_open)

static int take_top(struct ct_options *o, const char *value)
{
	uint64_t n;
	int error = parse_number(value, UINT32_MAX, &n);

	if (!error)
		o->top = (uint32_t)n;
	return error;
}

static int take_from(struct ct_options *o, const char *value)
{
	return parse_moment(value, &o->from);
}

static int take_to(struct ct_options *o, const char *value)
{
	return parse_moment(value, &o->to);
}

static int take_process(struct ct_options *o, const char *value)
{
	int error = parse_number(value, UINT32_MAX, &o->process);

	return error ? error : o->process ? 0 : -EINVAL;
}

static int take_min(struct ct_options *o, const char *value)
{
	return ct_parse_duration(value, 1000000000, &o->min_ns);
}

static int take_scale(struct ct_options *o, const char *value)
{
	return parse_scale(value, &o->scale);
}

static int take_split(struct ct_options *o, const char *value)
{
	uint64_t n;
	int error = parse_number(value, 1024, &n);

	if (!error)
		o->split = (uint32_t)n;
	return error ? error : n ? 0 : -EINVAL;
}

static int take_port(struct ct_options *o, const char *value)
{
	uint64_t n;
	int error = parse_number(value, UINT16_MAX, &n);

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

const struct ct_option ct_options_table[] = {
	{ "json", NULL, "one JSON object, times in nanoseconds", take_json, NULL },
	{ "csv", NULL, "the table as CSV, times in nanoseconds", take_csv, "diff io latency locks malloc summary threads wakers" },
	{ "top", "N", "rows of each list (default 10; 0: all)", take_top, NULL },
	{ "from", "T", "only from then on: 1.5s, 200ms (after the begin) or 25%", take_from, NULL },
	{ "to", "T", "only up to then", take_to, NULL },
	{ "thread", "NAME|TID", "only threads of that name (a pattern such as 'worker*')", take_thread, NULL },
	{ "process", "PID", "only threads of that process", take_process, NULL },
	{ "cause", "CAUSE,...", "only those causes, such as mutex,poll", add_causes, NULL },
	{ "min", "DURATION", "only waits of at least that long, such as 10ms", take_min, NULL },
	{ "call", "NAME", "only that call, such as fdatasync", take_call, "latency" },
	{ "group", NULL, "only groups of threads", take_group, "threads" },
	{ "lock", "NAME", "the critical sections of that lock", take_lock, "whatif" },
	{ "site", "FUNCTION", "waits and critical sections in that function", take_site, "whatif" },
	{ "scale", "X", "so many times as long (default 0: gone)", take_scale, "whatif" },
	{ "split", "N", "as if the lock were N locks", take_split, "whatif" },
	{ "format", "FORMAT", "what to write; see below", take_format, "export" },
	{ "profile", "PROFILE", "all, or only one part: io, sync, syscall, sched, malloc", take_profile, "export" },
	{ "by", "WHAT", "blocked (default), off-cpu, or waker", take_by, "export flame" },
	{ "output", "FILE", "where to (-: standard output)", take_output, "export flame report" },
	{ "port", "PORT", "of the server (default: any that is free)", take_port, "serve" },
	{ "host", "ADDRESS", "to listen on (default 127.0.0.1: nobody but you)", take_host, "serve" },
	{ "no-open", NULL, "do not open the browser", take_no_open, "serve" },
	{ "symbols", "DIR", "where to look for the program's files and debug files, too", take_symbols, NULL },
	{ "color", "WHEN", "auto, always or never (NO_COLOR is respected)", take_color, NULL },
	{ "help", NULL, "this text", take_help, NULL },
	{ "version", NULL, "the version", take_version, NULL },
	{ NULL, NULL, NULL, NULL, NULL },
};

bool ct_option_is_for(const struct ct_option *option, const char *command)
{
	const char *at = option->commands, *end;

	if (!at)
		return true;
	for (size_t n = strlen(command); (end = strchrnul(at, ' ')); at = end + 1) {
		if ((size_t)(end - at) == n && !strncmp(at, command, n))
			return true;
		if (!*end)
			break;
	}
	return false;
}

#define OPTIONS (sizeof(ct_options_table) / sizeof(ct_options_table[0]))

int ct_options_parse(struct ct_options *o, int argc, char **argv, char *error, int error_bytes)
{
	struct option options[OPTIONS] = { 0 };
	bool given[OPTIONS] = { false };
	struct complaint c = { error, error_bytes };
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
			return complain(c, "unknown option '%s'", argv[optind - 1]);
		if (found != 1)
			for (index = 0; strcmp(ct_options_table[index].name, found == 'h' ? "help" : "output");)
				index++;
		given[index] = true;
		if (ct_options_table[index].take(o, optarg))
			return complain(c, "'%s' is no value for --%s", optarg, ct_options_table[index].name);
	}
	if (split_causes(o))
		return complain(c, "too many or no causes for --cause");
	if (o->from.given && o->to.given && o->from.is_share == o->to.is_share &&
	    (o->from.is_share ? o->from.share > o->to.share : o->from.ns > o->to.ns))
		return complain(c, "--from is after --to");
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
