#!/usr/bin/python3
"""What a trace must not hold and who may read it: docs/privacy.md.

usage: run_privacy.py BUILD [NAME...]
"""
import os
import re
import stat
import subprocess
import time
from pathlib import Path

import read_trace
from harness import ANALYZE, PRELOAD, PROGRAMS, RUN, Skip, Tests, check_trace, must, preloaded, run, traced, wait_complete

MARK = b"s3cr3t-"


def raw(trace):
    """All that stands in a trace, unpacked."""
    data = Path(trace).read_bytes()
    found = [data]
    for at in (m.start() for m in re.finditer(re.escape(b"\x28\xb5\x2f\xfd"), data)):
        one = subprocess.run(["zstd", "-d", "-c"], input=data[at:], capture_output=True, check=False).stdout
        found.append(one)
    must(len(found) > 2 and any(found[1:]), "no packed chunk was found")
    return b"\n".join(found)


def clean(what, data):
    at = data.find(MARK)
    must(at < 0, f"{what} holds {data[max(at - 40, 0):at + 60]!r}")


def secrets(where):
    """The command line that has secrets, and the environment that does."""
    return ([PROGRAMS / "secrets", where / "file", "--password=s3cr3t-argument"],
            {"PASSWORD": "s3cr3t-environment", "TOKEN": "s3cr3t-variable"})


def look(where, trace):
    check_trace(trace)
    clean("the trace", raw(trace))
    names = [p["command"] for p in read_trace.Trace(trace).records["PROCESS_START"]]
    must(names[0] == str(PROGRAMS / "secrets"), f"the program's name: {names}")
    must(names[-1] in ("secrets", str(PROGRAMS / "secrets")), f"of a child with a title: {names}")
    must("sh" in names, f"a shell's name: {names}")
    for form in ("chrome", "perfetto", "pprof", "folded", "sqlite"):
        out = where / f"export.{form}"
        must(run([ANALYZE, "export", "--format", form, "-o", out, trace]).status == 0, f"export {form}")
        data = out.read_bytes()
        if form == "pprof":
            data += subprocess.run(["gzip", "-dc", out], capture_output=True, check=True).stdout
        clean(form, data)
        must(stat.S_IMODE(out.stat().st_mode) == 0o600, f"{form}: mode {out.stat().st_mode:o}")
    for command in (["report", "-o", where / "report.html"], ["flame", "-o", where / "flame.svg"]):
        must(run([ANALYZE, *command, trace]).status == 0, f"{command}")
        clean(command[0], command[2].read_bytes())
        must(stat.S_IMODE(command[2].stat().st_mode) == 0o600, f"{command[0]}: mode {command[2].stat().st_mode:o}")
    for command in ("dump", "stats", "blocks", "threads", "io"):
        clean(command, run([ANALYZE, command, "--json", trace]).out.encode("latin-1"))


def nothing_in_it(where):
    argv, env = secrets(where)
    out = where / "t.bin"
    os.umask(0)
    ended = run(traced(out, argv), env=env)
    must(ended.status == 0, f"{ended}")
    look(where, out)


def nothing_preloaded(where):
    """The same with LD_PRELOAD alone, where the collector is told by the environment."""
    argv, env = secrets(where)
    out = where / "t.bin"
    ended = run(argv, env={**env, **preloaded(out)}, cwd=where)
    must(ended.status == 0, f"{ended}")
    wait_complete(out, 60)
    look(where, out)


def nothing_in_snapshots(where):
    argv, env = secrets(where)
    ended = run([RUN, "-q", "--flight", "30s,16M", "--snapshot-at-end", "-o", where / "s-%c.bin", "--", *argv], env=env)
    must(ended.status == 0, f"{ended}")
    out = where / "s-1.bin"
    must(stat.S_IMODE(out.stat().st_mode) == 0o600, f"mode {out.stat().st_mode:o}")
    clean("the snapshot", raw(out))


# --- files ---

def private_files(where):
    """0600, whatever the umask is and whatever was there."""
    os.umask(0)
    old = where / "old.bin"
    old.write_text("was here")
    old.chmod(0o666)
    for out, env, argv in ((where / "new.bin", {}, traced(where / "new.bin", ["true"])), (old, {}, traced(old, ["true"])),
                           (where / "preloaded.bin", preloaded(where / "preloaded.bin"), ["/bin/true"])):
        must(run(argv, env=env, cwd=where).status == 0, f"{argv}")
        wait_complete(out, 60)
        must(stat.S_IMODE(out.stat().st_mode) == 0o600, f"{out.name}: mode {out.stat().st_mode:o}")
    # Whoever had opened the old one does not see the new one.
    reader = where / "reader.bin"
    reader.write_text("was here")
    reader.chmod(0o644)
    with open(reader, "rb") as f:
        must(run(traced(reader, ["true"])).status == 0, "true")
        must(f.read() == b"was here", "the trace was written into a file that somebody has open")


def as_user(uid, argv):
    return ["setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups", *argv]


def shared_folder(where):
    """Like /tmp; where everybody comes to it. Users can run what we have built there, or the test is skipped."""
    if os.geteuid():
        raise Skip("needs root")
    if run(as_user(65534, [RUN, "--version"])).status:
        raise Skip(f"other users cannot run {RUN}")
    for folder in (where.parent, where):
        folder.chmod(0o755)
    shared = where / "shared"
    shared.mkdir()
    shared.chmod(0o1777)
    return shared


def files_of_others(where):
    """A file or FIFO that another user has put there for us to write to, who would read it."""
    shared = shared_folder(where)
    for name, make in (("file.bin", "touch"), ("fifo.bin", "mkfifo")):
        out = shared / name
        must(run(as_user(65533, ["sh", "-c", f"umask 0; {make} {out}"])).status == 0, make)
        ended = run(as_user(65534, traced(out, ["true"])))
        must(ended.status == 125 and "Permission denied" in ended.err, f"{name}: {ended}")
        must(name == "fifo.bin" or out.read_bytes() == b"", f"{name} was written to")


def links(where):
    """A link that somebody has put in the way in a folder of many users is not followed: neither to write nor to change rights."""
    shared = shared_folder(where)
    victim = where / "victim"
    victim.write_text("precious")
    link = shared / "t.bin"
    subprocess.run(as_user(65534, ["ln", "-s", victim, link]), check=True)
    ended = run(traced(link, ["true"]))
    must(ended.status == 125 and "Permission denied" in ended.err, f"{ended}")
    must(victim.read_text() == "precious", "what the link leads to was written over")
    # A snapshot takes the link's place, or is not written; what it leads to stays.
    link.unlink()
    draft = shared / "s-1.bin.part"
    subprocess.run(as_user(65534, ["ln", "-s", victim, draft]), check=True)
    run([RUN, "-q", "--flight", "30s", "--snapshot-at-end", "-o", shared / "s-%c.bin", "--", "true"])
    must(victim.read_text() == "precious", "a snapshot was written through a link")


def runtime_directory(where):
    """0700, the user's own, no link; else the program is traced without it."""
    os.umask(0)
    for how in ("made", "link", "open"):
        base = where / how
        base.mkdir(0o700)
        if how == "link":
            (where / "elsewhere").mkdir(0o700)
            (base / "ctrace").symlink_to(where / "elsewhere")
        elif how == "open":
            (base / "ctrace").mkdir(0o777)
        ended = run(traced(where / f"{how}.bin", ["ls", "-lA", base / "ctrace/"]), env={"XDG_RUNTIME_DIR": str(base)})
        must(ended.status == 0, f"{how}: {ended}")
        sockets = [line for line in ended.out.splitlines() if line.endswith(".sock")]
        if how == "made":
            must(stat.S_IMODE((base / "ctrace").stat().st_mode) == 0o700, "the runtime directory's mode")
            must(len(sockets) == 1, f"{how}: {ended}")
        else:
            must(not sockets, f"{how}: a socket in a directory that is not safe: {ended}")


def memory(where):
    """What is shared with the collector has no name that another user could open it by."""
    before = set(os.listdir("/dev/shm"))
    ended = run(traced(where / "t.bin", ["sh", "-c", "ls -A /dev/shm; cat /proc/$$/maps; stat -L -c %a /proc/$PPID/fd/0"]))
    must(ended.status == 0 and "/memfd:ctrace" in ended.out, f"{ended}")
    must(set(os.listdir("/dev/shm")) <= before, "something was left in /dev/shm")
    must("/dev/shm" not in ended.out, f"{ended}")


# --- who may be heard ---

def stranger(where):
    """Another user's process that has found the socket's name, which is no secret (/proc/net/unix), is not taken into the trace, and told."""
    shared = shared_folder(where)
    out = shared / "t.bin"
    name = shared / "name"
    argv = as_user(65534, [RUN, "-o", out, "--", "sh", "-c", f"echo $CTRACE_SOCKET >{name}; chmod 644 {name}; read x <{shared}/go"])
    os.mkfifo(shared / "go")
    (shared / "go").chmod(0o666)

    def intrude(output):
        until = time.monotonic() + 60
        while not (name.exists() and name.read_text().strip()) and time.monotonic() < until:
            time.sleep(0.02)
        socket = name.read_text().strip()
        ended = run(as_user(65533, ["env", f"LD_PRELOAD={PRELOAD}", f"CTRACE_SOCKET={socket}", "sleep", "0.2"]))
        must((ended.status, ended.out) == (0, ""), f"the stranger does not run as ever: {ended}")
        # Of root it is heard: a program of the user's may start one.
        must(run(["env", f"LD_PRELOAD={PRELOAD}", f"CTRACE_SOCKET={socket}", "sleep", "0.2"]).status == 0, "root's program failed")
        with open(shared / "go", "w") as go:
            go.write("\n")

    ended = run(argv, during=intrude)
    must(ended.status == 0 and "not traced" in ended.err and "another user" in ended.err, f"{ended}")
    names = [p["executable"].rsplit("/", 1)[-1] for p in read_trace.Trace(out).records["PROCESS_START"]]
    must(names.count("sleep") == 1, f"traced: {names}")


# --- end ---

tests = Tests()
tests.run("nothing-in-it", nothing_in_it)
tests.run("nothing-preloaded", nothing_preloaded)
tests.run("nothing-in-snapshots", nothing_in_snapshots)
tests.run("private-files", private_files)
tests.run("files-of-others", files_of_others)
tests.run("links", links)
tests.run("runtime-directory", runtime_directory)
tests.run("memory", memory)
tests.run("stranger", stranger)
tests.finish()
