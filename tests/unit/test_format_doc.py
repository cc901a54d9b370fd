#!/usr/bin/python3
"""Compares the tables of docs/trace-format.md with the headers in abi/, in both directions.

usage: test_format_doc.py SOURCE_ROOT
"""
import re
import sys
from pathlib import Path

root = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parents[2])
doc = (root / "docs/trace-format.md").read_text()


def strip(text):
    """C without comments."""
    return re.sub(r"/\*.*?\*/|//[^\n]*", " ", text, flags=re.S)


trace_h = strip((root / "abi/trace.h").read_text())
types_h = strip((root / "abi/types.h").read_text())
records_def = strip((root / "abi/records.def").read_text())
causes_def = strip((root / "abi/causes.def").read_text())
headers = types_h + trace_h

failures = []
passed = 0


def same(what, document, code):
    global passed
    if document == code:
        passed += 1
        return
    failures.append(what)
    print(f"FAIL {what}:")
    for name, a, b in (("document", document, code), ("code", code, document)):
        extra = [x for x in a if x not in b] if isinstance(a, list) else a
        print(f"  only in the {name}: {extra}")
    if isinstance(document, list) and sorted(map(str, document)) == sorted(map(str, code)):
        print("  the order differs")


# --- the document: section heading -> rows of its first table ---

def sections():
    found = {}
    for part in re.split(r"^#{2,3} ", doc, flags=re.M)[1:]:
        heading, _, body = part.partition("\n")
        rows, in_table = [], False
        for line in body.splitlines():
            if line.startswith("|"):
                in_table = True
                rows.append([cell.strip().strip("`") for cell in line.strip("|").split("|")])
            elif in_table:
                break
        if heading in found:
            sys.exit(f"FAIL two sections are called {heading!r}")
        found[heading] = rows[2:]
    return found


tables = sections()

# --- structs ---

SIZES = {"uint8_t": 1, "uint16_t": 2, "uint32_t": 4, "uint64_t": 8}


def struct_rows(body):
    """[offset, bytes, field] of each field, and the size, by the rules of the x86-64 ABI."""
    offset, widest, rows = 0, 1, []
    for declaration in filter(None, (d.strip() for d in body.split(";"))):
        m = re.fullmatch(r"(\w+)\s+(.+)", declaration, re.S)
        size = SIZES[m[1]]
        for name in (n.strip() for n in m[2].split(",")):
            array = re.fullmatch(r"(\w+)\[(\d+)\]", name)
            n = int(array[2]) if array else 1
            offset = (offset + size - 1) // size * size
            rows.append([offset, size * n, array[1] if array else name])
            offset += size * n
            widest = max(widest, size)
    return rows, (offset + widest - 1) // widest * widest


structs = {m[1]: struct_rows(m[2]) for m in re.finditer(r"struct (\w+) \{(.*?)\};", trace_h, re.S)}
documented = {}
for heading, rows in tables.items():
    if m := re.search(r": `(\w+)`, (\d+) bytes$", heading):
        documented[m[1]] = ([[int(r[0]), int(r[1]), r[2]] for r in rows], int(m[2]))
same("list of structs", sorted(documented), sorted(structs))
for name in documented.keys() & structs.keys():
    same(f"fields of {name}", documented[name][0], structs[name][0])
    same(f"size of {name}", documented[name][1], structs[name][1])
    end = 0
    for offset, size, field in documented[name][0]:
        same(f"no padding before {name}.{field}", offset, end)
        end = offset + size
    same(f"no padding at the end of {name}", end, documented[name][1])
for name, size in re.findall(r"_Static_assert\(sizeof\(struct (\w+)\) == (\d+)", trace_h):
    same(f"asserted size of {name}", documented.get(name, (0, 0))[1], int(size))

# --- enums: every one in the two headers except those whose names are data (causes, calls) ---

BY_NAME = {"ct_cause", "ct_call_id"}
enums = {}
for m in re.finditer(r"enum (\w+) \{(.*?)\};", headers, re.S):
    if m[1] in BY_NAME:
        continue
    value, rows = 0, []
    for item in filter(None, (i.strip() for i in m[2].split(","))):
        name, _, explicit = (x.strip() for x in item.partition("="))
        value = int(explicit, 0) if explicit else value
        rows.append([value, name])
        value += 1
    enums[m[1]] = [r for r in rows if not re.search(r"_(KINDS|COLUMNS)$", r[1])]
seen = set()
for heading, rows in tables.items():
    if m := re.search(r": `(\w+)`, prefix `(\w+)`$", heading):
        seen.add(m[1])
        same(f"values of {m[1]}", [[int(r[0], 0), m[2] + r[1]] for r in rows], enums.get(m[1], []))
same("list of enums", sorted(seen), sorted(enums))

# --- groups of #defines ---

defines = dict(re.findall(r"^#define (CT_\w+)\s+(.+?)\s*$", headers, re.M))


def number(text):
    text = re.sub(r"\b(0x[0-9a-fA-F]+|\d+)(u|ull)\b", r"\1", text)
    if not re.fullmatch(r"[0-9a-fA-Fx<()\s]+", text):
        raise ValueError(text)
    return eval(text)  # numbers, shifts and parentheses only


for heading, rows in tables.items():
    if m := re.search(r": `(CT_\w+_)`$", heading):
        same(f"values of {m[1]}*", [[int(r[0], 0), m[1] + r[1]] for r in rows],
             [[number(v), k] for k, v in defines.items() if k.startswith(m[1])])


def magic(name, size):
    return " ".join(f"{b:02x}" for b in number(defines[name]).to_bytes(size, "little"))


same("file magic", magic("CT_TRACE_MAGIC", 8) in doc, True)
same("chunk magic", magic("CT_CHUNK_MAGIC", 4) in doc, True)
same("trailer magic", magic("CT_TRAILER_MAGIC", 4) in doc, True)
same("version in the title", f"# The trace file, version {number(defines['CT_TRACE_VERSION'])}\n" in doc, True)
same("version field", [r[3] for r in tables["File header: `ct_file_header`, 64 bytes"] if r[2] == "version"][0]
     .startswith(f"{number(defines['CT_TRACE_VERSION'])};"), True)
same("largest chunk", [r[1] for r in tables["Limits"] if r[0].startswith("raw_bytes")],
     [str(number(defines["CT_CHUNK_RAW_MAX"]))])

# --- records ---

TYPES = "USTA"
numbers = [[n, int(v)] for n, v in re.findall(r"CT_RECORD\((\w+),\s*\w+,\s*(\d+)\)", records_def)]
fields = {m[1]: [[f, t] for t, f in re.findall(r"\b([USTA])\((\w+)\)", m[2])]
          for m in re.finditer(r"#define CT_FIELDS_(\w+)\(U, S, T, A\)(.*)", records_def)}
doc_numbers, doc_fields = [], {}
for heading, rows in tables.items():
    if m := re.fullmatch(r"([A-Z_]+) \((\d+)\)", heading):
        doc_numbers.append([m[1], int(m[2])])
        doc_fields[m[1]] = [r[:2] for r in rows]
same("record numbers", doc_numbers, numbers)
same("records with fields", sorted(doc_fields), sorted(fields))
for name in doc_fields.keys() & fields.keys():
    same(f"fields of {name}", doc_fields[name], fields[name])
same("types of fields", [r[0] for r in tables["RECORDS payload"]], list(TYPES))

# --- causes ---

same("causes", [[int(r[0]), r[1], r[2]] for r in tables["Causes of this version"]],
     [[i, *c] for i, c in enumerate(re.findall(r'CT_CAUSE\(\w+,\s*"(\w+)",\s*"(\w+)"', causes_def))])

# The C names of records, so that NAME and name cannot part.
for upper, lower in re.findall(r"CT_RECORD\((\w+),\s*(\w+),", records_def):
    same(f"names of {upper}", upper.lower(), lower)

print(f"{passed} passed, {len(failures)} failed")
sys.exit(1 if failures else 0)
