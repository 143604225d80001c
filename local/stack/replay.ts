import { cpus, release } from "node:os";
import { environmentChanges, environmentOf } from "../../benchmarks/fingerprint.ts";
import { type Bundle, readBundle } from "../../benchmarks/provenance/bundle.ts";
import { differences, type Facts } from "../../benchmarks/provenance/differences.ts";
import type { Result } from "../../benchmarks/result.ts";
import { UserError } from "../../error.ts";
import { ensure } from "../toolchain/index.ts";
import { completeConfig, type StackFile, useStackFile } from "./config.ts";
import { needsOf } from "./needs.ts";
import { chosenOf, nodeFacts } from "./provenance.ts";
import { isEmbedded, localConfig, nodesOf, outputs, start } from "./start.ts";

export interface ReplayOptions {
  readonly file: string;
  /** Parts that may differ, such as `kernel`; `all` for whatever does. */
  readonly accept: readonly string[];
}

/** Exit code where the environment is another one. */
const DIFFERS = 3;

/** `npm run replay`: measures what a bundle measured once more, if that is possible here. */
export async function replay({ file, accept }: ReplayOptions): Promise<number> {
  const bundle = readBundle(file);
  const { stack, result } = bundle;
  const isAccepted = (part: string) => accept.includes("all") || accept.includes(part);
  useStackFile(stack, { config: bundle.config } as StackFile);
  console.log(`Replay of ${result.key}, measured ${result.startedAt} on ${result.environment.cpuModel}`);
  const all = differences(factsOf(bundle), await factsHere(bundle));
  for (const { part, phrase } of all) console.log(`  ${isAccepted(part) ? "accepted" : "differs "}  ${phrase}`);
  const refused = all.filter(({ part }) => !isAccepted(part)).map(({ part }) => part);
  if (refused.length > 0) {
    console.error("\nThis would not be the same experiment in the same environment, so nothing was deployed.");
    console.error(`To measure anyway: --accept ${refused.join(" --accept ")}, or --accept all`);
    return DIFFERS;
  }
  const code = await start({ stack, config: [], rerun: true });
  if (code !== 0) return code;
  const { benchmark } = JSON.parse(await outputs(stack)) as { benchmark?: Result };
  if (!benchmark) throw new UserError(`Stack ${stack} measured nothing: benchmark.enabled is false in the bundle.`);
  const changes = environmentChanges(environmentOf(result), environmentOf(benchmark), EVERYTHING);
  console.log(
    ["", "Replay", ...sideBySide(result, benchmark), ...changes.map((change) => `  differs       ${change}`)].join(
      "\n",
    ),
  );
  // What was accepted before may well be the reason for what differs now.
  return changes.length > 0 && !accept.includes("all") && all.length === 0 ? DIFFERS : 0;
}

const EVERYTHING = ["kernel", "cpuModel", "nodejs", "clientCpus", "serverCpus", "digests"] as const;

function factsOf({ chosen, result: { environment } }: Bundle): Facts {
  return { chosen, kernel: environment.kernel, cpuModel: environment.cpuModel };
}

/** What the same config would measure here, and on what. */
async function factsHere({ stack, result }: Bundle): Promise<Facts> {
  const options = { stack, config: [] };
  const tools = await ensure(needsOf(stack, []));
  const config = completeConfig(stack, localConfig(options, tools, nodesOf(options)), []);
  return { chosen: await chosenOf(config, stack), ...(await machineOf(stack, config, result)) };
}

/** On the embedded cluster the nodes are this machine. Of another cluster's CPU only a measurement knows the model. */
async function machineOf(stack: string, { cluster }: Config, { environment }: Result): Promise<Omit<Facts, "chosen">> {
  if (isEmbedded(stack)) return { kernel: release(), cpuModel: cpus()[0]?.model ?? "unknown" };
  const nodes = await nodeFacts(cluster as unknown as Parameters<typeof nodeFacts>[0]);
  const node = nodes.find(({ name }) => name === environment.node) ?? nodes[0];
  return { kernel: node?.kernel ?? "unknown", cpuModel: environment.cpuModel };
}

type Config = ReturnType<typeof completeConfig>;

function sideBySide(then: Result, now: Result): string[] {
  const of = ({ throughput, latencyMs, verdict }: Result) =>
    `${throughput.inferencesPerSecond.toFixed(1)} inferences/s   p50 ${ms(latencyMs.p50)}   p99 ${ms(latencyMs.p99)}   ${verdict.valid ? "VALID" : "INVALID"}`;
  const change = now.throughput.inferencesPerSecond / then.throughput.inferencesPerSecond - 1;
  return [
    `  then          ${of(then)}`,
    `  now           ${of(now)}`,
    `  throughput    ${change < 0 ? "" : "+"}${(100 * change).toFixed(1)} % (one run each: \`npm run compare\` says whether that means anything)`,
  ];
}

const ms = (value: number | null): string => (value === null ? "too few samples" : `${value.toFixed(2)} ms`);
