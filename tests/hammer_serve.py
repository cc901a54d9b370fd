#!/usr/bin/python3
"""Asks `ctrace-analyze serve` for sense and nonsense from many connections at once. run_serve.py does it for a moment; for
minutes, and with sanitizers, it is run by hand:

usage: hammer_serve.py ANALYZE TRACE [--seconds N] [--clients N] [--seed N] [--grow SECONDS]

--grow: what is served is a copy of the trace that is written in so many seconds, again and again.
"""
import argparse
import collections
import http.client
import json
import os
import random
import re
import subprocess
import sys
import tempfile
import threading
import time

VIEWS = "summary blocks threads locks io malloc sched wakers path deadlocks latency stats waits dump export serve".split()
KEYS = ("from to pieces lanes id lane start end time generation top sort group-by thread process cause object site min call lock json csv output symbols").split()
ODD = ["18446744073709551615", "9223372036854775808", "-1", "NaN", "1e308", "0", "1", "", "x", "1.5s", "50%25", "-2s", "%3D5", "@1", "%01", ".*", "(", "a{1,99}", "*", "mutex", "io,poll"]
PATHS = {"api/trace": [], "api/words": [], "api/progress": [], "api/lanes": ["from", "to", "pieces", "lanes"], "api/load": ["from", "to", "pieces"], "api/wait": ["lane", "start", "end"],
         "api/site": ["id"], "api/before": ["lane", "time"], "": [], "app.js": []}


class Client:
    def __init__(self, port, token, seed, duration, lanes):
        self.r, self.port, self.token = random.Random(seed), port, token
        self.duration, self.lanes, self.bars = max(duration, 1), max(lanes, 1), []
        self.kinds = collections.Counter()

    def number(self):
        r = self.r
        return r.choice([str(r.randrange(10 ** r.randrange(1, 20))), str(2 ** r.randrange(66)), "A" * r.randrange(300), r.choice(ODD), r.choice(ODD)])

    def value(self, key):
        r = self.r
        if r.random() < 0.1:
            return self.number()
        if key == "lanes":
            return ",".join(str(r.randrange(self.lanes)) for _ in range(r.randrange(1, 40)))
        if key in ("from", "start"):
            self.at = r.randrange(self.duration)
            return str(self.at)
        if key in ("to", "end", "time"):
            return str(min(self.duration, getattr(self, "at", 0) + int(self.duration * 10 ** -r.uniform(0, 6)) + 1))
        return {"pieces": str(r.randrange(1, 4097)), "lane": str(r.randrange(self.lanes)), "id": str(r.randrange(30)), "generation": str(r.randrange(1, 9)), "top": "5"}.get(key) or self.number()

    def path(self):
        r = self.r
        if self.bars and r.random() < 0.15:
            lane, start, length = r.choice(self.bars)
            return r.choice([f"api/wait?lane={lane}&start={max(0, start)}&end={start + length}", f"api/before?lane={lane}&time={max(0, start)}"])
        if r.random() < 0.03:
            return "".join(r.choice("abc/.%2e0\\?#&=") for _ in range(r.randrange(40)))
        path = r.choice(list(PATHS)) if r.random() < 0.9 else "api/view/" + r.choice(VIEWS)
        keys = [k for k in PATHS.get(path, []) if r.random() < 0.95] + [r.choice(KEYS) for _ in range(r.choice([0, 0, 0, 0, 1, 4]))]
        return path + ("?" if keys else "") + "&".join(f"{k}={self.value(k)}" for k in keys)

    def learn(self, path, body):
        if path == "api/trace":
            told = json.loads(body)
            self.duration, self.lanes = max(1, told["trace"]["duration_ns"]), max(1, len(told["lanes"]))
        elif path.startswith("api/lanes?"):
            n = int.from_bytes(body[:4], "little")
            for lane in json.loads(body[4:4 + n])["lanes"]:
                b = lane["bars"]
                self.bars += [(lane["lane"], b[i], b[i + 1]) for i in range(0, min(len(b), 40), 4)]
            self.bars = self.bars[-200:]

    def ask(self):
        r, path = self.r, self.path()
        c = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        try:
            c.putrequest(r.choice(["GET"] * 40 + ["POST", "HEAD"]), f"/{self.token}/{path}".replace(" ", "+"), skip_host=True)
            c.putheader("Host", f"127.0.0.1:{self.port}")
            c.endheaders()
            if r.random() < 0.08: # nobody waits for the answer
                time.sleep(r.random() * 0.03)
                self.kinds["left"] += 1
                return
            answer = c.getresponse()
            body = answer.read()
            self.kinds[answer.status] += 1
            if answer.status >= 500:
                self.kinds[f"{answer.status} {path[:100]} {body[:80]!r}"] += 1
            if answer.status == 200:
                self.learn(path, body)
        except (http.client.HTTPException, OSError, UnicodeError) as e:
            self.kinds[type(e).__name__] += 1
        finally:
            c.close()


def hammer(port, token, seconds, clients, seed, duration=1, lanes=1):
    """What was answered, by status."""
    until, all_of = time.monotonic() + seconds, [Client(port, token, seed * 1000 + i, duration, lanes) for i in range(clients)]

    def run(client):
        while time.monotonic() < until:
            client.ask()

    threads = [threading.Thread(target=run, args=(c,)) for c in all_of]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    return sum((c.kinds for c in all_of), collections.Counter())


def write_slowly(data, path, seconds, stop):
    """The trace as it comes to be; then another one in its place, from the begin."""
    while not stop.is_set():
        with open(path + ".new", "wb", buffering=0) as f:
            f.write(data[:len(data) // 10])
            os.replace(path + ".new", path)
            for i in range(1, 101):
                if stop.wait(seconds / 100):
                    return
                f.write(data[len(data) // 10 + (len(data) * 9 // 10) * (i - 1) // 100:len(data) // 10 + (len(data) * 9 // 10) * i // 100])
            f.write(data[len(data) // 10 + len(data) * 9 // 10:])
        stop.wait(3)


def main():
    p = argparse.ArgumentParser()
    p.add_argument("analyze")
    p.add_argument("trace")
    p.add_argument("--seconds", type=float, default=60)
    p.add_argument("--clients", type=int, default=12)
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--grow", type=float)
    o = p.parse_args()
    stop, trace = threading.Event(), o.trace
    with tempfile.TemporaryDirectory() as where, tempfile.TemporaryFile() as errors:
        if o.grow:
            with open(o.trace, "rb") as f:
                data = f.read()
            trace = os.path.join(where, "t.bin")
            threading.Thread(target=write_slowly, args=(data, trace, o.grow, stop)).start()
            while not os.path.exists(trace):
                time.sleep(0.05)
        s = subprocess.Popen([o.analyze, "serve", "--no-open", trace], stdout=subprocess.PIPE, stderr=errors, text=True)
        port, token = re.fullmatch(r"http://127\.0\.0\.1:(\d+)/(\w+)/\n", s.stdout.readline()).groups()
        kinds = hammer(int(port), token, o.seconds, o.clients, o.seed)
        ended = s.poll()
        with open(f"/proc/{s.pid}/status", encoding="ascii") as f:
            memory = re.search(r"VmRSS:\s+(\d+)", f.read())[1] if ended is None else "0"
        s.terminate()
        status = s.wait(120)
        stop.set()
        errors.seek(0)
        said = errors.read().decode(errors="replace")
    print(f"{sum(kinds[k] for k in kinds if not isinstance(k, str) or ' ' not in k)} requests: {dict(kinds)}; {int(memory) // 1024} MB; ends with {status}")
    print(said[:20000], end="")
    # 1: the trace is damaged.
    sys.exit(ended is not None or status not in (0, 1) or "Sanitizer" in said or any(isinstance(k, int) and k >= 500 for k in kinds))


if __name__ == "__main__":
    main()
