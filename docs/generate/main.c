/* generate man|bash|zsh|fish [run|ctl|top|COMMAND], or options. See generate.h. */
#include <stdio.h>
#include <string.h>

#include "generate.h"

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "", *of = argc > 2 ? argv[2] : "";
	bool run = !strcmp(of, "run");

	if (!strcmp(of, "ctl")) {
		generate_ctl(what);
		return fflush(stdout) ? 1 : 0;
	}
	if (!strcmp(of, "top")) {
		generate_top(what);
		return fflush(stdout) ? 1 : 0;
	}
	const struct ct_command *command = *of && !run ? ct_command_find(of) : NULL;

	if (*of && !run && !command) {
		fprintf(stderr, "generate: there is no command %s\n", of);
		return 1;
	}
	if (!strcmp(what, "man") && run)
		generate_man_run();
	else if (!strcmp(what, "man"))
		generate_man(command);
	else if (!strcmp(what, "bash"))
		generate_bash(run);
	else if (!strcmp(what, "zsh"))
		generate_zsh(run);
	else if (!strcmp(what, "fish"))
		generate_fish(run);
	else if (!strcmp(what, "options"))
		generate_options();
	else
		return 2;
	return fflush(stdout) ? 1 : 0;
}
