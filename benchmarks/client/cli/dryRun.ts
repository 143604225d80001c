import type { Load, Target } from "../../spec.ts";
import type { Input } from "../inputs.ts";
import { loadInWords } from "../output/load.ts";
import { type Address, authority } from "../protocols/protocol.ts";

export interface Planned {
  readonly target: Target;
  readonly load: Load;
  readonly inputs: readonly Input[];
  readonly addresses: readonly Address[];
  readonly threads: number;
  /** Bytes of the message of each input, sent in batches of that input alone. */
  readonly messageBytes: readonly number[];
  /** When requests are due, in milliseconds from the start of the measured interval; absent in a closed loop. */
  readonly due?: Iterable<number>;
}

const shown = 5; // arrivals and inputs

/** What would be sent, for people. */
export function dryRun({ target, load, inputs, addresses, threads, messageBytes, due }: Planned): string {
  const { tls, headers, pathPrefix, authority: host } = target;
  const rows: [string, string][] = [
    ["protocol", `${target.protocol}${tls ? ` over TLS${tls.certFile ? " (mutual)" : ""}` : ", plain text"}`],
    ["addresses", addresses.map(authority).join(", ")],
    ...(host ? [["authority", host] as [string, string]] : []),
    ...(pathPrefix ? [["path prefix", pathPrefix] as [string, string]] : []),
    ...Object.entries(headers ?? {}).map(([name, value]): [string, string] => ["header", `${name}: ${value}`]),
    ["model", `${target.model || "(named by the server)"}, input ${target.input}, output ${target.output}`],
    ["inputs", inputsInWords(inputs)],
    ["messages", `${range(messageBytes)} bytes each, without headers`],
    ["load", `${loadInWords(load)}, seed ${load.seed}${threads > 1 ? `, ${threads} threads` : ""}`],
    ...scheduleRows(load, due),
  ];
  return `${rows.map(([name, value]) => `${name.padEnd(14)}${value}`).join("\n")}\n`;
}

function inputsInWords(inputs: readonly Input[]): string {
  const names = inputs.slice(0, shown).map(({ name }) => name);
  const { datatype, shape } = inputs[0]!;
  const kind = datatype === "BYTES" ? "files" : `${datatype} tensors of shape [${shape}]`;
  return `${inputs.length} ${kind}: ${names.join(", ")}${inputs.length > shown ? ", ..." : ""}`;
}

const range = (values: readonly number[]): string => {
  const [least, most] = values.reduce(([low, high], value) => [Math.min(low, value), Math.max(high, value)], [
    Number.POSITIVE_INFINITY,
    0,
  ] as [number, number]);
  return least === most ? `${least}` : `${least} to ${most}`;
};

function scheduleRows(load: Load, due: Iterable<number> | undefined): [string, string][] {
  if (!due) {
    if (load.mode !== "closed") return [["requests", "as MLPerf's minimum time and number of queries need"]];
    if (load.repeats === undefined) return [["requests", `as many as ${load.clients} at a time are answered`]];
    const warmup = load.clients * (load.warmupRepeats ?? 0);
    return [["requests", `${load.clients * load.repeats}${warmup ? `, after ${warmup} of the warm-up` : ""}`]];
  }
  let count = 0;
  let last = 0;
  const first: string[] = [];
  for (const at of due) {
    if (first.length < shown) first.push(at.toFixed(3));
    count++;
    last = at;
  }
  const seconds =
    load.mode === "open" ? load.stages.reduce((sum, stage) => sum + stage.durationSeconds, 0) : last / 1000;
  return [
    ["arrivals", `${first.join(", ")}${count > shown ? ", ..." : ""} ms from the start of the measured interval`],
    ["requests", `${count}, besides the warm-up`],
    ["length", `${Number((load.warmupSeconds + seconds).toFixed(3))} s, warm-up included, and the last replies`],
  ];
}
