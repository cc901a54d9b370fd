/* The command line. See options.h. */
#include "options.h"

#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	OPT_JSON = 256,
	OPT_TOP,
	OPT_FROM,
	OPT_TO,
	OPT_THREAD,
	OPT_PROCESS,
	OPT_CAUSE,
	OPT_MIN,
	OPT_LOCK,
	OPT_SITE,
	OPT_SCALE,
	OPT_SPLIT,
	OPT_COLOR,
	OPT_GROUP,
	OPT_HELP,
	OPT_VERSION,
};

static const struct option long_options[] = {
	{ "json", no_argument, NULL, OPT_JSON },
	{ "top", required_argument, NULL, OPT_TOP },
	{ "from", required_argument, NULL, OPT_FROM },
	{ "to", required_argument, NULL, OPT_TO },
	{ "thread", required_argument, NULL, OPT_THREAD },
	{ "process", required_argument, NULL, OPT_PROCESS },
	{ "cause", required_argument, NULL, OPT_CAUSE },
	{ "min", required_argument, NULL, OPT_MIN },
	{ "lock", required_argument, NULL, OPT_LOCK },
	{ "site", required_argument, NULL, OPT_SITE },
	{ "scale", required_argument, NULL, OPT_SCALE },
	{ "split", required_argument, NULL, OPT_SPLIT },
	{ "color", required_argument, NULL, OPT_COLOR },
	{ "group", no_argument, NULL, OPT_GROUP },
	{ "help", no_argument, NULL, OPT_HELP },
	{ "version", no_argument, NULL, OPT_VERSION },
	{ NULL, 0, NULL, 0 },
};

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

static int take_option(struct ct_options *o, int option, const char *value)
{
	uint64_t n;
	int error = 0;

	switch (option) {
	case OPT_JSON:
		o->json = true;
		break;
	case OPT_TOP:
		error = parse_number(value, UINT32_MAX, &n);
		if (!error)
			o->top = (uint32_t)n;
		break;
	case OPT_FROM:
		error = parse_moment(value, &o->from);
		break;
	case OPT_TO:
		error = parse_moment(value, &o->to);
		break;
	case OPT_THREAD:
		o->thread = value;
		error = *value ? 0 : -EINVAL;
		break;
	case OPT_PROCESS:
		error = parse_number(value, UINT32_MAX, &o->process);
		if (!error && !o->process)
			error = -EINVAL;
		break;
	case OPT_CAUSE:
		error = add_causes(o, value);
		break;
	case OPT_MIN:
		error = ct_parse_duration(value, 1000000000, &o->min_ns);
		break;
	case OPT_LOCK:
		o->lock = value;
		error = *value ? 0 : -EINVAL;
		break;
	case OPT_SITE:
		o->site = value;
		error = *value ? 0 : -EINVAL;
		break;
	case OPT_SCALE:
		error = parse_scale(value, &o->scale);
		break;
	case OPT_SPLIT:
		error = parse_number(value, 1024, &n);
		if (!error && !n)
			error = -EINVAL;
		if (!error)
			o->split = (uint32_t)n;
		break;
	case OPT_COLOR:
		error = parse_color(value, &o->color);
		break;
	case OPT_GROUP:
		o->group = true;
		break;
	case OPT_HELP:
		o->help = true;
		break;
	case OPT_VERSION:
		o->version = true;
		break;
	}
	return error;
}

int ct_options_parse(struct ct_options *o, int argc, char **argv, char *error, int error_bytes)
{
	struct complaint c = { error, error_bytes };
	int option, index = 0;

	*o = (struct ct_options){ .top = 10 };
	opterr = 0;
	optind = 0;
	while ((option = getopt_long(argc, argv, ":h", long_options, &index)) != -1) {
		if (option == 'h')
			option = OPT_HELP;
		if (option == ':')
			return complain(c, "option '%s' needs a value", argv[optind - 1]);
		if (option == '?')
			return complain(c, "unknown option '%s'", argv[optind - 1]);
		if (take_option(o, option, optarg))
			return complain(c, "'%s' is no value for --%s", optarg, long_options[index].name);
	}
	if (split_causes(o))
		return complain(c, "too many or no causes for --cause");
	if (o->from.given && o->to.given && o->from.is_share == o->to.is_share &&
	    (o->from.is_share ? o->from.share > o->to.share : o->from.ns > o->to.ns))
		return complain(c, "--from is after --to");
	if (optind < argc)
		o->command = argv[optind++];
	if (optind < argc)
		o->file = argv[optind++];
	if (optind < argc)
		return complain(c, "unexpected argument '%s'", argv[optind]);
	return 0;
}

void ct_options_free(struct ct_options *o)
{
	free(o->causes);
	o->causes = NULL;
}
