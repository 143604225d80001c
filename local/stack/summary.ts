import { loadInWords } from "../../benchmarks/client/output/load.ts";
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
    readonly instances: readonly { readonly cpus: string | null; readonly memoryNode: number | null }[];
    readonly clientCpus?: string | null;
  }[];
}

/** The end of `npm start`: what was measured, whether it can be trusted, on which CPUs, and what to do next. */
export function summary(outputs: Outputs, resultFile: string | undefined, fresh: boolean): string {
  const result = outputs.benchmark;
  const plan = outputs.plan ? ["CPU plan", ...planLines(outputs.plan), ""] : [];
  if (!result) return [...plan, "No benchmark in this stack (benchmark.enabled is false)."].join("\n");
  const { load, throughput, latencyMs, slipMs, mlperf, errors, correctness, counts, verdict, target } = result;
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

function planLines(plan: PlanOutput): string[] {
  return plan.nodes.flatMap((node) => [
    ...node.instances.map(
      (at, i) =>
        `  ${node.name}  instance ${i}  ${at.cpus === null ? "not pinned" : `CPUs ${at.cpus}  memory node ${at.memoryNode}`}`,
    ),
    `  ${node.name}  client      ${node.clientCpus ? `CPUs ${node.clientCpus}` : "shares the servers' CPUs"}`,
  ]);
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
