/* What is known of the wait that was clicked. */
import { useEffect, useState } from "preact/hooks";
import { json, type Frame, type Site, type Trace, type Wait } from "./api";
import { count, frame, moment, place, time } from "./text";
import { Explain } from "./table";
import { title, type Bar } from "./timeline";

export function Stack({ stack }: { stack?: Frame[] | null }) {
  if (!stack?.length) return <div class="faint">no call stack</div>;
  return <ol class="stack">{stack.map((f) => <li title={f.file ? `${f.file}:${f.line}` : f.module ?? ""}><b>{frame(f)}</b> <span class="faint">{f.inlined ? "inlined, " : ""}{place(f)}</span></li>)}</ol>;
}

export function Details({ trace, lane, bar, jump, onWait, onSite, close }: {
  trace: Trace; lane: number; bar: Bar; jump: (lane: number, ns: number) => void; onWait: (w: Wait | null) => void;
  onSite: (f: string) => void; close: () => void;
}) {
  const [site, setSite] = useState<Site | null>(null), [wait, setWait] = useState<Wait | null>(null), [no, setNo] = useState("");
  const thread = trace.lanes[lane], end = bar.start + bar.length;
  useEffect(() => {
    const stop = new AbortController();
    setSite(null); setWait(null); setNo(""); onWait(null);
    json<Site>(`api/site?id=${bar.site}`, stop.signal).then(setSite).catch(() => {});
    json<Wait>(`api/wait?lane=${lane}&start=${Math.max(0, bar.start)}&end=${end}`, stop.signal)
      .then((w) => { setWait(w); onWait(w); }).catch((e) => { if (e.name !== "AbortError") setNo(e.message); });
    return () => stop.abort();
  }, [lane, bar.start, bar.length, bar.site]);
  const cause = site && trace.causes.find((c) => c.id === site.cause);
  const where = site?.stack?.find((f) => f.function)?.function;
  return (
    <section class="details" aria-label="details">
      <button class="close" onClick={close} aria-label="close">×</button>
      <h2>{cause && site ? title(cause.name, site.object) : "…"} <span class="faint">{cause?.category}</span>{cause && <Explain of={cause.category} />}</h2>
      <p>
        <b>{thread.name || "thread"}</b> ({thread.tid}) was in <b>{site?.call ?? "…"}</b> for <b>{time(bar.length)}</b>, from {moment(bar.start)} to {moment(end)}
        {bar.open && ", and it had not ended when the trace did"}. {cause?.text && <span class="faint">{cause.text}</span>}
      </p>
      <div class="columns">
        <div><h3>Waited in</h3><Stack stack={site?.stack} /></div>
        <div>
          <h3>Ended by</h3>
          {!wait && <p class="faint">{no || "…"}</p>}
          {wait && <>
            <p>{wait.waker ? <button class="link" disabled={wait.waker_lane === undefined} onClick={() => jump(wait.waker_lane!, bar.start + wait.release_ns)}>{wait.waker}</button> : wait.ended_by}
              {wait.waker && <> after {time(wait.release_ns)}; then {time(Math.max(0, bar.length - wait.release_ns))} until it went on</>}</p>
            {wait.waker && <Stack stack={wait.waker_stack} />}
            {wait.owner_tid !== undefined && <p>Held, when it began, by <button class="link" disabled={wait.owner_lane === undefined} onClick={() => jump(wait.owner_lane!, bar.start)}>{trace.lanes[wait.owner_lane ?? -1]?.name ?? "thread"} ({wait.owner_tid})</button></p>}
            <table class="facts"><tbody>
              <tr><td>off the CPU in it</td><td>{time(wait.blocked_ns)}</td></tr>
              <tr><td>ready, without a CPU</td><td>{time(wait.ready_ns)}</td></tr>
              <tr><td>the call returned</td><td>{count(wait.result)}</td></tr>
            </tbody></table>
          </>}
        </div>
      </div>
      {where && <p><button onClick={() => onSite(where)}>all waits in {where}</button></p>}
    </section>
  );
}
