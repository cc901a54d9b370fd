#!/usr/bin/python3
"""The trace in a browser: what the server refuses, whether its pictures say what the reports say, and the page
in Chromium.

usage: run_serve.py BUILD [REGEX...]
"""
import base64
import http.client
import json
import os
import random
import re
import signal
import socket
import struct
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor

from harness import ANALYZE, BUILD, ENVIRONMENT, PROGRAMS, Failure, Skip, Tests, must, report, run, short, traced
from hammer_serve import hammer
from page_harness import HERE, Served, in_browser, memory, need_browser, trace_of

SHADES = ("running", "ready", "contention", "io", "idle", "runtime")
HOSTILE = """
#include <pthread.h>
#include <unistd.h>
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
__attribute__((noinline)) void evil(void) { pthread_mutex_lock(&lock); usleep(20000); pthread_mutex_unlock(&lock); }
static void *run(void *unused) { pthread_setname_np(pthread_self(), "<b>bold</b>"); for (int i = 0; i < 5; i++) evil(); return unused; }
int main(void) { pthread_t t; pthread_create(&t, 0, run, 0); for (int i = 0; i < 5; i++) evil(); pthread_join(t, 0); return 0; }
"""


def refusals(where):
    """Who does not know the token, comes from elsewhere, or asks for nonsense."""
    with Served(trace_of(where, [PROGRAMS / "wakers", "pingpong"])) as s:
        base = f"/{s.token}/"
        for path, wanted, headers in [
                ("/", 403, {}), ("/api/trace", 403, {}), ("/" + "0" * 32 + "/", 403, {}), (base[:-1], 403, {}), (base[:-2] + "/", 403, {}),
                (base, 200, {}), (base, 403, {"Host": "evil.example"}), (base, 403, {"Host": f"evil.example:{s.port}"}), (base, 200, {"Host": f"localhost:{s.port}"}),
                # A port that was forwarded; names that only begin or end like ours; what is no port.
                (base, 200, {"Host": "localhost:9"}), (base, 200, {"Host": "LocalHost"}), (base, 403, {"Host": f"localhost.evil.example:{s.port}"}),
                (base, 403, {"Host": f"127.0.0.1.evil.example:{s.port}"}), (base, 403, {"Host": f"evil.example:{s.port}@127.0.0.1"}),
                (base, 403, {"Host": "127.0.0.1:80@evil.example"}), (base, 403, {"Host": ""}), (base, 403, {"Host": "x" * 5000}), (base, 403, {"Host": "[::1"}),
                (base + "api/trace", 403, {"Origin": f"http://localhost:{s.port}"}), (base + "api/trace", 403, {"Origin": "http://127.0.0.1:9"}),
                (base + "api/trace", 403, {"Origin": f"https://127.0.0.1:{s.port}"}), (base + "api/trace", 403, {"Origin": f"http://127.0.0.1:{s.port}.evil.example"}),
                (base + "api/trace", 403, {"Origin": "http://evil.example"}), (base + "api/trace", 403, {"Origin": "null"}),
                (base + "api/trace", 200, {"Origin": f"http://127.0.0.1:{s.port}"}),
                (base + "../../etc/passwd", 404, {}), (base + "%2e%2e/%2e%2e/etc/passwd", 404, {}), (base + "/etc/passwd", 404, {}),
                (base + "api/view/dump", 404, {}), (base + "api/view/../x", 404, {}), (base + "api/view/blocks?top=x", 400, {}),
                (base + "api/view/blocks?top=5", 200, {}), (base + "api/view/blocks?output=/tmp/x&top=1", 200, {}),
                (base + "api/lanes?from=5&to=1&lanes=0", 400, {}), (base + "api/lanes?from=0&to=99999999999999999999&lanes=0", 400, {}),
                (base + "api/lanes?from=0&to=1000&pieces=0&lanes=0", 400, {}), (base + "api/lanes?from=0&to=1000&pieces=99999999&lanes=0", 400, {}),
                (base + "api/lanes?from=0&to=1000&pieces=10&lanes=99999", 400, {}), (base + "api/lanes?from=0&to=1000&pieces=10&lanes=0,-1", 400, {}),
                *[(base + f"api/{call}?{key}={number}&lanes=0", 400, {}) for call in ("lanes", "load") for key in ("from", "to", "pieces")
                  for number in ("NaN", "1e308", "-1", "0x10", "+5", "%20", "inf", "18446744073709551616", "9" * 400)],
                *[(base + f"api/view/blocks?{pair}", 400, {}) for pair in
                  ("top=-1", "top=4294967296", "top=1e9", "from=NaN", "from=1e308s", "to=-1e308s", "from==x", "from=101%25", "min=-1s", "min=1e400s", "min=nan", "group-by=x",
                   "sort=../x", "object=(", "cause=nothing")],
                # What is no choice is not passed on: output, symbols, csv, --, and what is no option at all.
                *[(base + f"api/view/stats?{key}=/etc/passwd", 200, {}) for key in ("output", "symbols", "csv", "json", "host", "--", "-o", "help", "version", "color", "nothing")],
                (base + "api/view/", 404, {}), (base + "api/view/serve", 404, {}), (base + "api/view/export", 404, {}), (base + "api/view/report", 404, {}),
                (base + "api/view/blocks/..", 404, {}), (base + "..%5c..%5cetc", 404, {}), (base + "api", 404, {}),
                (base + "api/trace?generation=1", 200, {}), (base + "api/lanes?lanes=0&generation=1", 200, {}), (base + "api/lanes?lanes=0&generation=0", 409, {}),
                (base + "api/lanes?lanes=0&generation=x", 400, {}), (base + "api/site?id=0&generation=2", 409, {}), (base + "api/view/blocks?generation=7", 409, {}),
                (base + "api/lanes?lanes=" + ",".join(["0"] * 5000), 400, {}),
                (base + "api/site?id=4294967295", 400, {}), (base + "api/site", 400, {}), (base + "api/wait?lane=77&start=0&end=1", 400, {}),
                *[(base + f"api/notes?{q}", 400, {}) for q in ("from=5&to=1", "lanes=99999", "lanes=0,-1", "pieces=0", "pieces=99999", "to=99999999999999999999", "lanes=" + ",".join(["0"] * 5000))],
                *[(base + f"api/lines?{q}", 400, {}) for q in ("from=5&to=1", "from=x", "lane=-1", "lane=99999999999999")],
                (base + "api/notes?lanes=0", 200, {}), (base + "api/notes?lanes=0&generation=0", 409, {}), (base + "api/lines?lane=77", 200, {}), (base + "api/lines", 200, {}),
                *[(base + f"api/known?ids={q}", 400, {}) for q in ("4294967295", "x", "-1", "0;1", "0," * 600, "99999999999999999999")], (base + "api/known?ids=0", 200, {}), (base + "api/known", 200, {}),
                (base + "api/wait?lane=0&start=5&end=1", 400, {}), (base + "api/wait?lane=0&start=0&end=1", 404, {})]:
            status, _, body = s.ask(path, **headers)
            must(status == wanted, f"{path[:80]} {headers}: {status}, should be {wanted}; {body[:100]}")
            must(status == 200 or (b"\n" not in body.strip() and b"<" not in body), f"{path[:80]}: the refusal is no line of text: {body[:200]}")
        must(s.ask(base, Host=None)[0] in (400, 403), "a request without Host is answered")
        for method in ("POST", "PUT", "DELETE", "OPTIONS", "HEAD", "CONNECT", "TRACE", "PATCH", "GETX"):
            must(s.ask(base, method)[0] == 405 and s.headers["Allow"] == "GET", f"{method} is not refused")
        for path in (base, "/", base + "app.js", base + "api/trace", base + "nothing"):
            s.ask(path)
            policy = s.headers.get("Content-Security-Policy", "")
            for wanted in ("default-src 'none'", "script-src 'self'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'none'"):
                must(wanted in policy, f"{path}: {wanted} is not in the policy {policy}")
            for name, value in (("X-Content-Type-Options", "nosniff"), ("X-Frame-Options", "DENY"), ("Referrer-Policy", "no-referrer"), ("Cache-Control", "no-store"),
                                ("Cross-Origin-Resource-Policy", "same-origin")):
                must(s.headers.get(name) == value, f"{path}: {name} is {s.headers.get(name)}")
            must("Set-Cookie" not in s.headers and "Access-Control-Allow-Origin" not in s.headers, f"{path}: {s.headers}")
        must(s.process.poll() is None, "the server has ended")


def raw(s, data, seconds=5):
    """What comes back for some bytes, until the end or a while of silence."""
    with socket.create_connection(("127.0.0.1", s.port)) as c:
        c.settimeout(seconds)
        got = b""
        try:
            c.sendall(data)
            while block := c.recv(65536):
                got += block
        except OSError:
            pass
        return got


def rude(where):
    """Who says too much, too little, too slowly, or comes too often: the user's page is answered all the while."""
    with Served(trace_of(where, [PROGRAMS / "wakers", "pingpong"])) as s:
        base, host = f"/{s.token}/", f"Host: 127.0.0.1:{s.port}\r\n"
        s.get("api/trace")

        def answered(after):
            begin = time.monotonic()
            status = s.ask(base + "api/trace")[0]
            must(status == 200 and time.monotonic() - begin < 10, f"after {after}: {status} in {time.monotonic() - begin:.1f} s")

        for name, data in (("a huge header", f"GET {base} HTTP/1.1\r\n{host}X: {'x' * 200000}\r\n\r\n"), ("a huge address", f"GET {base}{'x' * 200000} HTTP/1.1\r\n{host}\r\n"),
                           ("many headers", f"GET {base} HTTP/1.1\r\n{host}" + "".join(f"X{i}: y\r\n" for i in range(20000)) + "\r\n")):
            got = raw(s, data.encode(), 2)
            must(not got or re.match(rb"HTTP/1.1 (4\d\d|5\d\d) ", got), f"{name}: {got[:80]}")
            answered(name)
        for name, data in (("no HTTP", b"\x16\x03\x01\x02\x00\x01\xfc" * 50), ("zeros", bytes(5000)), ("no version", f"GET {base}\r\n\r\n".encode()),
                           ("no host", f"GET {base} HTTP/1.0\r\n\r\n".encode()), ("two hosts", f"GET {base} HTTP/1.1\r\nHost: evil.example\r\n{host}\r\n".encode()),
                           ("a whole address", f"GET http://evil.example{base} HTTP/1.1\r\nHost: evil.example\r\n\r\n".encode())):
            got = raw(s, data, 1)
            must(b" 200 " not in got[:20], f"{name}: {got[:80]}")
            answered(name)
        # One after the other on a connection: each is judged by itself.
        got = raw(s, f"GET {base}api/progress HTTP/1.1\r\n{host}\r\nGET /api/trace HTTP/1.1\r\n{host}\r\nGET {base} HTTP/1.1\r\nHost: evil\r\n\r\n".encode(), 1)
        must(re.findall(rb"HTTP/1.1 (\d+)", got) == [b"200", b"403", b"403"], f"pipelined: {re.findall(rb'HTTP/1.1 [^@]{20}', got)}")
        # A request in the body of another is none.
        got = raw(s, f"POST {base} HTTP/1.1\r\n{host}Content-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET {base}api/trace HTTP/1.1\r\n{host}\r\n".encode(), 1)
        must(b" 200 " not in got, f"smuggled: {got[:200]}")
        # As many as there can be, each with half a request; a byte of it now and then.
        slow = []
        for _ in range(80):
            c = socket.create_connection(("127.0.0.1", s.port))
            c.sendall(b"GET / HT")
            slow.append(c)
        try:
            for i in range(3):
                for c in slow:
                    try:
                        c.sendall(b"x")
                    except OSError:
                        pass
                answered(f"slow ones {i}")
        finally:
            for c in slow:
                c.close()
        # A body that never ends.
        with socket.create_connection(("127.0.0.1", s.port)) as c:
            c.sendall(f"GET {base} HTTP/1.1\r\n{host}Content-Length: 1000000000000\r\n\r\n".encode() + bytes(100000))
            answered("a body")
        must(s.process.poll() is None, "the server has ended")
        must(memory(s.process.pid) < 200, f"{memory(s.process.pid)} MB")


def children(pid):
    out = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], stdout=subprocess.PIPE, text=True, check=False).stdout
    return out.split()


def gave_up(where):
    """Views that nobody waits for any more end."""
    with Served(trace_of(where, [PROGRAMS / "wakers", "convoy"])) as s:
        s.get("api/trace")
        os.kill(s.process.pid, signal.SIGSTOP)
        # All are there before it looks at the first.
        asked = [socket.create_connection(("127.0.0.1", s.port)) for _ in range(20)]
        for c in asked:
            c.sendall(f"GET /{s.token}/api/view/path?top=0 HTTP/1.1\r\nHost: 127.0.0.1:{s.port}\r\n\r\n".encode())
            c.close()
        begin = time.monotonic()
        os.kill(s.process.pid, signal.SIGCONT)
        must(s.json("api/view/stats")["trace"]["threads"] == 5, "the next view")
        must(time.monotonic() - begin < 10 and not children(s.process.pid), f"{time.monotonic() - begin:.1f} s, children {children(s.process.pid)}")


def several(where):
    """Many requests at once, sensible ones and others: each gets the answer that it would get alone, and who leaves disturbs nobody."""
    out, r = trace_of(where, [PROGRAMS / "wakers", "convoy"]), random.Random(6)
    numbers = ("0", "1", "7", "1000", "99999999", "10000000000", "18446744073709551615", "-1", "NaN", "", "x", "1.5s", ".*", "(", "mutex", "io,poll")

    def odd():
        call = r.choice(("lanes", "load", "site", "wait", "trace", "words", "view/blocks", "view/waits", "view/nothing", "progress"))
        keys = r.sample(("from", "to", "pieces", "lanes", "id", "lane", "start", "end", "generation", "top", "cause", "site", "min"), r.randrange(6))
        return f"api/{call}?" + "&".join(f"{k}={r.choice(numbers)}" for k in keys)

    with Served(out) as s:
        duration = s.json("api/trace")["trace"]["duration_ns"]

        def sensible(i):
            start = duration * (i % 17) // 20
            return (f"api/lanes?from={start}&to={start + duration // (1 + i % 40)}&pieces={200 + i}&lanes=0,1,2,3,4", f"api/load?from={start}&to={duration}&pieces={50 + i}",
                    "api/trace", f"api/site?id={i % 3}", "api/view/locks")[i % 5 if i % 20 else 4]

        def ask(path):
            if path.startswith("leave "):
                with socket.create_connection(("127.0.0.1", s.port)) as c:
                    c.sendall(f"GET /{s.token}/{path[6:]} HTTP/1.1\r\nHost: 127.0.0.1:{s.port}\r\n\r\n".encode())
                    time.sleep(0.002)
                return None
            status, _, body = s.request(f"/{s.token}/{path}")
            must(status in (200, 400, 404, 409), f"{path}: {status} {body[:100]}")
            return status, body

        paths = [sensible(i) for i in range(60)]
        alone = {p: ask(p) for p in paths}
        mixed = [*paths, *paths, *(odd() for _ in range(150)), *("leave " + p for p in paths[::2])]
        r.shuffle(mixed)
        with ThreadPoolExecutor(10) as pool:
            for path, got in zip(mixed, pool.map(ask, mixed)):
                if path in alone:
                    must(same_answer(path, got, alone[path]), f"{path}: {short(got[1])} and alone {short(alone[path][1])}")
        must(s.process.poll() is None and memory(s.process.pid) < 300, f"{s.process.poll()}, {memory(s.process.pid)} MB")


def same_answer(path, a, b):
    """Sites are numbered as they come into sight."""
    if a[0] != 200 or b[0] != 200 or not path.startswith("api/lanes"):
        return a == b if not path.startswith("api/site") else a[0] == b[0]
    n, m = (struct.unpack_from("<I", x[1])[0] for x in (a, b))
    return a[1][4 + n:] == b[1][4 + m:] and json.loads(a[1][4:4 + n])["pieces"] == json.loads(b[1][4:4 + m])["pieces"]


def replaced(where):
    """Another trace in the place of the first: timeline and views are of one of them, and it is read again."""
    first, second = where / "a", where / "b"
    first.mkdir()
    second.mkdir()
    out, other = trace_of(first, [PROGRAMS / "wakers", "convoy"]), trace_of(second, ["true"])
    with Served(out) as s:
        must(len(s.json("api/trace")["lanes"]) == 5 and s.json("api/view/threads?top=0")["trace"]["threads"] == 5, "before")
        os.rename(other, out)
        status, _, body = s.ask(f"/{s.token}/api/view/threads")
        must(status == 409 and b"another" in body, f"a view of another file: {status} {body[:100]}")
        # What was read is still there, unless the other one has been read meanwhile.
        status, _, body = s.ask(f"/{s.token}/api/site?id=0&generation=1")
        must(status == 409 or (status == 200 and json.loads(body)["call"]), f"what was read: {status} {body[:100]}")
        until, old = time.monotonic() + 60, 1
        while (told := s.json("api/trace"))["generation"] == old:
            must(time.monotonic() < until, "it is not read again")
            time.sleep(0.1)
        must(len(told["lanes"]) == 1 and s.json("api/view/threads?top=0")["trace"]["threads"] == 1, f"after: {len(told['lanes'])} lanes")
        must(s.ask(f"/{s.token}/api/lanes?lanes=0&generation={old}")[0] == 409, "a number of before")
        out.write_bytes(b"no trace")
        while not (told := s.json("api/trace"))["stale"]:
            must(time.monotonic() < until + 20, "nothing says that it is no trace")
            time.sleep(0.1)
        must("another one" in told["stale"] and len(told["lanes"]) == 1, f"stale: {told['stale']}")
        # Gone altogether: what is open is shown.
        os.unlink(out)
        must(len(s.json("api/trace")["lanes"]) == 1, "gone")


def for_others(where):
    """--host 0.0.0.0: by each of this machine's addresses and by its name, with the token."""
    out = trace_of(where, ["true"])
    addresses = [a for a in subprocess.run(["hostname", "-I"], stdout=subprocess.PIPE, text=True, check=False).stdout.split() if ":" not in a]
    process = subprocess.Popen([str(ANALYZE), "serve", "--no-open", "--host", "0.0.0.0", str(out)], stdout=subprocess.PIPE, text=True, env=ENVIRONMENT)
    try:
        address = process.stdout.readline().strip()
        found = re.fullmatch(r"http://([\d.]+):(\d+)/([0-9a-f]{32})/", address)
        must(found and found[1] in addresses + ["127.0.0.1"], f"it prints {address}; there are {addresses}")
        port, token = int(found[2]), found[3]
        for host in [*addresses, "127.0.0.1", "localhost", socket.gethostname(), "evil.example", "0.0.0.1"]:
            c = http.client.HTTPConnection(host if host in addresses else "127.0.0.1", port, timeout=20)
            c.request("GET", f"/{token}/api/trace", headers={"Host": f"{host}:{port}"})
            status = c.getresponse().status
            c.close()
            must(status == (403 if host in ("evil.example", "0.0.0.1") else 200), f"{host}: {status}")
    finally:
        process.terminate()
        must(process.wait(20) == 0, "it does not end")


def elsewhere(where):
    """A port in use, an address that is none."""
    out = trace_of(where, ["true"])
    with Served(out) as s:
        ended = run([ANALYZE, "serve", "--no-open", "--port", str(s.port), out])
        must(ended.status == 2 and re.fullmatch(r"ctrace-analyze: serve: [^\n]*in use\n", ended.err), str(ended))
    ended = run([ANALYZE, "serve", "--no-open", "--host", "nowhere", out])
    must(ended.status == 2 and ended.err.count("\n") == 1, str(ended))


def same_numbers(where):
    """Pictures, coarse and fine, add up to what threads says."""
    out = trace_of(where, [PROGRAMS / "wakers", "convoy"])
    threads = {t["tid"]: t for t in report(out, command="threads")["threads"]}
    with Served(out) as s:
        told = s.json("api/trace")
        duration, lanes = told["trace"]["duration_ns"], told["lanes"]
        must({t["tid"] for t in lanes} == set(threads), "other threads")
        for pieces, windows in ((400, 1), (1000, 1), (2000, 7)):
            sums = {n["lane"]: [0.0] * 6 for n in lanes}
            for i in range(windows):
                start, end = duration * i // windows, duration * (i + 1) // windows
                head, shares = s.picture(start, end, pieces, [n["lane"] for n in lanes])
                for lane, data in shares.items():
                    for k in range(6):
                        sums[lane][k] += sum(data[k::6]) / 255 * (end - start) / head["pieces"]
            for n in lanes:
                t, found = threads[n["tid"]], dict(zip(SHADES, sums[n["lane"]]))
                if t["lifetime_ns"] < 20e6:
                    continue
                near = 0.04 * t["lifetime_ns"]
                must(abs(found["running"] - t["running_ns"]) < near, f"{pieces}: {n['name']} runs {found['running']:.0f}, threads: {t['running_ns']}")
                waits = t["by_cause"].get("mutex", 0)
                must(abs(found["contention"] - waits) < near + 0.1 * waits, f"{pieces}: {n['name']} in locks {found['contention']:.0f}, threads: {waits}")
        # A wait, and who ended it.
        rider = next(n for n in lanes if n["name"].startswith("rider"))
        head, _ = s.picture(0, duration, 500, [rider["lane"]])
        bars = head["lanes"][0]["bars"]
        waits = [bars[i:i + 4] for i in range(0, len(bars), 4) if head["sites"][str(bars[i + 2])]["object"] == "g_lock"]
        must(len(waits) >= 20, f"{len(waits)} waits for the lock")
        start, length, site, _ = waits[len(waits) // 2]
        told = s.json(f"api/wait?lane={rider['lane']}&start={start}&end={start + length}")
        must(told["ended_by"] == "release" and told["waker"].startswith("rider-") and told["waker_lane"] != rider["lane"] and
             any(f["function"] == "let_go" for f in told["waker_stack"]), f"who ended it: {told}")
        must(any(f["function"] == "queue_up" for f in s.json(f"api/site?id={site}")["stack"]), "where it waited")
        # What the one who let it go on had waited for before.
        last = s.json(f"api/before?lane={told['waker_lane']}&time={start + told['release_ns']}")
        must(last["lane"] == told["waker_lane"] and last["start"] + last["length"] <= start + told["release_ns"] + 2e6 and last["of"]["call"] in ("pthread_mutex_lock", "nanosleep", "clock_nanosleep", "usleep"),
             f"the waker's last wait: {last}")
        must(s.json(f"api/wait?lane={last['lane']}&start={last['start']}&end={last['start'] + last['length']}")["call"] == last["of"]["call"], "the same wait")
        must(s.ask(f"/{s.token}/api/before?lane=99&time=0")[0] == 400, "a lane that is none")
        view = s.json("api/view/blocks?top=3&cause=mutex")
        must([c["cause"] for c in view["causes"]] == ["mutex"], f"a filter of a view: {view['causes']}")


SHORT = """
#include <ctrace.h>
#include <time.h>
static void spin(long ns) { struct timespec a, b; clock_gettime(CLOCK_MONOTONIC, &a); do clock_gettime(CLOCK_MONOTONIC, &b); while ((b.tv_sec - a.tv_sec) * 1000000000 + b.tv_nsec - a.tv_nsec < ns); }
int main(void) {
	for (int k = 0; k < 5; k++) {
		uint64_t task = ctrace_task_begin(k % 2 ? "odd" : "even", 0);
		ctrace_region_begin_in(task, k % 2 ? "odd turn" : "even turn");
		for (int i = 0; i < 300; i++) {
			ctrace_region_begin(i % 3 ? "short" : "other");
			spin(5000);
			ctrace_region_end(i % 3 ? "short" : "other");
			ctrace_logf("said", "%d", k * 300 + i);
		}
		struct timespec t = { 0, 20000000 };
		nanosleep(&t, 0);
		ctrace_region_end(k % 2 ? "odd turn" : "even turn");
		ctrace_task_end(task);
	}
	return 0;
}
"""


def short_regions(where):
    """Regions and lines: in the whole few notes that stand for all, in a small window each as it is; an answer is bounded."""
    (where / "x.c").write_text(SHORT)
    must(run(["gcc", "-O1", f"-I{HERE.parent}/include", "x.c", "-o", "x"], cwd=where).status == 0, "gcc")
    out = trace_of(where, [where / "x"])
    told = {r["region"]: r for r in report(out, command="regions")["regions"]}
    with Served(out) as s:
        trace = s.json("api/trace")
        duration = trace["trace"]["duration_ns"]
        must(trace["annotated"] and trace["notes"], "api/trace")

        def notes(a, b, pieces):
            found = s.json(f"api/notes?from={a}&to={b}&pieces={pieces}&lanes=0")
            r, lines = found["lanes"][0]["regions"], found["lanes"][0]["lines"]
            return [(*r[i:i + 2], found["names"].get(str(r[i + 2])), found["names"].get(str(r[i + 3])), *r[i + 4:i + 6]) for i in range(0, len(r), 6)], \
                [tuple(lines[i:i + 3]) for i in range(0, len(lines), 3)]
        for pieces in (20, 300, 4000):
            rows, lines = notes(0, duration, pieces)
            must(sum(r[4] for r in rows) == sum(r["count"] for r in told.values()) == 1505 and sum(x[2] for x in lines) == 1500, f"{pieces}: {rows[:5]}, {lines[:5]}")
            must(len(rows) <= 3 * pieces and len(lines) <= pieces, f"{pieces}: {len(rows)} regions, {len(lines)} lines")
        rows, lines = notes(0, duration, 4000)
        turns = [r for r in rows if r[5] == 0]
        must(sorted((r[2], r[3], r[4]) for r in turns) == [("even turn", "even", 1)] * 3 + [("odd turn", "odd", 1)] * 2, f"{turns}")
        seen = set()
        for start, length, *_ in turns:
            # As the turn's short ones lie close together at its begin: windows of 400 us.
            for a in range(start, start + length, 400000):
                rows, lines = notes(a, min(a + 400000, duration), 2000)
                must(all(r[4] == 1 for r in rows), f"merged: {rows[:5]}")
                seen |= set(rows)
        short_ones = [r for r in seen if r[5] == 1]
        must(sum(r[2] == "short" for r in short_ones) == 1000 and sum(r[2] == "other" for r in short_ones) == 500, f"{len(short_ones)} short ones, {sorted(seen, key=str)[:5]}")
        must({r[3] for r in short_ones} == {"odd", "even"} and len([r for r in seen if r[5] == 0]) == 5 and len(seen) == 1505, f"{len(seen)}, {sorted(seen, key=str)[:5]}")
        must(sum(r[1] for r in short_ones if r[2] == "short") == told["short"]["total_ns"], "how long they took")
        first = s.json(f"api/lines?lane=0&from=0&to={duration}")
        must([x["text"] for x in first["lines"]] == [str(i) for i in range(500)] and first["more"], f"{first['lines'][:3]}")
        at = first["lines"][70]["ns"]
        must(s.json(f"api/lines?lane=0&from={at}&to={at}")["lines"] == [first["lines"][70]], "one line")
        # A wait knows what it was in.
        bars = s.picture(0, duration, 500, [0])[0]["lanes"][0]["bars"]
        wait = s.json(f"api/wait?lane=0&start={bars[0]}&end={bars[0] + bars[1]}")
        must([(r["region"], r["task"]) for r in wait["regions"]] == [("even turn", "even")], f"{wait}")
        must(s.json("api/view/regions?top=0")["regions"] and s.json("api/view/tasks?region=odd*")["tasks"], "views")
    page = where / "r.html"
    must(run([ANALYZE, "report", "-o", page, out]).status == 0, "report")
    data = json.loads(page.read_text().partition('id="ctrace-data">')[2].partition("</script>")[0])["answers"]
    must(data["api/notes"]["lanes"][0]["regions"] and data["api/view/regions"]["regions"] and data["api/view/tasks"]["tasks"] and data["api/lines"]["lines"], "a report has them")


def every_bar(where):
    """Whatever is drawn can be asked for, also a call in which the thread was only preempted."""
    out = trace_of(where, ["sh", "-c", f"for i in 1 2; do {PROGRAMS / 'wakers'} convoy & done; {PROGRAMS / 'wakers'} barrier; wait"])
    with Served(out) as s:
        trace = s.json("api/trace")
        lanes, duration = [n["lane"] for n in trace["lanes"]], trace["trace"]["duration_ns"]
        asked, no_waits = 0, 0
        for i in range(2):
            head, _ = s.picture(duration * i // 2, duration * (i + 1) // 2, 2000, lanes)
            for n in head["lanes"]:
                bars = n["bars"]
                for k in list(range(0, len(bars), 4))[1:4]:
                    start, length = bars[k:k + 2]
                    told = s.json(f"api/wait?lane={n['lane']}&start={max(0, start)}&end={start + length}")
                    site = head["sites"][str(bars[k + 2])]
                    must(told["call"] == site["call"] and told["object"] == site["object"], f"{told} {site}")
                    asked += 1
                    no_waits += told.get("waited") is False
                    must(told.get("waited", True) or (told["blocked_ns"] == 0 and told["ready_ns"] <= length and told["ended_by"] == "nothing"), f"{told}")
        must(asked > 15, f"{asked} were asked for")
        print(f"   {asked} bars, {no_waits} of them no waits")


def growing(where):
    """A trace that is still being written: the server reads on."""
    out = where / "t.bin"
    program = subprocess.Popen([str(a) for a in traced(out, ["sh", "-c", "while :; do sleep 0.01; done"])], env=ENVIRONMENT, cwd=where)
    try:
        until = time.monotonic() + 20
        while not out.exists() or out.stat().st_size < 3000:
            must(time.monotonic() < until, "no trace")
            time.sleep(0.1)
        with Served(out) as s:
            first = s.json("api/trace")
            must(not first["trace"]["complete"], "it is complete")
            while time.monotonic() < until + 20:
                time.sleep(0.5)
                last = s.json("api/trace")
                if last["trace"]["duration_ns"] > first["trace"]["duration_ns"] and len(last["lanes"]) > len(first["lanes"]):
                    break
            must(len(last["lanes"]) > len(first["lanes"]), f"{len(first['lanes'])} and {len(last['lanes'])} lanes")
            s.picture(0, last["trace"]["duration_ns"], 100, range(min(50, len(last["lanes"]))))
    finally:
        program.terminate()
        subprocess.run(["pkill", "-f", "while :; do sleep 0.01; done"], check=False)
        program.wait(20)


def finished_at(data):
    """Where the index of a finished trace begins: its last bytes say so."""
    return struct.unpack("<Q", data[-24:-16])[0]


def sums_of(s, told, lanes):
    """Of each lane: ns in each shade, as the picture has it."""
    head, shares = s.picture(0, told["trace"]["duration_ns"], 500, lanes)
    return {i: [sum(d[k::6]) / 255 * told["trace"]["duration_ns"] / head["pieces"] for k in range(6)] for i, d in shares.items()}


def read_on(where):
    """A trace that grows is read on: at each time it is what a whole reading of as much says, and at the end the very same."""
    seed, full, out = trace_of(where, [PROGRAMS / "wakers", "convoy"]), where / "full.bin", where / "growing.bin"
    ended = run([BUILD / "tests/bench/make-events", seed, "200000", full])
    must(ended.status == 0, str(ended))
    data = full.read_bytes()
    end = finished_at(data)
    out.write_bytes(data[:end // 10])
    with Served(out) as s, out.open("ab", buffering=0) as f:
        generations, old = [], 0
        for i in range(1, 10):
            told = s.json("api/trace")
            if old:
                must(s.ask(f"/{s.token}/api/lanes?lanes=0&generation={old}")[0] == 200, f"numbers of generation {old} are forgotten")
            old = told["generation"]
            f.write(data[end * i // 10:end * (i + 1) // 10])
            until = time.monotonic() + 60
            while (told := s.json("api/trace"))["trace"]["file_bytes"] < end * (i + 1) // 10:
                must(time.monotonic() < until, f"step {i}: {told['trace']['file_bytes']} of {end * (i + 1) // 10} bytes are shown")
                time.sleep(0.05)
            generations.append(told["generation"])
        must(generations == sorted(set(generations)), f"generations {generations}")
        # A file that nobody writes to any more is read as a whole.
        whole = where / "whole.bin"
        whole.write_bytes(data[:end])
        os.utime(whole, (0, 0))
        with Served(whole) as w:
            wanted = w.json("api/trace")
            until = time.monotonic() + 60
            while (told := s.json("api/trace"))["trace"]["events"] < wanted["trace"]["events"]:
                must(time.monotonic() < until, f"{told['trace']['events']} events of {wanted['trace']['events']}")
                time.sleep(0.2)
            for key in ("duration_ns", "threads", "processes", "events", "damaged", "lost_events", "complete", "sched"):
                must(told["trace"][key] == wanted["trace"][key], f"{key}: {told['trace'][key]}, as a whole {wanted['trace'][key]}")
            must(len(told["lanes"]) == len(wanted["lanes"]), "lanes")
            for a, b in zip(told["lanes"], wanted["lanes"]):
                for key in ("lane", "process", "tid", "name", "routine", "from_ns", "to_ns", "events"):
                    must(a[key] == b[key], f"lane {a['lane']}: {key} {a[key]}, as a whole {b[key]}")
                near = max(0.02 * b["lifetime_ns"], 2e6)
                for key in ("lifetime_ns", "running_ns", "runnable_ns", "blocked_ns"):
                    must(abs(a[key] - b[key]) <= near, f"lane {a['lane']}: {key} {a[key]}, as a whole {b[key]}")
            lanes = [n["lane"] for n in told["lanes"]]
            x, y = sums_of(s, told, lanes), sums_of(w, wanted, lanes)
            for n in told["lanes"]:
                for k in range(6):
                    must(abs(x[n["lane"]][k] - y[n["lane"]][k]) <= 0.01 * n["lifetime_ns"] + 1e6, f"{n['name']}, {SHADES[k]}: {x[n['lane']][k]:.0f}, as a whole {y[n['lane']][k]:.0f}")
        f.write(data[end:])
        until = time.monotonic() + 60
        while not (told := s.json("api/trace"))["trace"]["complete"]:
            must(time.monotonic() < until, "its end is not seen")
            time.sleep(0.1)
        with Served(full) as w:
            wanted = w.json("api/trace")
            must(told["lanes"] == wanted["lanes"] and told["trace"] == wanted["trace"] and told["scheduler"] == wanted["scheduler"], "not the same at the end")
            must(sums_of(s, told, lanes) == sums_of(w, wanted, lanes), "not the same picture at the end")
    # One that is begun anew in its place, and soon larger than it was.
    other = trace_of(where, ["true"])
    out.write_bytes(data[:end // 2])
    with Served(out) as s:
        must(len(s.json("api/trace")["lanes"]) == 5, "before")
        run([BUILD / "tests/bench/make-events", other, "100", where / "small.bin"])
        grown = other.read_bytes()
        with out.open("r+b") as f:
            f.truncate(0)
            f.write(grown[:finished_at(grown)])
            f.write(bytes(max(0, end // 2 + 1000 - f.tell())))
        until = time.monotonic() + 60
        while len(s.json("api/trace")["lanes"]) != 1:
            must(time.monotonic() < until, "it is not seen to be another one")
            time.sleep(0.1)


def hammered(where):
    """Many connections at once, for a moment: see hammer_serve.py."""
    out = trace_of(where, [PROGRAMS / "wakers", "convoy"])
    with Served(out) as s:
        told = s.json("api/trace")
        kinds = hammer(s.port, s.token, 4, 10, 7, told["trace"]["duration_ns"], len(told["lanes"]))
        must(kinds[200] > 20 and not [k for k in kinds if isinstance(k, int) and k >= 500], str(kinds))
        must(s.process.poll() is None and memory(s.process.pid) < 300, f"{s.process.poll()}, {memory(s.process.pid)} MB")


def version_6(where):
    """--host ::1, with and without brackets; ::, which is version 4 as well."""
    out = trace_of(where, ["true"])
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError as e:
        raise Skip(f"needs the address ::1 ({e})") from None
    for host, shown in (("::1", r"\[::1\]"), ("[::1]", r"\[::1\]"), ("::", r"[\d.]+")):
        process = subprocess.Popen([str(ANALYZE), "serve", "--no-open", "--host", host, str(out)], stdout=subprocess.PIPE, text=True, env=ENVIRONMENT)
        try:
            address = process.stdout.readline().strip()
            found = re.fullmatch(rf"http://({shown}):(\d+)/([0-9a-f]{{32}})/", address)
            must(found, f"--host {host}: it prints {address}")
            port, token = int(found[2]), found[3]
            for to, name, wanted in [("::1", f"[::1]:{port}", 200), ("::1", "[::1]", 200), ("::1", "[0:0:0:0:0:0:0:1]", 200), ("::1", f"localhost:{port}", 200), ("::1", "evil.example", 403),
                                     ("::1", "[::2]", 403), ("::1", "::1", 403), ("::1", "[::1", 403), ("::1", "[]", 403), ("::1", "[::1]x", 403), ("::1", "[::ffff:7f00:1]", 403),
                                     *([("127.0.0.1", f"127.0.0.1:{port}", 200), ("127.0.0.1", "0.0.0.1", 403)] if host == "::" else [])]:
                c = http.client.HTTPConnection(to, port, timeout=20)
                c.putrequest("GET", f"/{token}/api/trace", skip_host=True)
                c.putheader("Host", name)
                c.endheaders()
                status = c.getresponse().status
                c.close()
                must(status == wanted, f"--host {host}: Host {name} by {to}: {status}, should be {wanted}")
            if host != "::":
                try:
                    socket.create_connection(("127.0.0.1", port), 5).close()
                    raise Failure(f"--host {host} listens to version 4")
                except OSError:
                    pass
        finally:
            process.terminate()
            must(process.wait(20) == 0, "it does not end")
    for host in ("::g", "[::1", "::1]", "[127.0.0.1]", "", "[]"):
        ended = run([ANALYZE, "serve", "--no-open", "--host", host, out])
        must(ended.status == 2 and ended.err.count("\n") == 1, f"--host {host}: {ended}")


def look(where, address, *kind):
    return in_browser(where, address, "page.mjs", *kind)


def page(where):
    """The timeline with its keys, a wait that is clicked, its waker, and all pages."""
    need_browser()
    out = trace_of(where, [PROGRAMS / "wakers", "convoy"])
    with Served(out) as s:
        found = look(where, s.address)
    must(found["title"] == "ctrace" and found["rows"] == 5 and not found["banner"], f"{found['title']}, {found['rows']} lanes, {found['banner']}")
    must(found["target"]["cause"] == "mutex" and "g_lock" in found["details"] and "let_go" in found["details"] and "queue_up" in found["details"],
         f"details: {short(found['details'])}")
    # What the waker did last before: it slept with the lock, or had waited for it.
    must(re.search(r"rider-\d \(\d+\) was in (nanosleep|pthread_mutex_lock)", found["followed"]) and found["followed"] != found["details"], f"the waker's wait: {short(found['followed'])}")
    must("mark=" in found["marked"], found["marked"])
    (a, b), (c, d) = found["before"], found["zoomed"]
    must(d - c < 0.6 * (b - a) and abs(found["undone"][1] - found["undone"][0] - (b - a)) < 0.01 * (b - a), f"{found['before']} {found['zoomed']} {found['undone']}")
    must(found["help"] > 200 and found["filtered"] == 0, f"help {found['help']}, filter {found['filtered']}")
    for name, words in (("blocks", "queue_up"), ("threads", "rider-0"), ("locks", "g_lock"), ("wakers", "let_go"), ("path", "g_lock"),
                        ("flame", "queue_up"), ("deadlocks", "No thread waits"), ("stats", "calls")):
        must(words in found["pages"][name], f"{name} lacks {words}: {short(found['pages'][name])}")


def hostile(where):
    """Names are text, never markup."""
    need_browser()
    (where / "x.c").write_text(HOSTILE)
    for argv in (["gcc", "-O1", "-c", "x.c"], ["objcopy", "--redefine-sym", "evil=<img src=x onerror=alert(1)>", "x.o"],
                 ["gcc", "-pthread", "-rdynamic", "x.o", "-o", "x"]):
        must(run(argv, cwd=where).status == 0, argv[0])
    out = trace_of(where, [where / "x"])
    must(any("<img" in (f["function"] or "") for site in report(out)["sites"] for f in site["stack"]), "the function's name is not in the report")
    with Served(out) as s:
        found = look(where, s.address)
    must(found["images"] == 0 and "<img src=x onerror=alert(1)>" in found["pages"]["blocks"] and "<b>bold</b>" in found["pages"]["threads"],
         short(found["pages"]["blocks"]))
    page = where / "r.html"
    must(run([ANALYZE, "report", "-o", page, out]).status == 0, "report")
    must(b"<img" not in page.read_bytes() and b"<b>bold" not in page.read_bytes(), "markup in the report")


def cut(where):
    """A trace that was cut in the middle: what is there is shown, and the page says so."""
    need_browser()
    out = trace_of(where, [PROGRAMS / "wakers", "convoy"])
    data = out.read_bytes()
    out.write_bytes(data[:len(data) * 2 // 3])
    process = Served(out)
    process.__enter__()
    try:
        found = look(where, process.address)
    finally:
        process.process.kill()
        process.process.wait()
    must("no end" in found["banner"] or "damaged" in found["banner"], f"banner: {found['banner']}")


def one_file(where):
    """A report opens from disk, without a server, and is small."""
    need_browser()
    out, page = trace_of(where, [PROGRAMS / "wakers", "convoy"]), where / "r.html"
    ended = run([ANALYZE, "report", "-o", page, out])
    must(ended.status == 0 and not ended.out and not ended.err, str(ended))
    must(page.stat().st_size < 5000000, f"{page.stat().st_size} bytes")
    found = look(where, f"file://{page}", "report")
    must(found["rows"] == 5 and "g_lock" in found["details"], short(found["details"]))
    for name, words in (("blocks", "queue_up"), ("locks", "g_lock"), ("threads", "rider-0"), ("wakers", "let_go")):
        must(words in found["pages"][name], f"{name} lacks {words}: {short(found['pages'][name])}")
    ended = run([ANALYZE, "report", out])
    must(ended.status == 2 and ended.err == "ctrace-analyze: report: needs --output FILE\n", str(ended))


MANY = """
import threading
lock = threading.Lock()
def work():
    for i in range(20):
        with lock:
            sum(range(100))
for k in range(13):
    t = [threading.Thread(target=work, name=f"worker with a long name {i}") for i in range(100)]
    [x.start() for x in t]
    [x.join() for x in t]
"""


def many(where):
    """More threads than a report has room for: it stays small and says what is missing; a server draws them all."""
    out, page = trace_of(where, ["/usr/bin/python3", "-c", MANY]), where / "r.html"
    ended = run([ANALYZE, "report", "-o", page, out], timeout=120)
    must(ended.status == 0 and page.stat().st_size < 5000000, f"{ended}, {page.stat().st_size} bytes")
    text = page.read_text()
    data = json.loads(text.partition('id="ctrace-data">')[2].partition("</script>")[0])
    told, left_out = data["answers"]["api/trace"], " ".join(data["left_out"])
    must(len(told["lanes"]) == 1000 and "pictures of 1101 of 1301 threads" in left_out and "trace: 301 threads" in left_out, f"{len(told['lanes'])} lanes, {left_out}")
    must(all(n["lane"] == i and n["process"] < len(told["processes"]) for i, n in enumerate(told["lanes"])), "lanes by number")
    must("Left out of this report: trace: 301 threads" in text, "the page does not say what is left out")
    picture = base64.b64decode(data["picture"])
    head = json.loads(picture[4:4 + struct.unpack_from("<I", picture)[0]])
    must(len(head["lanes"]) == 200 and all(n["lane"] < 1000 for n in head["lanes"]) and head["lanes"][0]["lane"] == 0, "lanes of the picture")
    must(len(json.dumps(data["answers"]["api/view/threads"]["threads"])) > 50000, "rows of threads")
    with Served(out) as s:
        duration = s.json("api/trace")["trace"]["duration_ns"]
        for start, end in ((0, duration), (duration // 2, duration // 2 + duration // 1000)):
            load = s.get(f"api/load?from={start}&to={end}&pieces=4096")
            must(len(load) % 24 == 0 and 24 <= len(load) <= 24 * 4096, f"load: {len(load)} bytes")
            s.picture(start, end, 1000, range(1045, 1301))
        must(memory(s.process.pid) < 250, f"{memory(s.process.pid)} MB")


tests = Tests()
tests.run("refusals", refusals)
tests.run("rude clients", rude)
tests.run("given up", gave_up)
tests.run("port and host", elsewhere)
tests.run("for others", for_others)
tests.run("several at once", several)
tests.run("replaced", replaced)
tests.run("version 6", version_6)
tests.run("hammered", hammered)
tests.run("the same numbers", same_numbers)
tests.run("read on", read_on)
tests.run("every bar", every_bar)
tests.run("short regions", short_regions)
tests.run("a trace that grows", growing)
tests.run("the page", page)
tests.run("hostile names", hostile)
tests.run("a trace that was cut", cut)
tests.run("a report", one_file)
tests.run("many threads", many)
tests.finish()
