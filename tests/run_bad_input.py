#!/usr/bin/python3
"""Bad input: one clear line on stderr, the exit status of the contract, no file left behind.

usage: run_bad_input.py BUILD [NAME...]
"""
import ctypes
import os
import pwd
import random
import re
import shutil
import struct
import subprocess
import time

from harness import (ANALYZE, PROGRAMS, RUN, Skip, Tests, must, preloaded, read_trace, report, run, short,
                     traced, wait_complete)

SLEEPS = [PROGRAMS / "times", "many"]


def one_line(ended, status, *words, program=None):
    """The status, and exactly one line on stderr, of the program's own, that has the words."""
    must(ended.status == status, f"{ended}; expected status {status}")
    lines = ended.err.splitlines()
    must(len(lines) == 1 and ended.err.endswith("\n"), f"{ended}; expected one line on stderr")
    program = program or os.path.basename(ended.argv[0])
    must(lines[0].startswith(program + ": "), f"{ended}; expected '{program}: ...' on stderr")
    for word in words:
        must(str(word).lower() in lines[0].lower(), f"{ended}; expected '{word}' on stderr")


def nothing_left(where, *allowed):
    left = sorted(p.name for p in where.iterdir() if p.name not in allowed)
    must(not left, f"left behind: {left}")


# --- ctrace-run ---

def build_static(where):
    source = where / "static.c"
    source.write_text("int main(void) { return 0; }\n")
    subprocess.run(["gcc", "-static", "-o", where / "static", source], check=True)
    source.unlink()
    return where / "static"


# name, how the program is made or its path, status, words on stderr
def not_executable(where):
    (where / "data").write_text("just text\n")
    return where / "data"


def broken_script(where):
    (where / "script").write_text("#!/nonexistent/interpreter\n")
    (where / "script").chmod(0o755)
    return where / "script"


def broken_elf(where):
    (where / "elf").write_bytes(b"\x7fELF\x02\x01\x01" + bytes(20))
    (where / "elf").chmod(0o755)
    return where / "elf"


PROGRAMS_REFUSED = [
    ("missing program", lambda where: "/nonexistent/program", 127, ["/nonexistent/program"]),
    ("missing program in PATH", lambda where: "no-such-program-anywhere", 127, ["no-such-program-anywhere"]),
    ("empty program name", lambda where: "", 127, []),
    ("not executable", not_executable, 126, ["data", "permission denied"]),
    ("a directory as program", lambda where: where, 126, []),
    ("a script without its interpreter", broken_script, 127, ["script", "/nonexistent/interpreter"]),
    ("a broken ELF file", broken_elf, 126, ["elf"]),
    ("a static binary", build_static, 125, ["static"]),
]


def refused(make, status, words):
    def test(where):
        program = make(where)
        there = [p.name for p in where.iterdir()]
        one_line(run([RUN, "-o", where / "t.bin", "--", program], cwd=where), status, *words, program="ctrace-run")
        nothing_left(where, *there)
    return test


RUN_USAGE = [
    ("no program", [], ["program"]),
    ("unknown option", ["--frobnicate", "--", "true"], ["--frobnicate"]),
    ("unknown short option", ["-Z", "true"], ["Z"]),
    ("option without its value", ["-o"], ["-o"]),
    ("empty output name", ["-o", "", "true"], []),
    ("bad --min", ["--min", "soon", "true"], ["--min", "soon"]),
    ("negative --min", ["--min", "-5us", "true"], ["--min"]),
    ("bad --sched", ["--sched", "perhaps", "true"], ["--sched", "perhaps"]),
    ("bad --stacks", ["--stacks", "all", "true"], ["--stacks", "all"]),
]


def run_usage(arguments, words):
    def test(where):
        one_line(run([RUN, *arguments], cwd=where), 125, *words, program="ctrace-run")
        nothing_left(where)
    return test


def marker(where):
    """A program that leaves a trace of having been run."""
    return ["touch", where / "it-ran"]


def output_missing_directory(where):
    out = where / "missing/t.bin"
    one_line(run([RUN, "-o", out, "--", *marker(where)]), 125, out, program="ctrace-run")
    nothing_left(where)


def output_is_directory(where):
    out = where / "directory"
    out.mkdir()
    one_line(run([RUN, "-o", out, "--", *marker(where)]), 125, out, "directory", program="ctrace-run")
    nothing_left(where, "directory")


def output_dev_full(where):
    one_line(run([RUN, "-o", "/dev/full", "--", *marker(where)]), 125, "/dev/full", "space", program="ctrace-run")
    must(os.path.exists("/dev/full"), "/dev/full is gone")
    nothing_left(where)


def as_nobody(argv):
    return ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", *argv]


def need_root():
    if os.geteuid():
        raise Skip("needs root to become another user")
    if not shutil.which("setpriv"):
        raise Skip("no setpriv here")


def reachable(path):
    """Whether another user can reach a path."""
    return run(as_nobody(["test", "-x", path])).status == 0


def output_not_writable(where):
    need_root()
    if not reachable(RUN):
        raise Skip(f"user nobody cannot reach {RUN}")
    where.parent.chmod(0o711)
    where.chmod(0o755)
    ended = run(as_nobody([RUN, "-o", where / "t.bin", "--", "true"]))
    one_line(ended, 125, where / "t.bin", "permission denied", program="ctrace-run")
    nothing_left(where)


def setuid(where):
    need_root()
    if not reachable(RUN):
        raise Skip(f"user nobody cannot reach {RUN}")
    where.parent.chmod(0o711)
    where.chmod(0o777)
    program = where / "set-user-id"
    shutil.copy("/usr/bin/id", program)
    os.chown(program, pwd.getpwnam("daemon").pw_uid, 0)
    program.chmod(0o4755)
    plain = run(as_nobody([program]))
    if "euid=" not in plain.out:
        raise Skip("set-user-ID has no effect on this file system")
    one_line(run(as_nobody([RUN, "-o", where / "t.bin", "--", program])), 125, "set-user-id", "set-user-ID:",
             program="ctrace-run")
    nothing_left(where, "set-user-id")
    # Its owner gains nothing by it: then it can be traced.
    where.chmod(0o777)
    ended = run(["setpriv", f"--reuid={pwd.getpwnam('daemon').pw_uid}", "--clear-groups", RUN, "-q", "-o",
                 where / "t.bin", "--", program])
    must(ended.status == 0 and not ended.err, f"as its owner: {ended}")
    wait_complete(where / "t.bin")


def setuid_preloaded(where):
    """Plain LD_PRELOAD of a set-user-ID program: the loader ignores it, and nothing else happens."""
    need_root()
    where.parent.chmod(0o711)
    where.chmod(0o777)
    program = where / "set-user-id"
    shutil.copy("/usr/bin/id", program)
    os.chown(program, pwd.getpwnam("daemon").pw_uid, 0)
    program.chmod(0o4755)
    plain = run(as_nobody([program]))
    ended = run(as_nobody(["env", *[f"{k}={v}" for k, v in preloaded(where / "t.bin").items()], program]))
    must((ended.status, ended.out) == (plain.status, plain.out), f"{ended}; untraced {plain}")


def full_disk(where):
    """The disk fills up while the program runs: it does not notice, the user is told, what is there can be read."""
    disk = where / "disk"
    disk.mkdir()
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=12k", "ctrace-test", disk], capture_output=True, text=True)
    if made.returncode:
        raise Skip(f"cannot mount a small file system: {made.stderr.strip()}")
    try:
        program = [PROGRAMS / "threads", "many"]
        plain = run(program)
        out = disk / "t.bin"
        ended = run(traced(out, program), cwd=where)
        must(ended.status == plain.status, f"{ended}; untraced {plain}")
        must(ended.out.count("\n") == plain.out.count("\n"), f"other output: {ended}; untraced {plain}")
        one_line(ended, plain.status, out, "space", program="ctrace")
        if out.exists():
            found = read_trace.Trace(out)
            must(found.faults == 1, f"what is there is not readable up to its end: {found.damage[:3]}")
            one_line(run([ANALYZE, "blocks", out]), 1, out)
    finally:
        subprocess.run(["umount", disk], check=True)


def overwrites(where):
    """An older file of the same name is replaced, not appended to."""
    out = where / "t.bin"
    out.write_bytes(b"x" * 1000000)
    must(run(traced(out, ["true"])).status == 0, "ctrace-run true failed")
    wait_complete(out)
    must(not read_trace.Trace(out).faults, "the file is no whole trace")


def preload_bad_output(where):
    """Plain LD_PRELOAD with an output that cannot be written: the program runs as ever; one line says so."""
    ended = run(["sh", "-c", "echo hello; exit 7"], env=preloaded(where / "missing/t.bin"), cwd=where)
    must((ended.status, ended.out) == (7, "hello\n"), f"the program does not run as ever: {ended}")
    # Said by the library or by the collector that it started.
    one_line(ended, 7, where / "missing/t.bin", program="ctrace" if ended.err.startswith("ctrace:") else "ctrace-collector")
    nothing_left(where)


def output_names(where):
    """What % stands for in names; nobody else may read a trace."""
    one_line(run(traced("%n-%x.bin", ["true"]), cwd=where), 125, "%x is none of", program="ctrace-run")
    must(run(traced("%n-%p-100%%.bin", ["true"]), cwd=where).status == 0, "ctrace-run true failed")
    names = [p.name for p in where.iterdir()]
    must(len(names) == 1 and re.fullmatch(r"true-\d+-100%\.bin", names[0]), f"names: {names}")
    out = where / names[0]
    wait_complete(out)
    must(read_trace.Trace(out).records["PROCESS_START"][0]["pid"] == int(names[0].split("-")[1]), "the pid is another one")
    must(out.stat().st_mode & 0o777 == 0o600, f"mode {out.stat().st_mode:o}")
    out.unlink()
    must(run(["/bin/echo"], env=preloaded("%t-%n.bin"), cwd=where).status == 0, "echo failed")
    names = [p.name for p in where.iterdir()]
    must(len(names) == 1 and re.fullmatch(r"\d{8}-\d{6}-echo\.bin", names[0]), f"names: {names}")
    wait_complete(where / names[0])
    ended = run(traced("x" * 5000, ["true"]), cwd=where)
    one_line(ended, 125, "File name too long", program="ctrace-run")


def preload_same_output(where):
    """One program after the other with the same CTRACE_OUT: the file is the last one's, although the collectors of
    those before may not have finished."""
    out = where / "t.bin"
    for i in range(20):
        ended = run(["sh", "-c", f"sleep 0.05; echo {i} $$"], env=preloaded(out), cwd=where)
        last = int(ended.out.split()[-1])
        must((ended.status, ended.out, ended.err) == (0, f"{i} {last}\n", ""), f"the program does not run as ever: {ended}")
    wait_complete(out)
    time.sleep(0.5)  # for those that would write over it
    must(run([ANALYZE, "check", out]).status == 0, f"check: {run([ANALYZE, 'check', out])}")
    written = read_trace.Trace(out)
    must(written.records["PROCESS_START"][0]["pid"] == last, f"whose trace it is: {written.records['PROCESS_START']}, not that of {last}")
    nothing_left(where, "t.bin")


def preload_bad_settings(where):
    env = {**preloaded(where / "t.bin"), "CTRACE_MIN": "soon", "CTRACE_STACKS": "everything"}
    ended = run(["sh", "-c", "echo hello; exit 7"], env=env, cwd=where)
    must((ended.status, ended.out) == (7, "hello\n"), f"the program does not run as ever: {ended}")
    must(all(line.startswith("ctrace: ") for line in ended.err.splitlines()), f"{ended}")


# --- ctrace-analyze ---

_trace = None


def good_trace():
    """The bytes of one ordinary trace, made once."""
    global _trace
    if _trace is None:
        out = tests.root / "good.bin"
        ended = run(traced(out, [PROGRAMS / "locks", "waiters"]))
        must(ended.status == 0, f"{ended}")
        wait_complete(out)
        _trace = out.read_bytes()
        out.unlink()
        must(read_trace.read(_trace, lambda item: None) == 0, "the second reader finds damage in it")
    return _trace


def with_header(data, **changes):
    fields = dict(zip(("magic", "version", "header_bytes", "start_ns", "start_real_ns", "must_know", "may_know"),
                      struct.unpack_from("<8sIIQQII", data)))
    fields.update(changes)
    head = struct.pack("<8sIIQQII", *fields.values()) + data[40:60]
    return head + struct.pack("<I", read_trace.crc32c(head)) + data[64:]


FILES = [
    ("an empty file", lambda: b"", 2, []),
    ("one byte", lambda: b"T", 2, []),
    ("not a trace", lambda: b"this is no trace, but a text that is longer than a header of a trace is\n" * 4, 2, ["not a"]),
    ("zeros", lambda: bytes(4096), 2, ["not a"]),
    ("a header cut short", lambda: good_trace()[:63], 2, []),
    ("a wrong version", lambda: with_header(good_trace(), version=2), 2, ["version"]),
    ("a feature that must be known", lambda: with_header(good_trace(), must_know=1), 2, []),
    ("a header with a wrong checksum", lambda: good_trace()[:20] + b"\xff" + good_trace()[21:], 2, []),
    ("a header alone", lambda: good_trace()[:64], 1, []),
    ("a file without its trailer", lambda: good_trace()[:-24], 1, []),
    ("a file without its last byte", lambda: good_trace()[:-1], 1, []),
    ("a file cut in its middle", lambda: good_trace()[:len(good_trace()) // 2], 1, []),
    ("bytes after the trailer", lambda: good_trace() + b"more", 1, []),
]


def bad_file(make, status, words, command):
    def test(where):
        path = where / "bad.bin"
        path.write_bytes(make())
        one_line(run([ANALYZE, command, path]), status, path, *words)
        nothing_left(where, "bad.bin")
    return test



ANALYZE_USAGE = [
    ("no command", [], []),
    ("unknown command", ["frobnicate", "GOOD"], ["frobnicate"]),
    ("no trace", ["blocks"], []),
    ("two traces", ["blocks", "GOOD", "GOOD"], []),
    ("unknown option", ["blocks", "--frobnicate", "GOOD"], ["--frobnicate"]),
    ("bad --top", ["blocks", "--top", "many", "GOOD"], ["--top", "many"]),
    ("negative --top", ["blocks", "--top", "-3", "GOOD"], ["--top"]),
    ("bad --min", ["blocks", "--min", "soon", "GOOD"], ["--min", "soon"]),
    ("bad --from", ["blocks", "--from", "then", "GOOD"], ["--from", "then"]),
    ("unknown --cause", ["blocks", "--cause", "boredom", "GOOD"], ["boredom"]),
    ("bad --color", ["blocks", "--color", "blue", "GOOD"], ["--color", "blue"]),
    ("option without its value", ["blocks", "GOOD", "--top"], ["--top"]),
    ("missing file", ["blocks", "/nonexistent/t.bin"], ["/nonexistent/t.bin", "no such file"]),
    ("a directory", ["blocks", "/tmp"], ["/tmp", "directory"]),
]


def analyze_usage(arguments, words):
    def test(where):
        path = where / "good.bin"
        path.write_bytes(good_trace())
        one_line(run([ANALYZE, *[path if a == "GOOD" else a for a in arguments]], cwd=where), 2, *words)
        nothing_left(where, "good.bin")
    return test


def output_lost(where):
    path = where / "good.bin"
    path.write_bytes(good_trace())
    with open("/dev/full", "wb") as full:
        ended = subprocess.run([ANALYZE, "blocks", path], stdout=full, stderr=subprocess.PIPE, text=True)
    must(ended.returncode == 2 and len(ended.stderr.splitlines()) == 1 and "space" in ended.stderr,
         f"status {ended.returncode}, {ended.stderr!r}")
    # A reader that goes away early is no error to speak of, and no crash.
    for command in ("blocks --top 0", "blocks --json", "threads", "stats", "dump", "dump --json"):
        ended = subprocess.run(f"'{ANALYZE}' {command} '{path}' | head -c 1 >/dev/null; exit ${{PIPESTATUS[0]}}", shell=True,
                               executable="/bin/bash", capture_output=True, text=True)
        must(ended.returncode in (0, 141) and not ended.stderr, f"into a closed pipe: {command}: {ended}")


def agree(path, data, what):
    """Both readers find the same in a damaged file."""
    path.write_bytes(data)
    other = read_trace.Trace(path)
    expected = 2 if other.faults < 0 else 1 if other.faults else 0
    ended = run([ANALYZE, "stats", "--json", path])
    must(ended.status == expected, f"{what}: status {ended.status}, the second reader says {expected} "
                                   f"({other.damage[:2]}); stderr {short(ended.err)}")
    must(len(ended.err.splitlines()) <= 1, f"{what}: more than a line: {short(ended.err)}")
    if expected < 2:
        found = report(path, command="stats", status=expected)["trace"]["events"]
        must(found == other.summary["events"], f"{what}: {found} events, the second reader has {other.summary['events']}")


def cut(where):
    data = good_trace()
    positions = {64, len(data) - 24, len(data) - 1}
    at = 64
    while at < len(data) - 24:
        header = read_trace.chunk_header(data, at)
        end = at + 48 + header["stored_bytes"]
        positions |= {at - 1, at + 1, at + 47, at + 48, at + 49, end - 1, end, end + 1}
        at = end
    rng = random.Random(1)
    positions |= {rng.randrange(len(data)) for _ in range(40)}
    for n in sorted(p for p in positions if 0 <= p < len(data)):
        agree(where / "cut.bin", data[:n], f"cut at {n} of {len(data)}")


def flipped(where):
    data = bytearray(good_trace())
    rng = random.Random(2)
    positions = [rng.randrange(len(data)) for _ in range(80)] + [0, 8, 12, 60, 64, 68, 70, 76, 80, 84, 104, 108,
                                                                len(data) - 24, len(data) - 8, len(data) - 1]
    for at in positions:
        changed = bytearray(data)
        changed[at] ^= 1 << rng.randrange(8)
        agree(where / "flipped.bin", bytes(changed), f"byte {at} of {len(data)} changed")


def rebuilt(data, change):
    """The file with its chunks' payloads changed, stored raw, with right checksums, index and trailer."""
    out, index, at = bytearray(data[:64]), b"", 64
    count = 0
    while at < len(data) - 24:
        header = read_trace.chunk_header(data, at)
        stored = data[at + 48:at + 48 + header["stored_bytes"]]
        raw = read_trace.zstd(stored, header["raw_bytes"]) if header["codec"] else stored
        at += 48 + header["stored_bytes"]
        if header["kind"] == read_trace.INDEX:
            raw = index
            header["count"] = count
            offset = len(out)
        else:
            raw = change(header, bytearray(raw))
            index += struct.pack("<QHHIIIQQ", len(out), header["kind"], 0, header["process"], header["count"], len(raw),
                                 header["first_ns"], header["last_ns"])
            count += 1
        head = struct.pack("<4sHHIIIIQQI", b"CHNK", header["kind"], 0, header["process"], len(raw), len(raw),
                           header["count"], header["first_ns"], header["last_ns"], read_trace.crc32c(raw))
        out += head + struct.pack("<I", read_trace.crc32c(head)) + raw
    trailer = struct.pack("<QQ4s", offset, len(out) + 24, b"INDX")
    return bytes(out + trailer + struct.pack("<I", read_trace.crc32c(trailer)))


def hostile(where):
    """Payloads that no writer makes, with right checksums: no crash, no hang, no endless memory."""
    data = good_trace()
    agree(where / "same.bin", rebuilt(data, lambda header, raw: bytes(raw)), "unchanged")
    rng = random.Random(3)
    path = where / "hostile.bin"
    for i in range(120):
        def change(header, raw):
            for _ in range(rng.choice((1, 1, 3, 30))):
                if raw:
                    at = rng.randrange(min(len(raw), rng.choice((8, 64, len(raw)))))
                    what = rng.randrange(4)
                    if what == 0:
                        raw[at] = rng.randrange(256)
                    elif what == 1:
                        raw[at:at] = b"\xff" * rng.randrange(1, 10)
                    elif what == 2:
                        del raw[at:at + rng.randrange(1, 5)]
                    else:
                        raw[at] ^= 0x80
            return bytes(raw)
        path.write_bytes(rebuilt(data, change))
        for command in ("stats", "blocks", "dump", "check"):
            # Address space bounded: a claimed count must not become an allocation.
            ended = run(["prlimit", f"--as={2 << 30}", ANALYZE, command, path], timeout=20)
            must(ended.status in (0, 1, 2), f"{command} of hostile file {i}: {ended}")
            # check lists what it finds on stdout.
            said = ended.err if command != "check" else ended.err or ended.out
            must(ended.status == 0 or said, f"{command} of hostile file {i} does not say what is wrong: {ended}")
            must(len(ended.err.splitlines()) <= 1, f"{command} of hostile file {i}: {ended}")


def unknown_things(where):
    """What a newer writer may add is skipped: chunk kinds, records, fields."""
    data = good_trace()
    events = report_events(where, data)

    def newer(header, raw):
        if header["kind"] != read_trace.RECORDS:
            return bytes(raw)
        header["count"] += 1
        return bytes(raw) + b"\xe8\x07\x05hello"  # record 1000

    agree(where / "records.bin", rebuilt(data, newer), "an unknown record")
    kinds = bytearray(data)
    kind = struct.pack("<4sHHIIIIQQI", b"CHNK", 999, 0, 0, 5, 5, 1, 0, 0, read_trace.crc32c(b"12345"))
    chunk = kind + struct.pack("<I", read_trace.crc32c(kind)) + b"12345"
    with_chunk = bytes(kinds[:64]) + chunk + bytes(kinds[64:-24])
    (where / "kind.bin").write_bytes(with_chunk)
    ended = run([ANALYZE, "stats", "--json", where / "kind.bin"])
    must(ended.status == 1, f"an unknown chunk in a file without trailer: {ended}")
    must(report(where / "kind.bin", command="stats", status=1)["trace"]["events"] == events, "events were lost with it")


def compressed(kind, raw, count, first_ns=0, last_ns=0, process=0):
    """A chunk of which only a little is stored."""
    zstd = ctypes.CDLL("libzstd.so.1")
    zstd.ZSTD_compress.restype = ctypes.c_size_t
    out = ctypes.create_string_buffer(len(raw) // 8 + 4096)
    n = zstd.ZSTD_compress(out, ctypes.c_size_t(len(out)), bytes(raw), ctypes.c_size_t(len(raw)), 9)
    must(0 < n < len(out), "the chunk cannot be compressed")
    head = struct.pack("<4sHHIIIIQQI", b"CHNK", kind, 1, process, n, len(raw), count, first_ns, last_ns,
                       read_trace.crc32c(out.raw[:n]))
    return head + struct.pack("<I", read_trace.crc32c(head)) + out.raw[:n]


def varint(v):
    out = b""
    while v > 127:
        out, v = out + bytes([v & 127 | 128]), v >> 7
    return out + bytes([v])


def small_and_large(where):
    """Files of a few kilobytes that say to be gigabytes: a line, and no more memory than such a file is worth."""
    data = good_trace()

    # Stacks of which each frame takes a byte here and eight in memory.
    stacks = b"".join(varint(10) + varint(65007) + varint(200 + i) + varint(1) + varint(0) + varint(65000) + bytes(65000)
                      for i in range(250))
    many = bytes(data[:64]) + compressed(read_trace.RECORDS, stacks, 250) * 20
    # Four million events, each four bytes, all at once.
    count = 4000000
    column = varint(count) + bytes(count)
    site = bytes([1, 1, 1, 0]) + bytes(5)
    start_ns = struct.unpack_from("<Q", data, 16)[0]
    events = varint(start_ns) + varint(1) + site + varint(1) + varint(1) + varint(count) + column * 4
    process = varint(4) + varint(9) + varint(1) + varint(1) + bytes(7)
    thread = varint(6) + varint(7) + varint(1) + varint(1) + varint(1) + bytes(4)
    cause = varint(2) + varint(11) + varint(1) + b"\1x" + b"\4idle" + b"\2yy"
    alike = (bytes(data[:64]) + compressed(read_trace.RECORDS, cause + process + thread, 3) +
             compressed(read_trace.EVENTS, events, count, start_ns, start_ns, 1) * 12)
    for name, file, commands in (("stacks", many, ("blocks", "stats")), ("events", alike, ("path", "whatif"))):
        path = where / "small.bin"
        path.write_bytes(file)
        must(len(file) < 200000, f"{name}: {len(file)} bytes")
        for command in commands:
            ended = run(["sh", "-c", 'ulimit -v 1000000; exec "$@"', "sh", ANALYZE, command, path])
            must(ended.status in (1, 2), f"{command} of {name}: {ended}")
            must(len(ended.err.splitlines()) == 1 and "its size" in ended.err, f"{command} of {name}: {ended}")


def report_events(where, data):
    (where / "good.bin").write_bytes(data)
    return report(where / "good.bin", command="stats")["trace"]["events"]


tests = Tests()
for name, make, status, words in PROGRAMS_REFUSED:
    tests.run(f"run: {name}", refused(make, status, words))
for name, arguments, words in RUN_USAGE:
    tests.run(f"run: {name}", run_usage(arguments, words))
for name, test in [("set-user-ID binary", setuid), ("set-user-ID binary, preloaded", setuid_preloaded),
                   ("output in a missing directory", output_missing_directory),
                   ("output is a directory", output_is_directory), ("output on /dev/full", output_dev_full),
                   ("output not writable", output_not_writable), ("output on a full disk", full_disk),
                   ("output replaces an older file", overwrites), ("preload: output not writable", preload_bad_output),
                   ("preload: bad settings", preload_bad_settings), ("preload: the same output", preload_same_output), ("names of outputs", output_names)]:
    tests.run(f"run: {name}", test)
for name, make, status, words in FILES:
    for command in ("blocks", "check"):
        tests.run(f"{command}: {name}", bad_file(make, status, words, command))
for name, arguments, words in ANALYZE_USAGE:
    tests.run(f"analyze: {name}", analyze_usage(arguments, words))
for name, test in [("output lost", output_lost), ("cut anywhere", cut), ("changed anywhere", flipped),
                   ("hostile payloads", hostile), ("small files that say to be large", small_and_large), ("unknown records and chunks", unknown_things)]:
    tests.run(f"analyze: {name}", test)
tests.finish()
