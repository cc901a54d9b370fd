#!/usr/bin/python3
"""Profiles, folded stacks and flame graphs, as the tools that people have read them: go tool pprof and
Chromium. What they say is compared with the report of `blocks --json` of the same trace.

usage: run_exports.py BUILD [NAME...]
"""
import collections
import json
import os
import re
import shutil
import subprocess
import xml.etree.ElementTree as ElementTree

from harness import (ANALYZE, PROGRAMS, Tests, analyze, must, report, run, short, traced, wait_complete)

SYNC = {"mutex", "rwlock", "spin", "cond", "semaphore", "barrier", "once", "join", "futex"}
IO = {"file", "pipe", "socket", "connect", "accept", "dns", "tty", "poll", "eventfd", "msgqueue"}
MALLOC = {"malloc", "mmap"}
NO_WAIT = {"runnable", "unexplained", "none"}
CHROMIUM = next((shutil.which(n) for n in ("chromium", "chromium-browser", "google-chrome") if shutil.which(n)), None)


def family(cause):
    return "sync" if cause in SYNC else "io" if cause in IO else "malloc" if cause in MALLOC else "syscall"


def trace_of(where, *argv):
    out = where / "t.bin"
    ended = run(traced(out, argv), cwd=where)
    must(ended.status == 0, str(ended))
    wait_complete(out)
    return out


def convoy(where):
    return trace_of(where, PROGRAMS / "wakers", "convoy")


THREADS = """
import os, subprocess, tempfile, threading, time
lock, busy = threading.Lock(), threading.Condition()
def work(n):
    for i in range(5):
        with lock:
            time.sleep(0.002)
        with tempfile.NamedTemporaryFile() as f:
            f.write(b"x" * 10000)
            f.flush()
            os.fsync(f.fileno())
threads = [threading.Thread(target=work, args=(i,)) for i in range(3)]
[t.start() for t in threads]
[t.join() for t in threads]
subprocess.run(["sleep", "0.05"])
r, w = os.pipe()
threading.Timer(0.05, lambda: os.write(w, b"x")).start()
os.read(r, 1)
"""


def python(where):
    """Several processes, causes of all families, stacks of a program without debug data."""
    return trace_of(where, "/usr/bin/python3", "-c", THREADS)


# --- go tool pprof ---

def go_pprof(*arguments, home="/tmp"):
    ended = run(["go", "tool", "pprof", *arguments], env={"HOME": str(home), "PPROF_TMPDIR": str(home), "GOFLAGS": "-mod=mod"})
    must(ended.status == 0, str(ended))
    return ended.out


def pprof_of(where, trace, profile, *options, status=0):
    out = where / f"{profile}.pb.gz"
    analyze("export", "--format", "pprof", "--profile", profile, "-o", out, *options, trace, status=status)
    return out


class Profile:
    """What `go tool pprof -raw` prints, read back."""

    def __init__(self, path):
        self.samples, self.locations, self.mappings, self.head = [], {}, {}, []
        part = "head"
        for line in go_pprof("-raw", path).splitlines():
            if line in ("Samples:", "Locations", "Mappings"):
                part = line
            elif part == "head":
                self.head.append(line)
            elif part == "Samples:":
                self.sample(line)
            elif part == "Locations":
                self.location(line)
            else:
                self.mapping(line)

    def sample(self, line):
        found = re.match(r"\s*(\d+)\s+(\d+): ([\d ]*)$", line)
        if found:
            self.samples.append((int(found[1]), int(found[2]), [int(i) for i in found[3].split()], {}))
        elif re.match(r"\s+\w+:\[", line):
            for key, value in re.findall(r"(\w+):\[(.*?)\](?= \w+:\[|\s*$)", line):
                self.samples[-1][3][key] = value

    def location(self, line):
        found = re.match(r"\s*(\d+): 0x([0-9a-f]+)(?: M=(\d+))?(.*)$", line)
        if found:
            self.last = self.locations[int(found[1])] = (int(found[2], 16), int(found[3] or 0), [])
            line = found[4]
        found = re.match(r"\s+(.*) (\S*?):(\d+)(?::\d+)? s=\d+", line)
        if found:
            self.last[2].append((found[1], found[2], int(found[3])))

    def mapping(self, line):
        found = re.match(r"(\d+): 0x([0-9a-f]+)/0x([0-9a-f]+)/0x([0-9a-f]+) (\S+) ?([0-9a-f]*)", line)
        if found:
            self.mappings[int(found[1])] = (*[int(found[i], 16) for i in (2, 3, 4)], found[5], found[6])

    def stacks(self):
        """Count and time by cause and frames: function, file, line; without a function module and offset."""
        sums = collections.defaultdict(lambda: [0, 0])
        for count, ns, ids, labels in self.samples:
            frames = []
            for i in ids:
                address, mapping, lines = self.locations[i]
                if lines:
                    frames += lines
                else:
                    must(mapping in self.mappings, f"location {i} has no line and no mapping")
                    frames.append((None, self.mappings[mapping][3], address + 1))
            if not all(m for _, m, _ in [self.locations[i] for i in ids]):
                frames = ()  # a call without a stack
            key = labels.get("cause"), tuple(frames)
            sums[key][0] += count
            sums[key][1] += ns
        return sums

    def total(self):
        return sum(s[0] for s in self.samples), sum(s[1] for s in self.samples)


def reported_stacks(found):
    sums = collections.defaultdict(lambda: [0, 0])
    for s in found["sites"]:
        frames = tuple((f["function"], f["file"] or "", f["line"]) if f["function"] else (None, f["module"], f["offset"])
                       for f in s["stack"])
        sums[s["cause"], frames][0] += s["count"]
        sums[s["cause"], frames][1] += s["total_ns"]
    return sums


def cause_sums(found, wanted):
    rows = [c for c in found["causes"] if c["cause"] not in NO_WAIT and wanted(c["cause"])]
    return sum(c["count"] for c in rows), sum(c["total_ns"] for c in rows)


def sums(make):
    """Each profile has its causes and no others; together they have all."""
    def test(where):
        trace = make(where)
        found = report(trace)
        parts = []
        for profile in ("sync", "io", "syscall", "malloc"):
            p = Profile(pprof_of(where, trace, profile))
            expected = cause_sums(found, lambda cause: family(cause) == profile)
            must(p.total() == expected, f"{profile}: {p.total()}, blocks says {expected}")
            must(all(family(s[3]["cause"]) == profile for s in p.samples), f"{profile}: strange causes")
            parts.append(p.total())
        whole = Profile(pprof_of(where, trace, "all"))
        must(whole.total() == tuple(map(sum, zip(*parts))), f"all: {whole.total()}, parts {parts}")
        must(whole.total()[1] == sum(t["blocked_ns"] for t in found["threads"]), f"all: {whole.total()}")
        ready = Profile(pprof_of(where, trace, "sched")).total()[1]
        expected = sum(t["runnable_ns"] or 0 for t in found["threads"])
        must(ready == expected, f"sched: {ready} ns, the threads were runnable for {expected}")
    return test


def same_stacks(make):
    """Functions, files, lines, inlined frames and offsets are those of the report; so is each stack's sum."""
    def test(where):
        trace = make(where)
        p, expected = Profile(pprof_of(where, trace, "all")), reported_stacks(report(trace))
        found = p.stacks()
        must(dict(found) == dict(expected), "stacks differ:\n" + "\n".join(
            f"  {k}: pprof {found.get(k)}, blocks {expected.get(k)}"
            for k in sorted(set(found) | set(expected), key=str) if found.get(k) != expected.get(k))[:3000])
        for start, end, offset, path, build_id in p.mappings.values():
            if not path.startswith("/"):
                continue
            notes = subprocess.run(["readelf", "-n", path], capture_output=True, text=True).stdout
            must(re.search(f"Build ID: {build_id}$", notes, re.M), f"{path}: build-id {build_id}, readelf says {short(notes)}")
        for address, mapping, _ in p.locations.values():
            if mapping:
                start, end = p.mappings[mapping][:2]
                must(start <= address < end, f"address {address:#x} is not in its mapping {p.mappings[mapping]}")
        return p
    return test


def symbolised_elsewhere(where):
    """Address and mapping are enough for another symboliser."""
    p = Profile(pprof_of(where, convoy(where), "all"))
    seen = 0
    for address, mapping, lines in p.locations.values():
        if not mapping or "wakers" not in p.mappings[mapping][3]:
            continue
        start, _, offset, path, _ = p.mappings[mapping]
        must(start == offset, f"mapping {p.mappings[mapping]}: this linker puts code at its offset")
        said = subprocess.run(["addr2line", "-i", "-f", "-e", path, hex(address)], capture_output=True, text=True, check=True)
        functions = said.stdout.splitlines()[::2]
        must(functions == [f for f, _, _ in lines], f"{address:#x}: addr2line says {functions}, pprof has {lines}")
        seen += 1
    must(seen >= 5, f"{seen} locations")


def commands(where):
    """What a person would ask of go tool pprof."""
    trace = convoy(where)
    out = pprof_of(where, trace, "sync")
    top = go_pprof("-top", out)
    must("Type: delay" in top and re.search(r"File: wakers", top), f"-top: {short(top)}")
    rows = re.findall(r"^\s*(\S+)\s+[\d.]+%\s+[\d.]+%\s+(\S+)\s+[\d.]+%\s+(.*)$", top, re.M)
    must(rows and rows[0][2].startswith("queue_up"), f"-top: {short(top)}")
    must("Type: contentions" in go_pprof("-top", "-sample_index=contentions", out), "-sample_index=contentions")
    must(re.search(r"Time: \w+ \d+, 20\d\d", top) and re.search(r"Duration: [\d.]+m?s", top), f"-top: {short(top)}")
    traces = go_pprof("-traces", out)
    must("cause:  mutex" in traces and "object:  g_lock" in traces and "thread:  rider-0" in traces, f"-traces: {short(traces)}")
    listing = go_pprof("-list", "queue_up", out)
    must(re.search(r"[\d.]+m?s\s+[\d.]+m?s\s+\d+:\s+MUST\(!pthread_mutex_lock\(&g_lock\)\)", listing), f"-list: {short(listing, 1500)}")
    focused = go_pprof("-top", "-tagfocus=cause=barrier", out)
    must("queue_up" not in focused and "rider" in focused, f"-tagfocus: {short(focused)}")
    again = where / "again.pb.gz"
    go_pprof("-proto", "-output", again, out)
    a, b = Profile(out), Profile(again)
    must(a.total() == b.total() and a.stacks() == b.stacks(), f"-proto: {a.total()}, {b.total()}")
    must("Comment: ctrace" in "\n".join(a.head) or any("ctrace" in h for h in a.head), f"no comment: {a.head}")
    # Two runs, as a fleet's store adds them up.
    both = where / "both.pb.gz"
    go_pprof("-proto", "-output", both, out, again)
    must(Profile(both).total() == tuple(2 * x for x in a.total()), "the sum of two profiles")


def folded(trace, *options, status=0):
    """Time by stack, as flame graph tools read it: the number stands behind the last space."""
    sums = collections.Counter()
    for line in analyze("export", "--format", "folded", *options, trace, status=status).splitlines():
        found = re.fullmatch(r"(\S.*) (\d+)", line)
        must(found, f"no folded stack: {line!r}")
        sums[tuple(found[1].split(";"))] += int(found[2])
    return sums


def folds(make):
    def test(where):
        trace = make(where)
        threads = report(trace)["threads"]
        blocked = folded(trace)
        must(sum(blocked.values()) == sum(t["blocked_ns"] for t in threads), "folded: blocked time")
        for name in {t["name"] for t in threads if t["name"]}:
            expected = sum(t["blocked_ns"] for t in threads if t["name"] == name)
            got = sum(ns for stack, ns in blocked.items() if stack[0] == name.replace(";", ":"))
            must(got == expected, f"thread {name}: {got}, the report says {expected}")
        off = folded(trace, "--by", "off-cpu")
        expected = sum(t["blocked_ns"] + t["unexplained_ns"] + (t["runnable_ns"] or 0) for t in threads)
        must(sum(off.values()) == expected, f"off-cpu: {sum(off.values())}, expected {expected}")
        rows = report(trace, command="wakers")["wakers"]
        woken = folded(trace, "--by", "waker")
        must(sum(woken.values()) == sum(r["total_ns"] for r in rows), "by waker: not what wakers says")
        known = sum(ns for stack, ns in woken.items() if "--" in stack and not stack[-1].startswith("["))
        must(known == sum(r["total_ns"] for r in rows if r["waker"]), "by waker: known wakers")
    return test


def woken_stacks(where):
    """The waker's stack stands upside down on the waiter's."""
    woken = folded(convoy(where), "--by", "waker")
    right = [s for s in woken if "queue_up" in s and s[s.index("--"):][1:3] == ("let_go", "rider") and s[-1].startswith("rider-")]
    must(right and all(s[:s.index("--")][-2:] == ("queue_up", "mutex") for s in right), f"stacks: {list(woken)[:4]}")


def flamegraph_pl(where):
    """The flamegraph.pl that Debian has, with NYTProf."""
    script = "/usr/share/perl5/Devel/NYTProf/flamegraph.pl"
    must(os.path.exists(script), f"no {script}: scripts/setup test installs it")
    trace = convoy(where)
    analyze("export", "--format", "folded", "-o", where / "x.folded", trace)
    drawn = run(["perl", script, "--countname=ns", where / "x.folded"])
    must(drawn.status == 0, str(drawn))
    for function in ("queue_up", "mutex"):
        said = sum(int(n.replace(",", "")) for n in re.findall(rf"<title>{function} \(([\d,]+) ns", drawn.out))
        expected = sum(c["total_ns"] for c in report(trace)["causes"] if c["cause"] == "mutex")
        must(said == expected, f"{function}: flamegraph.pl draws {said} ns, blocks says {expected}")


def filters(where):
    """The filters select the same as for blocks."""
    trace = python(where)
    for options in (["--cause", "file,mutex,semaphore,futex"], ["--from", "30%", "--to", "80%"], ["--min", "1ms"],
                    ["--thread", "sleep"], ["--from", "50ms", "--cause", "poll,pipe,join"]):
        found = report(trace, *options)
        expected = sum(t["blocked_ns"] for t in found["threads"])
        got = Profile(pprof_of(where, trace, "all", *options)).total()[1]
        must(got == expected, f"{options}: pprof {got}, blocks {expected}")
        got = sum(folded(trace, *options).values())
        must(got == expected, f"{options}: folded {got}, blocks {expected}")
    analyze("flame", "--thread", "nobody", "-o", where / "none.svg", trace)
    must(len(frames_of(where / "none.svg")) == 1, "a graph of no thread has more than its root")
    must(Profile(pprof_of(where, trace, "all", "--thread", "nobody")).total() == (0, 0), "a profile of no thread")


def damaged(where):
    """A cut trace gives what is readable, and says that it was cut."""
    trace = python(where)
    data = trace.read_bytes()
    for share in (0.3, 0.6, 0.95):
        cut = where / "cut.bin"
        cut.write_bytes(data[:int(len(data) * share)])
        out = where / "all.pb.gz"
        ended = run([ANALYZE, "export", "--format", "pprof", "-o", out, cut])
        must(ended.status == 1 and len(ended.err.splitlines()) == 1, str(ended))
        p = Profile(out)
        must(any("no end" in h for h in p.head), f"no comment on the cut: {p.head}")
        must(p.total()[1] == sum(t["blocked_ns"] for t in report(cut, status=1)["threads"]), "sums of a cut trace")
        must(sum(folded(cut, status=1).values()) == p.total()[1], "folded stacks of a cut trace")
        run([ANALYZE, "flame", "-o", where / "cut.svg", cut])
        ElementTree.parse(where / "cut.svg")


def usage(where):
    trace = convoy(where)
    size = trace.stat().st_size
    for arguments, words in [
            (["--format", "pprof", "--by", "waker"], "--by"), (["--format", "folded", "--profile", "io"], "--profile"),
            (["--format", "pprof", "--profile", "everything"], "everything"), (["--format", "folded", "--by", "me"], "--by"),
            (["--format", "pprof", "-o", "/nonexistent/x"], "/nonexistent/x"), (["--format", "pprof", "-o", trace], "trace itself"),
            (["--format", "pprof", "-o", "/dev/full"], "space")]:
        ended = run([ANALYZE, "export", *arguments, trace])
        must(ended.status == 2 and words in ended.err and len(ended.err.splitlines()) == 1, f"{ended}; expected {words}")
    ended = run([ANALYZE, "export", "--format", "folded", "--cause", "nonsense", "-o", where / "left", trace])
    must(ended.status == 2 and not (where / "left").exists(), f"{ended}; a file is left behind")
    must(trace.stat().st_size == size, "the trace was written to")
    # Without -o to standard output.
    ended = run([ANALYZE, "export", "--format", "pprof", trace])
    must(ended.status == 0 and ended.out.startswith("\x1f\x8b"), "no gzip on standard output")


# --- flame ---

SVG = "{http://www.w3.org/2000/svg}"


def frames_of(svg):
    """Name, time as a share, x and width of each frame."""
    frames = []
    for g in ElementTree.parse(svg).getroot().find(f"{SVG}g[@id='frames']"):
        rect, title = g.find(f"{SVG}rect"), g.find(f"{SVG}title").text
        found = re.fullmatch(r"(.*) \((.*), ([\d.]+) %, (.*) waits?\)", title)
        must(found, f"title {title!r}")
        frames.append((found[1], float(found[3]), float(rect.get("x")), float(rect.get("width")), int(rect.get("y"))))
    return frames


def flame(where):
    trace = convoy(where)
    svg = where / "x.svg"
    analyze("flame", "-o", svg, trace)
    text = svg.read_text()
    must(not re.search(r'(?:href|src)="|url\(["\']?http|@import', text), "the graph loads something")
    frames = frames_of(svg)
    total = sum(t["blocked_ns"] for t in report(trace)["threads"])
    must(frames[0][0] == "all" and frames[0][1] == 100, f"root: {frames[0]}")
    for thread in report(trace)["threads"]:
        found = [f for f in frames if f[0] == thread["name"] and f[4] == frames[0][4] - 17]
        must(found and abs(found[0][1] - 100 * thread["blocked_ns"] / total) < 0.02, f"{thread['name']}: {found}")
    # A frame lies on a wider one.
    for name, _, x, width, y in frames[1:]:
        must(any(b[4] == y + 17 and b[2] <= x + 0.01 and b[2] + b[3] >= x + width - 0.01 for b in frames), f"{name} lies on nothing")


DRIVE = """
const say = what => { const p = document.createElement("pre"); p.textContent = JSON.stringify(what); document.body.append(p); };
const frames = [...document.querySelectorAll("#frames .f")];
const shown = () => frames.filter(g => getComputedStyle(g).display !== "none").map(
	g => [g.querySelector("title").textContent.replace(/ \\(.*/, ""), Number(g.querySelector("rect").getAttribute("width"))]);
const rider = frames.find(g => g.querySelector("title").textContent.startsWith("rider-2 "));
rider.dispatchEvent(new MouseEvent("click", { bubbles: true }));
say({ zoomed: shown() });
rider.dispatchEvent(new MouseEvent("mouseover", { bubbles: true }));
say({ details: document.getElementById("details").textContent });
window.prompt = () => "queue_(up|down)";
document.getElementById("search").dispatchEvent(new MouseEvent("click", { bubbles: true }));
say({ matched: document.getElementById("matched").textContent,
	hits: [...new Set(frames.filter(g => g.classList.contains("hit")).map(g => g.querySelector("title").textContent.replace(/ \\(.*/, "")))] });
window.dispatchEvent(new KeyboardEvent("keydown", { key: "Escape" }));
say({ back: shown().length === frames.length, unmatched: document.getElementById("matched").textContent });
"""


def driven(where):
    """Zoom, search and tooltip, in Chromium."""
    must(CHROMIUM, "no Chromium: scripts/setup test installs it")
    trace = convoy(where)
    analyze("flame", "-o", where / "x.svg", trace)
    svg = re.sub(r"^<\?xml.*?\?>", "", (where / "x.svg").read_text())
    # In a page, where the driver can stand behind it; scripts of pages know no CDATA.
    svg = svg.replace("<![CDATA[", "").replace("]]>", "")
    (where / "page.html").write_text(f"<!doctype html><meta charset=utf-8><body>{svg}<script>{DRIVE}</script></body>")
    ended = run([CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", f"--user-data-dir={where}/profile",
                 "--dump-dom", f"file://{where}/page.html"], env={"HOME": str(where)}, timeout=120)
    said = {}
    for text in re.findall(r"<pre>(.*?)</pre>", ended.out):
        said.update(json.loads(text.replace("&amp;", "&").replace("&lt;", "<").replace("&gt;", ">")))
    must(said, f"the page's script did not run: {short(ended.err)}")
    zoomed = dict(said["zoomed"])
    must(zoomed.get("rider-2") == 1180 and zoomed.get("all") == 1180 and "rider-1" not in zoomed and "main" not in zoomed, f"zoom: {zoomed}")
    must(said["details"].startswith("rider-2 (") and "waits)" in said["details"], f"details: {said['details']}")
    must(said["hits"] == ["queue_up"], f"search: {said}")
    found = report(trace)
    mutex = [c for c in found["causes"] if c["cause"] == "mutex"][0]["total_ns"]
    share = 100 * mutex / sum(t["blocked_ns"] for t in found["threads"])
    must(abs(float(said["matched"].split()[1]) - share) < 0.2, f"{said['matched']}, expected {share}")
    must(said["back"] and not said["unmatched"], f"escape: {said}")


def large(where):
    """A profile grows with distinct stacks, not with events."""
    sizes = []
    for n in (20, 200):
        trace = where / f"{n}.bin"
        ended = run(traced(trace, ["/usr/bin/python3", "-c", f"import time\nfor i in range({n}): time.sleep(0.0005)"]), cwd=where)
        must(ended.status == 0, str(ended))
        wait_complete(trace)
        sizes.append(len(Profile(pprof_of(where, trace, "all", "--cause", "sleep")).samples))
    must(sizes[1] <= sizes[0] + 2, f"samples: {sizes}")


tests = Tests()
for name, test in [
        ("pprof, sums, convoy", sums(convoy)), ("pprof, sums, python3", sums(python)),
        ("pprof, stacks, convoy", same_stacks(convoy)), ("pprof, stacks, python3", same_stacks(python)),
        ("pprof, symbolised elsewhere", symbolised_elsewhere), ("pprof, commands", commands), ("pprof, size", large),
        ("folded, convoy", folds(convoy)), ("folded, python3", folds(python)), ("folded, by waker", woken_stacks), ("folded, flamegraph.pl", flamegraph_pl),
        ("filters", filters), ("damage", damaged), ("usage", usage), ("flame", flame), ("flame in Chromium", driven)]:
    tests.run(name, test)
tests.finish()
