/* See report_cut.h. */
#include "report_cut.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define LONGEST  4096u /* lists */
#define SHORTEST 8u

static bool is_list_of_objects(const json_t *value)
{
	return json_is_array(value) && json_is_object(json_array_get(value, 0));
}

static json_int_t length_of(const json_t *leg)
{
	return json_integer_value(json_object_get(leg, "to_ns")) - json_integer_value(json_object_get(leg, "from_ns"));
}

static int longer(const void *x, const void *y)
{
	json_int_t a = length_of(*(json_t *const *)x), b = length_of(*(json_t *const *)y);

	return (a < b) - (a > b);
}

/* The length from which on legs stay; -1 without memory. */
static json_int_t least_length(const json_t *legs, size_t most)
{
	size_t n = json_array_size(legs);
	json_t **all = malloc(n * sizeof(json_t *));
	json_int_t least = -1;

	if (!all)
		return -1;
	for (size_t i = 0; i < n; i++)
		all[i] = json_array_get(legs, i);
	qsort(all, n, sizeof(*all), longer);
	least = length_of(all[most - 1]);
	free(all);
	return least;
}

/* Those that are as long as the last that stays stay as far as there is room. */
static int cut_legs(json_t *object, const char *key, json_t *legs, size_t most)
{
	json_int_t least = least_length(legs, most);
	json_t *kept = json_array(), *leg;
	size_t i, equal = most;

	if (least < 0 || !kept)
		goto fail;
	json_array_foreach(legs, i, leg)
		equal -= length_of(leg) > least;
	json_array_foreach(legs, i, leg) {
		json_int_t length = length_of(leg);

		if (length < least || (length == least && !equal))
			continue;
		equal -= length == least;
		if (json_array_append(kept, leg))
			goto fail;
	}
	return json_object_set_new(object, key, kept);
fail:
	json_decref(kept);
	return -1;
}

/* Stacks stay whole. */
static int cut_lists(json_t *value, size_t most, uint64_t *left_out)
{
	const char *key;
	json_t *member;
	void *next;
	size_t i;

	if (json_is_array(value)) {
		json_array_foreach(value, i, member)
			if (cut_lists(member, most, left_out))
				return -1;
		return 0;
	}
	json_object_foreach_safe(value, next, key, member) {
		size_t n = json_array_size(member);

		if (!strcmp(key, "stack"))
			continue;
		if (is_list_of_objects(member) && n > most) {
			*left_out += n - most;
			if (strcmp(key, "legs"))
				while (n > most)
					json_array_remove(member, --n);
			else if (cut_legs(value, key, member, most))
				return -1;
			member = json_object_get(value, key);
		}
		if (cut_lists(member, most, left_out))
			return -1;
	}
	return 0;
}

char *ct_report_cut(const uint8_t *text, size_t bytes, size_t most, uint64_t *ret_left_out)
{
	json_t *o = json_loadb((const char *)text, bytes, 0, NULL);
	char *ret = o ? json_dumps(o, JSON_COMPACT) : NULL;

	*ret_left_out = 0;
	for (size_t n = LONGEST; ret && strlen(ret) > most && n >= SHORTEST; n /= 2) {
		free(ret);
		ret = cut_lists(o, n, ret_left_out) ? NULL : json_dumps(o, JSON_COMPACT);
	}
	json_decref(o);
	return ret;
}

static void cut_array(json_t *array, size_t most)
{
	for (size_t n = json_array_size(array); n > most;)
		json_array_remove(array, --n);
}

char *ct_report_cut_trace(const uint8_t *text, size_t bytes, size_t most, uint64_t *ret_left_out)
{
	json_t *o = json_loadb((const char *)text, bytes, 0, NULL), *lanes = json_object_get(o, "lanes"), *lane;
	size_t i, n = json_array_size(lanes), processes = 0;

	*ret_left_out = n > most ? n - most : 0;
	cut_array(lanes, most);
	/* Lanes name them by number. */
	json_array_foreach(lanes, i, lane) {
		json_int_t process = json_integer_value(json_object_get(lane, "process"));

		if (process >= 0 && (size_t)process >= processes)
			processes = (size_t)process + 1;
	}
	if (*ret_left_out)
		cut_array(json_object_get(o, "processes"), processes);
	cut_array(json_object_get(json_object_get(o, "trace"), "commands"), most);
	char *ret = o ? json_dumps(o, JSON_COMPACT) : NULL;

	json_decref(o);
	return ret;
}
