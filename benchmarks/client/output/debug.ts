import type { Sample } from "../recorder.ts";

/** Columns of `debugLines`. */
export const debugHeader = "dueAt,latencyMs,serviceTimeMs,slipMs,measured,server,input,outcome,answer\n";

/** A line of CSV about each request; `outcome` is `right`, `wrong`, or why it failed. */
export function debugLines(samples: readonly Sample[]): string {
  return samples
    .map(({ dueAt, sentAt, endedAt, measured, server, input, failure, answer, right }) =>
      [
        new Date(dueAt).toISOString(),
        (endedAt - dueAt).toFixed(3),
        (endedAt - sentAt).toFixed(3),
        (sentAt - dueAt).toFixed(3),
        measured,
        server,
        quoted(input),
        failure === undefined ? (right ? "right" : "wrong") : quoted(failure),
        quoted(String(answer ?? "")),
      ].join(","),
    )
    .map((line) => `${line}\n`)
    .join("");
}

const quoted = (text: string): string => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
