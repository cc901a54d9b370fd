#!/usr/bin/python3
"""Makes the page: installs what package-lock.json names, checks the types, bundles, and writes a C file
with the results, compressed. Where npm cannot install, the C file has no page and a line says so.

usage: build.py OUT.c FOLDER NPM NODE
"""
import gzip
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
HEAD = '/* Made by web/build.py. */\n#include "page.h"\n\n'


def write(out, parts):
    text, rows = HEAD, []
    for i, (name, kind, data) in enumerate(parts):
        packed = gzip.compress(data, 9, mtime=0)
        text += f"static const unsigned char part_{i}[] = {{\n"
        text += "".join("\t" + ",".join(map(str, packed[k:k + 24])) + ",\n" for k in range(0, len(packed), 24)) + "};\n\n"
        rows.append(f'\t{{ "{name}", "{kind}", part_{i}, sizeof(part_{i}) }},\n')
    out.write_text(text + "const struct ct_page_part ct_page_parts[] = {\n" + "".join(rows) + "\t{ NULL, NULL, NULL, 0 },\n};\n")


def main():
    out, folder, npm, node = Path(sys.argv[1]), Path(sys.argv[2]).resolve(), sys.argv[3], sys.argv[4]
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("package.json", "package-lock.json", "tsconfig.json"):
        shutil.copy(HERE / name, folder / name)
    shutil.rmtree(folder / "src", ignore_errors=True)
    shutil.copytree(HERE / "src", folder / "src")
    installed = folder / "node_modules/.package-lock.json"
    if not installed.exists() or installed.stat().st_mtime < (HERE / "package-lock.json").stat().st_mtime:
        ended = subprocess.run([npm, "ci", "--no-audit", "--no-fund", "--prefer-offline"], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                               text=True, check=False)
        if ended.returncode:
            print("build.py: npm ci failed: ctrace-analyze serve will have no page:", ended.stdout.strip().splitlines()[-1:], file=sys.stderr)
            write(out, [])
            return
        installed.touch()
    subprocess.run([node, "node_modules/typescript/bin/tsc", "--noEmit", "-p", "."], cwd=folder, check=True)
    bundle = subprocess.run(["node_modules/.bin/esbuild", "src/main.tsx", "--bundle", "--minify", "--target=es2021", "--format=iife",
                             "--jsx=automatic", "--jsx-import-source=preact", "--legal-comments=none", "--log-level=warning"],
                            cwd=folder, stdout=subprocess.PIPE, check=True).stdout
    write(out, [("index.html", "text/html; charset=utf-8", (HERE / "index.html").read_bytes()),
                ("app.js", "text/javascript; charset=utf-8", bundle),
                ("style.css", "text/css; charset=utf-8", (HERE / "style.css").read_bytes())])


if __name__ == "__main__":
    main()
