#!/usr/bin/python3
"""What the page of `serve` does, in Chromium: that its numbers are those of the command line, its keys, lanes, tables and
explanations, windows beside each other, and a trace that grows.

usage: run_page.py BUILD [REGEX...]
"""
import csv
import io
import json
import re
import subprocess
import time
from pathlib import Path

from harness import ANALYZE, BUILD, ENVIRONMENT, PROGRAMS, Tests, damage_events, must, report, run, short, stopped_trace, traced
from page_harness import Served, browse, in_browser, need_browser, trace_of

HERE = Path(__file__).resolve().parent
NAMED = """
#define _GNU_SOURCE
#include <pthread.h>
#include <unistd.h>
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static void *run(void *name) { pthread_setname_np(pthread_self(), name); for (int i = 0; i < 5; i++) { pthread_mutex_lock(&lock); usleep(9000); pthread_mutex_unlock(&lock); } return 0; }
int main(void) { pthread_t t[2]; pthread_create(t, 0, run, "=1+cmd()"); pthread_create(t + 1, 0, run, "@SUM(A1)"); for (int i = 0; i < 2; i++) pthread_join(t[i], 0); return 0; }
"""
# Of a lane's row, the place on the page of a moment; of its name.
PLACE = "(() => {{ const r = t.canvas.getBoundingClientRect(); return [r.left + {x}, r.top + 68 + ({row} + 0.5) * 26 - t.scroll]; }})()"
LANES = "t.rows.filter((r) => r.kind === 'lane').map((r) => r.lane)"


def rows_of(text):
    return list(csv.DictReader(io.StringIO(text)))


def same(table, rows, key, numbers):
    """A table copied from the page says what JSON rows say."""
    def by(rows):
        return sorted((str(r[key] or ""), *(int(r[n]) for n in numbers)) for r in rows)
    must(by(rows_of(table)) == by(rows), f"page: {by(rows_of(table))[:4]}, JSON: {by(rows)[:4]}")


def marked_range(where):
    """The panel of a range, and pages restricted to it, have the numbers of --from and --to."""
    out = trace_of(where, [PROGRAMS / "wakers", "convoy"])
    whole = report(out)["trace"]["duration_ns"]
    a, b = whole // 5, whole // 2
    window = ("--from", f"{a}ns", "--to", f"{b}ns", "--top", "0")
    found = browse(where, out, [
        ["go", f"timeline?mark={a}-{b}"], ["until", "document.querySelector('.range table tbody tr')"], ["csv", "threads", ".range"], ["shot", "range"],
        ["click", ".tabs button:has-text('Causes')"], ["until", "document.querySelector('[aria-label=range-causes] td')"], ["csv", "causes", ".range"],
        ["click", ".tabs button:has-text('Sites')"], ["until", "document.querySelector('[aria-label=range-sites] td')"], ["csv", "sites", ".range"],
        ["click", ".tabs button:has-text('Flame graph')"], ["until", "document.querySelector('.range .flame .box')"], ["get", "flame", "document.querySelector('.range .flame .box').title"],
        ["click", ".tabs button:has-text('Running threads')"], ["until", "document.querySelector('.range .averages')"], ["get", "running", "document.querySelector('.range .averages').innerText"],
        ["shot", "running"], ["click", ".range button.link:has-text('blocks')"], ["until", "document.querySelector('[aria-label=sites] td')"], ["get", "hash", "location.hash"], ["csv", "page", "[aria-label=sites]"],
        ["go", f"threads?mark={a}-{b}"], ["until", "document.querySelector('[aria-label=threads] td')"], ["csv", "page_threads", "[aria-label=threads]"]])
    told = report(out, *window, command="threads")
    numbers = ("running_ns", "runnable_ns", "blocked_ns", "unexplained_ns", "longest_ns")
    threads = [{**t, "name": f"{t['name']} ({t['tid']})"} for t in told["threads"] if t["lifetime_ns"]]
    same(found["threads"], threads, "name", numbers)
    same(found["page_threads"], told["threads"], "tid", numbers)
    blocks = report(out, *window)
    same(found["causes"], blocks["causes"], "cause", ("count", "total_ns", "p50_ns", "p99_ns", "max_ns"))
    for name in ("sites", "page"):
        same(found[name], blocks["sites"], "object", ("count", "total_ns", "max_ns"))
    must(f"mark={a}-{b}" in found["hash"] and found["hash"].startswith("#blocks"), found["hash"])
    must(found["flame"].startswith("all: "), found["flame"])
    ran = float(re.search(r"([\d.]+) threads ran, ([\d.]+) were ready, ([\d.]+) waited for others", found["running"])[1])
    wants = float(re.search(r"([\d.]+) waited for others", found["running"])[1])
    must(abs(ran - sum(t["running_ns"] for t in told["threads"]) / (b - a)) < 0.06, f"{found['running']}")
    blocked = sum(c["total_ns"] for c in blocks["causes"] if c["category"] == "contention") / (b - a)
    must(abs(wants - blocked) < 0.15 + 0.3 * blocked, f"{found['running']}, {blocked}")


def one_wait(where):
    """A wait that is clicked: who ended it and held it, the others at its place, and ways to them."""
    out = trace_of(where, [PROGRAMS / "wakers", "convoy"])
    target = """(() => { for (const [lane, l] of t.data.lanes) for (let i = 0; i < l.bars.length; i += 4)
        if (t.data.sites.get(l.bars[i + 2]).object === "g_lock" && l.bars[i + 1] > 5e6) return [lane, l.bars[i], l.bars[i + 1]]; })()"""
    found = browse(where, out, [
        ["get", "target", target], ["at", f"(() => {{ const [lane, start, length] = {target}; return " + PLACE.format(x="t.x(start + length / 2)", row="t.rowOf(lane)") + "; })()"],
        ["until", "document.querySelector('.others li')"], ["shot", "details"], ["get", "text", "document.querySelector('.details').innerText"],
        ["get", "bars", "[...document.querySelectorAll('.same .bar')].map((b) => [Number(b.dataset.from), Number(b.dataset.count)]).filter((b) => b[1])"],
        ["get", "listed", "document.querySelectorAll('.others li').length"], ["get", "here", "document.querySelectorAll('.others li.here').length"],
        ["get", "arrow", "t.arrows[0]"], ["click", ".others li:first-child button"], ["until", "document.querySelector('.others li:first-child.here')"], ["get", "longest", "[t.selected.bar.start, t.selected.bar.length]"],
        ["click", ".same button:has-text('shorter')"], ["until", "document.querySelector('.others li:nth-child(2).here')"],
        ["choose", ".same select", "start"], ["until", "document.querySelector('.same button:not(:disabled)').innerText.includes('before') || document.querySelector('.others li.here')"],
        ["get", "before", "[t.from, t.to]"], ["go", f"timeline?from=1&to=2000"], ["sleep", 300], ["click", ".details p:has-text('Held, when it began') button.link"], ["get", "owner", "[t.from, t.to, t.selected.bar.start]"],
        ["click", "button:has-text('all waits in')"], ["until", "document.querySelector('[aria-label=sites] td')"], ["get", "hash", "location.hash"]])
    waits = report(out, "--cause", "mutex", "--top", "0", command="waits")
    stack = next(w["stack_id"] for w in waits["waits"] if w["object"] == "g_lock")
    told = report(out, "--cause", "mutex", "--call", "pthread_mutex_lock", "--stack", str(stack), "--top", "0", command="waits")
    must(found["bars"] == [[b["from_ns"], b["count"]] for b in told["buckets"]], f"page {found['bars']}, JSON {told['buckets']}")
    must(f"{told['count']} waits at this place" in found["text"] and found["listed"] == told["count"] and found["here"] == 1, f"{short(found['text'])} {found['listed']} {found['here']}")
    must(all(w in found["text"] for w in ("queue_up", "let_go", "Held, when it began", "g_lock", "contention")), short(found["text"]))
    lane, start, length = found["target"]
    must(found["arrow"] and found["arrow"]["toLane"] == lane and found["arrow"]["fromLane"] != lane and start < found["arrow"]["fromNs"] <= start + length, f"{found['arrow']} {found['target']}")
    must(found["longest"] == [told["waits"][0]["start_ns"], told["waits"][0]["duration_ns"]], f"{found['longest']} {told['waits'][0]}")
    must(found["owner"][0] <= found["owner"][2] <= found["owner"][1], f"the owner's moment is not in sight: {found['owner']}")
    must("site=queue_up" in found["hash"], found["hash"])


def latency(where):
    """A bar of a histogram leads to its calls in the timeline."""
    out = trace_of(where, [PROGRAMS / "wakers", "convoy"])
    h = next(h for h in report(out, command="latency")["histograms"] if h["cause"] == "mutex")
    bucket = max(h["buckets"], key=lambda b: b["count"])
    bar = f"[data-cause=mutex] .bar[data-from='{bucket['from_ns']}']"
    found = browse(where, out, [
        ["go", "latency"], ["until", "document.querySelector('.histogram')"], ["shot", "latency"],
        ["get", "bars", "[...document.querySelectorAll('[data-cause=mutex] .bar')].map((b) => [Number(b.dataset.from), Number(b.dataset.count)]).filter((b) => b[1])"],
        ["click", bar], ["until", "document.querySelector('.chip.shown') && t.found.length"], ["get", "found", "t.found"], ["get", "chip", "document.querySelector('.chip.shown').innerText"],
        ["get", "lanes", LANES], ["shot", "shown"], ["key", "n"], ["until", "t.selected"], ["get", "selected", "t.selected.bar.length"], ["key", "Escape"], ["key", "Escape"],
        ["until", "!document.querySelector('.chip.shown')"], ["get", "all", LANES],
        ["go", "cpu"], ["until", "document.querySelector('.averages')"], ["get", "cpu", "document.querySelector('main').innerText"], ["shot", "cpu"]])
    must(found["bars"] == [[b["from_ns"], b["count"]] for b in h["buckets"]], f"{found['bars']} {h['buckets']}")
    must(len(found["found"]) == bucket["count"] and found["chip"].startswith(f"{bucket['count']} waits: mutex"), f"{len(found['found'])} {bucket} {found['chip']}")
    must(all(bucket["from_ns"] <= w["length"] < bucket["to_ns"] for w in found["found"]), str(found["found"])[:300])
    must(sorted(found["lanes"]) == sorted({w["lane"] for w in found["found"]}) and len(found["all"]) == 5, f"{found['lanes']} {found['all']}")
    must(bucket["from_ns"] <= found["selected"] < bucket["to_ns"], f"{found['selected']}")
    threads = report(out, "--top", "0", command="threads")
    ran = float(re.search(r"On average ([\d.]+) threads ran", found["cpu"])[1])
    must(abs(ran - sum(t["running_ns"] for t in threads["threads"]) / threads["trace"]["duration_ns"]) < 0.06, short(found["cpu"]))


def keys(where):
    """Each key of the list, and undo and redo."""
    out = trace_of(where, [PROGRAMS / "wakers", "convoy"])
    span = "[t.from, t.to]"
    found = browse(where, out, [
        ["get", "whole", span], ["key", "w", 2], ["get", "w", span], ["sleep", 600], ["key", "s"], ["get", "s", span], ["sleep", 600], ["key", "d"], ["get", "d", span], ["key", "a"], ["get", "a", span],
        ["key", "ArrowRight"], ["get", "right", span], ["key", "ArrowLeft"], ["get", "left", span], ["sleep", 600], ["key", "u"], ["sleep", 200], ["get", "u", span], ["key", "Shift+U"], ["sleep", 200], ["get", "U", span],
        ["key", "f"], ["get", "f", span], ["sleep", 600], ["get", "hash", "location.hash"], ["wheel", 0, -300, True], ["get", "wheel", span], ["key", "f"], ["key", "/"], ["get", "focus", "document.activeElement.type"], ["key", "Escape"],
        ["key", "Shift+?"], ["get", "help", "document.querySelector('.help').innerText"], ["key", "Escape"], ["get", "closed", "!document.querySelector('.help')"],
        ["key", "w"], ["key", "m"], ["get", "mark", "t.mark"], ["get", "m_span", span], ["key", "f"], ["key", "Escape"], ["get", "unmarked", "t.mark"], ["key", "f"],
        ["drag", 500, 300, 800, 300], ["get", "dragged", "t.mark"], ["get", "drag_wants", "[500, 800].map((x) => t.ns(x - t.canvas.getBoundingClientRect().left))"], ["key", "Escape"],
        ["at", "(() => { const [l] = [...t.data.lanes].filter(([, x]) => x.bars.length); return " + PLACE.format(x="t.x(l[1].bars[0] + l[1].bars[1] / 2)", row="t.rowOf(l[0])") + "; })()"],
        ["until", "t.selected"], ["key", "p"], ["get", "pinned", "t.rows[0].lane === t.selected.lane && t.rows[0].key.startsWith('pin')"], ["key", "f"], ["get", "fit", span], ["get", "bar", "t.selected.bar"],
        ["key", "f"], ["get", "fit_again", span], ["sleep", 600], ["key", "u"], ["key", "u"], ["key", "u"], *[["key", "u"] for _ in range(30)], ["get", "still", "!!document.querySelector('canvas')"],
        ["get", "marks", "(() => { t.move(100000000, 100004000); const said = [], g = t.canvas.getContext('2d'), was = g.fillText; g.fillText = function (text, x, y) { if (y === 11 && x > 190) said.push(text); }; t.paint(); g.fillText = was; return said; })()"]])
    width = lambda name: found[name][1] - found[name][0]
    must(width("w") < 0.6 * width("whole") and width("s") > 1.3 * width("w"), f"{found['w']} {found['s']}")
    must(found["d"][0] > found["s"][0] and abs(found["a"][0] - found["s"][0]) < 10 and found["right"][0] > found["a"][0] and abs(found["left"][0] - found["a"][0]) < 10, f"{found}"[:400])
    must(found["U"] != found["u"] and abs(found["U"][0] - found["left"][0]) < 10, f"undo {found['u']}, redo {found['U']}, before {found['left']}")
    must(found["f"] == found["whole"] and "to=" not in found["hash"] and width("wheel") < 0.9 * width("whole"), f"{found['f']} {found['hash']} {found['wheel']}")
    must(found["focus"] == "search" and found["closed"] and "undo" in found["help"], f"{found['focus']} {found['help']}")
    must(all(abs(x - y) < 2 for x, y in zip(found["mark"], found["m_span"])) and found["unmarked"] is None, f"{found['mark']} {found['unmarked']}")
    must(all(abs(x - y) < 0.01 * width("whole") for x, y in zip(found["dragged"], found["drag_wants"])), f"{found['dragged']} {found['drag_wants']}")
    must(found["pinned"] and found["fit"][0] <= found["bar"]["start"] and width("fit") < 1.5 * found["bar"]["length"] + 200 or width("fit") == width("whole"), f"{found['fit']} {found['bar']}")
    must(found["still"], "undo leaves the page")
    must(len(set(found["marks"])) == len(found["marks"]) >= 3, f"marks of the ruler that are alike: {found['marks']}")


def lanes(where):
    """Lanes are sorted, filtered, pinned and collapsed, and the address remembers it."""
    out = trace_of(where, ["sh", "-c", f"{PROGRAMS / 'wakers'} convoy; {PROGRAMS / 'wakers'} pingpong"])
    # What the row at a place shows; a row is 26 pixels high, below a head of 68.
    names = "t.rows.filter((r) => r.kind === 'lane').map((r) => r.label)"
    select = ".tools select"
    found = browse(where, out, [
        ["get", "all", "t.rows.length"], ["get", "lanes", LANES], ["choose", select, "blocked time"], ["get", "blocked", "t.rows.filter((r) => r.kind === 'lane').map((r) => [t.trace.lanes[r.lane].process, t.trace.lanes[r.lane].blocked_ns])"],
        ["choose", select, "name"], ["get", "names", names], ["choose", select, "time in contention"], ["sleep", 1500], ["get", "first", names + "[0]"],
        ["choose", select, "cause"], ["sleep", 300], ["get", "hash", "location.hash"], ["fill", ".timeline input[type=search]", "rider"], ["get", "found", names], ["sleep", 600],
        ["at", PLACE.format(x="60", row="t.rows.findIndex((r) => r.kind === 'lane')")], ["get", "pinned", "t.rows[0].key"],
        ["at", PLACE.format(x="60", row="t.rows.findIndex((r) => r.kind === 'process')")], ["get", "shut", "t.rows.map((r) => r.kind)"], ["shot", "lanes"], ["sleep", 600],
        ["reload"], ["get", "again", "t.rows.map((r) => r.kind)"], ["key", "u"], ["sleep", 300], ["get", "undone", "t.rows.length"],
        ["go", "timeline?thread=rider*"], ["get", "thread", names], ["go", "timeline?cause=mutex"], ["get", "wanted", "[...t.data.sites.values()].map((s) => [s.object, t.wanted(s, 1e9)])"], ["shot", "pale"]])
    for process in {p for p, _ in found["blocked"]}:
        times = [ns for p, ns in found["blocked"] if p == process]
        must(times == sorted(times, reverse=True) or len(times) > 3, f"not by blocked time: {times}")
    must(found["first"].startswith("rider"), f"contention: {found['first']}")
    must("lanes=cause" in found["hash"], found["hash"])
    must(len(found["found"]) == 4 and all("rider" in n for n in found["found"]), str(found["found"]))
    must(found["pinned"].startswith("pin") and found["shut"].count("lane") == 1, f"{found['pinned']} {found['shut']}")
    must(found["again"] == found["shut"], f"after reloading: {found['again']}, before: {found['shut']}")
    must(found["undone"] > len(found["shut"]), f"undo: {found['undone']} rows")
    must(len(found["thread"]) == 4 and all("rider" in n for n in found["thread"]), str(found["thread"]))
    must(all(w == (o == "g_lock") for o, w in found["wanted"] if o), str(found["wanted"])[:300])


def explained(where):
    """Every state, cause and column is explained one click away, and a flame graph keeps its zoom."""
    out = trace_of(where, [PROGRAMS / "wakers", "convoy"])
    pages = "summary blocks threads locks io malloc sched wakers path deadlocks latency cpu stats".split()
    steps = [["until", "document.querySelectorAll('.legend .ask').length === document.querySelectorAll('.legend > span').length"], ["click", ".legend .ask"], ["get", "legend", "document.querySelector('.bubble').innerText"]]
    for page in pages:
        steps += [["go", page], ["until", "!document.querySelector('main').innerText.includes('reading the trace')"], ["sleep", 150],
                  ["get", f"no {page}", "[...document.querySelectorAll('th')].filter((h) => !h.querySelector('.ask')).map((h) => h.innerText)"]]
    steps += [["go", "blocks"], ["until", "document.querySelector('th .ask')"], ["click", "[aria-label=causes] td .ask"], ["get", "cause", "document.querySelector('.bubble').innerText"], ["shot", "explained"],
              ["go", "flame"], ["until", "document.querySelector('.box')"], ["click", ".box:has-text('rider')"], ["get", "zoomed", "document.querySelectorAll('.box.around').length"],
              ["click", "input[type=checkbox]"], ["get", "still", "document.querySelectorAll('.box.around').length"], ["click", "input[type=checkbox]"], ["get", "and", "document.querySelectorAll('.box.around').length"],
              ["choose", "h2 select", "delay_ns"], ["click", "input[type=checkbox]"], ["get", "delay", "document.querySelector('.flame').parentNode.innerText"],
              ["go", "locks"], ["until", "document.querySelector('[aria-label=locks] td')"], ["click", "[aria-label=locks] td"], ["get", "locks", "document.querySelector('tr.detail').innerText"]]
    found = browse(where, out, steps)
    lacking = {p: found[f"no {p}"] for p in pages if found[f"no {p}"]}
    must(not lacking, f"not explained: {lacking}")
    for name in ("legend", "cause"):
        must(len(found[name]) > 40, f"{name}: {found[name]}")
    must(found["zoomed"] > 0 and found["still"] == found["zoomed"] == found["and"], f"zoom: {found['zoomed']} {found['still']} {found['and']}")
    must("of time without a CPU" in found["delay"] and not found["delay"].startswith("0"), short(found["delay"]))
    must("let_go" in found["locks"] and "queue_up" in found["locks"], f"holder and waiter: {found['locks']}")


def tables(where):
    """Tables sort and filter by the address, and what is copied is no formula."""
    (where / "x.c").write_text(NAMED)
    must(run(["gcc", "-O1", "-pthread", "x.c", "-o", "x"], cwd=where).status == 0, "gcc")
    out = trace_of(where, [where / "x"])
    column = "[...document.querySelectorAll('[aria-label=threads] tbody tr')].map((r) => r.cells[0].innerText)"
    found = browse(where, out, [
        ["go", "threads"], ["until", "document.querySelector('[aria-label=threads] td')"], ["csv", "csv", "[aria-label=threads]"],
        ["click", "[aria-label=threads] th:first-child"], ["click", "[aria-label=threads] th:first-child"], ["get", "sorted", column], ["get", "hash", "location.hash"], ["key", "u"],
        ["fill", "[aria-label='filter threads']", "SUM"], ["sleep", 600], ["get", "filtered", column], ["get", "hash2", "location.hash"], ["shot", "tables"]])
    names = [r["name"] for r in rows_of(found["csv"])]
    must("'=1+cmd()" in names and "'@SUM(A1)" in names, f"copied names: {names}")
    must(found["sorted"][-1] == "x" and len(found["sorted"]) == 3 and "threads.sort=name" in found["hash"], f"{found['sorted']} {found['hash']}")
    must(found["filtered"] == ["@SUM(A1)"] and "threads.find=SUM" in found["hash2"], f"{found['filtered']} {found['hash2']}")


def two_windows(where):
    """Two windows of one server, each where its user is."""
    out = trace_of(where, [PROGRAMS / "wakers", "convoy"])
    both = []
    for i in range(4):
        both += [["window", 0], ["key", "w"], ["window", 1], ["key", "s" if i % 2 else "d"], ["window", 0], ["key", "a"]]
    found = browse(where, out, [
        ["window", 1], ["go", "timeline?from=1000000&to=90000000"], *both, ["window", 0], ["sleep", 800], ["get", "a", "[t.from, t.to]"], ["get", "a_data", "[t.data.from <= t.from, t.data.to >= t.to]"],
        ["window", 1], ["sleep", 800], ["get", "b", "[t.from, t.to]"], ["get", "b_data", "[t.data.from <= t.from, t.data.to >= t.to]"], ["go", "blocks"], ["window", 0], ["get", "page", "location.hash"]])
    must(found["a"] != found["b"] and found["a_data"] == found["b_data"] == [True, True] and "blocks" not in found["page"], f"{found}"[:500])


def cut(where):
    """Damage is told of on every page."""
    out = trace_of(where, [PROGRAMS / "wakers", "convoy"])
    data = out.read_bytes()
    out.write_bytes(data[:len(data) * 2 // 3])
    pages = "timeline summary blocks threads locks cpu latency flame stats".split()
    steps = []
    for page in pages:
        steps += [["go", page], ["sleep", 200], ["get", page, "document.querySelector('.banner')?.innerText ?? ''"]]
    need_browser()
    found = browse(where, out, steps)
    for page in pages:
        must("no end" in found[page] or "damaged" in found[page], f"{page}: {found[page]}")
    found = browse(where, trace_of(where, [PROGRAMS / "wakers", "pingpong"], ["--sched", "off"]), steps)
    for page in pages:
        must("no context switches in the trace" in found[page], f"{page}: {found[page]}")


# The regions of a lane as objects, and the place of a region's strip: below the states of a lane, which is 39 pixels high then.
REGIONS = """[...t.notes.lanes].flatMap(([lane, l]) => Array.from({length: l.regions.length / 6}, (_, i) => [...l.regions.slice(i * 6, i * 6 + 6)])
    .map(([start, length, name, task, count, depth]) => ({lane, start, length, name: t.names.get(name), task: t.names.get(task), count, depth})))"""
STRIP = "(() => {{ const r = t.canvas.getBoundingClientRect(), n = {note}; return [r.left + t.x({ns}), r.top + 68 + t.rowOf(n.lane) * 39 + 30 - t.scroll]; }})()"


def annotated(where):
    """What the program says of itself: regions and lines on the lanes, in a wait's details and a range, as filters and pages."""
    out = trace_of(where, [PROGRAMS / "annotated", "all"])
    told = {r["region"]: r for r in report(out, "--top", "0", command="regions")["regions"]}
    tasks = report(out, "--top", "0", command="tasks")["tasks"]
    send = f"{REGIONS}.find((n) => n.name === 'send')"
    wait = "(() => { const n = " + send + ", b = t.data.lanes.get(n.lane).bars; for (let i = 0; i < b.length; i += 4) if (b[i] >= n.start && b[i] < n.start + n.length) return [n.lane, b[i], b[i + 1]]; })()"
    bars = "[...t.data.lanes].flatMap(([lane, l]) => Array.from({length: l.bars.length / 4}, (_, i) => [t.data.sites.get(l.bars[i * 4 + 2]).call, t.wanted(t.data.sites.get(l.bars[i * 4 + 2]), l.bars[i * 4 + 1], lane, l.bars[i * 4])]))"
    found = browse(where, out, [
        ["until", "t.notes"], ["shot", "annotated"], ["get", "legend", "document.querySelector('.legend').innerText"], ["get", "nav", "document.querySelector('nav').innerText"],
        ["get", "asks", "document.querySelectorAll('.legend .ask').length === document.querySelectorAll('.legend > span').length"],
        ["get", "whole", REGIONS],
        ["get", "near", f"(() => {{ const n = {send}; t.reveal(n.lane); t.move(n.start - n.length * 0.2, n.start + n.length * 1.8); return n; }})()"], ["sleep", 800], ["until", f"{send}.count === 1"],
        ["get", "send", send], ["shot", "annotated-near"],
        ["over", STRIP.format(note=send, ns="n.start + n.length / 2")], ["get", "tip", "document.querySelector('.tip').innerText"],
        ["get", "lines", "[...t.notes.lanes].flatMap(([lane, l]) => Array.from({length: l.lines.length / 3}, (_, i) => ({lane, at: l.lines[i * 3]}))).filter((l) => l.at > t.from && l.at < t.to)"],
        ["over", STRIP.format(note="[...t.notes.lanes].flatMap(([lane, l]) => [...l.lines].map((at, i) => ({lane, at, i})).filter((l) => l.i % 3 === 0 && l.at > t.from && l.at < t.to && t.rowOf(l.lane) >= 0))[0]", ns="n.at")],
        ["until", "/request \\d+ is done|main: begin/.test(document.querySelector('.tip')?.innerText ?? '')"], ["shot", "line"],
        ["at", f"(() => {{ const [lane, start, length] = {wait}; const r = t.canvas.getBoundingClientRect(); return [r.left + t.x(start + length / 2), r.top + 68 + t.rowOf(lane) * 39 + 14 - t.scroll]; }})()"],
        ["until", "document.querySelector('.in-region')"], ["get", "details", "document.querySelector('.details').innerText"], ["shot", "annotated-details"], ["key", "Escape"],
        ["get", "target", send], ["at", STRIP.format(note=send, ns="n.start + n.length / 2")], ["get", "mark", "t.mark"], ["until", "document.querySelector('.range')"],
        ["click", ".tabs button:has-text('Regions')"], ["until", "document.querySelector('[aria-label=range-regions] td')"], ["get", "in_range", "document.querySelector('[aria-label=range-regions]').innerText"],
        ["click", ".tabs button:has-text('Tasks')"], ["until", "document.querySelector('[aria-label=range-tasks] td')"], ["get", "tasks_in_range", "document.querySelector('[aria-label=range-tasks]').innerText"], ["shot", "annotated-range"],
        ["go", "timeline?region=send"], ["until", "t.wanted && t.notes"], ["sleep", 500], ["get", "wanted", bars], ["get", "inputs", "[...document.querySelectorAll('.filters label')].map((l) => l.innerText.trim())"],
        ["go", "blocks?region=send"], ["until", "document.querySelector('[aria-label=causes] td')"], ["csv", "causes", "[aria-label=causes]"],
        ["go", "regions"], ["until", "document.querySelector('[aria-label=regions] td')"], ["csv", "regions", "[aria-label=regions]"], ["shot", "regions"],
        ["get", "unsaid", "[...document.querySelectorAll('th')].filter((h) => !h.querySelector('.ask')).map((h) => h.innerText)"],
        ["go", "tasks"], ["until", "document.querySelector('[aria-label=tasks] td')"], ["csv", "tasks", "[aria-label=tasks]"], ["click", "[aria-label=tasks] tbody tr:first-child td"], ["shot", "tasks"],
        ["go", "regions"], ["until", "document.querySelector('[aria-label=regions] td')"], ["click", "[aria-label=regions] td button.link"], ["until", "t.mark"], ["get", "longest", "t.mark"]])
    must("region" in found["legend"] and "log line" in found["legend"] and found["asks"] and "Regions" in found["nav"] and "Tasks" in found["nav"], f"{found['legend']} {found['nav']}")
    for name, r in told.items():
        rows = [n for n in found["whole"] if n.get("name") == name]
        # There are more threads than lanes in sight.
        drawn = sum(n["count"] for n in rows)
        must(drawn == r["count"] if name in ("prepare", "main loop") else 10 < drawn <= r["count"], f"{name}: {drawn} are drawn, {r['count']} there are")
        must({n["depth"] for n in rows} == {1 if name in ("send", "prepare") else 0}, f"{name}: {rows[:3]}")
    must(found["send"]["task"] == "request" and found["send"]["count"] == 1, f"{found['send']}")
    must("send" in found["tip"] and "request" in found["tip"], found["tip"])
    must("in reply of task request › send of task request" in found["details"].replace("\n", " "), short(found["details"]))
    n = found["target"]
    must(found["mark"] == [n["start"], n["start"] + n["length"]], f"{found['mark']} {n}")
    must("send" in found["in_range"] and "reply" in found["in_range"] and "request" in found["tasks_in_range"], found["in_range"])
    must({call for call, wanted in found["wanted"] if wanted} <= {"nanosleep", "clock_nanosleep"} and any(w for _, w in found["wanted"]) and
         any(not w for _, w in found["wanted"]), f"{found['wanted'][:9]}")
    must(found["inputs"][-2:] == ["region", "task"] and not found["unsaid"], f"{found['inputs']} {found['unsaid']}")
    same(found["causes"], report(out, "--region", "send")["causes"], "cause", ("count", "total_ns", "max_ns"))
    same(found["regions"], list(told.values()), "region", ("count", "total_ns", "p50_ns", "p99_ns", "max_ns", "running_ns", "blocked_ns"))
    same(found["tasks"], tasks, "task", ("count", "total_ns", "p50_ns", "p99_ns", "max_ns", "blocked_ns"))
    most = max(told.values(), key=lambda r: r["total_ns"])
    page = where / "r.html"
    must(run([ANALYZE, "report", "-o", page, out]).status == 0, "report")
    held = in_browser(where, f"file://{page}", "steps.mjs", steps=json.dumps([
        ["until", "t.notes"], ["get", "names", f"[...new Set({REGIONS}.map((n) => n.name))]"], ["get", "nav", "document.querySelector('nav').innerText"], ["shot", "annotated-report"],
        ["until", "document.querySelector('.why li')"], ["go", "regions"], ["until", "document.querySelector('[aria-label=regions] td')"], ["csv", "regions", "[aria-label=regions]"],
        ["go", "tasks"], ["until", "document.querySelector('[aria-label=tasks] td')"]]))
    must(set(told) <= {n for n in held["names"] if n} and "Tasks" in held["nav"], f"{held['names']} {held['nav']}")
    same(held["regions"], list(told.values()), "region", ("count", "total_ns", "running_ns", "blocked_ns"))
    must(found["longest"] == [most["longest"]["start_ns"], most["longest"]["start_ns"] + most["max_ns"]], f"{found['longest']} {most['longest']}")


GIL = """
import threading
def work():
    n = 0
    for i in range(1500000):
        n += i * i
t = [threading.Thread(target=work) for _ in range(4)]
[x.start() for x in t]
[x.join() for x in t]
"""


def first_sight(where):
    """Why a program waits is there at once: findings below the timeline, with their waits; the critical path; locks that look idle."""
    out = trace_of(where, [PROGRAMS / "wakers", "convoy"])
    legs = report(out, command="path")["path"]["legs"]
    findings = report(out, command="summary")["findings"]
    found = browse(where, out, [
        ["until", "document.querySelector('.why li')"], ["get", "why", "document.querySelector('.why').innerText"], ["shot", "why"],
        ["click", ".why button:has-text('show these waits')"], ["until", "t.found.length"], ["get", "found", "t.found.length"], ["get", "chip", "document.querySelector('.chip.shown').innerText"], ["key", "Escape"],
        ["until", "!document.querySelector('.chip.shown')"], ["click", ".tools button:has-text('critical path')"], ["until", "t.path.length"], ["get", "path", "t.path.length"], ["get", "hash", "location.hash"], ["shot", "path"],
        ["reload"], ["until", "t.path.length"], ["click", ".tools button:has-text('critical path')"], ["until", "!t.path.length"],
        ["click", ".why h2 button"], ["get", "shut", "!document.querySelector('.why li')"], ["go", "path"], ["click", "button:has-text('show in the timeline')"], ["until", "t.path.length"]])
    texts = [f["text"] for f in findings[:3]]
    must(texts and all(t.split(":")[0] in found["why"] for t in texts), f"{found['why']} {texts}")
    first = next(f for f in findings if f["cause"] and f["count"])
    must(found["found"] > 10 and (first["call"] or first["cause"]) in found["chip"], f"{found['found']} waits are shown, {found['chip']}")
    must(len(legs) / 2 <= found["path"] <= len(legs) and "path=on" in found["hash"] and found["shut"], f"{found['path']} of {len(legs)} legs, {found['hash']}")
    out = trace_of(where, ["/usr/bin/python3", "-c", GIL])
    found = browse(where, out, [
        ["until", "[...t.data.sites.keys()].some((id) => t.known(id)?.contention)"], ["get", "known", "[...t.data.sites.keys()].map((id) => t.known(id)).filter(Boolean)"], ["until", "document.querySelector('.why li')"], ["shot", "gil"]])
    must(any(k["contention"] and "GIL" in k["what"] for k in found["known"]), f"{found['known']}")


def not_recorded(where):
    """What is not known is hatched, and the pointer says why."""
    out = stopped_trace(where)
    blanks = "[...t.notes.lanes].flatMap(([lane, l]) => Array.from({length: l.blanks.length / 3}, (_, i) => [lane, ...l.blanks.slice(i * 3, i * 3 + 3)]))"
    # The colours in the middle of the longest, and the tip there.
    middle = f"(() => {{ const [lane, start, length] = {blanks}.sort((a, b) => b[2] - a[2])[0]; return [lane, start + length / 2]; }})()"
    steps = [["until", "t.notes"], ["sleep", 300], ["get", "blanks", blanks], ["get", "legend", "document.querySelector('.legend').innerText"], ["shot", "not-recorded"],
             ["over", f"(() => {{ const [lane, ns] = {middle}; return " + PLACE.format(x="t.x(ns)", row="t.rowOf(lane)") + "; })()"],
             ["get", "tip", "document.querySelector('.tip').innerText"]]
    found = browse(where, out, steps)
    said = {t["tid"]: t["unrecorded_ns"] for t in report(out, command="threads")["threads"]}
    sums = {}
    for lane, _, length, kind in found["blanks"]:
        must(kind == 0, "damage")
        sums[lane] = sums.get(lane, 0) + length
    must(sum(ns > 300e6 for ns in sums.values()) >= 5 and sum(sums.values()) >= sum(said.values()) - 1e6, f"{sums} {said}")
    must("not recorded" in found["legend"] and "recording was switched off" in found["tip"], f"{found['legend']} {found['tip']}")
    broken = where / "broken.bin"
    header = damage_events(trace_of(where, [PROGRAMS / "wakers", "convoy"]), broken)
    process = Served(broken)
    process.__enter__()
    try:
        told = process.json("api/trace")
        lanes = ",".join(str(n["lane"]) for n in told["lanes"])
        notes = process.json(f"api/notes?lanes={lanes}")
    finally:
        process.process.kill()
        process.process.wait()
    damaged = [n["blanks"] for n in notes["lanes"] if n["blanks"]]
    # Records of the scheduler that were lost: in every lane.
    gap = where / "gap.bin"
    must(run([BUILD / "tests/make_trace", gap, "scheduled"]).status == 0, "make_trace")
    lost = browse(where, gap, [["until", "t.notes"], ["get", "gaps", "t.notes.gaps"], ["get", "blank", "t.blanksOf(0)"], ["get", "legend", "document.querySelector('.legend').innerText"], ["shot", "gap"]])
    must(len(lost["gaps"]) == 2 and lost["gaps"][1] == 5000000 and lost["blank"] == [[lost["gaps"][0], lost["gaps"][0] + 5000000]] and "not recorded" in lost["legend"], f"{lost}"[:400])
    must(damaged and all(b[2] == 1 and 0 < b[1] <= header["last_ns"] - header["first_ns"] for b in damaged), f"{notes} {header}")


def live(where):
    """A trace that is still being written: the page follows it, asks one thing at a time, and what is zoomed stays."""
    need_browser()
    out = where / "t.bin"
    program = subprocess.Popen([str(a) for a in traced(out, ["sh", "-c", "while [ ! -e stop ]; do sleep 0.02; done"], ())], env=ENVIRONMENT, cwd=where)
    try:
        until = time.monotonic() + 30
        while not out.exists() or out.stat().st_size < 3000:
            must(time.monotonic() < until, "no trace")
            time.sleep(0.1)
        found = browse(where, out, [
            ["get", "first", "[t.from, window.begun = t.to, t.rows.length]"], ["key", "f"], ["until", "t.duration > window.begun + 1e9"], ["get", "followed", "[t.from, t.to, t.duration, t.rows.length]"],
            ["get", "hash", "location.hash"], ["key", "w", 3], ["get", "zoomed", "[t.from, t.to, t.duration]"], ["sleep", 4500], ["get", "later", "[t.from, t.to, t.duration]"],
            ["key", "f"], ["sleep", 3500], ["get", "last", "[t.from, t.to, t.duration]"], ["get", "banner", "document.querySelector('.banner').innerText"], ["shot", "live"]])
    finally:
        (where / "stop").touch()
        program.wait(30)
    must(found["followed"][0] == 0 and found["followed"][1] == found["followed"][2] > found["first"][1], f"{found['first']} {found['followed']}")
    must("to=" not in found["hash"], found["hash"])
    must(found["later"][2] > found["zoomed"][2] and found["later"][:2] == found["zoomed"][:2], f"zoomed: {found['zoomed']}, later {found['later']}")
    must(found["last"][0] == 0 and found["last"][1] == found["last"][2] > found["zoomed"][2], f"{found['last']}")
    must(found["most_in_flight"] == 1 and "still being written" in found["banner"], f"{found['most_in_flight']} requests at once, {found['banner']}")


def linear(color):
    return [((v / 255 + 0.055) / 1.055) ** 2.4 if v > 10 else v / 255 / 12.92 for v in (int(color[i:i + 2], 16) for i in (1, 3, 5))]


# What is seen with no cones of one kind, on linear RGB: Machado, Oliveira and Fernandes, "A Physiologically-based Model
# for Simulation of Color Vision Deficiency" (2009), severity 1.
SEEN = {
    "all cones": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "protanopia": ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998)),
    "deuteranopia": ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.011820, 0.042940, 0.968881)),
    "tritanopia": ((1.255528, -0.076749, -0.178779), (-0.078411, 0.930809, 0.147602), (0.004733, 0.691367, 0.303900)),
}


def lab(rgb):
    """CIE L*a*b* of linear sRGB, white D65."""
    rgb = [min(1, max(0, v)) for v in rgb]
    xyz = [sum(a * b for a, b in zip(row, rgb)) for row in ((0.4124, 0.3576, 0.1805), (0.2126, 0.7152, 0.0722), (0.0193, 0.1192, 0.9505))]
    f = [v ** (1 / 3) if v > 0.008856 else 7.787 * v + 16 / 116 for v in (xyz[0] / 0.9505, xyz[1], xyz[2] / 1.089)]
    return 116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])


def colors(_):
    """Any two states can be told apart, by colour-blind people too: a distance of 20 in L*a*b*; 2.3 is just seen."""
    text = (HERE.parent / "web/src/colors.ts").read_text()
    known = dict(re.findall(r"(\w+): \"(#[0-9a-f]{6})\"", text))
    must(len(known) == 7, str(known))
    for eyes, matrix in SEEN.items():
        seen = {n: lab([sum(a * b for a, b in zip(row, linear(c))) for row in matrix]) for n, c in known.items()}
        for a in seen:
            for b in seen:
                distance = sum((x - y) ** 2 for x, y in zip(seen[a], seen[b])) ** 0.5
                must(a == b or distance >= 20, f"{eyes}: {a} and {b} are only {distance:.1f} apart")


tests = Tests()
tests.run("colours", colors)
tests.run("a marked range", marked_range)
tests.run("one wait", one_wait)
tests.run("latency and CPU", latency)
tests.run("keys", keys)
tests.run("lanes", lanes)
tests.run("explanations", explained)
tests.run("tables", tables)
tests.run("two windows", two_windows)
tests.run("at first sight", first_sight)
tests.run("annotations", annotated)
tests.run("not recorded", not_recorded)
tests.run("a trace that was cut", cut)
tests.run("a trace that grows", live)
tests.finish()
