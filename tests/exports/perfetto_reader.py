"""Reads a trace of Perfetto's as its trace processor does: by the public messages (perfetto.proto), with its rules
for interned data, tracks, nesting, flows, and the states of threads. What it would count as an error is a fault.

trace_processor itself is not to be had from Debian or npm; these rules are those of its sources
(src/trace_processor/importers): PacketSequenceState, SliceTracker, FlowTracker, SchedEventTracker, ThreadStateTracker.
"""
import subprocess
import sys
import tempfile
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

MONOTONIC, REALTIME, BOOTTIME = 3, 1, 6
CLEARED, NEEDS_STATE = 1, 2
BEGIN, END, INSTANT = 1, 2, 3
STATES = {0: "R", 1: "S", 16: "X"}


def messages():
    """The classes of perfetto.proto, made by protoc."""
    with tempfile.TemporaryDirectory() as where:
        subprocess.run(["protoc", f"--python_out={where}", f"-I{Path(__file__).parent}", "perfetto.proto"], check=True)
        sys.path.insert(0, where)
        try:
            import perfetto_pb2
        finally:
            sys.path.remove(where)
    return perfetto_pb2


def unknown_fields(m):
    if len(m.UnknownFields()):
        return True
    for f, value in m.ListFields():
        if f.message_type and any(unknown_fields(v) for v in (value if f.label == f.LABEL_REPEATED else [value])):
            return True
    return False


@dataclass
class Slice:
    track: int
    name: str
    category: str
    ts: int
    depth: int
    args: dict
    stack: list
    parent: object = None
    dur: int = -1     # -1: it did not end


@dataclass
class Thread:
    pid: int
    tid: int
    name: str


class Trace:
    def __init__(self, path):
        pb = messages()
        self.faults, self.slices, self.flows = [], [], []
        self.processes, self.threads, self.tracks = {}, {}, {}
        self.clocks, self.interned = {}, defaultdict(dict)
        self.states = defaultdict(lambda: defaultdict(int))  # by tid: ns by state
        self.turns = defaultdict(list)                       # by tid: (from, to, state), in order
        self.sched = []                                      # (cpu, tid, ts, dur)
        self.lost_records = 0
        self.cleared = False
        trace = pb.Trace()
        trace.ParseFromString(Path(path).read_bytes())
        self.packets = len(trace.packet)
        events, ftrace = [], []
        for p in trace.packet:
            self.take_packet(p, events, ftrace)
        # Sorted by time; those of one time as they stand in the file.
        events.sort(key=lambda e: e[0])
        self.play_events(events)
        self.play_sched(ftrace)

    def fault(self, text):
        if len(self.faults) < 20:
            self.faults.append(text)

    # --- packets ---

    def take_packet(self, p, events, ftrace):
        if len(events) < 3000 and unknown_fields(p):
            self.fault(f"a field that is not in the format: {p}")
        if p.sequence_flags & CLEARED:
            self.cleared = True
            self.default_clock = p.trace_packet_defaults.timestamp_clock_id
        if p.sequence_flags & NEEDS_STATE and not self.cleared:
            self.fault("a packet before its sequence's state")
        for f, entries in p.interned_data.ListFields():
            self.intern(f.name, entries)
        kind = p.WhichOneof("data")
        if kind == "clock_snapshot":
            self.clocks = {c.clock_id: c.timestamp for c in p.clock_snapshot.clocks}
            self.primary_clock = p.clock_snapshot.primary_trace_clock
        elif kind == "track_descriptor":
            self.take_descriptor(p.track_descriptor)
        elif kind == "track_event":
            if (p.timestamp_clock_id or self.default_clock) != MONOTONIC:
                self.fault("an event of another clock")
            events.append((p.timestamp, p.track_event))
        elif kind == "ftrace_events":
            to_monotonic = self.clocks[MONOTONIC] - self.clocks[BOOTTIME]
            for e in p.ftrace_events.event:
                ftrace.append((e.timestamp + to_monotonic, p.ftrace_events.cpu, e))
        elif kind == "ftrace_stats" and p.ftrace_stats.phase == 2:
            self.lost_records += sum(c.overrun for c in p.ftrace_stats.cpu_stats)
        elif kind is None and not p.HasField("interned_data"):
            self.fault("an empty packet")

    def intern(self, table, entries):
        for e in entries:
            if not e.iid:
                self.fault(f"{table}: no iid")
            if e.iid in self.interned[table]:
                self.fault(f"{table}: iid {e.iid} twice")
            self.interned[table][e.iid] = e

    def lookup(self, table, iid):
        found = self.interned[table].get(iid)
        if found is None:
            self.fault(f"{table}: iid {iid} is not known")
        return found

    def text(self, table, iid):
        e = self.lookup(table, iid)
        return "" if e is None else e.str.decode("utf-8") if hasattr(e, "str") else e.name

    def take_descriptor(self, d):
        if d.uuid in self.tracks:
            self.fault(f"track {d.uuid} is described twice")
        self.tracks[d.uuid] = d
        if d.HasField("process"):
            self.processes[d.process.pid] = d.process
        if d.HasField("thread"):
            self.threads[d.uuid] = Thread(d.thread.pid, d.thread.tid, d.thread.thread_name)

    # --- slices and flows ---

    def stack_of(self, iid):
        """Innermost first: (function, mapping, build-id, rel_pc, file, line)."""
        c = self.lookup("callstacks", iid)
        stack = []
        for frame_id in reversed(c.frame_ids if c else []):
            f = self.lookup("frames", frame_id)
            if f is None:
                continue
            path = build_id = None
            if f.mapping_id:
                m = self.lookup("mappings", f.mapping_id)
                path = "".join("/" + self.text("mapping_paths", i) for i in m.path_string_ids)
                build_id = self.text("build_ids", m.build_id) if m.build_id else None
                if not f.HasField("rel_pc") or m.start > m.end:
                    self.fault("a frame without an address, or a mapping without a place")
            stack.append((self.text("function_names", f.function_name_id), path, build_id, f.rel_pc,
                          self.text("source_paths", f.source_path_iid) if f.source_path_iid else None, f.line_number))
        return stack

    def args_of(self, e):
        args = {}
        for a in e.debug_annotations:
            kind = a.WhichOneof("value")
            value = getattr(a, kind)
            if kind == "string_value_iid":
                value = self.text("debug_annotation_string_values", value)
            args[self.text("debug_annotation_names", a.name_iid)] = value
        return args

    def play_events(self, events):
        open_slices, active = defaultdict(list), {}
        for ts, e in events:
            stack = open_slices[e.track_uuid]
            if e.track_uuid not in self.tracks:
                self.fault(f"no track {e.track_uuid}")
            if e.type == END:
                if not stack:
                    self.fault("an end without a begin")
                    continue
                s = stack.pop()
                s.dur = ts - s.ts
            else:
                name = e.name if e.WhichOneof("name_field") == "name" else self.text("event_names", e.name_iid)
                s = Slice(e.track_uuid, name, ",".join(self.text("event_categories", c) for c in e.category_iids), ts,
                          len(stack), self.args_of(e), self.stack_of(e.callstack_iid) if e.callstack_iid else [],
                          stack[-1] if stack else None)
                self.slices.append(s)
                if e.type == BEGIN:
                    stack.append(s)
                else:
                    s.dur = 0
            for f in e.flow_ids:
                if f in active:
                    self.fault(f"flow {f} begins twice")
                active[f] = s
            for f in e.terminating_flow_ids:
                if f not in active:
                    self.fault(f"flow {f} ends before it begins")
                    continue
                self.flows.append((active.pop(f), s))
        if active:
            self.fault(f"{len(active)} flows do not end")

    # --- the scheduler ---

    def play_sched(self, ftrace):
        ftrace.sort(key=lambda e: e[0])
        runs, since = {}, {}
        end = max((e[0] for e in ftrace), default=0)
        for ts, cpu, e in ftrace:
            if e.WhichOneof("event") == "sched_waking":
                tid = e.sched_waking.pid
                # Only what sleeps can be woken: otherwise it is the word on a thread that runs.
                if since.get(tid, (0, "S"))[1] in ("S", "?"):
                    self.enter(since, tid, ts, "R")
                continue
            s = e.sched_switch
            if e.pid != s.prev_pid:
                self.fault("a switch by another thread than the one that leaves")
            before = runs.get(cpu)
            if before and before[0] != s.prev_pid:
                self.fault(f"CPU {cpu}: {s.prev_pid} leaves, but {before[0]} had it (mismatched_sched_switch_tids)")
            if before:
                self.sched.append((cpu, before[0], before[1], ts - before[1]))
            runs[cpu] = (s.next_pid, ts)
            if s.prev_pid:
                self.enter(since, s.prev_pid, ts, STATES.get(s.prev_state, "?"))
            if s.next_pid:
                if since.get(s.next_pid, (0, ""))[1] == "Running":
                    self.fault(f"thread {s.next_pid} runs on two CPUs")
                self.enter(since, s.next_pid, ts, "Running")
        for tid in list(since):
            self.enter(since, tid, end, "")

    def enter(self, since, tid, ts, state):
        if tid in since:
            before, was = since[tid]
            self.states[tid][was] += ts - before
            self.turns[tid].append((before, ts, was))
        since[tid] = (ts, state)
