/* Below the timeline, while nothing is selected: what the summary has found, each with its waits a click away. */
import { useState } from "preact/hooks";
import { isReport, type Frame, type Trace } from "./api";
import { COLORS } from "./colors";
import { STARTS, useView, type Row } from "./parts";
import type { Where } from "./state";

/* Larger traces are read for it only if that is asked for. */
const AT_ONCE = 5e6;
const SHOWN = 3;

/* What `waits` knows a finding's waits by; "": they are none. */
function waitsOf(f: Row): string {
  if (!f.cause || !f.count) return "";
  const q = new URLSearchParams({ cause: f.cause, as: `${f.call ?? f.cause}${f.object ? ` ${f.object}` : ""}` });
  if (f.call) q.set("call", f.call);
  const at = (f.stack as Frame[] | undefined)?.find((x) => x.function && !STARTS.test(x.function))?.function;
  if (at) q.set("site", at.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  return q.toString();
}

/* Where it goes on, as the command line has it: "ctrace-analyze locks trace.bin". */
const pageOf = (next: string | null) => /ctrace-analyze (\w+)/.exec(next ?? "")?.[1] ?? "summary";

/* A wait that looks idle is a finding where the program has built itself a lock of it. */
const KINDS: Record<string, string> = { "cpu-bound": "running", "no-cpu": "ready", lock: "contention", turns: "contention", deadlock: "contention", unexplained: "unexplained", idle: "idle" };
const colorOf = (f: Row, category: string) => COLORS[KINDS[f.kind] ?? (category === "idle" ? "contention" : category)] ?? COLORS.runtime;

function Findings({ trace, where, set }: { trace: Trace; where: Where; set: (w: Where, now?: boolean) => void }) {
  const { data, no } = useView("summary", { ...where, filters: {}, mark: null }, {});
  if (!data) return <p class="faint">{no || "looking for why it waits…"}</p>;
  const found = (data.findings ?? []) as Row[];
  if (!found.length) return <p class="faint">Nothing keeps this program waiting but what it waits for when there is nothing to do.</p>;
  return <ol>{found.slice(0, SHOWN).map((f) => {
    const category = trace.causes.find((c) => c.name === f.cause)?.category ?? "", show = isReport ? "" : waitsOf(f), page = pageOf(f.next);
    return <li><i class="swatch" style={{ background: colorOf(f, category) }} />
      {f.text} {show && <button class="link" onClick={() => set({ ...where, rest: { ...where.rest, show } }, true)}>show these waits</button>} <button class="link" onClick={() => set({ ...where, page }, true)}>{page}</button></li>;
  })}</ol>;
}

export function Why({ trace, where, set }: { trace: Trace; where: Where; set: (w: Where, now?: boolean) => void }) {
  const [wanted, setWanted] = useState(isReport || trace.trace.events <= AT_ONCE), shut = where.rest.why === "off";
  const turn = () => set({ ...where, rest: { ...where.rest, why: shut ? "" : "off" } }, true);
  return <section class="why" aria-label="why it waits">
    <h2><button class="link" aria-expanded={!shut} onClick={turn}>{shut ? "▸" : "▾"} Why it waits</button></h2>
    {!shut && (wanted ? <Findings trace={trace} where={where} set={set} /> : <p><button onClick={() => setWanted(true)}>look for it (reads the trace)</button></p>)}
  </section>;
}
