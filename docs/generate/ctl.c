/* The manual page and the completions of ctrace-ctl, from its tables. See generate.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "generate.h"

static void man(void)
{
	man_head("ctrace-ctl", "sees and controls programs that are traced");
	puts(".SH SYNOPSIS\n\\fBctrace\\-ctl\\fR \\fICOMMAND\\fR [\\fIOPTION\\fR...] [\\fIPID\\fR...]\n"
	     ".SH DESCRIPTION\n"
	     "Asks the collectors of this user's traced programs, which \\fBctrace\\-run\\fR(1) or the preloaded\n"
	     "library started, and tells them what to record.\n"
	     ".SH COMMANDS");
	for (const struct ct_ctl_command *c = ct_ctl_commands; c->name; c++) {
		printf(".TP\n\\fB%s\\fR%s%s\n", c->name, *c->arguments ? " " : "", c->arguments);
		man_line(c->summary);
		puts(".br");
		man_text(c->help);
	}
	puts(".SH OPTIONS");
	for (const struct ct_tool_option *o = ct_ctl_option_table; o->name; o++)
		man_option(o->is_short ? o->letter : 0, o->name, o->value, o->help);
	puts(".SH EXIT STATUS");
	man_text(ct_ctl_exit);
	puts(".SH FILES\n.TP\n\\fB$XDG_RUNTIME_DIR/ctrace/\\fR, or \\fB/tmp/ctrace\\-UID/\\fR\n"
	     "Where collectors listen. It is this user's, with mode 0700, or it is not used.\n"
	     ".SH EXAMPLES\n.nf\n"
	     "ctrace\\-ctl list\n"
	     "ctrace\\-ctl stop 4711; sleep 3600; ctrace\\-ctl start 4711\n"
	     "ctrace\\-ctl set \\-\\-families lock,sync \\-\\-min 1ms 4711\n"
	     ".fi\n.SH SEE ALSO\n\\fBctrace\\-run\\fR(1), \\fBctrace\\-analyze\\fR(1)");
}

static void bash(void)
{
	fputs("# Generated from the tables of commands and options.\n"
	      "_ctrace_ctl() {\n"
	      "\tlocal cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} command=${COMP_WORDS[1]}\n"
	      "\t[[ $cur == = ]] && cur=\n"
	      "\t[[ $prev == = ]] && prev=${COMP_WORDS[COMP_CWORD-2]}\n"
	      "\tCOMPREPLY=()\n"
	      "\tif ((COMP_CWORD == 1)); then\n"
	      "\t\tCOMPREPLY=($(compgen -W '", stdout);
	for (const struct ct_ctl_command *c = ct_ctl_commands; c->name; c++)
		printf("%s ", c->name);
	fputs("--help --version' -- \"$cur\"))\n\t\treturn\n\tfi\n\tcase $prev in\n", stdout);
	for (const struct ct_tool_option *o = ct_ctl_option_table; o->name; o++) {
		bool file = o->value && !strcmp(o->value, "FILE");

		if (file)
			printf("\t\t-%c|--%s) compopt -o filenames 2>/dev/null; COMPREPLY=($(compgen -f -- \"$cur\")); return ;;\n",
			       o->letter, o->name);
		else if (o->value && !strcmp(o->value, "LIST"))
			printf("\t\t--%s) local before=; [[ $cur == *,* ]] && before=${cur%%,*},\n"
			       "\t\t\tCOMPREPLY=($(compgen -P \"$before\" -W '%s' -- \"${cur##*,}\")); return ;;\n",
			       o->name, o->words);
		else if (o->value)
			printf("\t\t--%s) COMPREPLY=($(compgen -W '%s' -- \"$cur\")); return ;;\n", o->name,
			       o->words ? o->words : "");
	}
	fputs("\tesac\n\tlocal options=\n\tcase $command in\n", stdout);
	for (const struct ct_ctl_command *c = ct_ctl_commands; c->name; c++) {
		printf("\t\t%s) options='", c->name);
		for (const struct ct_tool_option *o = ct_ctl_option_table; o->name; o++)
			if (ct_ctl_takes(c, o->name))
				printf("--%s ", o->name);
		fputs("' ;;\n", stdout);
	}
	fputs("\tesac\n"
	      "\tif [[ $cur == -* ]]; then\n"
	      "\t\tCOMPREPLY=($(compgen -W \"$options\" -- \"$cur\"))\n"
	      "\telse\n"
	      "\t\tCOMPREPLY=($(compgen -W \"$(ctrace-ctl list 2>/dev/null | awk '$1 + 0 {print $1}')\" -- \"$cur\"))\n"
	      "\tfi\n}\n"
	      "complete -F _ctrace_ctl ctrace-ctl\n", stdout);
}

static void zsh(void)
{
	fputs("#compdef ctrace-ctl\n# Generated from the tables of commands and options.\n"
	      "_ctrace-ctl() {\n"
	      "\tlocal -a commands=(\n", stdout);
	for (const struct ct_ctl_command *c = ct_ctl_commands; c->name; c++) {
		char *text = one_line(c->summary, ":\\");

		printf("\t\t'%s:%s'\n", c->name, text);
		free(text);
	}
	fputs("\t)\n"
	      "\tif ((CURRENT == 2)); then\n"
	      "\t\t_describe command commands\n"
	      "\t\treturn\n"
	      "\tfi\n"
	      "\tshift words\n\t((CURRENT--))\n"
	      "\tcase $words[1] in\n", stdout);
	for (const struct ct_ctl_command *c = ct_ctl_commands; c->name; c++) {
		printf("\t%s)\n\t\t_arguments", c->name);
		for (const struct ct_tool_option *o = ct_ctl_option_table; o->name; o++) {
			char *text = one_line(o->help, "[]:\\");

			if (ct_ctl_takes(c, o->name) && !o->value)
				printf(" \\\n\t\t'--%s[%s]'", o->name, text);
			else if (ct_ctl_takes(c, o->name) && !strcmp(o->value, "FILE"))
				printf(" \\\n\t\t'--%s=[%s]:%s:_files'", o->name, text, o->value);
			else if (ct_ctl_takes(c, o->name))
				printf(" \\\n\t\t'--%s=[%s]:%s:(%s)'", o->name, text, o->value, o->words ? o->words : "");
			free(text);
		}
		fputs(" \\\n\t\t'*:process:_pids' ;;\n", stdout);
	}
	fputs("\tesac\n}\n_ctrace-ctl \"$@\"\n", stdout);
}

static void fish(void)
{
	puts("# Generated from the tables of commands and options.");
	for (const struct ct_ctl_command *c = ct_ctl_commands; c->name; c++) {
		char *text = one_line(c->summary, "\\");

		printf("complete -c ctrace-ctl -n __fish_use_subcommand -f -a %s -d '%s'\n", c->name, text);
		free(text);
		for (const struct ct_tool_option *o = ct_ctl_option_table; o->name; o++) {
			if (!ct_ctl_takes(c, o->name))
				continue;
			text = one_line(o->help, "\\");
			printf("complete -c ctrace-ctl -n '__fish_seen_subcommand_from %s' -l %s", c->name, o->name);
			if (o->is_short)
				printf(" -s %c", o->letter);
			if (o->value && !strcmp(o->value, "FILE"))
				fputs(" -r -F", stdout);
			else if (o->value)
				printf(" -x -a '%s'", o->words ? o->words : "");
			printf(" -d '%s'\n", text);
			free(text);
		}
	}
}

void generate_ctl(const char *what)
{
	if (!strcmp(what, "man"))
		man();
	else if (!strcmp(what, "bash"))
		bash();
	else if (!strcmp(what, "zsh"))
		zsh();
	else
		fish();
}
