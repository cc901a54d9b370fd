/* The manual page and the completions of ctrace-top, from its table. See generate.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "generate.h"

static void man(void)
{
	man_head("ctrace-top", "shows what the threads of a running program wait for");
	puts(".SH SYNOPSIS\n\\fBctrace\\-top\\fR [\\fIOPTION\\fR...] [\\fIPID\\fR|\\fITRACE\\fR]\n.SH DESCRIPTION");
	man_text("A view of a traced program that is renewed every second, as top's of processes: its threads, what each\n"
		 "waits for now and for how long, and the causes, places and locks that took the most time since the\n"
		 "picture before. It asks the collector of a program that runs under ctrace-run, also with --flight, or\n"
		 "that has loaded libctrace.so; nothing is summed up while nobody looks. Without PID it shows the one\n"
		 "program of this user that is traced, or a list of them. TRACE is a file that is being written.\n");
	puts(".SH OPTIONS");
	for (const struct ct_tool_option *o = ct_top_option_table; o->name; o++)
		man_option(o->letter, o->name, o->value, o->help);
	puts(".SH SCREEN");
	puts(".TP\n\\fBS\\fR");
	man_text("State: R the thread runs, r it is ready but has no CPU, B it is blocked. Where the kernel does not\n"
		 "tell of context switches, R is also for r.\n");
	puts(".TP\n\\fB%RUN %RDY %BLK\\fR");
	man_text("Parts of the time since the picture before, as the kernel counts them.\n");
	puts(".TP\n\\fBAGE\\fR, \\fBWAITS FOR\\fR, \\fBAT\\fR");
	man_text("The wait in progress: for how long, for what, and in which function of the program.\n");
	puts(".TP\n\\fBWAITING\\fR, \\fBNOW\\fR");
	man_text("How many threads waited there, on average and at the moment of the picture. Waits in progress\n"
		 "count as far as they lie between the two pictures. A wait ends when the call returns: time ready\n"
		 "without a CPU after it is part of it.\n");
	puts(".TP\n\\fB/S\\fR, \\fBMEAN\\fR, \\fBMAX\\fR");
	man_text("Waits that ended, a second; their mean time, where many did; the longest since ctrace-top looks,\n"
		 "with those in progress. Waits that are too short to be written (see --min of ctrace-run) are left out.\n");
	puts(".SH KEYS\n.nf");
	man_text(ct_top_keys);
	puts(".fi\n.SH EXIT STATUS");
	man_text(ct_top_exit);
	puts(".SH ENVIRONMENT\n.TP\n\\fBNO_COLOR\\fR\nNo colours, if it is set and not empty.\n"
	     ".TP\n\\fBCOLUMNS\\fR\nHow wide lines of batches are; 100 where it is not set.\n"
	     ".SH EXAMPLES\n.nf\n"
	     "ctrace\\-top\n"
	     "ctrace\\-top 4711\n"
	     "ctrace\\-top \\-b \\-n 5 \\-d 2 4711 >waits.txt\n"
	     "ctrace\\-top \\-\\-json 4711 | jq .running\n"
	     ".fi\n.SH SEE ALSO\n\\fBctrace\\-run\\fR(1), \\fBctrace\\-ctl\\fR(1), \\fBctrace\\-analyze\\fR(1)");
}

static void bash(void)
{
	fputs("# Generated from the table of options.\n"
	      "_ctrace_top() {\n"
	      "\tlocal cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}\n"
	      "\t[[ $cur == = ]] && cur=\n"
	      "\t[[ $prev == = ]] && prev=${COMP_WORDS[COMP_CWORD-2]}\n"
	      "\tCOMPREPLY=()\n"
	      "\tcase $prev in\n", stdout);
	for (const struct ct_tool_option *o = ct_top_option_table; o->name; o++)
		if (o->value)
			printf("\t\t-%c|--%s) COMPREPLY=($(compgen -W '%s' -- \"$cur\")); return ;;\n", o->letter, o->name,
			       o->words ? o->words : "");
	fputs("\tesac\n\tif [[ $cur == -* ]]; then\n\t\tCOMPREPLY=($(compgen -W '", stdout);
	for (const struct ct_tool_option *o = ct_top_option_table; o->name; o++)
		printf("--%s ", o->name);
	fputs("' -- \"$cur\"))\n"
	      "\telse\n"
	      "\t\tCOMPREPLY=($(compgen -W \"$(ctrace-ctl list 2>/dev/null | awk '$1 + 0 {print $1}')\" -- \"$cur\"))\n"
	      "\tfi\n}\n"
	      "complete -F _ctrace_top ctrace-top\n", stdout);
}

static void zsh(void)
{
	fputs("#compdef ctrace-top\n# Generated from the table of options.\n"
	      "_ctrace-top() {\n"
	      "\t_arguments", stdout);
	for (const struct ct_tool_option *o = ct_top_option_table; o->name; o++) {
		char *text = one_line(o->help, "[]:\\");

		if (o->value)
			printf(" \\\n\t\t'--%s=[%s]:%s:(%s)' \\\n\t\t'-%c[%s]:%s:(%s)'", o->name, text, o->value,
			       o->words ? o->words : "", o->letter, text, o->value, o->words ? o->words : "");
		else
			printf(" \\\n\t\t'--%s[%s]' \\\n\t\t'-%c[%s]'", o->name, text, o->letter, text);
		free(text);
	}
	fputs(" \\\n\t\t'*:process:_pids'\n}\n_ctrace-top \"$@\"\n", stdout);
}

static void fish(void)
{
	puts("# Generated from the table of options.\ncomplete -c ctrace-top -f -a '(__fish_complete_pids)'");
	for (const struct ct_tool_option *o = ct_top_option_table; o->name; o++) {
		char *text = one_line(o->help, "\\");

		printf("complete -c ctrace-top -s %c -l %s", o->letter, o->name);
		if (o->value)
			printf(" -x -a '%s'", o->words ? o->words : "");
		printf(" -d '%s'\n", text);
		free(text);
	}
}

void generate_top(const char *what)
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
