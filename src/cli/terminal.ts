import { printable } from "../telemetry/printable.ts";

/** A stream of the process, as far as commands use it. */
export interface TextStream {
  write(text: string): unknown;
  readonly isTTY?: boolean;
}

/** Writes a text of several lines; on a terminal without anything it would interpret. */
export function writeText(stream: TextStream, text: string): void {
  const isForTerminal = stream.isTTY === true;
  stream.write(isForTerminal ? text.split("\n").map(printable).join("\n") : text);
}

/**
 * Rows as aligned lines. Cells hold names from outside, so each is escaped wherever it is written:
 * a line break in one of them could pass for a line of ours.
 */
export function renderTable(rows: readonly (readonly string[])[]): string {
  const shown = rows.map((row) => row.map(printable));
  const widths: number[] = [];
  for (const row of shown) {
    for (const [column, cell] of row.entries()) {
      widths[column] = Math.max(widths[column] ?? 0, cell.length);
    }
  }
  const lines = shown.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column]!))
      .join("  ")
      .trimEnd(),
  );
  return lines.map((line) => `${line}\n`).join("");
}
