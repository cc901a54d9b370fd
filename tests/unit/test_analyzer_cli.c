/* The command line: what is read of it; and the program from outside: exit statuses, error
 * lines, JSON. CTRACE_ANALYZE can name it. */
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "make_trace.h"
#include "options.h"
#include "suggest.h"
#include "unit.h"

static char folder[] = "/tmp/test_analyzer_cli.XXXXXX";
static const char *program;
static char out[1 << 20], err[4096];

static void slurp(const char *name, char *to, size_t bytes)
{
	FILE *f = fopen(name, "r");
	size_t n = f ? fread(to, 1, bytes - 1, f) : 0;

	to[n] = 0;
	if (f)
		fclose(f);
}

/* Runs it by the shell with %s for the program; the exit status. */
static int run(const char *arguments)
{
	char command[4096];

	snprintf(command, sizeof(command), "cd %s && %s %s >out 2>err", folder, program, arguments);
	int status = system(command);

	snprintf(command, sizeof(command), "%s/out", folder);
	slurp(command, out, sizeof(out));
	snprintf(command, sizeof(command), "%s/err", folder);
	slurp(command, err, sizeof(err));
	ck_assert(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void make_file(const char *name, void (*make)(struct make_trace *), size_t drop)
{
	struct make_trace t = { 0 };
	char path[256];

	make(&t);
	t.file.size -= drop;
	snprintf(path, sizeof(path), "%s/%s", folder, name);
	ck_assert_int_eq(make_write(&t, path), 0);
	make_free(&t);
}

static void setup(void)
{
	if (!strstr(folder, "XXXXXX"))
		return;
	ck_assert_ptr_nonnull(mkdtemp(folder));
	make_file("small", make_small, 0);
	make_file("cut", make_small, 100);
	make_file("states", make_scheduled, 0);
	char command[256];

	snprintf(command, sizeof(command), "cd %s && : >empty && echo no trace >text", folder);
	ck_assert_int_eq(system(command), 0);
}

static int lines(const char *text)
{
	int n = 0;

	for (; *text; text++)
		n += *text == '\n';
	return n;
}

static void expect_failure(const char *arguments, const char *what)
{
	int status = run(arguments);

	ck_assert_msg(status == 2, "'%s': %d", arguments, status);
	ck_assert_msg(strstr(err, what) != NULL, "'%s': %s", arguments, err);
	ck_assert_msg(!strncmp(err, "ctrace-analyze: ", 16) && lines(err) == 1, "'%s': %s", arguments, err);
	ck_assert_str_eq(out, "");
}

START_TEST(wrong_usage_is_one_line)
{
	setup();
	expect_failure("", "no command");
	expect_failure("dance small", "unknown command 'dance'");
	expect_failure("thread small", "did you mean threads?");
	expect_failure("blocks", "no trace");
	expect_failure("blocks --frobnicate small", "unknown option '--frobnicate'");
	expect_failure("blocks --top", "needs a value");
	expect_failure("blocks --top many small", "'many' is no value for --top");
	expect_failure("blocks --from soon small", "--from");
	expect_failure("blocks --to 101% small", "--to");
	expect_failure("blocks --from 2s --to 1s small", "--from is after --to");
	expect_failure("blocks --color blue small", "--color");
	expect_failure("blocks --cause love small", "cause");
	expect_failure("blocks --cause mutx small", "did you mean mutex?");
	expect_failure("blocks --min 3 small", "unit");
	expect_failure("blocks --from 3 small", "'3' is no value for --from");
	expect_failure("blocks --from @25:00:00 small", "--from");
	expect_failure("blocks --site '(' small", "regular expression");
	expect_failure("blocks --thraed x small", "did you mean --thread?");
	expect_failure("blocks --json --csv small", "exclude each other");
	expect_failure("stats --thread main small", "--thread is no option of stats");
	expect_failure("stats --to 50% small", "--to is no option of stats");
	expect_failure("path --site main small", "--site is no option of path");
	expect_failure("whatif --lock nothing small", "no lock");
	expect_failure("whatif --scale x small", "--scale");
	expect_failure("whatif --split 0 small", "--split");
	expect_failure("blocks small small", "unexpected argument");
	expect_failure("blocks nothing-there", "nothing-there: No such file or directory");
	expect_failure("blocks empty", "empty: empty file");
	expect_failure("blocks text", "text: not a trace");
	expect_failure("blocks .", ".: Is a directory");
}
END_TEST

START_TEST(help_and_version)
{
	setup();
	ck_assert_int_eq(run("--help"), 0);
	ck_assert_ptr_nonnull(strstr(out, "blocks"));
	ck_assert_int_eq(run("blocks --help"), 0);
	ck_assert_ptr_nonnull(strstr(out, "--top"));
	ck_assert_int_eq(run("--version"), 0);
	ck_assert(!strncmp(out, "ctrace-analyze ", 15));
}
END_TEST

START_TEST(damage_is_told_and_the_rest_reported)
{
	static const char *const commands[] = { "blocks", "threads", "locks", "sched",  "wakers",
						"path",	  "whatif",  "stats", "dump",	"check" };
	char arguments[64];

	setup();
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		snprintf(arguments, sizeof(arguments), "%s small", commands[i]);
		ck_assert_int_eq(run(arguments), 0);
		ck_assert_str_eq(err, "");
		ck_assert_str_ne(out, "");
		snprintf(arguments, sizeof(arguments), "%s cut", commands[i]);
		ck_assert_int_eq(run(arguments), 1);
		ck_assert_int_eq(lines(err), 1);
		ck_assert_ptr_nonnull(strstr(err, "ctrace-analyze: cut: "));
		ck_assert_str_ne(out, "");
	}
}
END_TEST

START_TEST(text_fits_and_is_plain)
{
	static const char *const commands[] = { "blocks small",		"threads small",	"locks small",
						"sched small",		"stats small",		"blocks states",
						"threads states",	"threads --group states", "threads --top 2 states",
						"sched states",		"stats states",		"--help",
						"locks states",		"wakers small",		"wakers states",
						"path small",		"path states",		"path --thread worker states",
						"whatif small",		"whatif states",	"whatif --help",
						"whatif --lock 0x408000 --scale 0.5 small",
						"wakers --thread nobody small", "path --thread nobody small",
						"threads --help",	"threads --thread nobody small" };

	setup();
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		ck_assert_int_eq(run(commands[i]), 0);
		ck_assert_ptr_null(strchr(out, '\033'));
		for (char *line = strtok(out, "\n"); line; line = strtok(NULL, "\n")) {
			int width = 0;

			for (char *p = line; *p; p++)
				width += (*p & 0xc0) != 0x80;
			ck_assert_msg(width <= 80, "%s: %d columns: %s", commands[i], width, line);
			ck_assert_msg(line[strlen(line) - 1] != ' ', "%s: spaces at the end: '%s'", commands[i], line);
		}
	}
	ck_assert_int_eq(run("blocks --color always small"), 0);
	ck_assert_ptr_nonnull(strchr(out, '\033'));
	ck_assert_int_eq(run("blocks --color auto small"), 0);
	ck_assert_ptr_null(strchr(out, '\033'));
}
END_TEST

static void expect_keys(const json_t *o, const char *const *keys)
{
	ck_assert(json_is_object(o));
	for (; *keys; keys++)
		ck_assert_msg(json_object_get(o, *keys) != NULL, "%s", *keys);
}

START_TEST(json_is_as_agreed)
{
	static const char *const commands[] = { "blocks", "threads", "locks", "stats" };
	static const char *const trace[] = { "format", "duration_ns", "processes", "threads", "events", "lost_events",
					     "complete", "sched", NULL };
	static const char *const causes[] = { "cause", "category", "count", "total_ns", "max_ns", "p50_ns", "p99_ns",
					      NULL };
	static const char *const sites[] = { "cause", "object", "count", "total_ns", "max_ns", "stack", NULL };
	static const char *const threads[] = { "pid", "tid", "name", "lifetime_ns", "running_ns", "runnable_ns",
					       "unexplained_ns", "blocked_ns", "by_cause", NULL };
	static const char *const locks[] = { "object", "kind", "site", "acquisitions", "contended", "wait_ns",
					     "max_wait_ns", "hold_ns", "owners", NULL };
	static const char *const frames[] = { "function", "file", "line", "module", "offset", NULL };
	char arguments[64];

	setup();
	for (size_t i = 0; i < 4; i++) {
		snprintf(arguments, sizeof(arguments), "%s --json small", commands[i]);
		ck_assert_int_eq(run(arguments), 0);
		json_t *o = json_loads(out, 0, NULL);

		ck_assert_ptr_nonnull(o);
		expect_keys(json_object_get(o, "trace"), trace);
		expect_keys(json_array_get(json_object_get(o, "causes"), 0), causes);
		expect_keys(json_array_get(json_object_get(o, "sites"), 0), sites);
		expect_keys(json_array_get(json_object_get(o, "threads"), 0), threads);
		expect_keys(json_array_get(json_object_get(o, "locks"), 0), locks);
		/* The site with a stack is the second by time. */
		expect_keys(json_array_get(json_object_get(json_array_get(json_object_get(o, "sites"), 1), "stack"), 0),
			    frames);
		json_decref(o);
	}
	ck_assert_int_eq(run("blocks --json --top 2 small"), 0);
	json_t *o = json_loads(out, 0, NULL);

	ck_assert_uint_eq(json_array_size(json_object_get(o, "sites")), 2);
	json_decref(o);
	ck_assert_int_eq(run("dump --json small"), 0);
	for (char *line = strtok(out, "\n"); line; line = strtok(NULL, "\n")) {
		o = json_loads(line, 0, NULL);
		ck_assert_msg(json_is_object(o), "%s", line);
		json_decref(o);
	}
}
END_TEST

START_TEST(what_it_stands_on_is_said)
{
	setup();
	ck_assert_int_eq(run("threads states"), 0);
	ck_assert_ptr_nonnull(strstr(out, "context switches and wake-ups"));
	ck_assert_int_eq(run("sched states"), 0);
	ck_assert_ptr_nonnull(strstr(out, "interrupts"));
	ck_assert_int_eq(run("sched small"), 0);
	ck_assert_ptr_nonnull(strstr(out, "no context switches in the trace"));
	ck_assert_ptr_nonnull(strstr(out, "worker-1"));
	ck_assert_int_eq(run("stats states"), 0);
	ck_assert_ptr_nonnull(strstr(out, "7 records in 1 gap of 5.00 ms"));
	ck_assert_int_eq(run("blocks --thread nobody small"), 0);
	ck_assert_ptr_nonnull(strstr(out, "no thread matches"));
	ck_assert_int_eq(run("stats --json states"), 0);
	json_t *o = json_loads(out, 0, NULL);

	ck_assert_ptr_nonnull(o);
	ck_assert(json_is_array(json_object_get(o, "calls")) && json_is_object(json_object_get(o, "file")));
	ck_assert_str_eq(json_string_value(json_object_get(json_object_get(o, "trace"), "sched")), "switches");
	ck_assert_str_eq(json_string_value(json_object_get(json_object_get(o, "scheduler"), "wake_records")),
			 "sched_waking");
	ck_assert_int_eq(json_integer_value(json_object_get(json_object_get(o, "scheduler"), "lost_switches")), 7);
	json_decref(o);
}
END_TEST

/* Sites of which the window shows nothing leave nothing on those that it shows. */
START_TEST(a_window_hides_whole_sites)
{
	setup();
	ck_assert_int_eq(run("blocks --json --top 0 --from 70ms --to 80ms small"), 0);
	json_t *o = json_loads(out, 0, NULL), *sites = json_object_get(o, "sites");
	int sleeps = 0;

	for (size_t i = 0; i < json_array_size(sites); i++) {
		json_t *site = json_array_get(sites, i);

		ck_assert_int_gt(json_integer_value(json_object_get(site, "count")), 0);
		if (strcmp(json_string_value(json_object_get(site, "cause")), "sleep"))
			continue;
		sleeps++;
		ck_assert_str_eq(json_string_value(json_object_get(site, "object")), "");
		ck_assert_uint_eq(json_array_size(json_object_get(site, "owners")), 0);
		ck_assert_uint_eq(json_array_size(json_object_get(site, "waiters")), 1);
	}
	ck_assert_int_eq(sleeps, 1);
	json_decref(o);
}
END_TEST

START_TEST(a_closed_pipe_is_no_failure)
{
	char command[4096];

	setup();
	snprintf(command, sizeof(command),
		 "cd %s && (i=0; while [ $i -lt 30 ]; do %s dump small || echo failed with $? >&2; i=$((i+1)); done) 2>err | true",
		 folder, program);
	ck_assert_int_eq(system(command), 0);
	snprintf(command, sizeof(command), "%s/err", folder);
	slurp(command, err, sizeof(err));
	ck_assert_str_eq(err, "");
	ck_assert_int_eq(run("dump small >/dev/full 2>err #"), 2);
	ck_assert_ptr_nonnull(strstr(err, "No space left"));
}
END_TEST

START_TEST(moments_are_read)
{
	static const struct {
		const char *text;
		enum ct_moment_kind kind;
		uint64_t ns;
	} good[] = {
		{ "1.5s", CT_MOMENT_AFTER, 1500000000 }, { "0", CT_MOMENT_AFTER, 0 },
		{ "-200ms", CT_MOMENT_BEFORE, 200000000 }, { "=123456789", CT_MOMENT_CLOCK, 123456789 },
		{ "@00:00:01.25", CT_MOMENT_DAY, 1250000000 }, { "@23:59", CT_MOMENT_DAY, 86340000000000 },
		{ "@1970-01-02T00:00:01Z", CT_MOMENT_DATE, 86401000000000 },
		{ "@1970-01-02 00:00:01.5Z", CT_MOMENT_DATE, 86401500000000 },
		{ "@1700000000.000000001", CT_MOMENT_DATE, 1700000000000000001 },
	};
	static const char *const bad[] = { "", "3", "-3", "s", "-", "@", "@1:2:3:4", "@25:00", "@10:00:61", "@2026-02", "=",
					   "=-1", "=1s", "101%", "-5%", "x%", "@1.5s", "@99999999999", "1s2" };
	struct ct_moment m;

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		ck_assert_msg(!ct_parse_moment(good[i].text, &m), "'%s'", good[i].text);
		ck_assert_msg(m.given && m.kind == good[i].kind && m.ns == good[i].ns, "'%s': %d, %llu", good[i].text,
			      (int)m.kind, (unsigned long long)m.ns);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_msg(ct_parse_moment(bad[i], &m), "'%s'", bad[i]);
	ck_assert(!ct_parse_moment("25%", &m) && m.kind == CT_MOMENT_SHARE && m.share == 0.25);
}
END_TEST

START_TEST(the_nearest_word_is_meant)
{
	struct ct_suggestion s = { .typed = "thraeds" };

	ck_assert_uint_eq(ct_distance("", "abc"), 3);
	ck_assert_uint_eq(ct_distance("locks", "locks"), 0);
	ck_assert_uint_eq(ct_distance("lokcs", "locks"), 1);
	ck_assert_uint_eq(ct_distance("lock", "locks"), 1);
	ck_assert_uint_eq(ct_distance("blocks", "locks"), 1);
	ct_suggest(&s, "blocks");
	ck_assert_ptr_null(s.best);
	ct_suggest(&s, "threads");
	ct_suggest(&s, "stats");
	ck_assert_str_eq(s.best, "threads");
	s = (struct ct_suggestion){ .typed = "a word that is longer than any word that there is" };
	ct_suggest(&s, "threads");
	ck_assert_ptr_null(s.best);
}
END_TEST

static int parse(struct ct_options *o, char *error, const char *a, const char *b, const char *c, const char *d)
{
	char *argv[] = { (char *)"ctrace-analyze", (char *)a, (char *)b, (char *)c, (char *)d, NULL };
	int argc = 1;

	while (argv[argc])
		argc++;
	return ct_options_parse(o, argc, argv, error, 256);
}

START_TEST(options_are_read)
{
	struct ct_options o;
	char error[256];

	ck_assert_int_eq(parse(&o, error, "blocks", "--cause=io,mutex", "--cause", "dns"), 0);
	ck_assert_uint_eq(o.cause_count, 3);
	ck_assert(!o.top_given && o.top == 10 && ct_options_select(&o));
	ct_options_free(&o);
	ck_assert_int_eq(parse(&o, error, "--top", "0", "threads", "t"), 0);
	ck_assert(o.top_given && !o.top && !ct_options_select(&o));
	ck_assert_str_eq(o.file, "t");
	ct_options_free(&o);
	ck_assert_int_eq(parse(&o, error, "blocks", "--from", "-2s", "t"), 0);
	ck_assert(o.from.kind == CT_MOMENT_BEFORE && o.from.ns == 2000000000);
	ct_options_free(&o);
	ck_assert_int_eq(parse(&o, error, "blocks", "--group-by=process", "-", NULL), 0);
	ck_assert(o.group_by == CT_GROUP_PROCESS && !strcmp(o.file, "-"));
	ct_options_free(&o);
	ck_assert_int_lt(parse(&o, error, "blocks", "--from=-1s", "--to=-2s", "t"), 0);
	ck_assert_str_eq(error, "--from is after --to");
	ct_options_free(&o);
	/* However long the argument, the complaint is one line that fits. */
	char value[2000];

	memset(value, 'x', sizeof(value) - 1);
	value[sizeof(value) - 1] = 0;
	ck_assert_int_lt(parse(&o, error, "blocks", "--top", value, NULL), 0);
	ck_assert_uint_lt(strlen(error), sizeof(error));
	ct_options_free(&o);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = { moments_are_read, the_nearest_word_is_meant, options_are_read,
				       wrong_usage_is_one_line, help_and_version, damage_is_told_and_the_rest_reported,
				       text_fits_and_is_plain, json_is_as_agreed, what_it_stands_on_is_said, a_window_hides_whole_sites,
				       a_closed_pipe_is_no_failure };

	static char beside[8192];
	ssize_t n = readlink("/proc/self/exe", beside, 4096);

	/* In the build folder it stands in analyzer/, beside the tests' folder. */
	while (n > 0 && beside[n - 1] != '/')
		n--;
	strcpy(beside + (n > 0 ? n : 0), "../analyzer/ctrace-analyze");
	program = getenv("CTRACE_ANALYZE");
	if (!program)
		program = beside;
	if (access(program, X_OK)) {
		fprintf(stderr, "%s: not built\n", program);
		return 77;
	}
	return unit_run("analyzer command line", tests, sizeof(tests) / sizeof(tests[0]));
}
