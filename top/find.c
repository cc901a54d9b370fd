/* Which program is meant. See top.h. */
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "ask.h"
#include "top.h"

json_t *ct_top_processes(char ret_wrong[256])
{
	json_t *all = json_array(), *p;
	struct ct_found found;
	char wrong[CT_ASK_WRONG] = "";
	size_t k;

	*ret_wrong = 0;
	ct_ask_find(&found, ret_wrong);
	for (size_t i = 0; i < found.count; i++) {
		json_t *answer = ct_ask(found.collector[i], "list", wrong);
		json_t *collector = json_object_get(answer, "collector");

		if (!answer && *wrong)
			snprintf(ret_wrong, 256, "%s", wrong);
		json_array_foreach(json_object_get(answer, "processes"), k, p) {
			json_object_set(p, "collector", json_object_get(collector, "pid"));
			json_object_set(p, "output", json_object_get(collector, "output"));
			json_object_set(p, "flight", json_object_get(collector, "flight"));
			json_array_append(all, p);
		}
		json_decref(answer);
	}
	free(found.collector);
	return all;
}

/* The output that a collector names, if it is that file. A flight recorder has none yet: its pattern counts. */
static bool is_output(const char *output, const char *target)
{
	struct stat a, b;

	if (!output)
		return false;
	return !strcmp(output, target) || (!stat(output, &a) && !stat(target, &b) && a.st_dev == b.st_dev && a.st_ino == b.st_ino);
}

json_t *ct_top_targets(json_t *processes, const char *target)
{
	json_t *found = json_array(), *p;
	char *end = NULL;
	long pid = target ? strtol(target, &end, 10) : 0;
	bool is_pid = target && *target >= '0' && *target <= '9' && !*end;
	size_t i;

	json_array_foreach(processes, i, p) {
		const char *output = json_string_value(json_object_get(p, "output"));

		if (!target || (is_pid ? json_integer_value(json_object_get(p, "pid")) == pid : is_output(output, target)))
			json_array_append(found, p);
	}
	return found;
}
