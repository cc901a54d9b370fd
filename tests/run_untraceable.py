#!/usr/bin/python3
"""What cannot be traced: ctrace-run says so before it runs the program, in one line; scripts are traced
through their interpreter.

usage: run_untraceable.py BUILD [NAME...]
"""
import os
import pwd
import shutil
import struct
import subprocess

from harness import RUN, Skip, Tests, check_trace, must, run, traced, wait_complete

# Leaves a file behind where it is run.
SOURCE = r"""
#include <fcntl.h>
#include <stdio.h>
int main(void)
{
	if (creat("it-ran", 0666) < 0)
		perror("it-ran");
	puts("hello");
	return 7;
}
"""


def compiled(where, *options):
    program = where / "program"
    made = subprocess.run(["gcc", "-O1", "-o", program, "-x", "c", "-", *options], input=SOURCE, capture_output=True, text=True, check=False)
    must(made.returncode == 0, f"gcc {options}: {made.stderr}")
    return program


def static(where):
    return compiled(where, "-static")


def static_pie(where):
    return compiled(where, "-static-pie")


def static_go(where):
    """What go build makes without cgo: no interpreter, and Go's own note."""
    program = compiled(where, "-static")
    note = where / "note"
    name, build_id = b"Go\0\0", b"actionID/contentID"
    note.write_bytes(struct.pack("<III", len(name), len(build_id), 4) + name + build_id + bytes(-len(build_id) % 4))
    subprocess.run(["objcopy", "--add-section", f".note.go.buildid={note}", "--set-section-flags", ".note.go.buildid=readonly", program],
                   check=True)
    note.unlink()
    return program


def musl(where):
    return compiled(where, "-Wl,--dynamic-linker=/lib/ld-musl-x86_64.so.1")


def elf(where, bits, machine):
    """The head of a dynamic program for another machine."""
    interpreter = b"/lib/ld-linux.so.2\0"
    if bits == 32:
        head = struct.pack("<HHIIIIIHHHHHH", 2, machine, 1, 0x8048000, 52, 0, 0, 52, 32, 1, 40, 0, 0)
        segment = struct.pack("<IIIIIIII", 3, 84, 0x8048054, 0x8048054, len(interpreter), len(interpreter), 4, 1)
    else:
        head = struct.pack("<HHIQQQIHHHHHH", 2, machine, 1, 0x400000, 64, 0, 0, 64, 56, 1, 64, 0, 0)
        segment = struct.pack("<IIQQQQQQ", 3, 4, 120, 0x400078, 0x400078, len(interpreter), len(interpreter), 1)
    program = where / "program"
    program.write_bytes(b"\x7fELF" + bytes([bits // 32, 1, 1]) + bytes(9) + head + segment + interpreter)
    program.chmod(0o755)
    return program


def i386(where):
    return elf(where, 32, 3)


def aarch64(where):
    return elf(where, 64, 183)


def x32(where):
    """Machine x86-64, but 32-bit addresses."""
    return elf(where, 32, 62)


def script_of(make):
    """A script whose interpreter cannot be traced cannot either."""
    def scripted(where):
        program = make(where)
        script = where / "script"
        script.write_text(f"#!{program} -x\n")
        script.chmod(0o755)
        return script
    return scripted


def refused(make, *words):
    def test(where):
        program = make(where)
        there = {p.name for p in where.iterdir()}
        expect_refusal(run([RUN, "-o", where / "t.bin", "--", program], cwd=where), where, there, *words)
        # By its name in PATH too.
        path = {"PATH": f"{where}:{os.environ['PATH']}"}
        expect_refusal(run([RUN, "-o", where / "t.bin", "--", program.name], cwd=where, env=path), where, there, *words)
    return test


def expect_refusal(ended, where, there, *words):
    lines = ended.err.splitlines()
    must(ended.status == 125 and not ended.out, f"{ended}; expected status 125 and no output")
    must(len(lines) == 1 and lines[0].startswith("ctrace-run: ") and ended.err.endswith("\n"), f"{ended}; expected one line on stderr")
    for word in words:
        must(word in lines[0], f"{ended}; expected '{word}' on stderr")
    left = {p.name for p in where.iterdir()} - there
    must(not left, f"left behind: {sorted(left)}")


# --- programs with rights ---

def as_nobody(argv):
    return ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", *argv]


def for_nobody(where):
    """A program in a directory that another user can write to."""
    if os.geteuid() or not shutil.which("setpriv"):
        raise Skip("needs root and setpriv to become another user")
    where.parent.chmod(0o711)
    where.chmod(0o777)
    if run(as_nobody(["test", "-x", RUN])).status:
        raise Skip(f"user nobody cannot reach {RUN}")
    return compiled(where)


def gains(where, program, *words):
    """Refused as nobody; untraced it runs."""
    must(run(as_nobody([program]), cwd=where).status == 7, "the program itself fails")
    (where / "it-ran").unlink()
    expect_refusal(run(as_nobody([RUN, "-o", where / "t.bin", "--", program]), cwd=where), where, {"program"}, *words)


def set_user_id(where):
    program = for_nobody(where)
    os.chown(program, pwd.getpwnam("daemon").pw_uid, -1)
    program.chmod(0o4755)
    gains(where, program, "program", "set-user-ID")


def set_group_id(where):
    program = for_nobody(where)
    os.chown(program, -1, pwd.getpwnam("daemon").pw_gid)
    program.chmod(0o2755)
    gains(where, program, "program", "set-group-ID")


def file_capabilities(where):
    program = for_nobody(where)
    # struct vfs_cap_data, revision 2: cap_net_bind_service, permitted and effective.
    try:
        os.setxattr(program, "security.capability", struct.pack("<IIIII", 0x02000001, 1 << 10, 0, 0, 0))
    except OSError as e:
        raise Skip(f"no file capabilities here: {e.strerror}") from None
    gains(where, program, "program", "file capabilities")
    # Root gains nothing by them: then it can be traced.
    ended = run(traced(where / "t.bin", [program]), cwd=where)
    must(ended.status == 7 and not ended.err, f"as root: {ended}")
    wait_complete(where / "t.bin")


def no_new_rights(where):
    """Where nothing can be gained, nothing is refused."""
    program = for_nobody(where)
    os.chown(program, pwd.getpwnam("daemon").pw_uid, -1)
    program.chmod(0o4755)
    ended = run(["setpriv", "--no-new-privs", *as_nobody(traced(where / "t.bin", [program]))[1:]], cwd=where)
    must(ended.status == 7 and not ended.err, f"with no-new-privs: {ended}")
    wait_complete(where / "t.bin")


# --- scripts ---

def script(first, body, out):
    def test(where):
        path = where / "a script"
        path.write_text(f"{first.format(where=where)}\n{body}\n")
        path.chmod(0o755)
        (where / "inner").write_text("#!/bin/sh\nexec /bin/sh \"$@\"\n")
        (where / "inner").chmod(0o755)
        ended = run(traced(where / "t.bin", [path]), cwd=where)
        must((ended.status, ended.out, ended.err) == (3, out, ""), f"{ended}")
        wait_complete(where / "t.bin")
        found = check_trace(where / "t.bin")
        waits = {c["cause"] for c in found["causes"] if c["count"]}
        must("sleep" in waits, f"the script's wait is not in its trace: {waits}")
    return test


tests = Tests()
for name, make, words in [
        ("static binary", static, ["program", "statically linked"]), ("static PIE", static_pie, ["program", "statically linked"]),
        ("static Go program", static_go, ["program", "statically linked"]), ("musl program", musl, ["program", "musl"]),
        ("i386 program", i386, ["program", "64-bit x86"]), ("aarch64 program", aarch64, ["program", "64-bit x86"]),
        ("x32 program", x32, ["program", "64-bit x86"]),
        ("script of a static interpreter", script_of(static), ["program", "statically linked"]),
        ("script of an i386 interpreter", script_of(i386), ["program", "64-bit x86"])]:
    tests.run(name, refused(make, *words))
for name, test in [
        ("set-user-ID program", set_user_id), ("set-group-ID program", set_group_id), ("file capabilities", file_capabilities),
        ("set-user-ID, but no-new-privs", no_new_rights),
        ("shell script", script("#!/bin/sh", "sleep 0.05; echo done; exit 3", "done\n")),
        ("script with env", script("#!/usr/bin/env bash", "sleep 0.05; echo done; exit 3", "done\n")),
        ("python script", script("#!/usr/bin/python3 -B", "import time; time.sleep(0.05); print('done'); exit(3)", "done\n")),
        ("script of a script", script("#!{where}/inner", "sleep 0.05; echo done; exit 3", "done\n"))]:
    tests.run(name, test)
tests.finish()
