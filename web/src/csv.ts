/* CSV for spreadsheets. A text that begins as a formula does is none: names come from the traced program. */
export function cell(v: number | string): string {
  let text = String(v);
  if (typeof v === "string" && /^[=+\-@\t\r]/.test(text)) text = "'" + text;
  return /[",\r\n]/.test(text) ? `"${text.replace(/"/g, '""')}"` : text;
}
export const csv = (rows: (number | string)[][]) => rows.map((r) => r.map(cell).join(",") + "\n").join("");
