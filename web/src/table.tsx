/* A table that sorts, filters, explains its columns, and copies as CSV. */
import { useMemo, useState } from "preact/hooks";
import type { ComponentChildren } from "preact";
import { EXPLAIN } from "./text";

export interface Column<T> {
  name: string;
  explain?: string;                  /* a key of EXPLAIN; default: the name */
  value: (row: T) => number | string; /* for sorting, filtering, CSV */
  show?: (row: T) => ComponentChildren;
  wide?: boolean;
}

export function Explain({ of }: { of: string }) {
  const [open, setOpen] = useState(false), text = EXPLAIN[of];
  if (!text) return null;
  return (
    <span class="explain">
      <button class="ask" title="What is that?" onClick={(e) => { e.stopPropagation(); setOpen(!open); }}>?</button>
      {open && <span class="bubble" role="note" onClick={(e) => { e.stopPropagation(); setOpen(false); }}>{text}</span>}
    </span>
  );
}

const cell = (v: number | string) => (/[",\n]/.test(String(v)) ? `"${String(v).replace(/"/g, '""')}"` : String(v));

export function Table<T>({ rows, columns, detail, sort, label }: {
  rows: T[]; columns: Column<T>[]; detail?: (row: T) => ComponentChildren; sort?: number; label: string;
}) {
  const [by, setBy] = useState<{ column: number; down: boolean } | null>(sort === undefined ? null : { column: sort, down: true });
  const [text, setText] = useState(""), [open, setOpen] = useState<T | null>(null), [all, setAll] = useState(false), [copied, setCopied] = useState(false);
  const shown = useMemo(() => {
    const words = text.toLowerCase();
    let list = words ? rows.filter((r) => columns.some((c) => String(c.value(r)).toLowerCase().includes(words))) : rows.slice();
    if (by) {
      const value = columns[by.column].value;
      list.sort((a, b) => {
        const x = value(a), y = value(b), order = typeof x === "number" && typeof y === "number" ? x - y : String(x).localeCompare(String(y));
        return by.down ? -order : order;
      });
    }
    return list;
  }, [rows, columns, text, by]);
  const copy = () => {
    const csv = [columns.map((c) => cell(c.name)).join(","), ...shown.map((r) => columns.map((c) => cell(c.value(r))).join(","))].join("\n");
    navigator.clipboard.writeText(csv + "\n").then(() => { setCopied(true); setTimeout(() => setCopied(false), 1500); });
  };
  return (
    <div class="table" aria-label={label}>
      <div class="tools">
        <input type="search" placeholder="filter" aria-label={`filter ${label}`} value={text} onInput={(e) => setText(e.currentTarget.value)} />
        <button onClick={copy}>{copied ? "copied" : "copy as CSV"}</button>
        <span class="faint">{shown.length} {shown.length === 1 ? "row" : "rows"}</span>
      </div>
      <table>
        <thead><tr>{columns.map((c, i) => (
          <th class={c.wide ? "wide" : ""} onClick={() => setBy({ column: i, down: by?.column === i ? !by.down : true })}>
            {c.name}{by?.column === i ? (by.down ? " ▾" : " ▴") : ""}<Explain of={c.explain ?? c.name} />
          </th>))}</tr></thead>
        <tbody>{shown.slice(0, all ? undefined : 100).map((r) => [
          <tr class={detail ? "click" : ""} onClick={() => detail && setOpen(open === r ? null : r)}>
            {columns.map((c) => <td class={(typeof c.value(r) === "number" ? "number" : "") + (c.wide ? " wide" : "")}>{c.show ? c.show(r) : c.value(r)}</td>)}
          </tr>,
          open === r && detail && <tr class="detail"><td colSpan={columns.length}>{detail(r)}</td></tr>,
        ])}</tbody>
      </table>
      {shown.length > 100 && !all && <button onClick={() => setAll(true)}>show all {shown.length}</button>}
    </div>
  );
}
