"""What run_serve.py and run_page.py share: a server of a trace, and Chromium."""
import http.client
import json
import os
import re
import shutil
import struct
import subprocess
from pathlib import Path

from harness import ANALYZE, BUILD, ENVIRONMENT, Failure, Skip, must, run, short, traced, wait_complete

HERE = Path(__file__).resolve().parent


def trace_of(where, argv, options=()):
    out = where / "t.bin"
    ended = run(traced(out, argv, options), cwd=where)
    must(ended.status == 0, str(ended))
    wait_complete(out)
    return out


class Served:
    """A server of a trace while the block runs."""

    def __init__(self, trace, *options):
        self.argv = [str(ANALYZE), "serve", "--no-open", *options, str(trace)]

    def __enter__(self):
        self.process = subprocess.Popen(self.argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT)
        self.address = self.process.stdout.readline().strip()
        found = re.fullmatch(r"http://127\.0\.0\.1:(\d+)/([0-9a-f]{32})/", self.address)
        if not found:
            self.process.kill()
            raise Failure(f"it prints {self.address!r}, {self.process.communicate()}")
        self.port, self.token = int(found[1]), found[2]
        return self

    def ask(self, path, method="GET", **headers):
        """Status, type and body of a raw request; its headers are in self.headers."""
        status, self.headers, body = self.request(path, method, **headers)
        return status, self.headers.get("Content-Type"), body

    def request(self, path, method="GET", **headers):
        """Status, headers and body; of any thread."""
        c = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        c.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
        for name, value in {"Host": f"127.0.0.1:{self.port}", **{k.replace("_", "-"): v for k, v in headers.items()}}.items():
            if value is not None:
                c.putheader(name, value)
        c.endheaders()
        answer = c.getresponse()
        body = answer.read()
        c.close()
        return answer.status, dict(answer.getheaders()), body

    def get(self, path):
        status, _, body = self.ask(f"/{self.token}/{path}")
        must(status == 200, f"{path}: {status} {body[:200]}")
        return body

    def json(self, path):
        return json.loads(self.get(path))

    def picture(self, start, end, pieces, lanes):
        body = self.get(f"api/lanes?from={start}&to={end}&pieces={pieces}&lanes={','.join(map(str, lanes))}")
        n, = struct.unpack_from("<I", body)
        head, at, shares = json.loads(body[4:4 + n]), 4 + n, {}
        for lane in head["lanes"]:
            shares[lane["lane"]] = body[at:at + head["pieces"] * 6]
            at += head["pieces"] * 6
        must(at == len(body), f"{len(body) - at} bytes are left")
        return head, shares

    def __exit__(self, *_):
        self.process.terminate()
        try:
            status = self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise Failure("it does not end on SIGTERM") from None
        must(status == 0, f"ends with {status}: {self.process.stderr.read()}")
        return False


def memory(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as f:
        return int(re.search(r"VmRSS:\s+(\d+)", f.read())[1]) // 1024


def need_browser():
    node, modules = shutil.which("node"), next(BUILD.glob("analyzer/**/node_modules/playwright-core"), None)
    for what, there in (("node", node), ("chromium", shutil.which("chromium")), ("a page in this build (npm)", modules)):
        if not there:
            raise Skip(f"needs {what}")
    return node, modules.parent.parent


def in_browser(where, address, script, *arguments, steps=None):
    """Runs a script of tests/browser/ with the page of a server or a report; what it found. Screenshots stay in CTRACE_SHOTS."""
    node, modules = need_browser()
    folder = where / "shots"
    folder.mkdir(exist_ok=True)
    ended = subprocess.run([node, HERE / "browser" / script, str(modules), address, str(folder), *arguments], input=steps, stdout=subprocess.PIPE,
                           stderr=subprocess.PIPE, text=True, timeout=240, env={**os.environ, "HOME": str(where)}, check=False)
    must(ended.returncode == 0, f"the browser: {short(ended.stderr[-600:])}")
    found = json.loads(ended.stdout.splitlines()[-1])
    keep = os.environ.get("CTRACE_SHOTS")
    if keep:
        shutil.copytree(folder, keep, dirs_exist_ok=True)
    must("failed" not in found, str(found.get("failed"))[:700])
    must(not found["errors"] and not found["dialogs"] and not found["refused"], f"errors {found['errors']}, refused {found['refused']}")
    return found


def browse(where, trace, steps, *options):
    """Serves a trace, does the steps of tests/browser/steps.mjs, and returns what was found."""
    need_browser()
    with Served(trace, *options) as s:
        return in_browser(where, s.address, "steps.mjs", steps=json.dumps(steps))
