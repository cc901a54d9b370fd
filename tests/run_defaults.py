#!/usr/bin/python3
"""Defaults of options: command line, variable, file, built in, in that order; and what is wrong in them.

usage: run_defaults.py BUILD [NAME...]
"""
import json
import os

from harness import ANALYZE, CTL, RUN, Tests, must, run, traced


def config(where, text, mode=0o600):
    file = where / "config/ctrace/config"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    file.chmod(mode)
    return {"XDG_CONFIG_HOME": str(where / "config"), "XDG_RUNTIME_DIR": str(where)}


def trace_of(where):
    ended = run(traced(where / "t.bin", ["true"]), cwd=where)
    must(ended.status == 0, str(ended))
    return where / "t.bin"



def order_of_run(where):
    """Of --output: it is seen by the file that is there."""
    def made(env, *options):
        for p in where.glob("*.trace"):
            p.unlink()
        ended = run([RUN, "-q", *options, "--", "true"], env=env, cwd=where)
        must(ended.status == 0 and not ended.err, str(ended))
        return sorted(p.name for p in where.glob("*.trace"))
    file = config(where, f"# mine\nrun.output = {where}/file.trace\n\nanalyze.color = never # no\n")
    variable = {"CTRACE_OUT": str(where / "variable.trace")}
    must(made(file) == ["file.trace"], "the file is not followed")
    must(made({**file, **variable}) == ["variable.trace"], "the variable does not come before the file")
    must(made({**file, **variable}, "-o", str(where / "line.trace")) == ["line.trace"], "the command line does not come first")
    ended = run([RUN, "--", "true"], env=config(where, f"run.quiet = yes\nrun.output = {where}/file.trace\n"), cwd=where)
    must(ended.status == 0 and not ended.err, f"quiet: {ended}")
    ended = run([RUN, "--", "true"], env={**config(where, f"run.quiet = yes\nrun.output = {where}/file.trace\n"), "CTRACE_QUIET": "no"}, cwd=where)
    must(ended.status == 0 and ended.err, f"not quiet: {ended}")
    home = where / "home"
    (home / ".config/ctrace").mkdir(parents=True)
    (home / ".config/ctrace/config").write_text(f"run.output={where}/home.trace")
    must(made({"HOME": str(home)}) == ["home.trace"], "~/.config is not read")


def order_of_analyze(where):
    trace = trace_of(where)
    file = config(where, "analyze.json = yes\nanalyze.top=1\n")
    must(json.loads(run([ANALYZE, "threads", trace], env=file).out)["threads"], "no JSON")
    # Of a command that does not take it, and where another excludes it.
    for arguments in (["check", trace], ["threads", "--csv", trace], ["explain", "mutex"]):
        ended = run([ANALYZE, *arguments], env=file)
        must(ended.status == 0 and not ended.err, str(ended))
    ended = run([ANALYZE, "threads", trace], env={**file, "CTRACE_ANALYZE_JSON": "no"})
    must(not ended.out.startswith("{") and not ended.err, f"the variable does not come first: {ended}")
    must(run([CTL, "list"], env=config(where, "ctl.json = 1\n")).out.startswith("{"), "ctl.json is not followed")


def wrong(where):
    """Each is told in a line, and the tool runs."""
    for text, says in (("nonsense\n", "config:1: a line is TOOL.OPTION = VALUE"), ("\nrun.nothing = 1\n", "config:2: there is no option"),
                       ("run.watchdog = soon\n", "config:1: --watchdog soon"), ("run.stopped = maybe\n", "config:1: stopped is yes or no"),
                       ("runs.min = 1ms\n", "config:1: there is no tool runs"), ("run.help = yes\n", "config:1: --help has no default"),
                       ("\0\xff\n= = =\n", "config: is no text"), ("= = =\n", "config:1:")):
        ended = run([RUN, "-q", "-o", where / "t.bin", "--", "true"], env=config(where, text), cwd=where)
        must(ended.status == 0 and says in ended.err and len(ended.err.splitlines()) == 1, f"{text!r}: {ended}")
    ended = run([RUN, "-q", "-o", where / "t.bin", "--", "true"], env={**config(where, ""), "CTRACE_WATCHDOG": "x"}, cwd=where)
    must(ended.status == 0 and "CTRACE_WATCHDOG: " in ended.err, str(ended))
    for mode in (0o620, 0o602):
        ended = run([RUN, "-q", "-o", where / "t.bin", "--", "true"], env=config(where, "run.quiet = yes\n", mode), cwd=where)
        must(ended.status == 0 and "others may write it" in ended.err, str(ended))
    if not os.geteuid():
        env = config(where, "run.quiet = yes\n")
        os.chown(where / "config/ctrace/config", 1234, 0)
        ended = run([RUN, "-q", "-o", where / "t.bin", "--", "true"], env=env, cwd=where)
        must(ended.status == 0 and "belongs to another user" in ended.err, str(ended))
    ended = run([ANALYZE, "threads", trace_of(where)], env={"CTRACE_ANALYZE_TOP": "many"})
    must(ended.status == 0 and len(ended.err.splitlines()) == 1 and "CTRACE_ANALYZE_TOP" in ended.err, str(ended))


tests = Tests()
tests.run("order: ctrace-run", order_of_run)
tests.run("order: ctrace-analyze and ctrace-ctl", order_of_analyze)
tests.run("what is wrong", wrong)
tests.finish()
