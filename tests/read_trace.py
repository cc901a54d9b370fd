#!/usr/bin/python3
"""A second reader of ctrace traces, written from docs/trace-format.md alone.

usage: read_trace.py [--summary] TRACE

Prints one JSON object a line: {"file": ...}, then {"record": NAME, ...} and {"event": ...} in
file order, {"slice": HOW, ...} and {"gap": CPU, ...}, {"damage": ...} where something was wrong, and {"summary": ...} at the end. It shares
nothing with abi/ and analyzer/, so that an error there cannot hide itself here.
Exit status: 0 read whole, 1 damage, 2 not a trace.
"""
import ctypes
import json
import struct
import sys

FILE_MAGIC = b"TRACE\r\x1a\n"
CHUNK_MAGIC, TRAILER_MAGIC = b"CHNK", b"INDX"
RECORDS, EVENTS, INDEX, SWITCHES = 1, 2, 3, 4
LIMIT = 16 << 20

LAYOUT = {
    1: ("META", "T key, T value"),
    2: ("CAUSE", "U id, T name, T category, T text"),
    3: ("CALL", "U id, T name, T family, U cause, U flags"),
    4: ("PROCESS_START", "U process, U pid, U parent_pid, U start_ns, T executable, T command, "
                         "U ticks_per_ms, U min_ns, U features"),
    5: ("PROCESS_END", "U process, U end_ns, U how, S status"),
    6: ("THREAD_START", "U thread, U process, U tid, U start_ns, U pthread, U routine, T name, U cpu_ns, U run_delay_ns"),
    7: ("THREAD_NAME", "U thread, T name"),
    8: ("THREAD_END", "U thread, U end_ns, U cpu_ns, U run_delay_ns, U how"),
    9: ("MODULE", "U module, U process, U start, U end, U bias, U epoch_first, U epoch_last, T path, "
                  "T build_id"),
    10: ("STACK", "U stack, U process, U epoch, A frames"),
    11: ("DESCRIPTOR", "U descriptor, U process, S fd, U kind, U device, U inode, T label"),
    12: ("COUNTERS", "U thread, U call, U calls, U short_ns, A short_ticks"),
    13: ("LOCK", "U process, U address, U cause, U acquisitions, U hold_ns"),
    14: ("LOSS", "U process, U thread, U what, U count"),
    15: ("CLOCK", "U process, U ticks, U ns, U error_ns"),
    16: ("END", "U end_ns, U events, U dropped, U collector_cpu_ns, U slices"),
    17: ("WAITING", "U thread, U seen_ns, U start_ns, U call, U cause, U object_kind, U object, U aux, U stack, "
                    "U owner"),
    18: ("HOLDER", "U process, U seen_ns, U object, U tid, U shared, U stack"),
    19: ("CODE", "U process, U start, U size, T name"),
    20: ("RECORDING", "U process, U at_ns, U off, U min_ns, U stacks"),
    21: ("NAME", "U name, T text"),
    22: ("TASK_BEGIN", "U task, U thread, U time_ns, U name, U parent"),
    23: ("TASK_END", "U task, U thread, U time_ns"),
    24: ("LOG", "U thread, U time_ns, U task, U category, T message"),
    25: ("COST", "U what, U ps"),
}
LAYOUT = {n: (name, [f.split() for f in fields.split(", ")]) for n, (name, fields) in LAYOUT.items()}


class Damage(Exception):
    pass


def make_crc_table():
    table = []
    for crc in range(256):
        for _ in range(8):
            crc = crc >> 1 ^ (0x82f63b78 if crc & 1 else 0)
        table.append(crc)
    return table


CRC = make_crc_table()


def crc32c(data):
    crc, table = 0xffffffff, CRC
    for byte in data:
        crc = crc >> 8 ^ table[(crc ^ byte) & 0xff]
    return crc ^ 0xffffffff


ZSTD = None


def zstd(data, size):
    global ZSTD
    if ZSTD is None:
        ZSTD = ctypes.CDLL("libzstd.so.1")
        ZSTD.ZSTD_decompress.restype = ctypes.c_size_t
        ZSTD.ZSTD_decompress.argtypes = [ctypes.c_char_p, ctypes.c_size_t] * 2
        ZSTD.ZSTD_isError.argtypes = [ctypes.c_size_t]
    out = ctypes.create_string_buffer(max(size, 1))
    n = ZSTD.ZSTD_decompress(out, size, data, len(data))
    if ZSTD.ZSTD_isError(n) or n != size:
        raise Damage("a chunk does not decompress to raw_bytes bytes")
    return out.raw[:size]


class Span:
    def __init__(self, data, at=0, end=None):
        self.data, self.at, self.end = data, at, len(data) if end is None else end

    def varint(self):
        value = shift = 0
        while True:
            if self.at >= self.end:
                raise Damage("a varint is cut")
            byte = self.data[self.at]
            self.at += 1
            if shift == 63 and byte > 1:
                raise Damage("a varint is too long")
            value |= (byte & 0x7f) << shift
            if byte < 0x80:
                return value
            shift += 7

    def zigzag(self):
        v = self.varint()
        return (v >> 1) ^ -(v & 1)

    def take(self, n):
        if n > self.end - self.at:
            raise Damage("a length exceeds what is there")
        self.at += n
        return self.data[self.at - n:self.at]

    def span(self):
        n = self.varint()
        if n > self.end - self.at:
            raise Damage("a length exceeds what is there")
        self.at += n
        return Span(self.data, self.at - n, self.at)

    def empty(self):
        return self.at == self.end


def value(span, kind):
    if span.empty():
        return {"U": 0, "S": 0, "T": "", "A": []}[kind]
    if kind == "U":
        return span.varint()
    if kind == "S":
        return span.zigzag()
    if kind == "T":
        return span.take(span.varint())
    n = span.varint()
    if n > span.end - span.at:
        raise Damage("an array is longer than its record")
    return [span.varint() for _ in range(n)]


def records(payload):
    span = Span(payload)
    while not span.empty():
        number = span.varint()
        fields = span.span()
        if number not in LAYOUT:
            yield {"record": number}
            continue
        name, layout = LAYOUT[number]
        record = {"record": name}
        for kind, field in layout:
            v = value(fields, kind)
            if isinstance(v, bytes):
                v = v.hex() if field == "build_id" else v.decode("utf-8", "backslashreplace")
            record[field] = v
        yield record


def events(payload, process):
    span = Span(payload)
    base = span.varint()
    sites = []
    for _ in range(span.varint()):
        kind, cause, flags, object_kind = span.take(4)
        call, obj, aux, stack, owner = (span.varint() for _ in range(5))
        if max(call, stack, owner) >> 32:
            raise Damage("a site's number is too large")
        sites.append({"kind": kind, "cause": cause, "flags": flags, "object_kind": object_kind,
                      "call": call, "object": obj, "aux": aux, "stack": stack, "owner": owner})
    batches = [(span.varint(), span.varint()) for _ in range(span.varint())]
    columns = [span.span() for _ in range(4)]
    if not span.empty():
        raise Damage("bytes follow the last column")
    for thread, count in batches:
        end = base
        for _ in range(count):
            index = columns[0].varint()
            if index >= len(sites):
                raise Damage("an event names a site that is not there")
            start = (end + columns[1].zigzag()) % (1 << 64)
            end = (start + columns[2].varint()) % (1 << 64)
            yield {"event": sites[index]["kind"], "process": process, "thread": thread, "start_ns": start,
                   "end_ns": end, "result": columns[3].zigzag(), **sites[index]}
    if not all(c.empty() for c in columns):
        raise Damage("a column is longer than its events")


SLICE_ENDS = {0: "BLOCKED", 1: "PREEMPTED", 2: "EXITED", 3: "CONTINUED", 4: "LOST", 5: "TRACE"}
WOKEN, SOFTIRQ, HARDIRQ, NO_START, LATE = 1, 2, 4, 8, 16


def below(number, limit, what):
    if number >= limit:
        raise Damage(f"{what} is too large")
    return number


def slices(payload):
    """The gaps and the slices of a SWITCHES chunk."""
    span, big = Span(payload), 1 << 64
    unit, base = span.varint(), span.varint()
    if not unit:
        raise Damage("the unit is 0")
    tasks = []
    for _ in range(span.varint()):
        pid, tid = below(span.varint(), 1 << 32, "a pid"), below(span.varint(), 1 << 32, "a tid")
        tasks.append((pid, tid, span.take(span.varint()).decode("utf-8", "backslashreplace")))
    cpus = [below(span.varint(), 1 << 32, "a cpu") for _ in range(span.varint())]
    gaps = []
    for _ in range(span.varint()):
        cpu = cpus[below(span.varint(), len(cpus), "a gap's cpu")]
        start = base + span.zigzag()
        end = start + span.varint()
        gaps.append({"gap": cpu, "start_ns": start * unit % big, "end_ns": end * unit % big, "lost": span.varint()})
    task, cpu, how, gap, duration, delay, waker = (span.span() for _ in range(7))
    if not span.empty():
        raise Damage("bytes follow the last column")
    yield from gaps
    ends = [base] * len(cpus)
    while not task.empty():
        pid, tid, name = tasks[below(task.varint(), len(tasks), "a task")]
        on = below(cpu.varint(), len(cpus), "a cpu")
        flags, end = divmod(below(how.varint(), 1 << 32, "how it ended"), 8)
        start = ends[on] + gap.zigzag()
        ends[on] = start + duration.varint()
        item = {"slice": SLICE_ENDS.get(end, end), "pid": pid, "tid": tid, "name": name, "cpu": cpus[on],
                "start_ns": start * unit % big, "end_ns": ends[on] * unit % big, "flags": flags}
        if flags & WOKEN:
            item["woken_ns"] = (start - delay.varint()) * unit % big
            item["waker_pid"], item["waker_tid"], _ = tasks[below(waker.varint(), len(tasks), "a waker")]
        yield item
    if not all(c.empty() for c in (cpu, how, gap, duration, delay, waker)):
        raise Damage("a column is longer than its slices")


CHUNK = struct.Struct("<4sHHIIIIQQII")
FIELDS = ("magic", "kind", "codec", "process", "stored_bytes", "raw_bytes", "count", "first_ns", "last_ns",
          "stored_crc", "crc")


def chunk_header(data, at):
    """The valid chunk header at a position, or None."""
    if at + 48 > len(data) or data[at:at + 4] != CHUNK_MAGIC:
        return None
    header = dict(zip(FIELDS, CHUNK.unpack_from(data, at)))
    if header["crc"] != crc32c(data[at:at + 44]):
        return None
    if max(header["raw_bytes"], header["stored_bytes"]) > LIMIT:
        return None
    return header if at + 48 + header["stored_bytes"] <= len(data) else None


def read(data, emit):
    """Calls emit with each object; returns the number of faults, -1: not a trace."""
    if len(data) < 64 or data[:8] != FILE_MAGIC:
        emit({"damage": "not a trace"})
        return -1
    version, header_bytes, start_ns, start_real_ns, must_know, may_know = struct.unpack_from("<IIQQII", data, 8)
    if struct.unpack_from("<I", data, 60)[0] != crc32c(data[:60]):
        emit({"damage": "the file header is damaged"})
        return -1
    if version != 1 or must_know or header_bytes < 64:
        emit({"damage": f"version {version}, features {must_know:#x}"})
        return -1
    emit({"file": {"version": version, "start_ns": start_ns, "start_real_ns": start_real_ns, "bytes": len(data)}})

    faults, at, index, seen, last = 0, header_bytes, None, [], None
    totals = {"events": 0, "records": 0, "slices": 0, "chunks": 0}

    def damage(why, where):
        nonlocal faults
        faults += 1
        emit({"damage": why, "offset": where})

    trailer = None
    if len(data) >= 64 + 24:
        index_offset, file_bytes, magic, crc = struct.unpack("<QQ4sI", data[-24:])
        if magic == TRAILER_MAGIC and crc == crc32c(data[-24:-4]) and file_bytes == len(data):
            trailer = index_offset
    limit = len(data) - (24 if trailer is not None else 0)
    while at < limit:
        header = chunk_header(data, at)
        if header is None:
            damage("no valid chunk header", at)
            at = data.find(CHUNK_MAGIC, at + 1)
            while at >= 0 and chunk_header(data, at) is None:
                at = data.find(CHUNK_MAGIC, at + 1)
            if at < 0:
                break
            continue
        stored = data[at + 48:at + 48 + header["stored_bytes"]]
        here, at = at, at + 48 + header["stored_bytes"]
        last = (here, at, header["kind"])
        if header["kind"] not in (RECORDS, EVENTS, INDEX, SWITCHES) or header["codec"] > 1:
            seen.append((here, header))
            continue
        totals["chunks"] += 1
        try:
            if crc32c(stored) != header["stored_crc"]:
                raise Damage("a chunk's checksum is wrong")
            raw = zstd(stored, header["raw_bytes"]) if header["codec"] else stored
            if len(raw) != header["raw_bytes"]:
                raise Damage("raw_bytes is wrong")
            if header["kind"] == INDEX:
                if len(raw) != 40 * header["count"]:
                    raise Damage("the index has a wrong size")
                index = [struct.unpack_from("<QHHIIIQQ", raw, 40 * i) for i in range(header["count"])]
                continue
            seen.append((here, header))
            if header["kind"] == RECORDS:
                found = list(records(raw))
                totals["records"] += len(found)
                number = len(found)
            elif header["kind"] == EVENTS:
                found = list(events(raw, header["process"]))
                totals["events"] += len(found)
                number = len(found)
            else:
                found = list(slices(raw))
                number = sum("slice" in item for item in found)
                totals["slices"] += number
            if header["kind"] != RECORDS and found and \
                    (min(e["start_ns"] for e in found), max(e["end_ns"] for e in found)) != \
                    (header["first_ns"], header["last_ns"]):
                damage("first_ns or last_ns is wrong", here)
            if number != header["count"]:
                damage(f"count is {header['count']}, found {number}", here)
            for item in found:
                emit(item)
        except Damage as e:
            damage(str(e), here)
    if trailer is None:
        damage("the file was cut: it has no trailer", len(data))
    elif last is None or last != (trailer, limit, INDEX):
        damage("the trailer does not point to the index", trailer)
    elif index is not None:
        expected = [(o, h["kind"], 0, h["process"], h["count"], h["raw_bytes"], h["first_ns"], h["last_ns"])
                    for o, h in seen]
        if index != expected:
            damage("the index does not agree with the chunks", trailer)
    emit({"summary": {**totals, "complete": trailer is not None, "faults": faults}})
    return faults


class Trace:
    """A whole trace in memory, with names in place of numbers: for the tests."""

    def __init__(self, path):
        self.damage, self.summary, self.file = [], {}, {}
        self.records, self.events, self.slices, self.gaps = {}, [], [], []
        self.calls, self.causes, self.threads, self.processes = {}, {}, {}, {}
        with open(path, "rb") as f:
            data = f.read()
        self.faults = read(data, self.take)

    def take(self, item):
        if "damage" in item:
            self.damage.append(item)
        elif "file" in item:
            self.file = item["file"]
        elif "summary" in item:
            self.summary = item["summary"]
        elif "record" in item:
            name = item["record"]
            self.records.setdefault(name, []).append(item)
            if name == "CALL":
                self.calls[item["id"]] = item["name"]
            elif name == "CAUSE":
                self.causes[item["id"]] = item["name"]
            elif name == "PROCESS_START":
                self.processes[item["process"]] = item
            elif name == "THREAD_START":
                self.threads[item["thread"]] = dict(item)
            elif name == "THREAD_NAME" and item["thread"] in self.threads:
                self.threads[item["thread"]]["name"] = item["name"]
        elif "slice" in item:
            self.slices.append(item)
        elif "gap" in item:
            self.gaps.append(item)
        else:
            self.events.append(item)

    def intervals(self, **want):
        """Intervals with names; want: cause, call, thread_name."""
        for e in self.events:
            if e["kind"] != 1:
                continue
            named = {**e, "cause": self.causes.get(e["cause"], str(e["cause"])), "call": self.calls.get(e["call"], ""),
                     "thread_name": self.threads.get(e["thread"], {}).get("name", "")}
            if all(named[k] == v for k, v in want.items()):
                yield named


def main():
    args = sys.argv[1:]
    summary_only = "--summary" in args
    args = [a for a in args if a != "--summary"]
    if len(args) != 1:
        sys.exit(__doc__)
    try:
        with open(args[0], "rb") as f:
            data = f.read()
    except OSError as e:
        print(f"read_trace.py: {args[0]}: {e.strerror}", file=sys.stderr)
        return 2

    def emit(item):
        if not summary_only or "summary" in item or "damage" in item:
            print(json.dumps(item))

    faults = read(data, emit)
    return 2 if faults < 0 else min(faults, 1)


if __name__ == "__main__":
    sys.exit(main())
