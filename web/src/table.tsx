/* A table that sorts, filters, explains its columns, and copies as CSV. How it is sorted and filtered is in the address. */
import { useMemo, useState } from "preact/hooks";
import type { ComponentChildren } from "preact";
import { csv } from "./csv";
import { useRest } from "./state";
import { meaning, useWords } from "./words";

export interface Column<T> {
  name: string;
  key: string;                       /* what it is called in JSON: it is explained by that */
  value: (row: T) => number | string; /* for sorting, filtering, CSV */
  show?: (row: T) => ComponentChildren;
  wide?: boolean;
}

export function Explain({ of }: { of: string }) {
  useWords();
  const [open, setOpen] = useState(false), m = meaning(of);
  if (!m) return null;
  return (
    <span class="explain">
      <button class="ask" title="What is that?" data-of={of} onClick={(e) => { e.stopPropagation(); setOpen(!open); }}>?</button>
      {open && <span class="bubble" role="note" onClick={(e) => { e.stopPropagation(); setOpen(false); }}>
        {m.text}
        {m.reasons.length > 0 && <><b>Typical reasons</b><ul>{m.reasons.map((r) => <li>{r}</li>)}</ul></>}
        {m.next.length > 0 && <><b>Look next at</b><ul>{m.next.map((r) => <li>{r}</li>)}</ul></>}
      </span>}
    </span>
  );
}

const ROWS = 100;

export function Table<T>({ rows, columns, detail, sort, label }: {
  rows: T[]; columns: Column<T>[]; detail?: (row: T) => ComponentChildren; sort?: string; label: string;
}) {
  const [by, setBy] = useRest(`${label}.sort`, sort ? `-${sort}` : ""), [text, setText] = useRest(`${label}.find`);
  const [open, setOpen] = useState<T | null>(null), [all, setAll] = useState(false), [copied, setCopied] = useState("");
  const down = by.startsWith("-"), key = by.replace(/^-/, "");
  const shown = useMemo(() => {
    const words = text.toLowerCase(), column = columns.find((c) => c.key === key);
    const list = words ? rows.filter((r) => columns.some((c) => String(c.value(r)).toLowerCase().includes(words))) : rows.slice();
    if (column)
      list.sort((a, b) => {
        const x = column.value(a), y = column.value(b), order = typeof x === "number" && typeof y === "number" ? x - y : String(x).localeCompare(String(y));
        return down ? -order : order;
      });
    return list;
  }, [rows, text, by]);
  const copy = () => {
    const copying = navigator.clipboard ? navigator.clipboard.writeText(csv([columns.map((c) => c.key), ...shown.map((r) => columns.map((c) => c.value(r)))])) : Promise.reject();
    copying.then(() => setCopied("copied"), () => setCopied("the browser does not allow it")).then(() => setTimeout(() => setCopied(""), 1500));
  };
  return (
    <div class="table" aria-label={label}>
      <div class="tools">
        <input type="search" placeholder="filter" aria-label={`filter ${label}`} value={text} onInput={(e) => setText(e.currentTarget.value, false)} />
        <button onClick={copy}>{copied || "copy as CSV"}</button>
        <span class="faint">{shown.length} {shown.length === 1 ? "row" : "rows"}</span>
      </div>
      <table>
        <thead><tr>{columns.map((c) => (
          <th class={c.wide ? "wide" : ""} aria-sort={key === c.key ? (down ? "descending" : "ascending") : undefined} onClick={() => setBy(key === c.key && down ? c.key : `-${c.key}`)}>
            {c.name}{key === c.key ? (down ? " ▾" : " ▴") : ""}<Explain of={c.key.split(".")[0]} />
          </th>))}</tr></thead>
        <tbody>{shown.slice(0, all ? undefined : ROWS).map((r) => [
          <tr class={detail ? "click" : ""} onClick={() => detail && setOpen(open === r ? null : r)}>
            {columns.map((c) => <td class={(typeof c.value(r) === "number" ? "number" : "") + (c.wide ? " wide" : "")}>{c.show ? c.show(r) : c.value(r)}</td>)}
          </tr>,
          open === r && detail && <tr class="detail"><td colSpan={columns.length}>{detail(r)}</td></tr>,
        ])}</tbody>
      </table>
      {shown.length > ROWS && !all && <button onClick={() => setAll(true)}>show all {shown.length}</button>}
    </div>
  );
}
