/* See option_values.h. */
#include "option_values.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

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
	} else if (!unit_ns && value > 0) {
		return -EINVAL;
	}
	value *= (double)unit_ns;
	if (!(value >= 0 && value < 9e18))
		return -EINVAL;
	*ret_ns = (uint64_t)(value + 0.5);
	return 0;
}

int ct_parse_number(const char *text, uint64_t max, uint64_t *ret)
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

/* ".789" in ns; *end is what follows. */
static uint64_t fraction(const char *text, const char **end)
{
	uint64_t ns = 0, unit = 100000000;

	if (*text == '.')
		for (text++; *text >= '0' && *text <= '9'; text++, unit /= 10)
			ns += (uint64_t)(*text - '0') * unit;
	*end = text;
	return ns;
}

static int parse_time_of_day(const char *text, struct ct_moment *ret)
{
	struct tm t = { 0 };
	const char *end = strptime(text, "%H:%M:%S", &t);

	if (!end)
		end = strptime(text, "%H:%M", &t);
	if (!end || t.tm_sec > 59)
		return -EINVAL;
	ret->kind = CT_MOMENT_DAY;
	ret->ns = (uint64_t)(t.tm_hour * 3600 + t.tm_min * 60 + t.tm_sec) * 1000000000 + fraction(end, &end);
	return *end ? -EINVAL : 0;
}

static int parse_date(const char *text, struct ct_moment *ret)
{
	struct tm t = { .tm_isdst = -1 };
	const char *end = strptime(text, "%Y-%m-%d", &t);
	time_t s;

	if (!end || (*end && *end != 'T' && *end != ' '))
		return -EINVAL;
	if (*end) {
		const char *time = end + 1;

		end = strptime(time, "%H:%M:%S", &t);
		if (!end)
			end = strptime(time, "%H:%M", &t);
	}
	if (!end)
		return -EINVAL;
	uint64_t ns = fraction(end, &end);

	s = *end == 'Z' ? timegm(&t) : mktime(&t);
	end += *end == 'Z';
	if (*end || s < 0 || s > 9000000000)
		return -EINVAL;
	ret->kind = CT_MOMENT_DATE;
	ret->ns = (uint64_t)s * 1000000000 + ns;
	return 0;
}

static int parse_wall(const char *text, struct ct_moment *ret)
{
	const char *end;
	uint64_t s = 0;

	if (strchr(text, '-'))
		return parse_date(text, ret);
	if (strchr(text, ':'))
		return parse_time_of_day(text, ret);
	for (end = text; *end >= '0' && *end <= '9' && s < 9000000000; end++)
		s = s * 10 + (uint64_t)(*end - '0');
	if (end == text || s >= 9000000000)
		return -EINVAL;
	ret->kind = CT_MOMENT_DATE;
	ret->ns = s * 1000000000 + fraction(end, &end);
	return *end ? -EINVAL : 0;
}

int ct_parse_moment(const char *text, struct ct_moment *ret)
{
	size_t n = strlen(text);
	struct ct_moment m = { .given = true, .text = text };
	int error = 0;

	if (n && text[n - 1] == '%') {
		char *end;

		m.kind = CT_MOMENT_SHARE;
		m.share = strtod(text, &end) / 100;
		if (end != text + n - 1 || !(m.share >= 0 && m.share <= 1))
			error = -EINVAL;
	} else if (*text == '@') {
		error = parse_wall(text + 1, &m);
	} else if (*text == '=') {
		m.kind = CT_MOMENT_CLOCK;
		error = ct_parse_number(text + 1, INT64_MAX, &m.ns);
	} else if (*text == '-') {
		m.kind = CT_MOMENT_BEFORE;
		error = ct_parse_duration(text + 1, 0, &m.ns);
	} else {
		error = ct_parse_duration(text, 0, &m.ns);
	}
	if (!error)
		*ret = m;
	return error;
}
