import type { UserError } from "../../error.ts";
import { explain } from "./faults.ts";
import { lanes, type Progress } from "./progress.ts";
import { isBuilt, make, type Target } from "./target.ts";

/** What has to be built for these targets, inputs included, each once; the inputs of a finished target are not needed. */
export function missingTargets(targets: readonly Target[]): Target[] {
  const found = new Map<string, Target>();
  const visit = (target: Target) => {
    if (found.has(target.id) || isBuilt(target)) return;
    for (const input of target.needs) visit(input);
    found.set(target.id, target);
  };
  for (const target of targets) visit(target);
  return [...found.values()];
}

/** Builds targets as soon as their inputs are there; the first failure ends the others. */
export async function buildAll(
  todo: readonly Target[],
  progress: Pick<Progress, "start" | "line" | "done" | "fail">,
): Promise<void> {
  const stop = new AbortController();
  const slots = { compile: slotsOf(lanes.compile), other: slotsOf(lanes.other) };
  const results = new Map<string, Promise<void>>();
  let first: UserError | undefined;

  const build = async (target: Target) => {
    await Promise.all(target.needs.map((input) => results.get(input.id)));
    const release = await slots[target.lane]();
    try {
      stop.signal.throwIfAborted();
      progress.start(target.id);
      const events = {
        line: (line: string) => progress.line(target.id, line),
        waiting: () => progress.line(target.id, "another run is building this; waiting for it"),
      };
      await make(target, events, stop.signal);
      progress.done(target.id);
    } catch (error) {
      if (!first && !stop.signal.aborted) {
        first = explain(target, error);
        progress.fail(target.id);
      }
      stop.abort();
      throw error;
    } finally {
      release();
    }
  };
  // Targets come with their inputs first, so every input's promise is there when it is asked for.
  for (const target of todo) results.set(target.id, build(target));
  await Promise.allSettled(results.values());
  if (first) throw first;
}

/** Hands out `count` places in order of asking. */
function slotsOf(count: number): () => Promise<() => void> {
  let free = count;
  const queue: (() => void)[] = [];
  const release = () => {
    const next = queue.shift();
    if (next) next();
    else free++;
  };
  return async () => {
    if (free > 0) free--;
    else await new Promise<void>((resolve) => queue.push(resolve));
    return release;
  };
}
