/* A flame graph of stacks with weights, outermost frames on top. Click zooms. */
import { useMemo, useState } from "preact/hooks";
import { frame, share, time } from "./text";
import type { Frame } from "./api";
import { COLORS } from "./colors";

interface Node { name: string; value: number; children: Map<string, Node>; category: string; depth: number; parent: Node | null }
export interface Weighted { stack: Frame[]; value: number; category: string; leaf: string }

function grow(rows: Weighted[]): Node {
  const root: Node = { name: "all", value: 0, children: new Map(), category: "", depth: 0, parent: null };
  for (const r of rows) {
    let at = root;
    at.value += r.value;
    for (const name of [...r.stack.map(frame).reverse(), r.leaf]) {
      let next = at.children.get(name);
      if (!next) at.children.set(name, (next = { name, value: 0, children: new Map(), category: "", depth: at.depth + 1, parent: at }));
      next.value += r.value;
      at = next;
    }
    at.category = r.category;
  }
  return root;
}

const pathOf = (n: Node): string[] => (n.parent ? [...pathOf(n.parent), n.name] : []);

export function Flame({ rows, what }: { rows: Weighted[]; what: string }) {
  /* The zoom is a path of names: it holds when the rows change. */
  const root = useMemo(() => grow(rows), [rows]), [zoom, setZoom] = useState<string[]>([]), [words, setWords] = useState("");
  let top = root;
  for (const name of zoom) top = top.children.get(name) ?? top;
  const boxes: { node: Node; left: number; width: number; row: number }[] = [];
  const lay = (n: Node, left: number, width: number, row: number) => {
    if (width < 0.0008 || n.value <= 0) return;
    boxes.push({ node: n, left, width, row });
    let at = left;
    for (const c of [...n.children.values()].sort((a, b) => b.value - a.value)) {
      const w = (width * c.value) / n.value;
      lay(c, at, w, row + 1);
      at += w;
    }
  };
  /* Those around what is zoomed to stay, to go back to. */
  const around: Node[] = [];
  for (let n = top.parent; n; n = n.parent) around.unshift(n);
  around.forEach((node, row) => boxes.push({ node, left: 0, width: 1, row }));
  if (top.value > 0) lay(top, 0, 1, around.length);
  const rowsHigh = boxes.reduce((m, b) => Math.max(m, b.row), 0) + 1;
  return (
    <div>
      <div class="tools">
        <input type="search" placeholder="search functions" aria-label="search functions" value={words} onInput={(e) => setWords(e.currentTarget.value)} />
        {top !== root && <button onClick={() => setZoom([])}>back to all</button>}
        <span class="faint">{time(root.value)} of {what}</span>
      </div>
      <div class="flame" style={{ height: `${rowsHigh * 19}px` }}>
        {boxes.map(({ node, left, width, row }) => (
          <div class={"box" + (words && node.name.toLowerCase().includes(words.toLowerCase()) ? " found" : "") + (row < around.length ? " around" : "")}
            title={`${node.name}: ${time(node.value)}, ${share(node.value, root.value)}`} onClick={() => setZoom(pathOf(node))}
            style={{ left: `${left * 100}%`, width: `${width * 100}%`, top: `${row * 19}px`, background: node.category ? COLORS[node.category] : `hsl(210 ${18 + (node.depth % 4) * 6}% ${88 - (node.depth % 3) * 4}%)`, color: node.category && node.category !== "idle" ? "#fff" : "#223" }}>
            {width > 0.02 ? node.name : ""}
          </div>
        ))}
      </div>
    </div>
  );
}
