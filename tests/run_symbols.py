#!/usr/bin/python3
"""Names, files and lines of frames: compared with binutils on the same addresses, and read from traces of programs
that are built here, stripped, moved, or make their code at run time.

usage: run_symbols.py BUILD [REGEX...]

make_places (tests/unit) makes traces of chosen addresses. CTRACE_TEST_KEEP=1 keeps the folders.
"""
import hashlib
import http.server
import json
import os
import random
import re
import resource
import shutil
import socket
import subprocess
import threading
import time
from pathlib import Path

from harness import (ANALYZE, BUILD, ENVIRONMENT, Skip, Tests, analyze, check_trace, functions, must, report, run, short,
                     traced)

MAKE_PLACES = BUILD / "tests/make_places"


def sh(*argv, cwd=None, stdin=None, env=None):
    """Runs a tool that must succeed; its output."""
    done = subprocess.run([str(a) for a in argv], cwd=cwd, input=stdin, text=True, capture_output=True,
                          env={**ENVIRONMENT, "PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/tmp"), **(env or {})})
    must(done.returncode == 0, f"{' '.join(map(str, argv))}: {short(done.stderr)}")
    return done.stdout


def tool(name):
    found = shutil.which(name)
    if not found:
        raise Skip(f"no {name}")
    return found


def build_id(path):
    m = re.search(r"Build ID: (\w+)", sh("readelf", "-n", path))
    must(m, f"{path} has no build-id")
    return m[1]


def code_of(path):
    """[start, size, name] of the functions in a symbol table."""
    rows = [line.split(None, 7) for line in sh("readelf", "-sW", path).splitlines()]
    return [(int(r[1], 16), int(r[2], 0), r[7]) for r in rows
            if len(r) == 8 and r[3] in ("FUNC", "IFUNC") and r[6] != "UND" and r[2] != "0"]


def addresses(path, count, seed=1):
    pick = random.Random(seed)
    code = [c for c in code_of(path) if c[1] > 4]
    found = set()
    for _ in range(count * 20):
        start, size, _ = pick.choice(code)
        found.add(start + pick.randrange(size))
        if len(found) == count:
            break
    return sorted(found, key=lambda a: hashlib.md5(b"%d" % a).digest())


def places(trace, path, where, depth=1, identity=None, code=()):
    lines = [f"code {start:x} {size:x} {name}\n" for start, size, name in code] + [f"{a:x}\n" for a in where]
    sh(MAKE_PLACES, trace, path, str(depth), stdin="".join(lines), env={"BUILD_ID": identity} if identity else None)


def frames_by_address(found):
    """Frames at each address of a trace by make_places with one address a stack; those of alike stacks are merged."""
    return {s["stack"][0]["offset"] - 1: s["stack"] for s in found["sites"]}


def addr2line(path, where, style="auto"):
    """[(function, file, line)] at each address, innermost first."""
    text = sh("addr2line", "-a", "-f", "-i", f"--demangle={style}", "-e", path, stdin="".join(f"{a:x}\n" for a in where))
    found, lines = {}, iter(text.splitlines())
    for line in lines:
        if re.fullmatch(r"0x[0-9a-f]{16}", line):
            at = found.setdefault(int(line, 16), [])
            continue
        place, _, number = next(lines).partition(" ")[0].rpartition(":")
        at.append((line, place, int(number) if number.isdigit() else 0))
    return found


def symbolizer(path, where, _style):
    """The same by LLVM, with the names as binutils makes them."""
    text = sh(tool("llvm-symbolizer"), f"--obj={path}", "--functions=linkage", "--inlines", "--no-demangle",
              stdin="".join(f"{a:#x}\n" for a in where))
    found = {}
    for address, part in zip(where, sh("c++filt", stdin=text).split("\n\n")):
        lines = part.strip("\n").splitlines()
        places_ = [line.rsplit(":", 2) for line in lines[1::2]]
        found[address] = [(name, file, int(number)) for name, (file, number, _) in zip(lines[::2], places_)]
    return found


def plain(name):
    """A function's name as far as demanglers agree: without parameters, hashes and blanks."""
    name = re.sub(r"::h[0-9a-f]{16}$|\[[0-9a-f]+\]|\.(llvm|cold|part|constprop|isra)[.\d]*| ?\[clone [^]]*\]", "", name)
    return re.sub(r"\s+", "", name)


def compare(found, path, tolerated=0.0, style="auto", by=addr2line):
    """Whether others see the same at all addresses."""
    theirs = by(path, found, style)
    wrong = []
    for address, stack in found.items():
        names = [plain(f["function"] or "??") for f in stack]
        expected = theirs[address]
        same = names == [plain(e[0]) for e in expected]
        if same:
            # Without debug data it names the file that a symbol of the kind FILE names.
            same = [(f["line"], f["line"] and os.path.basename(f["file"] or "??")) for f in stack] == \
                [(e[2], e[2] and os.path.basename(e[1])) for e in expected]
        if not same:
            wrong.append((hex(address), [(f["function"], f["file"], f["line"]) for f in stack], expected))
    must(len(wrong) <= len(found) * tolerated, f"{len(wrong)} of {len(found)} differ from {by.__name__}: {wrong[:3]}")
    must(found, "nothing to compare")


# --- programs ---

C_SOURCE = r"""
#include <unistd.h>
static inline __attribute__((always_inline)) void innermost(int us) { usleep(us); }
static inline __attribute__((always_inline)) void between(int us) { innermost(us); }
__attribute__((noinline)) static void hidden(int us) { between(us); __asm__ volatile(""); }
__attribute__((noinline)) void outermost(int us) { hidden(us); __asm__ volatile(""); }
int main(void) { for (int i = 0; i < 5; i++) outermost(2000); return 0; }
"""
CHAIN = ["innermost", "between", "hidden", "outermost", "main"]

CXX_SOURCE = r"""
#include <algorithm>
#include <map>
#include <string>
#include <vector>
#include <unistd.h>
namespace app {
namespace { __attribute__((noinline)) void nap(int us) { usleep(us); __asm__ volatile(""); } }
template <typename T, int N> struct Pool {
	std::map<std::string, std::vector<T>> all;
	__attribute__((noinline)) T add(const std::string &key, T value) {
		auto late = [&](int us) __attribute__((noinline)) { nap(us * N); all[key].push_back(value); };
		late(1000);
		std::sort(all[key].begin(), all[key].end(), [](T a, T b) { return a > b; });
		return all[key][0];
	}
	T operator()(T value) { return add(std::to_string(value), value); }
};
}
int main() { app::Pool<long, 2> pool; long s = 0; for (long i = 0; i < 5; i++) s += pool(i); return s < 0; }
"""

RUST_SOURCE = r"""
use std::{collections::BTreeMap, thread, time::Duration};
trait Nap { fn nap(&self, ms: u64); }
struct Deep<T>(T);
impl<T: Clone> Nap for Deep<T> {
	#[inline(never)]
	fn nap(&self, ms: u64) { thread::sleep(Duration::from_millis(ms)); std::hint::black_box(ms); }
}
#[inline(never)]
fn through<F: Fn(u64)>(f: F) { for i in 1..4 { f(std::hint::black_box(i)); } }
fn main() {
	let deep = Deep(vec![1u8]);
	through(|ms| { deep.nap(ms); std::hint::black_box(ms); });
	let mut m = BTreeMap::new();
	for i in 0..100u32 { m.insert(format!("{i}"), i); }
	std::hint::black_box(m);
}
"""

D_SOURCE = r"""
import core.sys.posix.unistd;
struct Box(T) { T value; pragma(inline, false) void nap(int us) { usleep(us); value++; } }
class Worker { Box!int box; void work(string name, int[] times) { foreach (t; times) box.nap(t); } }
extern (C) int main() { scope w = new Worker; w.work("a", [2000, 2000, 2000]); return 0; }
"""


def compiled(where, name, source, suffix, *command):
    path = where / f"{name}{suffix}"
    path.write_text(source)
    sh(*command, "-o", where / name, path, cwd=where)
    return where / name


def c_program(where, name="program", *flags, compiler="gcc"):
    return compiled(where, name, C_SOURCE, ".c", compiler, *(flags or ["-g", "-O2"]))


def trace_of(where, *argv, options=(), env=None):
    trace = where / "t.bin"
    ended = run(traced(trace, argv, options), cwd=where, env=env)
    must(ended.status == 0, str(ended))
    return trace


def longest(found, cause="sleep"):
    return max((s for s in found["sites"] if s["cause"] == cause), key=lambda s: s["total_ns"])


def is_chain(site, chain=CHAIN):
    names = [re.sub(r"[(<].*", "", n) for n in functions(site)]
    must(names[:len(chain)] == list(chain), f"frames {names}, expected {chain}")


def inlined(compiler, *flags):
    def test(where):
        program = c_program(where, "program", *flags, compiler=tool(compiler))
        found = check_trace(trace_of(where, program))
        site = longest(found)
        is_chain(site)
        must([f["inlined"] for f in site["stack"]][:5] == [True, True, False, False, False], f"inlined: {site['stack'][:5]}")
        must([f["line"] for f in site["stack"]][:5] == [3, 4, 5, 6, 7], f"lines: {site['stack'][:5]}")
        must(all(f["file"] == f"{where}/program.c" for f in site["stack"][:5]), f"files: {site['stack'][:5]}")
        # Of .dwo files and of partial units binutils knows less.
        if not {"-gsplit-dwarf", "-flto"} & set(flags):
            every = where / "every.bin"
            places(every, program, addresses(program, 200), identity=build_id(program))
            compare(frames_by_address(report(every)), program)
    return test


def language(name, suffix, source, command, expected, style="auto", by=addr2line):
    """A program whose waits have frames of these names, and whose addresses have the names that binutils give them."""
    def test(where):
        program = compiled(where, name, source, suffix, *command())
        site = longest(check_trace(trace_of(where, program)))
        names = functions(site)
        for e in expected:
            must(any(re.search(e, n) for n in names), f"no {e} in {names}")
        must(not any(re.match(r"_(Z|R|D\d)", n) for n in names), f"not demangled: {names}")
        every = where / "every.bin"
        places(every, program, addresses(program, 1500), identity=build_id(program))
        compare(frames_by_address(report(every)), program, tolerated=0.02, style=style, by=by)
    return test


def demangling(where):
    """All names of real libraries: C++, Rust, D."""
    for library in ("/usr/lib/x86_64-linux-gnu/libstdc++.so.6", "/usr/bin/node"):
        if not Path(library).exists():
            continue
        trace = where / "t.bin"
        path = Path(library).resolve()
        rows = [r.split(None, 3) for r in sh("nm", "-SD", "--defined-only", path).splitlines()]
        starts = sorted({int(r[0], 16) for r in rows if len(r) == 4 and r[2] in "tTW" and int(r[1], 16)})[:3000]
        places(trace, path, starts)
        found = frames_by_address(report(trace))
        named = sum(1 for s in found.values() if s[0]["function"])
        must(named == len(found), f"{library}: {named} of {len(found)} have a name")
        left = [s[0]["function"] for s in found.values() if s[0]["function"].startswith("_Z")]
        must(len(left) <= len(found) // 100, f"not demangled: {left[:3]}")


# --- where symbols come from ---

def stripped_of(where, program, keep="--strip-all"):
    debug = where / "kept.debug"
    sh("objcopy", "--only-keep-debug", program, debug)
    sh("strip", keep, program)
    return debug


def split(place):
    def test(where):
        program = c_program(where)
        identity = build_id(program)
        trace = trace_of(where, program)
        debug = stripped_of(where, program)
        arguments, env = [], {}
        if place == "debuglink":
            shutil.move(debug, where / "program.debug")
            sh("objcopy", f"--add-gnu-debuglink={where}/program.debug", program)
        elif place == ".debug":
            (where / ".debug").mkdir()
            sh("objcopy", f"--add-gnu-debuglink={debug}", program)
            shutil.move(debug, where / ".debug/kept.debug")
        else:
            tree = where / "tree/usr/lib/debug/.build-id" if place == "root" else where / "tree/.build-id"
            (tree / identity[:2]).mkdir(parents=True)
            shutil.move(debug, tree / identity[:2] / f"{identity[2:]}.debug")
            arguments = ["--symbols", where / "tree"]
        if place == "environment":
            arguments, env = [], {"CTRACE_SYMBOLS": f"/nowhere:{where}/tree"}
        if place == "gone":
            program.unlink()
        ended = run([ANALYZE, "blocks", "--json", *arguments, trace], env=env)
        must(ended.status == 0, str(ended))
        site = longest(json.loads(ended.out))
        is_chain(site)
        must([f["line"] for f in site["stack"]][:5] == [3, 4, 5, 6, 7], f"lines: {site['stack'][:5]}")
        text = run([ANALYZE, "blocks", *arguments, trace], env=env).out
        must("note: program" not in text, short(text, 4000))
    return test


def elsewhere(layout):
    """The trace came from another machine: its files stand under a folder here."""
    def test(where):
        program = c_program(where)
        identity = build_id(program)
        trace = trace_of(where, program)
        root = where / "root"
        target = {"path": root / str(program)[1:], "name": root / "program",
                  "build-id": root / ".build-id" / identity[:2] / identity[2:],
                  "perf": root / ".build-id" / identity[:2] / identity[2:] / "elf"}[layout]
        target.parent.mkdir(parents=True)
        shutil.move(program, target)
        c_program(where, "program", "-g", "-O1")  # another build stands there now
        text = unwrapped(analyze("blocks", trace))
        must("program: has been replaced since it was traced: no symbols" in text, short(text, 3000))
        must(not functions(longest(report(trace)))[0], "names from another build")
        is_chain(longest(report(trace, "--symbols", root)))
        must("note: " + str(program) not in analyze("blocks", "--symbols", root, trace), "a note, though it was found")
    return test


def unwrapped(text):
    """With notes in a line each."""
    return re.sub(r"\n        (?=\S)", " ", text)


def gone(where):
    """One note for each of a few files, one for all of many."""
    names = []
    for i in range(7):
        library = where / f"lib{i}.so"
        (where / f"lib{i}.c").write_text(f"#include <unistd.h>\nvoid nap{i}(void) {{ usleep(1000); __asm__ volatile(\"\"); }}\n")
        sh("gcc", "-g", "-O2", "-fPIC", "-shared", "-o", library, where / f"lib{i}.c")
        names.append(library)
    (where / "all.c").write_text("".join(f"void nap{i}(void);\n" for i in range(7)) +
                                 "int main(void) {" + "".join(f"nap{i}();" for i in range(7)) + "return 0; }\n")
    sh("gcc", "-o", where / "all", where / "all.c", *names, f"-Wl,-rpath,{where}")
    trace = trace_of(where, where / "all")
    for library in names[:2]:
        library.unlink()
    notes = [line for line in unwrapped(analyze("blocks", trace)).splitlines() if "no symbols" in line or "without symbols" in line]
    must(len(notes) == 2 and all("No such file" in n for n in notes), f"notes {notes}")
    for library in names[2:]:
        library.unlink()
    notes = [line for line in unwrapped(analyze("blocks", trace)).splitlines() if "no symbols" in line or "without symbols" in line]
    must(len(notes) == 4 and "4 more files without symbols" in notes[-1], f"notes {notes}")
    text = analyze("stats", trace)
    must(len(re.findall(r"none  +\S*lib\d\.so", text)) == 7, f"stats does not list the files: {short(text, 4000)}")


def stripped(where):
    """What has no symbol is not called by a neighbour's name: exported functions between hidden ones."""
    source = "".join(f"__attribute__((noinline)) {'static ' if i % 3 else ''}int f{i}(volatile int *p) "
                     f"{{ for (int i = 0; i < {i}; i++) *p += i * {i}; return *p; }}\n" for i in range(300))
    source += "int (*const table[])(volatile int *) = {" + ",".join(f"f{i}" for i in range(300)) + "};\n"
    library = compiled(where, "lib.so", source, ".c", "gcc", "-O2", "-fPIC", "-shared")
    truth = code_of(library)
    where_ = addresses(library, 1500)
    sh("strip", "--strip-all", library)
    trace = where / "t.bin"
    places(trace, library, where_, identity=build_id(library))
    found, named = report(trace), set()
    for address, stack in frames_by_address(found).items():
        right = [n for start, size, n in truth if start <= address < start + size]
        must(stack[0]["function"] is None or stack[0]["function"] in right,
             f"{address:#x} is called {stack[0]['function']}, it is in {right}")
        named.add(stack[0]["function"])
    must(90 <= len(named - {None}) <= 100, f"{len(named)} have a name; 100 of 300 are exported")
    text = analyze("blocks", "--top", "0", trace)
    must("lib.so: stripped, and no debug file found" in text, short(text[-600:]))
    must(re.search(r"lib\.so\+0x[0-9a-f]+", text), "no module+offset")
    text = analyze("stats", trace)
    must(re.search(r"exported functions +\S*lib\.so", text), f"stats: {short(text, 3000)}")


def mini_debug_info(where):
    """.gnu_debugdata: as Fedora's programs have it (see the GDB manual, MiniDebugInfo)."""
    tool("xz")
    program = c_program(where, "program", "-O1")
    truth = {n: s for s, _, n in code_of(program)}
    trace = trace_of(where, program)
    mini = where / "mini"
    shutil.copy(program, mini)
    sh("objcopy", "--only-keep-debug", mini)
    sh("strip", "--strip-debug", "-R", ".comment", mini)
    sh("xz", mini)
    sh("strip", "--strip-all", program)
    sh("objcopy", "--add-section", f".gnu_debugdata={mini}.xz", program)
    must("hidden" in truth, f"{truth}")
    is_chain(longest(report(trace)), ["hidden", "outermost", "main"])


# --- code made at run time ---

JIT_SOURCE = r"""
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
typedef void code(void (*leaf)(void));
static void __attribute__((noinline)) leaf(void) { usleep(1500); __asm__ volatile(""); }
/* push %rbp; mov %rsp, %rbp; call *%rdi; nop; pop %rbp; ret */
static const unsigned char keeps_fp[] = { 0x55, 0x48, 0x89, 0xe5, 0xff, 0xd7, 0x90, 0x5d, 0xc3 };
/* sub $8, %rsp; call *%rdi; add $8, %rsp; ret */
static const unsigned char trampoline[] = { 0x48, 0x83, 0xec, 8, 0xff, 0xd7, 0x48, 0x83, 0xc4, 8, 0xc3 };
int main(int argc, char **argv)
{
	char path[64], *p = mmap(NULL, 65536, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	snprintf(path, sizeof(path), "/tmp/perf-%d.map", getpid());
	if (argc > 1 && !strcmp(argv[1], "link"))
		symlink(argv[2], path);
	FILE *f = fopen(path, "a");
	memcpy(p, keeps_fp, sizeof(keeps_fp));
	memcpy(p + 64, trampoline, sizeof(trampoline));
	fprintf(f, "%lx 40 first meaning\n", (long)p);
	fprintf(f, "no line at all\n\n%lx\n%lx 10\nffffffffffffffff ffffffffffffffff all\n0 ffffffffffffffff everything\n", (long)p, (long)p);
	fprintf(f, "%lx 40 ", (long)p + 64);
	for (int i = 0; i < 100000; i++)
		fputc('n', f);
	fprintf(f, "\n%lx 20 int app.Main::run(int)\n%lx b py::work:/app/work.py\n%lx 40 not used\n", (long)p, (long)p + 64,
		(long)p + 4096);
	fflush(f);
	((code *)p)(leaf);
	((code *)(p + 64))(leaf);
	fclose(f);
	return 0;
}
"""


def jit(where):
    program = compiled(where, "jit", JIT_SOURCE, ".c", "gcc", "-g", "-O2")
    trace = trace_of(where, program)
    found = check_trace(trace)
    stacks = sorted([f["function"] for f in s["stack"]][:3] for s in found["sites"] if s["cause"] == "sleep")
    must(stacks == [["leaf", "int app.Main::run(int)", "main"], ["leaf", "work", "main"]], f"{stacks}")
    frame = [f for s in found["sites"] for f in s["stack"] if f["function"] == "work"][0]
    must(frame["file"] == "/app/work.py" and frame["module"] == "[jit]", f"{frame}")
    dump = [json.loads(line) for line in analyze("dump", "--json", trace).splitlines()]
    names = [r["name"] for r in dump if r.get("record") == "CODE" or r.get("type") == "CODE"]
    must(names and "not used" not in names, f"CODE records {names}")
    # The trace is enough: the file is not read again.
    for path in Path("/tmp").glob("perf-*.map"):
        if "first meaning" in path.read_text(errors="replace")[:200]:
            path.unlink()
    must([f["function"] for s in report(trace)["sites"] for f in s["stack"] if f["module"] == "[jit]"], "names are gone")


def jit_link(where):
    """A link that anybody could have put there is not followed."""
    program = compiled(where, "jit", JIT_SOURCE, ".c", "gcc", "-g", "-O2")
    trace = trace_of(where, program, "link", where / "target.map")
    must("first meaning" in (where / "target.map").read_text(), "the program did not write")
    must(not any(f["module"] == "[jit]" for s in report(trace)["sites"] for f in s["stack"]), "the link was followed")
    for path in Path("/tmp").glob("perf-*.map"):
        if path.is_symlink() and str(where) in os.readlink(path):
            path.unlink()


def jit_names(where):
    """What V8, CPython and the JVM write; of code that overlaps the last counts."""
    trace = where / "t.bin"
    names = [
        ("LazyCompile:*run /app/x.js:3:10", "run", "/app/x.js", 3),
        ("JS:~get x /app/y.js:30:1", "get x", "/app/y.js", 30),
        ("Function:^ /app/z.js:7:1", "(anonymous)", "/app/z.js", 7),
        ("JS:*readSync node:fs:684:18", "readSync", "node:fs", 684),
        ("Script:~ /app/a b.js:1:1", "(anonymous)", "/app/a b.js", 1),
        ("LazyCompile:~x", "LazyCompile:~x", None, 0),
        ("py::K.run:/app/p.py", "K.run", "/app/p.py", 0),
        ("py::<module>:<frozen importlib._bootstrap>", "<module>", "<frozen importlib._bootstrap>", 0),
        ("py::", "", None, 0),
        ("void java.lang.Object.wait(long)", "void java.lang.Object.wait(long)", None, 0),
        ("Builtin:ArgumentsAdaptor", "Builtin:ArgumentsAdaptor", None, 0),
    ]
    code = [(0x1000 * (i + 1), 0x100, n[0]) for i, n in enumerate(names)]
    code += [(0x100000, 0x1000, "first"), (0x100800, 0x100, "inner"), (0x100000, 0x900, "later"), (0x200000, 16, "unused")]
    expected = {0x1000 * (i + 1) + 5: n[1:] for i, n in enumerate(names)}
    expected |= {0x100880: ("later", None, 0), 0x100910: ("first", None, 0), 0x300000: (None, None, 0)}
    places(trace, "-", expected, code=code)
    found = frames_by_address(report(trace))
    for address, e in expected.items():
        if not e[0] and e[0] is not None:
            continue
        f = found[address][0]
        must((f["function"], f["file"], f["line"]) == e, f"{address:#x}: {f}, expected {e}")
    must(found[0x300000][0]["module"] is None, f"{found[0x300000]}")


def remove_map(pid):
    try:
        os.unlink(f"/tmp/perf-{pid}.map")
    except OSError:
        pass


def pids(found):
    return {t["pid"] for t in found["threads"]}


def node(where):
    tool("node")
    script = where / "a.js"
    script.write_text("const fs = require('fs');\n"
                      "function write(i) { const fd = fs.openSync('out', 'w');\n fs.writeSync(fd, 'x'.repeat(200000));\n"
                      " fs.fsyncSync(fd); fs.closeSync(fd); }\n"
                      "function middle(i) { write(i); return i + 1; }\n"
                      "function outer() { let s = 0; for (let i = 0; i < 30; i++) s += middle(i); return s; }\nouter();\n")
    trace = trace_of(where, "node", "--perf-basic-prof", "--interpreted-frames-native-stack", script)
    found = report(trace)
    for pid in pids(found):
        remove_map(pid)
    stacks = [s["stack"] for s in found["sites"] if any(f["function"] == "write" for f in s["stack"])]
    must(stacks, f"no frame of the script in {short(json.dumps(found['sites'][:2]), 3000)}")
    names = [f["function"] for f in stacks[0]]
    at = names.index("write")
    must(names[at:at + 3] == ["write", "middle", "outer"], f"{names}")
    must(stacks[0][at]["file"] == str(script) and stacks[0][at + 1]["line"] == 5, f"{stacks[0][at:at + 2]}")
    must(any("node::Start" in (n or "") for n in names), f"the stack does not reach main: {names}")


def java(where):
    tool("java"), tool("javac")
    (where / "W.java").write_text(
        "import java.io.*;\npublic class W {\n"
        " static void write() throws Exception { try (FileOutputStream f = new FileOutputStream(\"out\")) {\n"
        "  f.write(new byte[200000]); f.getFD().sync(); } }\n"
        " static void work() throws Exception { write(); }\n"
        " public static void main(String[] a) throws Exception { for (int i = 0; i < 40; i++) work(); } }\n")
    home = next((h for h in sorted(Path("/usr/lib/jvm").glob("*17*")) if (h / "bin/java").exists()), None)
    program = (home / "bin/java") if home else "java"
    sh("javac", "--release", "17", "-d", where, where / "W.java")
    trace = trace_of(where, program, "-XX:+UnlockDiagnosticVMOptions", "-XX:+DumpPerfMapAtExit",
                     "-XX:+PreserveFramePointer", "-Xcomp", "-XX:CompileCommand=compileonly,W::*",
                     "-XX:CompileCommand=quiet", "-XX:CompileCommand=dontinline,W::*", "-cp", where, "W")
    found = report(trace)
    for pid in pids(found):
        remove_map(pid)
    stacks = [functions(s) for s in found["sites"] if any("W.write" in n for n in functions(s))]
    must(stacks, f"no frame of W.write in {[functions(s) for s in found['sites'][:3]]}")
    must(any(re.search(r"W\.write.*W\.work.*W\.main.*JavaCalls::call_helper", " ".join(s)) for s in stacks), f"{stacks[:2]}")


def python_perf(where):
    python = next((p for p in [*Path.home().glob(".pyenv/versions/3.1[2-9]*/bin/python3"),
                               *Path("/root").glob(".pyenv/versions/3.1[2-9]*/bin/python3")]
                   if run([p, "-X", "perf", "-c", "import sys; sys.exit(not sys.is_stack_trampoline_active())"]).status == 0), None)
    if not python:
        raise Skip("no python of 3.12 or later with -X perf")
    (where / "p.py").write_text("import os, time\n"
                                "def leaf():\n    fd = os.open('out', os.O_WRONLY | os.O_CREAT)\n    os.write(fd, b'x' * 200000)\n"
                                "    os.fsync(fd)\n    os.close(fd)\n"
                                "class K:\n    def middle(self): leaf()\n"
                                "def outer(k):\n    for i in range(30): k.middle()\nouter(K())\n")
    trace = trace_of(where, python, "-X", "perf", "p.py")
    found = report(trace)
    for pid in pids(found):
        remove_map(pid)
    stacks = [s["stack"] for s in found["sites"] if any(f["function"] == "leaf" for f in s["stack"])]
    must(stacks, f"no frame of the script in {[functions(s) for s in found['sites'][:3]]}")
    mine = [f["function"] for f in stacks[0] if f["module"] == "[jit]"]
    must(mine == ["leaf", "K.middle", "outer", "<module>"], f"{mine}")
    must(any("Py_BytesMain" in n or n == "main" for n in functions({"stack": stacks[0]})), f"{stacks[0][-3:]}")


# --- debuginfod ---

def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def with_servers(where, urls, *arguments, **more):
    return run([ANALYZE, "blocks", *arguments, where / "t.bin"], timeout=120,
               env={"DEBUGINFOD_URLS": urls, "DEBUGINFOD_CACHE_PATH": str(where / "cache"), "NO_PROXY": "*", "no_proxy": "*", **more})


def debuginfod(where):
    server = tool("debuginfod")
    program = c_program(where)
    trace_of(where, program)
    (where / "served").mkdir()
    shutil.move(stripped_of(where, program), where / "served/program.debug")
    port = free_port()
    with open(where / "log", "w") as log:
        daemon = subprocess.Popen([server, "-p", str(port), "-d", str(where / "db"), "-F", str(where / "served")], stdout=log,
                                  stderr=log, env={**ENVIRONMENT, "DEBUGINFOD_CACHE_PATH": str(where / "server-cache")})
    try:
        until = time.monotonic() + 60
        url = f"http://127.0.0.1:{port}"
        wanted = f"{url}/buildid/{build_id(program)}/debuginfo"
        while subprocess.run(["curl", "-sf", "--noproxy", "*", "-o", "/dev/null", wanted]).returncode:
            must(time.monotonic() < until and daemon.poll() is None, f"the server does not serve: {short((where / 'log').read_text())}")
            time.sleep(0.2)
        ended = with_servers(where, f"http://127.0.0.1:{free_port()} {url}", "--json")
        must(ended.status == 0, str(ended))
        is_chain(longest(json.loads(ended.out)))
        # The program itself is gone: the server knows its build.
        program.unlink()
        shutil.rmtree(where / "cache")
        ended = with_servers(where, url, "--json")
        is_chain(longest(json.loads(ended.out)))
        text = with_servers(where, url).out
        must(str(program) + ":" not in text, f"a note, though it was found: {short(text, 3000)}")
    finally:
        daemon.terminate()
        daemon.wait()
    # What was fetched stays.
    is_chain(longest(json.loads(with_servers(where, url, "--json").out)))


def silent_server(where):
    """It takes connections and says nothing. One file is waited for, not each; and not for long."""
    program = c_program(where)
    trace_of(where, program)
    stripped_of(where, program)
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        s.listen(100)
        started = time.monotonic()
        ended = with_servers(where, f"http://127.0.0.1:{s.getsockname()[1]}")
        took = time.monotonic() - started
    must(ended.status == 0, str(ended))
    must("no answer from DEBUGINFOD_URLS in time" in ended.out, short(ended.out, 4000))
    # The default of the client is 90 s, three times, for each file.
    must(took < 30, f"held up for {took:.1f} s")


def refusing_servers(where):
    """One that has nothing, one that is broken, one that nobody is: no harm."""
    class Nothing(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_error(404 if "debuginfo" in self.path else 500)

        def log_message(self, *_):
            pass

    program = c_program(where, "program", "-O2")
    trace_of(where, program)
    httpd = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Nothing)
    thread = threading.Thread(target=httpd.serve_forever)
    thread.start()
    try:
        for urls in (f"http://127.0.0.1:{httpd.server_port}", "http://127.0.0.1:1", "nonsense", "file:///nowhere"):
            ended = with_servers(where, urls, "--json")
            must(ended.status == 0 and not ended.err, str(ended))
            is_chain(longest(json.loads(ended.out)), ["hidden", "outermost", "main"])
    finally:
        httpd.shutdown()
        httpd.server_close()
        thread.join()


# --- many, and hostile ---

def cpu_of(*argv):
    """Seconds of CPU time of a program that must succeed."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run([str(a) for a in argv], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=ENVIRONMENT, timeout=300)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    must(done.returncode == 0, f"{argv}: {done.returncode}: {short(done.stderr)}")
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def large_program(where):
    """Many functions in many units, without .debug_aranges, which clang does not write."""
    units = []
    for u in range(8):
        source = "".join(f"static inline int in{u}_{i}(int x) {{ return x * {i + 3} ^ x >> 3; }}\n"
                         f"int f{u}_{i}(int *p, int n) {{ for (int k = 0; k < n; k++) {{ p[k] += in{u}_{i}(p[k] + k);\n"
                         f" if (p[k] == {i}) p[0] ^= in{u}_{i}(k);\n p[1] += p[k] >> {i % 20}; }}\n return p[1]; }}\n" for i in range(150))
        (where / f"u{u}.c").write_text(source)
        units.append(where / f"u{u}.c")
    library = where / "large.so"
    sh(tool("clang"), "-g", "-O1", "-fPIC", "-shared", "-o", library, *units)
    must(".debug_aranges" not in sh("readelf", "-SW", library), "the test is about files without it")
    return library


def many(where):
    """100,000 distinct frames: the cost of one does not grow with their number, and what is not printed costs nothing."""
    library = large_program(where)
    chosen = addresses(library, 100000)
    must(len(chosen) > 90000, f"only {len(chosen)} addresses")
    few, all_, stacks = where / "few.bin", where / "all.bin", where / "stacks.bin"
    places(few, library, chosen[:10000], depth=50)
    places(all_, library, chosen, depth=50)
    places(stacks, library, chosen[:50000])
    ten = min(cpu_of(ANALYZE, "blocks", "--json", "--top", "0", few) for _ in range(3))
    hundred = min(cpu_of(ANALYZE, "blocks", "--json", "--top", "0", all_) for _ in range(3))
    print(f"  {len(chosen)} frames in {hundred:.2f} s of CPU time, 10000 in {ten:.2f} s", flush=True)
    must(hundred < ten * 20 + 0.5, f"10000 frames took {ten:.2f} s, {len(chosen)} {hundred:.2f} s")
    everything = cpu_of(ANALYZE, "blocks", "--json", "--top", "0", stacks)
    for command in ("summary", "blocks", "threads", "locks", "io", "malloc", "wakers", "path", "sched", "deadlocks", "stats"):
        # path --json prints all places
        for json_ in ([], ["--json"]) if command in ("blocks", "threads", "locks", "wakers", "sched") else ([],):
            took = min(cpu_of(ANALYZE, command, *json_, "--top", "10", stacks) for _ in range(2))
            must(took < everything / 2 + 0.3, f"{command} {json_} --top 10 took {took:.2f} s, all 50000 stacks {everything:.2f} s")
    sample = where / "sample.bin"
    places(sample, library, chosen[:600])
    compare(frames_by_address(report(sample)), library)


def hostile(where):
    """Files with bytes changed: whatever is found in them, the report is there, in bounded time and memory."""
    pick = random.Random(5)
    program = c_program(where, "program", "-g", "-O2", "-Wl,--build-id=none")
    chosen = addresses(program, 150)
    good = program.read_bytes()
    sections = [(int(m[2], 16), int(m[3], 16)) for m in
                re.finditer(r"\] (\.debug_\w+|\.symtab|\.strtab|\.dynsym)\s+\w+\s+\w+ (\w+) (\w+)", sh("readelf", "-SW", program))]
    must(len(sections) > 5, f"{sections}")
    trace = where / "t.bin"
    places(trace, program, chosen)

    def limit():
        resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30))

    for round_ in range(150):
        bad = bytearray(good)
        for _ in range(pick.choice([1, 3, 30])):
            start, size = pick.choice(sections + [(0, 64), (len(bad) - 64 * 30, 64 * 30)])
            bad[min(start + pick.randrange(size), len(bad) - 1)] = pick.choice([0, 0xff, 0x7f, 0x80, pick.randrange(256)])
        if round_ % 10 == 9:
            bad = bad[:pick.randrange(64, len(bad))]
        program.write_bytes(bad)
        done = subprocess.run([ANALYZE, "blocks", "--json", "--top", "0", trace], capture_output=True, timeout=60, preexec_fn=limit,
                              env=ENVIRONMENT)
        if done.returncode:
            shutil.copy(program, f"/tmp/run_symbols-bad-{round_}")
        must(done.returncode == 0, f"round {round_}: status {done.returncode}: {short(done.stderr)}")
        json.loads(done.stdout)


tests = Tests()
for compiler, *flags in (("gcc", "-g", "-O2"), ("gcc", "-gdwarf-4", "-O2"), ("clang", "-g", "-O2"), ("clang", "-gdwarf-4", "-O2"),
                         ("gcc", "-g", "-O2", "-gsplit-dwarf"), ("gcc", "-g", "-O2", "-gz"), ("gcc", "-g", "-O2", "-flto")):
    tests.run(f"inlined {compiler} {' '.join(flags)}", inlined(compiler, *flags))
CXX = [r"^app::\(anonymous namespace\)::nap\(int\)", r"app::Pool<long, 2>::add\(.*\)::\{lambda\(int\)#1\}::operator\(\)\(int\) const",
       r"app::Pool<long, 2>::add\(std::"]
for compiler in ("g++", "clang++"):
    tests.run(f"c++ {compiler}", language("program", ".cc", CXX_SOURCE, lambda c=compiler: (tool(c), "-g", "-O1"),
                                          CXX if compiler == "g++" else [CXX[2]],
                                          # binutils 2.40 does not understand all of clang's ranges.
                                          by=addr2line if compiler == "g++" else symbolizer))
for scheme in ("legacy", "v0"):
    tests.run(f"rust {scheme}", language("program", ".rs", RUST_SOURCE, lambda s=scheme: (
        tool("env"), "RUSTC_BOOTSTRAP=1", tool("rustc"), "-g", "-O", "-Z", "unstable-options", "-C", f"symbol-mangling-version={s}"),
        [r"^<program(\[\w+\])?::Deep<.*> as program(\[\w+\])?::Nap>::nap$", r"^program(\[\w+\])?::through(::<.*>)?$", r"^program(\[\w+\])?::main$"]))
tests.run("d", language("program", ".d", D_SOURCE, lambda: (tool("gdc"), "-g", "-O1", "-fno-inline"),
                        [r"^program\.Box!\(int\)\.Box\.nap\(int\)$", r"^program\.Worker\.work\(immutable\(char\)\[\], int\[\]\)$"], "dlang"))
tests.run("demangling", demangling)
for place in ("debuglink", ".debug", "build-id", "root", "environment", "gone"):
    tests.run(f"split {place}", split(place))
for layout in ("path", "name", "build-id", "perf"):
    tests.run(f"elsewhere {layout}", elsewhere(layout))
tests.run("gone", gone)
tests.run("stripped", stripped)
tests.run("mini debug info", mini_debug_info)
tests.run("jit", jit)
tests.run("jit link", jit_link)
tests.run("jit names", jit_names)
tests.run("jit node", node)
tests.run("jit java", java)
tests.run("jit python", python_perf)
tests.run("debuginfod", debuginfod)
tests.run("debuginfod silent", silent_server)
tests.run("debuginfod refusing", refusing_servers)
tests.run("many", many)
tests.run("hostile", hostile)
tests.finish()
