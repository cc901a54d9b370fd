import type { Frame } from "./api";
import { frame, place } from "./text";

export function Stack({ stack }: { stack?: Frame[] | null }) {
  if (!stack?.length) return <div class="faint">no call stack</div>;
  return <ol class="stack">{stack.map((f) => <li title={f.file ? `${f.file}:${f.line}` : f.module ?? ""}><b>{frame(f)}</b> <span class="faint">{f.inlined ? "inlined, " : ""}{place(f)}</span></li>)}</ol>;
}
