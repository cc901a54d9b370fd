/* ctrace-analyze: reads a trace and reports. The only file that ends the program. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "commands.h"
#include "export.h"

#define EXIT_DONE   0
#define EXIT_DAMAGE 1
#define EXIT_USAGE  2

#define HELP_COLUMN 22

static void print_options(const struct ct_command *command)
{
	puts("Options:");
	for (const struct ct_option *o = ct_options_table; o->name; o++) {
		if (command ? !ct_option_is_for(o, command->name) : !!o->commands)
			continue;
		int n = printf("  --%s%s%s", o->name, o->value ? " " : "", o->value ? o->value : "");

		printf("%*s%s\n", n < HELP_COLUMN ? HELP_COLUMN - n : 1, "", o->help);
	}
}

static void print_formats(void)
{
	puts("\nFormats:");
	for (const struct ct_export_format *f = ct_export_formats; f->name; f++)
		printf("  %-10s %s\n", f->name, f->help);
}

static void print_help(const struct ct_command *command)
{
	if (command) {
		printf("Usage: ctrace-analyze %s [OPTION...] %s\n\n%s\n", command->name, command->arguments,
		       command->help);
	} else {
		puts("Usage: ctrace-analyze COMMAND [OPTION...] TRACE\n\n"
		     "Says from a trace of ctrace what the threads of a program waited for.\n\n"
		     "Commands:");
		for (const struct ct_command *c = ct_commands; c->name; c++)
			printf("  %-9s %s\n", c->name, c->summary);
		puts("");
	}
	print_options(command);
	if (command && command->run == ct_cmd_export)
		print_formats();
	if (!command)
		puts("\nExit status: 0 done, 1 the trace is damaged (what can be read is reported),\n"
		     "2 wrong usage or no trace.");
}

static const struct ct_command *find_command(const char *name)
{
	for (const struct ct_command *c = ct_commands; c->name; c++)
		if (!strcmp(c->name, name))
			return c;
	return NULL;
}

static void open_out(struct ct_out *o, enum ct_color color)
{
	const char *no_color = getenv("NO_COLOR"), *columns = getenv("COLUMNS");
	struct winsize size;
	bool terminal = isatty(STDOUT_FILENO);

	*o = (struct ct_out){ .file = stdout, .width = 80 };
	if (terminal && !ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) && size.ws_col > 80)
		o->width = size.ws_col;
	else if (columns && atoi(columns) > 80)
		o->width = atoi(columns) < 1000 ? atoi(columns) : 1000;
	o->color = color == CT_COLOR_ALWAYS ||
		   (color == CT_COLOR_AUTO && terminal && !(no_color && *no_color));
}

static int fail(const char *what)
{
	fprintf(stderr, "ctrace-analyze: %s\n", what);
	return EXIT_USAGE;
}

static int fail_file(const char *file, const char *what)
{
	fprintf(stderr, "ctrace-analyze: %s: %s\n", file, what);
	return EXIT_USAGE;
}

static int open_trace(struct ct_reader *r, const char *file)
{
	char text[160];
	int error = ct_reader_open(r, file);

	return error ? fail_file(file, ct_open_error(r, error, text, sizeof(text))) : 0;
}

static void warn_damage(const struct ct_reader *r, const char *file)
{
	if (r->damaged && r->damage)
		fprintf(stderr, "ctrace-analyze: %s: damaged in %llu place%s, first at byte %llu: %s\n", file,
			(unsigned long long)r->damaged, r->damaged == 1 ? "" : "s",
			(unsigned long long)r->damage_offset, r->damage);
	else
		fprintf(stderr, "ctrace-analyze: %s: cut off, or still being written: it has no end\n", file);
}

/* A reader that went away, as head does, wanted no more: that is no failure. */
static int close_out(int status)
{
	struct pollfd out = { .fd = STDOUT_FILENO, .events = POLLOUT };

	errno = 0;
	if (!fflush(stdout) && !ferror(stdout))
		return status;
	if (errno == EPIPE || (poll(&out, 1, 0) > 0 && out.revents & POLLERR))
		return status;
	return fail_file("standard output", errno ? strerror(errno) : "cannot be written");
}

static int run(const struct ct_command *command, const struct ct_options *o)
{
	struct ct_context c = { .options = o, .reader = { .fd = -1 } };
	int error = command->opens ? 0 : open_trace(&c.reader, o->file);

	if (error)
		return error;
	open_out(&c.out, o->color);
	error = command->run(&c);
	int status = close_out(EXIT_DONE);

	if (error)
		status = error == -EINVAL && *c.usage ? fail(c.usage) : fail_file(o->file, strerror(-error));
	else if (!status && (c.reader.damaged || (!c.reader.has_trailer && !c.unfinished))) {
		warn_damage(&c.reader, o->file);
		status = EXIT_DAMAGE;
	} else if (!status && c.violations)
		status = EXIT_DAMAGE;
	ct_reader_close(&c.reader);
	return status;
}

int main(int argc, char **argv)
{
	struct ct_options o;
	char error[256];
	int status = EXIT_USAGE;

	signal(SIGPIPE, SIG_IGN);
	if (ct_options_parse(&o, argc, argv, error, sizeof(error))) {
		ct_options_free(&o);
		return fail(error);
	}
	const struct ct_command *command = o.command ? find_command(o.command) : NULL;

	if (o.command && !command) {
		snprintf(error, sizeof(error), "unknown command '%.100s'; see ctrace-analyze --help", o.command);
		fail(error);
	} else if (o.help) {
		print_help(command);
		status = close_out(EXIT_DONE);
	} else if (o.version) {
		puts("ctrace-analyze " CTRACE_VERSION);
		status = close_out(EXIT_DONE);
	} else if (!command) {
		fail("no command; see ctrace-analyze --help");
	} else if (!o.file) {
		snprintf(error, sizeof(error), "%s: no trace; see ctrace-analyze --help", command->name);
		fail(error);
	} else if (o.argument_count > command->argument_count) {
		snprintf(error, sizeof(error), "unexpected argument '%.100s'", o.argument[command->argument_count]);
		fail(error);
	} else {
		status = run(command, &o);
	}
	ct_options_free(&o);
	return status;
}
