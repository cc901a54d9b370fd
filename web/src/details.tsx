/* What is known of the wait that was clicked: where it was, who ended it, and how others at the same place went. */
import { useEffect, useState } from "preact/hooks";
import { isReport, json, view, type Site, type Trace, type Wait } from "./api";
import { Histogram } from "./latency";
import { Stack } from "./stack";
import { count, moment, time } from "./text";
import { Explain } from "./table";
import { title, type Bar } from "./timeline";

/* Larger traces are read for the others at a place only if that is asked for. */
const AT_ONCE = 5e6;
const LISTED = 300;

interface Other { lane: number; name: string; tid: number; start_ns: number; duration_ns: number }
interface Others { count: number; total_ns: number; p50_ns: number; p99_ns: number; max_ns: number; buckets: { from_ns: number; to_ns: number; count: number }[]; waits: Other[] }

function SamePlace({ trace, wait, bar, lane, go }: { trace: Trace; wait: Wait; bar: Bar; lane: number; go: (lane: number, start: number, length: number) => void }) {
  const [others, setOthers] = useState<Others | null>(null), [no, setNo] = useState(""), [wanted, setWanted] = useState(trace.trace.events <= AT_ONCE);
  const [sort, setSort] = useState("length");
  const q = new URLSearchParams({ cause: wait.cause, call: wait.call, top: String(LISTED), sort });
  if (wait.stack_id !== undefined) q.set("stack", String(wait.stack_id));
  useEffect(() => {
    const stop = new AbortController();
    if (wanted && wait.stack_id !== undefined)
      view("waits", q.toString(), stop.signal).then((d) => setOthers(d as Others)).catch((e) => { if (e.name !== "AbortError") setNo(e.message); });
    return () => stop.abort();
  }, [q.toString(), wanted]);
  if (wait.stack_id === undefined) return null;
  if (!wanted) return <p><button onClick={() => setWanted(true)}>other waits at this place (reads the trace)</button></p>;
  if (!others) return <p class="faint">{no || "reading the trace for other waits at this place…"}</p>;
  const category = trace.causes.find((c) => c.name === wait.cause)?.category ?? "";
  const is = (o: Other) => o.lane === lane && Math.abs(o.start_ns - Math.max(0, bar.start)) < 2 && Math.abs(o.start_ns + o.duration_ns - bar.start - bar.length) < 2;
  const place = others.waits.findIndex(is), step = (by: number) => { const o = others.waits[place + by]; if (o) go(o.lane, o.start_ns, o.duration_ns); };
  return <div class="same">
    <h3>{count(others.count)} wait{others.count === 1 ? "" : "s"} at this place: {time(others.total_ns)} in all, half of them at most {time(others.p50_ns)}, 99 of 100 at most {time(others.p99_ns)}</h3>
    <Histogram buckets={others.buckets} category={category} at={bar.length} />
    <p>
      <label>in the order of <select value={sort} onChange={(e) => setSort(e.currentTarget.value)}><option value="length">length</option><option value="start">time</option></select></label>{" "}
      <button disabled={place <= 0} onClick={() => step(-1)}>← {sort === "start" ? "before" : "longer"}</button>{" "}
      <button disabled={place < 0 || place + 1 >= others.waits.length} onClick={() => step(1)}>{sort === "start" ? "after" : "shorter"} →</button>
      {others.count > others.waits.length && <span class="faint"> the first {others.waits.length} are listed</span>}
    </p>
    <ol class="others">{others.waits.map((o) => <li class={is(o) ? "here" : ""}><button class="link" onClick={() => go(o.lane, o.start_ns, o.duration_ns)}>{time(o.duration_ns)}</button> at {moment(o.start_ns)}, {o.name} ({o.tid})</li>)}</ol>
  </div>;
}

export function Details({ trace, lane, bar, site, jump, go, onWait, onSite, close }: {
  trace: Trace; lane: number; bar: Bar; site: Site | null; jump: (lane: number, ns: number) => void; go: (lane: number, start: number, length: number) => void;
  onWait: (w: Wait | null) => void; onSite: (f: string) => void; close: () => void;
}) {
  const [wait, setWait] = useState<Wait | null>(null), [held, setHeld] = useState<Site | null>(null), [no, setNo] = useState("");
  const thread = trace.lanes[lane], end = bar.start + bar.length;
  useEffect(() => {
    const stop = new AbortController();
    setWait(null); setHeld(null); setNo(""); onWait(null);
    /* Only a report knows sites by number: a trace that grows may be read anew, and then they are others. */
    if (isReport) json<Site>(`api/site?id=${bar.site}`).then(setHeld).catch(() => {});
    json<Wait>(`api/wait?lane=${lane}&start=${Math.max(0, bar.start)}&end=${end}`, stop.signal)
      .then((w) => { setWait(w); onWait(w); }).catch((e) => { if (e.name !== "AbortError") setNo(e.message); });
    return () => stop.abort();
  }, [lane, bar.start, bar.length]);
  const cause = wait ? trace.causes.find((c) => c.name === wait.cause) : site && trace.causes.find((c) => c.id === site.cause);
  const stack = wait?.stack ?? held?.stack, known = wait?.known ?? held?.known, where = stack?.find((f) => f.function)?.function, object = wait?.object ?? site?.object ?? "";
  return (
    <section class="details" aria-label="details">
      <button class="close" onClick={close} aria-label="close">×</button>
      <h2>{cause ? title(cause.name, object) : "…"} <span class="faint">{cause?.name}</span>{cause && <Explain of={cause.name} />} <span class="faint">{cause?.category}</span>{cause && <Explain of={cause.category} />}</h2>
      <p>
        <b>{thread.name || "thread"}</b> ({thread.tid}) was in <b>{wait?.call ?? site?.call ?? "…"}</b> for <b>{time(bar.length)}</b>, from {moment(bar.start)} to {moment(end)}
        {wait?.regions?.map((r, i) => <span class="in-region">{i ? " › " : ", in "}<b>{r.region}</b>{r.task ? <> of task <b>{r.task}</b></> : ""}</span>)}
        {bar.open && ", and it had not ended when the trace did"}. {known ? <>It waits for <b>{known.what}</b>{known.contention && cause?.category !== "contention" && <>: somebody has what it needs, though {cause?.name} counts as {cause?.category}</>}.</> : cause?.text && <span class="faint">{cause.text}</span>}
      </p>
      <div class="columns">
        <div><h3>Waited in</h3><Stack stack={stack} />{where && <p><button onClick={() => onSite(where)}>all waits in {where}</button></p>}</div>
        <div>
          <h3>Ended by</h3>
          {!wait && <p class="faint">{no || "…"}</p>}
          {wait?.waited === false && <p>Nothing: the thread did not sleep in this call. It ran, or was ready while others had the CPUs. Tables do not count it as a wait.</p>}
          {wait && wait.waited !== false && <>
            <p>{wait.waker ? <button class="link" disabled={wait.waker_lane === undefined} title="to its lane at that moment" onClick={() => jump(wait.waker_lane!, bar.start + wait.release_ns)}>{wait.waker}</button> : wait.ended_by === "time" && cause?.category === "io" ? "no thread: the device or the peer, or time" : wait.ended_by}<Explain of="ended_by" />
              {wait.waker && <> after {time(wait.release_ns)}; then {time(Math.max(0, bar.length - wait.release_ns))} until it went on</>}</p>
            {wait.waker && <Stack stack={wait.waker_stack} />}
            {wait.owner_tid !== undefined && <p>Held, when it began, by <button class="link" disabled={wait.owner_lane === undefined} title="to its lane at that moment" onClick={() => jump(wait.owner_lane!, bar.start)}>{trace.lanes[wait.owner_lane ?? -1]?.name ?? "thread"} ({wait.owner_tid})</button></p>}
          </>}
          {wait && <>
            <table class="facts"><tbody>
              <tr><td>off the CPU in it<Explain of="blocked_ns" /></td><td>{time(wait.blocked_ns)}</td></tr>
              <tr><td>ready, without a CPU<Explain of="ready_ns" /></td><td>{time(wait.ready_ns)}</td></tr>
              {typeof wait.result === "number" && <tr><td>the call returned<Explain of="result" /></td><td>{count(wait.result)}</td></tr>}
            </tbody></table>
          </>}
        </div>
        {wait && <SamePlace key={`${wait.stack_id} ${wait.cause} ${wait.call}`} trace={trace} wait={wait} bar={bar} lane={lane} go={go} />}
      </div>
    </section>
  );
}
