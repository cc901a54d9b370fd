/* See flight-options.h. */
#include "flight-options.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_BYTES (256ull << 20)
#define DEFAULT_MAX   10u
#define DEFAULT_PAUSE 10000000000ull

struct unit {
	const char *name;
	uint64_t factor;
};

static const struct unit durations[] = {
	{ "ns", 1 }, { "us", 1000 }, { "ms", 1000000 }, { "s", 1000000000 }, { "m", 60000000000 }, { "h", 3600000000000 },
	{ NULL, 0 },
};

static const struct unit sizes[] = {
	{ "K", 1u << 10 }, { "M", 1u << 20 }, { "G", 1u << 30 }, { "KiB", 1u << 10 }, { "MiB", 1u << 20 },
	{ "GiB", 1u << 30 }, { NULL, 0 },
};

/* A number with one of the units. -EINVAL or 0. */
static int parse_with(const struct unit *units, const char *text, size_t n, uint64_t *ret)
{
	char copy[32], *end;

	if (!n || n >= sizeof(copy) || !isdigit((unsigned char)*text))
		return -EINVAL;
	memcpy(copy, text, n);
	copy[n] = 0;
	errno = 0;
	unsigned long long number = strtoull(copy, &end, 10);

	if (errno)
		return -EINVAL;
	for (; units->name; units++)
		if (!strcmp(end, units->name))
			return __builtin_mul_overflow(number, units->factor, ret) ? -EINVAL : 0;
	return -EINVAL;
}

/* "10us", "30s", "5m", "1h"; nothing but 0 goes without a unit. */
static int parse_duration(const char *text, size_t n, uint64_t *ret_ns)
{
	if (n == 1 && *text == '0') {
		*ret_ns = 0;
		return 0;
	}
	return parse_with(durations, text, n, ret_ns);
}

void ct_flight_defaults(struct ct_flight_options *o)
{
	*o = (struct ct_flight_options){ .bytes = DEFAULT_BYTES, .max_snapshots = DEFAULT_MAX, .pause_ns = DEFAULT_PAUSE };
}

int ct_flight_parse(const char *text, struct ct_flight_options *o, char wrong[CT_FLIGHT_WRONG])
{
	uint64_t span_ns = 0, bytes = 0, number;

	for (const char *at = text, *end;; at = end + 1) {
		end = strchrnul(at, ',');
		if (!span_ns && !parse_with(durations, at, (size_t)(end - at), &number) && number) {
			span_ns = number;
		} else if (!bytes && !parse_with(sizes, at, (size_t)(end - at), &number) && number) {
			bytes = number;
		} else {
			snprintf(wrong, CT_FLIGHT_WRONG, "--flight %.80s: not a time and a size such as 30s,256M", text);
			return -1;
		}
		if (!*end)
			break;
	}
	if ((span_ns && span_ns < CT_FLIGHT_SPAN_MIN) || (bytes && bytes < CT_FLIGHT_BYTES_MIN)) {
		snprintf(wrong, CT_FLIGHT_WRONG, "--flight %.80s: the least are 1s and 1M", text);
		return -1;
	}
	o->on = true;
	o->span_ns = span_ns;
	o->bytes = bytes ? bytes : DEFAULT_BYTES;
	snprintf(o->text, sizeof(o->text), "%s%s", text, bytes ? "" : ",256M");
	return 0;
}

/* --- triggers --- */

static const struct {
	const char *name, *category;
} causes[CT_CAUSE_COUNT] = {
#define CT_CAUSE(id, name, category, text) [CT_CAUSE_##id] = { name, category },
#include "causes.def"
#undef CT_CAUSE
};

static bool is_text(const char *name, const char *text, size_t n)
{
	return name && strlen(name) == n && !strncmp(name, text, n);
}

/* Names of causes or categories, with commas between them. */
static int parse_causes(const char *text, size_t n, struct ct_trigger *t)
{
	t->any_cause = false;
	for (const char *at = text, *end; at <= text + n; at = end + 1) {
		bool found = false;

		end = memchr(at, ',', (size_t)(text + n - at));
		if (!end)
			end = text + n;
		for (uint32_t i = 0; i < CT_CAUSE_COUNT; i++)
			if (is_text(causes[i].name, at, (size_t)(end - at)) ||
			    is_text(causes[i].category, at, (size_t)(end - at)))
				found = t->cause[i] = true;
		if (!found)
			return -EINVAL;
	}
	return 0;
}

static int parse_count(const char *text, size_t n, uint64_t *ret)
{
	char copy[24], *end;

	if (!n || n >= sizeof(copy) || !isdigit((unsigned char)*text))
		return -EINVAL;
	memcpy(copy, text, n);
	copy[n] = 0;
	errno = 0;
	*ret = strtoull(copy, &end, 10);
	return errno || *end ? -EINVAL : 0;
}

/* One word of a trigger. */
static int parse_word(const char *w, size_t n, bool first, struct ct_trigger *t)
{
	if (first) {
		if (is_text("deadlock", w, n)) {
			t->kind = CT_TRIGGER_DEADLOCK;
			return 0;
		}
		if (n > 5 && !strncmp(w, "wait>", 5)) {
			t->kind = CT_TRIGGER_WAIT;
			return parse_duration(w + 5, n - 5, &t->more_than);
		}
		if (n > 5 && !strncmp(w, "lost>", 5)) {
			t->kind = CT_TRIGGER_LOST;
			return parse_count(w + 5, n - 5, &t->more_than);
		}
		return -EINVAL;
	}
	if (t->kind != CT_TRIGGER_WAIT)
		return -EINVAL;
	if (n > 6 && !strncmp(w, "cause=", 6))
		return parse_causes(w + 6, n - 6, t);
	if (n > 7 && n - 7 < sizeof(t->thread) && !strncmp(w, "thread=", 7)) {
		memcpy(t->thread, w + 7, n - 7);
		t->thread[n - 7] = 0;
		return 0;
	}
	return -EINVAL;
}

static int parse_trigger(const char *text, size_t n, struct ct_trigger *t)
{
	size_t words = 0;

	*t = (struct ct_trigger){ .any_cause = true };
	if (n >= sizeof(t->text))
		return -EINVAL;
	memcpy(t->text, text, n);
	for (size_t i = 0; i < n;) {
		size_t length = 0;

		while (i < n && text[i] == ' ')
			i++;
		while (i + length < n && text[i + length] != ' ')
			length++;
		if (length && parse_word(text + i, length, !words++, t))
			return -EINVAL;
		i += length;
	}
	return words ? 0 : -EINVAL;
}

int ct_trigger_parse(const char *text, struct ct_flight_options *o, char wrong[CT_FLIGHT_WRONG])
{
	for (const char *at = text, *end;; at = end + 1) {
		end = strchrnul(at, ';');
		if (o->trigger_count == CT_TRIGGERS_MAX) {
			snprintf(wrong, CT_FLIGHT_WRONG, "--trigger: no more than %u", CT_TRIGGERS_MAX);
			return -1;
		}
		if (parse_trigger(at, (size_t)(end - at), &o->trigger[o->trigger_count])) {
			snprintf(wrong, CT_FLIGHT_WRONG, "--trigger '%.80s': none of 'wait>500ms', "
				 "'wait>50ms cause=mutex thread=worker*', 'deadlock', 'lost>0'", text);
			return -1;
		}
		o->trigger_count++;
		if (!*end)
			return 0;
	}
}

int ct_flight_parse_max(const char *text, struct ct_flight_options *o, char wrong[CT_FLIGHT_WRONG])
{
	uint64_t n;

	if (parse_count(text, strlen(text), &n) || n > UINT32_MAX) {
		snprintf(wrong, CT_FLIGHT_WRONG, "--max-snapshots %.80s: not a number", text);
		return -1;
	}
	o->max_snapshots = (uint32_t)n;
	return 0;
}

int ct_flight_parse_pause(const char *text, struct ct_flight_options *o, char wrong[CT_FLIGHT_WRONG])
{
	if (!parse_duration(text, strlen(text), &o->pause_ns))
		return 0;
	snprintf(wrong, CT_FLIGHT_WRONG, "--snapshot-pause %.80s: not a duration such as 500ms or 10s", text);
	return -1;
}
