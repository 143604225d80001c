import { accessSync, constants, createWriteStream, existsSync } from "node:fs";
import { dirname } from "node:path";
import type { Writable } from "node:stream";
import { finished } from "node:stream/promises";
import { UserError } from "../../../error.ts";
import type { Result } from "../../result.ts";
import type { Load } from "../../spec.ts";
import { resolveAddresses } from "../addresses.ts";
import { assemble } from "../assemble.ts";
import { startControl } from "../control.ts";
import { newToken } from "../endpoint.ts";
import type { Experiment } from "../engine.ts";
import { merge } from "../merge.ts";
import { debugHeader, debugLines } from "../output/debug.ts";
import { invalidLines, printed } from "../output/format.ts";
import { GuideOutput } from "../output/guide.ts";
import { completeLoad, dueTimes } from "../pacer.ts";
import { protocols } from "../protocols/index.ts";
import { Rates } from "../rates.ts";
import type { Sample, Tick } from "../recorder.ts";
import { tickLine } from "../table.ts";
import { runThreads } from "../threads.ts";
import { dryRun } from "./dryRun.ts";
import { inputsOf } from "./inputs.ts";
import { parseLoad } from "./load.ts";
import type { Flags } from "./options.ts";
import { parseTarget } from "./target.ts";
import { parseThresholds } from "./thresholds.ts";

/** Exit code of an INVALID run under --fail-invalid. */
export const invalidCode = 3;

/**
 * Does what the flags ask for, and prints the result.
 *
 * @returns the exit code
 * @throws UserError if there was nothing to measure
 */
export async function runByHand(flags: Flags, out: NodeJS.WriteStream, err: NodeJS.WriteStream): Promise<number> {
  const target = parseTarget(flags);
  const inputs = inputsOf(flags);
  const load = parseLoad(flags, { inputs: inputs.length, protocol: target.protocol });
  if (flags.outputFile !== undefined) mustBeWritable(flags.outputFile);
  const threads = flags.threads ?? 1;
  const addresses = await resolveAddresses(target.host, target.port);
  const experiment: Experiment = { name: "local", target, load, inputs, addresses };
  if (flags.dryRun) {
    const protocol = protocols[target.protocol](target, undefined);
    const complete = completeLoad(load, target.protocol);
    const messageBytes = inputs.map((input) => protocol.encode(Array(complete.batch).fill(input)).body.length);
    out.write(dryRun({ ...experiment, load: complete, threads, messageBytes, due: dueTimes(complete) }));
    return 0;
  }

  const guide = flags.output === "guide" ? new GuideOutput(load.batch ?? 1) : undefined;
  try {
    const result = await measure(experiment, flags, guide, err);
    await withOutput(flags.outputFile, out, async (to) => {
      if (guide) await guide.print(to);
      else to.write(printed[(flags.output ?? "table") as keyof typeof printed](result));
    });
    if (!saysVerdict.has(flags.output ?? "table")) err.write(invalidLines(result));
    return flags.failInvalid && !result.verdict.valid ? invalidCode : 0;
  } finally {
    guide?.close();
  }
}

const saysVerdict = new Set(["table", "json"]);

async function measure(
  experiment: Experiment,
  flags: Flags,
  guide: GuideOutput | undefined,
  err: NodeJS.WriteStream,
): Promise<Result> {
  const interrupt = new AbortController();
  const stop = () => interrupt.abort();
  process.once("SIGINT", stop).once("SIGTERM", stop); // once: a second Ctrl-C ends it at once
  let header = debugHeader; // of the first block
  const onSamples = (samples: readonly Sample[]) => {
    if (flags.debug) err.write(header + debugLines(samples));
    header = "";
    guide?.add(samples);
  };
  const { load, target } = experiment;
  const rates = new Rates();
  const control = flags.controlPort === undefined ? undefined : await offerControl(flags.controlPort, load, rates, err);
  const showsProgress = err.isTTY && !flags.debug;
  const onTick = (tick: Tick) => {
    control?.tick(tick);
    if (showsProgress) err.write(`${tickLine(tick)}\n`);
  };
  try {
    const parts = await runThreads(experiment, flags.threads ?? 1, {
      signal: interrupt.signal,
      ...((showsProgress || control) && { onTick }),
      ...((flags.debug || guide) && { onSamples }),
      ...(control && { rate: rates }),
    });
    return assemble(merge(parts, { load, target, events: rates.changes }), {
      key: "",
      plan: null,
      about: {},
      servers: [],
      seen: [],
      thresholds: parseThresholds(flags),
    });
  } finally {
    process.off("SIGINT", stop).off("SIGTERM", stop);
    await control?.close();
  }
}

async function offerControl(port: number, load: Load, rates: Rates, err: NodeJS.WriteStream) {
  const token = newToken();
  const { code: page } = await (await import("../../live/bundle.ts")).bundlePage(); // not loaded where nobody wants it
  const control = await startControl({ host: "127.0.0.1", port, token, load, rates, page });
  const url = `http://127.0.0.1:${control.port}`;
  err.write(`How it goes: ${url}/#token=${token}\n`);
  err.write(`For a script: curl ${url}/status\n`);
  if (load.mode === "open")
    err.write(`Another rate: curl -H 'Authorization: Bearer ${token}' ${url}/rate -X PUT -d '{"rate": 200}'\n`);
  return control;
}

/** Before anything is measured: nobody wants to learn afterwards that there is no room for the result. */
function mustBeWritable(file: string): void {
  try {
    accessSync(existsSync(file) ? file : dirname(file), constants.W_OK);
  } catch (error) {
    throw new UserError(`Cannot write --output-file ${file}: ${(error as Error).message}.`);
  }
}

async function withOutput(file: string | undefined, out: Writable, print: (to: Writable) => Promise<void>) {
  if (file === undefined) return print(out);
  const to = createWriteStream(file);
  const done = finished(to);
  try {
    await Promise.all([print(to).then(() => to.end()), done]);
  } catch (error) {
    throw new UserError(`Cannot write --output-file ${file}: ${(error as Error).message}.`);
  }
}
