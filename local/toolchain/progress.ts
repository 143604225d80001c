/** What the display needs of a step. */
interface Shown {
  readonly id: string;
  readonly title: string;
  readonly seconds: number;
  readonly lane: "compile" | "other";
}

interface Output {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

/** How many steps of a lane run at once. */
export const lanes = { compile: 2, other: 2 } as const;

/** `75` -> `1:15`. */
export const clock = (seconds: number): string =>
  `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, "0")}`;

/**
 * Seconds until all steps are done: each lane works at its own pace, and a step that runs late is taken to be nearly done.
 *
 * @param elapsed seconds since a running step began, by its id
 */
export function secondsLeft(todo: readonly Shown[], elapsed: ReadonlyMap<string, number>): number {
  const perLane = (Object.keys(lanes) as (keyof typeof lanes)[]).map((lane) => {
    const rest = todo
      .filter((s) => s.lane === lane)
      .map((s) => Math.max(s.seconds - (elapsed.get(s.id) ?? 0), elapsed.has(s.id) ? 5 : 0));
    return Math.max(0, ...rest, rest.reduce((sum, s) => sum + s, 0) / lanes[lane]);
  });
  return Math.max(...perLane);
}

/** Shows which steps run: a block redrawn in place on a terminal, lines with times anywhere else. */
export class Progress {
  readonly #out: Output;
  readonly #todo: Map<string, Shown>;
  readonly #total: number;
  readonly #began = Date.now();
  readonly #running = new Map<string, { began: number; line: string }>();
  readonly #timer: NodeJS.Timeout;
  #drawn = 0;

  constructor(steps: readonly Shown[], out: Output = process.stderr) {
    this.#out = out;
    this.#todo = new Map(steps.map((s) => [s.id, s]));
    this.#total = steps.length;
    this.#timer = setInterval(() => (out.isTTY ? this.#draw() : this.#log(this.#summary())), out.isTTY ? 200 : 60_000);
    this.#timer.unref();
  }

  start(id: string): void {
    this.#running.set(id, { began: Date.now(), line: "" });
    if (!this.#out.isTTY) this.#log(`start  ${this.#todo.get(id)?.title ?? id}`);
  }

  /** The last line a step printed. */
  line(id: string, text: string): void {
    const step = this.#running.get(id);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: colours and cursor movements of the tools are dropped
    if (step) step.line = text.replace(/\x1b\[[0-9;?]*[a-zA-Z]|[\x00-\x1f]/g, "").trim();
  }

  done(id: string): void {
    this.#end(id, "done ");
  }

  fail(id: string): void {
    this.#end(id, "failed");
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#clear();
  }

  #end(id: string, how: string): void {
    const step = this.#running.get(id);
    this.#running.delete(id);
    const title = this.#todo.get(id)?.title ?? id;
    if (how === "done ") this.#todo.delete(id);
    this.#log(`${how}  ${title}${step ? ` (${clock((Date.now() - step.began) / 1000)})` : ""}`);
  }

  #summary(): string {
    const now = Date.now();
    const elapsed = new Map([...this.#running].map(([id, s]) => [id, (now - s.began) / 1000]));
    const left = secondsLeft([...this.#todo.values()], elapsed);
    const names = [...this.#running.keys()].map(
      (id) => `${this.#todo.get(id)?.title ?? id} ${clock(elapsed.get(id)!)}`,
    );
    return `${this.#total - this.#todo.size} of ${this.#total} done, about ${clock(left)} left; running: ${names.join(", ") || "nothing"}`;
  }

  #log(text: string): void {
    this.#clear();
    this.#out.write(`[${clock((Date.now() - this.#began) / 1000).padStart(5)}] ${text}\n`);
  }

  #clear(): void {
    if (this.#drawn > 0) this.#out.write(`\x1b[${this.#drawn}A\x1b[J`);
    this.#drawn = 0;
  }

  #draw(): void {
    const width = (this.#out.columns ?? 80) - 1;
    const now = Date.now();
    const lines = [...this.#running].map(([id, step]) => {
      const detail = step.line ? `  ${step.line}` : "";
      return `  ${clock((now - step.began) / 1000).padStart(5)} ${this.#todo.get(id)?.title ?? id}${detail}`;
    });
    const summary = `[${clock((now - this.#began) / 1000).padStart(5)}] ${this.#summary().split("; running")[0]}`;
    this.#clear();
    const block = [summary, ...lines].map((line) => line.slice(0, width));
    this.#out.write(`${block.join("\n")}\n`);
    this.#drawn = block.length;
  }
}
