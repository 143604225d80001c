import { loadInWords } from "../../benchmarks/client/output/load.ts";
import { scalingInWords } from "../../benchmarks/client/output/scaling.ts";
import type { Result, Timing } from "../../benchmarks/result.ts";
import type { GatewayCost } from "../../stacks/gateway.ts";

/** What the stack of the program exports, as `pulumi stack output --json` prints it. */
export interface Outputs {
  readonly endpoint?: unknown;
  readonly plan?: PlanOutput;
  readonly benchmark?: Result;
  readonly gatewayCost?: GatewayCost | null;
}

interface PlanOutput {
  readonly nodes: readonly {
    readonly name: string;
    readonly instances: readonly {
      readonly cpus: string | null;
      readonly exclusiveCpus?: number;
      readonly memoryNode: number | null;
    }[];
    readonly clientCpus?: string | null;
  }[];
}

/** The end of `npm start`: what was measured, whether it can be trusted, on which CPUs, and what to do next. */
export function summary(outputs: Outputs, resultFile: string | undefined, fresh: boolean): string {
  const result = outputs.benchmark;
  const plan = outputs.plan ? ["CPU plan", ...planLines(outputs.plan), ""] : [];
  if (!result) return [...plan, "No benchmark in this stack (benchmark.enabled is false)."].join("\n");
  const { load, throughput, latencyMs, slipMs, mlperf, errors, correctness, counts, verdict, target, environment } =
    result;
  const rows: [string, string][] = [
    [
      "model",
      `${target.model} over ${target.protocol}${result.about.path === "gateway" ? " through the gateway" : ""}`,
    ],
    ["load", loadInWords(load.requested) + (load.parts > 1 ? `, shared by ${load.parts} event loops` : "")],
    ["throughput", `${throughput.inferencesPerSecond.toFixed(1)} inferences/s`],
    ["latency", percentiles(latencyMs)],
    ...(load.schedule ? [["slip", percentiles(slipMs)] as [string, string]] : []),
    ...(mlperf ? [["MLPerf", metric(mlperf)] as [string, string]] : []),
    ...environment.servers
      .filter(({ cpusPlanned, cpusAllowed }) => cpusPlanned === null && cpusAllowed !== null)
      .map(({ pod, cpusAllowed }, i): [string, string] => [i === 0 ? "ran on" : "", `CPUs ${cpusAllowed}  ${pod}`]),
    ...(result.scaling ? scalingInWords(result.scaling) : []).map((line, i): [string, string] => [
      i === 0 ? "scaling" : "",
      line,
    ]),
    ["errors", `${errors.total} of ${counts.sent} requests${kinds(errors.byKind)}`],
    ["answers", `${correctness.checked - correctness.wrong} of ${correctness.checked} right`],
    ...(outputs.gatewayCost ? [["gateway", cost(outputs.gatewayCost)] as [string, string]] : []),
    ["verdict", verdict.valid ? "VALID" : "INVALID"],
    ...verdict.reasons.map((reason): [string, string] => ["", `- ${reason}`]),
    ...verdict.notes.map((note): [string, string] => ["", `note: ${note}`]),
    ["measured", `${result.endedAt}${fresh ? "" : " (nothing changed since: not measured again)"}`],
    ...(resultFile ? [["result file", resultFile] as [string, string]] : []),
  ];
  return ["", ...plan, "Measurement", ...table(rows), ""].join("\n");
}

function planLines({ nodes }: PlanOutput): string[] {
  const lines = nodes.flatMap(({ name, instances }) =>
    instances.map((instance, i) => `  ${name}  instance ${i}  ${cpusOf(instance)}`),
  );
  const [first] = nodes; // the only one with a client
  const client = first.clientCpus ? `CPUs ${first.clientCpus}` : "shares the servers' CPUs";
  return [...lines, `  ${first.name}  client      ${client}`];
}

function cpusOf({ cpus, exclusiveCpus, memoryNode }: PlanOutput["nodes"][number]["instances"][number]): string {
  if (cpus !== null) return `CPUs ${cpus}  memory node ${memoryNode}`;
  if (exclusiveCpus === undefined) return "not pinned";
  const own = exclusiveCpus === 1 ? "1 CPU of its own" : `${exclusiveCpus} CPUs of its own`;
  return `${own}, chosen by the kubelet  memory node ${memoryNode}`;
}

function percentiles({ p50, p90, p99, p999, max }: Timing): string {
  const ms = (value: number | null) => (value === null ? "too few samples" : `${value.toFixed(2)} ms`);
  return `p50 ${ms(p50)}   p90 ${ms(p90)}   p99 ${ms(p99)}   p99.9 ${ms(p999)}   max ${ms(max)}`;
}

function metric({ metric, value, unit, queries }: NonNullable<Result["mlperf"]>): string {
  return `${metric}: ${value === null ? "too few queries" : `${Number(value.toPrecision(4))} ${unit}`} (${queries} queries)`;
}

function cost({ p50Ms, throughputRatio, valid }: GatewayCost): string {
  const more = p50Ms === null ? "p50 unknown" : `p50 ${p50Ms < 0 ? "" : "+"}${p50Ms.toFixed(2)} ms`;
  return `${more}, ${throughputRatio.toFixed(3)} of the throughput of the straight way${valid ? "" : " (not to be trusted: one of both is INVALID)"}`;
}

function kinds(byKind: Readonly<Record<string, number>>): string {
  const list = Object.entries(byKind).map(([kind, count]) => `${kind}: ${count}`);
  return list.length ? ` (${list.join(", ")})` : "";
}

function table(rows: readonly [string, string][]): string[] {
  const width = Math.max(...rows.map(([name]) => name.length));
  return rows.map(([name, value]) => `  ${name.padEnd(width)}  ${value}`);
}

export function nextCommands(stack: string): string {
  const other = stack === "dev" ? "" : ` --stack ${stack}`;
  return [
    "Next",
    `  npm start -- --config benchmark.clients=4${other}    change one thing and measure again`,
    `  npm run --silent outputs${other ? ` --${other}` : ""}                     everything measured, as JSON`,
    `  npm stop                                     stop the cluster (-- --purge removes all of it)`,
  ].join("\n");
}
