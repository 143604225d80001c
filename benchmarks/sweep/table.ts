import { pointInWords } from "./axes.ts";
import type { PlannedCell, State } from "./plan.ts";

/** The preview of a sweep, for people. */
export function previewTable(cells: readonly PlannedCell[]): string {
  const rows = cells.map(({ state, experiment, seconds, settings, reason }) => [
    state,
    experiment?.key ?? "-",
    seconds > 0 ? secondsInWords(seconds) : "-",
    pointInWords(settings) + (reason ? `  (${reason})` : ""),
  ]);
  const widths = [0, 1, 2].map((column) => Math.max(...rows.map((row) => row[column]!.length)));
  const lines = rows.map((row) => `  ${row.map((text, i) => text.padEnd(widths[i] ?? 0)).join("  ")}`.trimEnd());
  const count = (state: State) => cells.filter((cell) => cell.state === state).length;
  const states = (["new", "stale", "cached", "impossible"] as const).filter((state) => count(state) > 0);
  const total = cells.reduce((sum, { seconds }) => sum + seconds, 0);
  const summary = states.map((state) => `${count(state)} ${state}`).join(", ");
  return [`Sweep of ${cells.length} cells: ${summary}; about ${secondsInWords(total)} to go`, ...lines].join("\n");
}

/** `90` is `1 min 30 s`. */
export function secondsInWords(seconds: number): string {
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60];
  if (hours > 0) return `${hours} h ${minutes} min`;
  return minutes > 0 ? `${minutes} min ${Math.round(seconds % 60)} s` : `${Math.round(seconds)} s`;
}
