import type { Cell } from "../cells.ts";

/** A plot and what belongs under it. */
export interface Figure {
  readonly title: string;
  /** Markup of the plot. */
  readonly svg: string;
  /** What is shown and what is left out. */
  readonly caption: string;
  /** The cells it shows: their verdicts and environment stand under it. */
  readonly cells: readonly Cell[];
}
