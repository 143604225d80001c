/** A step of a worker, by its own clock in seconds. */
export interface StepLine {
  readonly event: "step";
  readonly phase: string;
  readonly begin: number;
  readonly end: number;
  /** As text, because it may not be a number. */
  readonly loss: string;
}

/** All steps of a phase, by the chief's clock in seconds. */
export interface PhaseLine {
  readonly event: "phase";
  readonly phase: string;
  readonly steps: number;
  readonly images: number;
  readonly begin: number;
  readonly end: number;
}

/** What a process says of the machine it is on. */
interface Machine {
  readonly kernel: string;
  readonly cpuModel: string;
  readonly cpus: number;
  readonly tensorflow: string;
  readonly python: string;
}

/** Of the chief, when all are there: what it trains. */
export interface StartLine extends Machine {
  readonly event: "start";
  readonly parameters: number;
}

export interface ReadyLine extends Machine {
  readonly event: "ready";
}

export interface ErrorLine {
  readonly event: "error";
  readonly message: string;
}

export type LogLine =
  | StepLine
  | PhaseLine
  | StartLine
  | ReadyLine
  | ErrorLine
  | { readonly event: "waiting" }
  | { readonly event: "end" }
  | { readonly event: "chief lost" };

/**
 * The lines of a process's log that are for programs: `training {...}`. Whatever else TensorFlow writes is passed over, and
 * so is a line that was cut off when the process was lost.
 */
export function trainingLines(log: string): LogLine[] {
  return [...log.matchAll(/^training (\{.*\})$/gm)].flatMap(([, json]) => {
    try {
      const line = JSON.parse(json!) as LogLine;
      return typeof line.event === "string" ? [line] : [];
    } catch {
      return [];
    }
  });
}

export const linesOf = <E extends LogLine["event"]>(lines: readonly LogLine[], ...events: E[]) =>
  lines.filter((line): line is Extract<LogLine, { event: E }> => (events as string[]).includes(line.event));
