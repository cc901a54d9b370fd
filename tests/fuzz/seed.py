#!/usr/bin/python3
"""A trace as an input for the fuzzer: its chunks unpacked, the first calls alone, and paths that
are not there, so that no time goes into other people's debug data.

usage: seed.py TRACE SEED
"""
import re
import struct
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))
from read_trace import CHUNK_MAGIC, RECORDS, TRAILER_MAGIC, Span, zstd  # noqa: E402

HEADER, CHUNK, TRAILER = 64, 48, 24
CALL, CALLS_KEPT = 3, 24


def kept(payload):
    """The records of a payload without most calls and without paths, and their number."""
    span, out, count = Span(payload), b"", 0
    while not span.empty():
        begin = span.at
        kind, fields = span.varint(), span.span()
        if kind == CALL and fields.varint() > CALLS_KEPT:
            continue
        out += re.sub(rb"/(?=(tmp|usr|lib|home|etc|var|work)/)", b"_", payload[begin:span.at])
        count += 1
    return out, count


def main(trace, seed):
    data = Path(trace).read_bytes()
    end = len(data) - TRAILER if data[-8:-4] == TRAILER_MAGIC else len(data)
    out, at = data[:HEADER], HEADER
    while at + CHUNK <= end:
        header = bytearray(data[at:at + CHUNK])
        magic, kind, codec, _, stored, raw, count = struct.unpack_from("<4sHHIIII", header)
        if magic != CHUNK_MAGIC:
            break
        payload = data[at + CHUNK:at + CHUNK + stored]
        if codec == 1:
            payload = zstd(payload, raw)
        if kind == RECORDS:
            payload, count = kept(payload)
        struct.pack_into("<HIIII", header, 6, 0, struct.unpack_from("<I", header, 8)[0], len(payload), len(payload), count)
        out += bytes(header) + payload
        at += CHUNK + stored
    Path(seed).write_bytes(out)


if __name__ == "__main__":
    main(*sys.argv[1:3])
