/* Runs commands on inputs. See fuzz.h. */
#include "fuzz.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "commands.h"
#include "fuzz_parts.h"
#include "trace.h"

const char *const fuzz_lines[] = {
	"blocks", "blocks --json --top 0", "blocks --from 20% --to 70% --min 1us", "blocks --cause mutex,poll --thread 1*",
	"threads", "threads --group", "threads --csv", "threads --json --from 50%",
	"locks", "locks --json", "locks --csv --top 0",
	"sched", "sched --json", "sched --from 10% --to 60%",
	"wakers", "wakers --json", "wakers --csv",
	"path", "path --json", "path --from 20% --to 80%", "path --thread 1*",
	"whatif", "whatif --json", "whatif --cause mutex,file --scale 0.5", "whatif --lock g_lock --split 4",
	"deadlocks", "deadlocks --json", "deadlocks --csv", "whatif --csv",
	"blocks --group-by object", "threads --group-by process", "io --group-by site", "latency --group-by object --csv",
	"sched --group-by start-routine", "sched --group-by site", "wakers --group-by cause", "path --group-by site", "malloc --group-by object",
	"stats", "stats --json",
	"dump", "dump --json --min 1us",
	"check", "serve",
	"summary", "summary --json", "io", "io --json", "malloc", "malloc --json", "latency", "waits", "waits --json --sort start --max 1ms", "latency --json --from 20%", "diff", "diff --json",
	"export --format perfetto", "export --format perfetto --from 20% --to 70%", "export --format chrome",
	"export --format pprof", "export --format pprof --profile sched", "export --format pprof --profile sync --from 30%",
	"export --format folded", "export --format folded --by off-cpu", "export --format folded --by waker --min 1us",
	"flame", "flame --by off-cpu --to 60%", "flame --by waker",
	NULL,
};

static struct line {
	struct ct_options options;
	const struct ct_command *command;
	char text[160];
	char *argument[24];
} line[FUZZ_LINES_MAX];
static uint32_t lines;
static int trace_fd = -1;
static char trace_path[64], scratch_path[64];
static FILE *nowhere;

__attribute__((noreturn)) static void stop(const char *what)
{
	fprintf(stderr, "fuzz: %s: %s\n", what, strerror(errno));
	exit(2);
}

static ssize_t write_nowhere(void *cookie, const char *data, size_t n)
{
	(void)cookie, (void)data;
	return (ssize_t)n;
}

static const struct ct_command *find_command(const char *name)
{
	for (const struct ct_command *c = ct_commands; c->name; c++)
		if (!strcmp(c->name, name))
			return c;
	return NULL;
}

static void add_line(const char *text)
{
	struct line *l = &line[lines];
	char error[256], *rest = NULL;
	int n = 1;

	/* What opens its own file gets one; the last argument is the trace. */
	snprintf(l->text, sizeof(l->text), "%s %s %s", text, strstr(text, "sqlite") ? "-o" : "",
		 strstr(text, "sqlite") ? scratch_path : "");
	l->argument[0] = (char *)(uintptr_t)"ctrace-analyze";
	for (char *word = strtok_r(l->text, " ", &rest); word && n < 22; word = strtok_r(NULL, " ", &rest))
		l->argument[n++] = word;
	l->argument[n++] = trace_path;
	if (!strcmp(l->argument[1], "diff"))
		l->argument[n++] = trace_path;
	if (ct_options_parse(&l->options, n, l->argument, error, sizeof(error))) {
		fprintf(stderr, "fuzz: %s: %s\n", text, error);
		exit(2);
	}
	l->command = find_command(l->options.command);
	if (!l->command)
		stop(text);
	lines++;
}

static bool is_wanted(const char *text, const char *only)
{
	const char *format = only ? strchr(only, ' ') : NULL;
	size_t n = only ? strcspn(only, " ") : 0;

	if (!only)
		return true;
	if (strncmp(text, only, n) || (text[n] && text[n] != ' '))
		return false;
	return !format || strstr(text, format + 1);
}

static void remove_trace(void)
{
	unlink(trace_path);
}

void fuzz_open(const char *only)
{
	cookie_io_functions_t functions = { .write = write_nowhere };

	/* With a path: serve opens it again. */
	snprintf(trace_path, sizeof(trace_path), "/dev/shm/ctrace-fuzz-%d.bin", getpid());
	trace_fd = open(trace_path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (trace_fd < 0)
		stop(trace_path);
	atexit(remove_trace);
	snprintf(scratch_path, sizeof(scratch_path), "/dev/shm/ctrace-fuzz-%d", getpid());
	nowhere = fopencookie(NULL, "w", functions);
	if (!nowhere)
		stop("fopencookie");
	for (uint32_t i = 0; fuzz_lines[i]; i++)
		if (is_wanted(fuzz_lines[i], only))
			add_line(fuzz_lines[i]);
	if (!lines)
		stop(only);
}

uint32_t fuzz_count(void)
{
	return lines;
}

static void put_trace(const uint8_t *data, size_t size)
{
	if (ftruncate(trace_fd, 0) || pwrite(trace_fd, data, size, 0) != (ssize_t)size)
		stop("the trace cannot be written");
}

/* As main.c does it. */
static void run_line(const struct line *l)
{
	struct ct_context c = { .options = &l->options, .out = { .file = nowhere, .width = 80 } };

	if (ct_reader_open(&c.reader, trace_path))
		return;
	int error = l->command->run == ct_cmd_serve ? fuzz_serve(&c) : l->command->run(&c);

	ct_reader_close(&c.reader);
	/* Damage is no error; no input is a reason to run out of memory. */
	if (error == -ENOMEM)
		abort();
	if (l->options.output)
		unlink(scratch_path);
}

void fuzz_run(const uint8_t *data, size_t size, uint32_t which)
{
	struct ct_file_header h = { 0 };
	size_t bytes;

	memcpy(&h, data, size < sizeof(h) ? size : sizeof(h));
	const uint8_t *trace = fuzz_repair(data, size, &bytes);

	put_trace(trace, bytes);
	if (which == UINT32_MAX - 1)
		which = h.reserved[0] % lines;
	for (uint32_t i = 0; i < lines; i++)
		if (which == UINT32_MAX || which == i)
			run_line(&line[i]);
}
