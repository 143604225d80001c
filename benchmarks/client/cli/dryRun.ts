import type { ClosedLoop, Target } from "../../spec.ts";
import type { Input } from "../inputs.ts";
import { loadInWords } from "../output/load.ts";
import type { CompleteLoad } from "../pacer.ts";
import type { Mlperf } from "../pacers/mlperf.ts";
import { type Address, authority } from "../protocols/protocol.ts";

export interface Planned {
  readonly target: Target;
  readonly load: CompleteLoad;
  readonly inputs: readonly Input[];
  readonly addresses: readonly Address[];
  readonly threads: number;
  /** Bytes of the message of each input, sent in batches of that input alone. */
  readonly messageBytes: readonly number[];
  /** When requests are due, in milliseconds from the start of the measured interval; read for an open loop and MLPerf's Server. */
  readonly due: Iterable<number>;
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

function scheduleRows(load: CompleteLoad, due: Iterable<number>): [string, string][] {
  if (load.mode === "closed") return [["requests", closedRequests(load)]];
  if (load.mode === "mlperf" && load.scenario !== "Server") {
    const { minQueries, samplesPerQuery, minDurationSeconds } = load;
    return [
      ["queries", `at least ${minQueries} of ${samplesPerQuery} samples, and for at least ${minDurationSeconds} s`],
    ];
  }
  let count = 0;
  let last = 0;
  const first: string[] = [];
  for (const at of due) {
    if (first.length < shown) first.push(at.toFixed(3));
    count++;
    last = at;
  }
  const stages = load.mode === "open" ? load.stages.reduce((sum, stage) => sum + stage.durationSeconds, 0) : 0;
  const seconds = stages || Math.max(last / 1000, (load as Mlperf).minDurationSeconds);
  return [
    ["arrivals", `${first.join(", ")}${count > shown ? ", ..." : ""} ms from the start of the measured interval`],
    ["requests", `${count}, besides the warm-up`],
    ["length", `${Number((load.warmupSeconds + seconds).toFixed(3))} s, warm-up included, and the last replies`],
  ];
}

function closedRequests({ clients, repeats, warmupRepeats = 0 }: ClosedLoop): string {
  if (repeats === undefined) return `as many as are answered, ${clients} at a time`;
  return `${clients * repeats}${warmupRepeats ? `, after ${clients * warmupRepeats} of the warm-up` : ""}`;
}
