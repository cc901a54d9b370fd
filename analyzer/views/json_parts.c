/* Building JSON. See json_parts.h. */
#include "json_parts.h"

#include <math.h>

#include "progress.h"

/* Threads build answers beside each other. */
static _Thread_local bool failed;

void ct_json_begin(void)
{
	ct_progress_end();
	failed = false;
}

bool ct_json_failed(void)
{
	return failed;
}

void ct_json_fail(void)
{
	failed = true;
}

void ct_json_set(json_t *object, const char *key, json_t *value)
{
	failed |= json_object_set_new(object, key, value) != 0;
}

void ct_json_number(json_t *object, const char *key, uint64_t v)
{
	ct_json_set(object, key, json_integer(v > INT64_MAX ? INT64_MAX : (json_int_t)v));
}

void ct_json_real(json_t *object, const char *key, double v)
{
	ct_json_set(object, key, isfinite(v) ? json_real(v) : json_null());
}

void ct_json_text(json_t *object, const char *key, const char *v)
{
	ct_json_set(object, key, v ? json_string(v) : json_null());
}

void ct_json_append(json_t *array, json_t *value)
{
	failed |= json_array_append_new(array, value) != 0;
}
