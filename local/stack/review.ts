import { loadInWords } from "../../benchmarks/client/output/load.ts";
import type { BenchmarkSpec } from "../../benchmarks/spec.ts";
import type { CpuPlan } from "../../components/serving/cpuPlan.ts";
import type { Preview, Step } from "./events.ts";

export interface Review {
  readonly stack: string;
  /** Exit code of the preview. */
  readonly code: number;
  readonly preview: Preview;
  /** What the engine printed besides: shown if it failed without saying why. */
  readonly stderr: string;
}

/** GitHub refuses longer comments. */
const MAX_LENGTH = 60_000;
const MAX_ROWS = 200;

/** The preview of a change as a comment under a pull request: the stack, the CPU plan, the experiment, the policies. */
export function reviewMarkdown(review: Review): string {
  const { stack, code, preview } = review;
  const text = [
    `### \`${stack}\`: ${code === 0 ? headline(preview) : "the preview failed"}`,
    ...problems(review),
    ...policies(review),
    ...planTable(preview.outputs["plan"] as CpuPlan | undefined),
    ...experimentTable(specOf(preview)),
    ...resources(preview.steps),
  ].join("\n");
  return text.length > MAX_LENGTH ? `${text.slice(0, MAX_LENGTH)}\n\n(cut off here)\n` : `${text}\n`;
}

function headline({ changes }: Preview): string {
  const counts = Object.entries(changes).filter(([op, count]) => op !== "same" && op !== "read" && count > 0);
  return counts.length > 0 ? counts.map(([op, count]) => `${count} to ${op}`).join(", ") : "no changes";
}

function problems({ code, preview, stderr }: Review): string[] {
  const said = preview.errors.filter((message) => message !== "preview failed"); // the headline says that
  const isUnexplained = code !== 0 && said.length === 0 && preview.violations.length === 0;
  const errors = isUnexplained ? [stderr.trim() || `exit code ${code}`] : said;
  const quoted = [...errors, ...preview.warnings].flatMap((message) => [
    "",
    "```",
    message.replaceAll("```", "'''"),
    "```",
  ]);
  return quoted;
}

function policies({ code, preview: { policies, violations } }: Review): string[] {
  // Of a program that failed they have seen a part.
  if (violations.length === 0 && (code !== 0 || policies.length === 0)) return [];
  if (violations.length === 0) return ["", `**Policies**: all ${policies.length} hold (${policies.join(", ")}).`];
  return [
    "",
    "**Policies**",
    "",
    row(["", "policy", "resource", "what is wrong"]),
    row(["---", "---", "---", "---"]),
    ...violations.map(({ level, policy, resource, message }) =>
      row([level === "mandatory" ? "**refused**" : level, policy, quoted(resource), lastLine(message)]),
    ),
  ];
}

/** The engine puts the policy's description before what the policy said. */
const lastLine = (message: string): string => message.split("\n").at(-1)!.trim();

function planTable(plan: CpuPlan | undefined): string[] {
  if (!plan) return [];
  const nodes = plan.nodes.map((node) => {
    const { instances } = node;
    const cpus = instances.map(({ cpus, exclusiveCpus, memoryNode }) => {
      const own = cpus ?? (exclusiveCpus === undefined ? "not pinned" : `${exclusiveCpus} of its own`);
      return memoryNode === null ? own : `${own}@${memoryNode}`;
    });
    return row([
      node.name,
      String(instances.length),
      cpus.join(" "),
      node.clientCpus ?? "shared",
      node.leftOver ?? "none",
    ]);
  });
  return [
    "",
    `**CPU plan** \`${plan.hash}\` (CPUs@memory node)`,
    "",
    row(["node", "instances", "CPUs of each", "load client", "left over"]),
    row(["---", "---", "---", "---", "---"]),
    ...nodes,
  ];
}

/** The experiment is a ConfigMap of its own. */
function specOf({ steps }: Preview): BenchmarkSpec | undefined {
  const specs = steps.flatMap(({ op, inputs }) => {
    const text = (inputs as { data?: Record<string, unknown> } | undefined)?.data?.["spec.json"];
    return typeof text === "string" && op !== "delete" ? [text] : [];
  });
  return specs.length > 0 ? (JSON.parse(specs.at(-1)!) as BenchmarkSpec) : undefined;
}

function experimentTable(spec: BenchmarkSpec | undefined): string[] {
  if (!spec) return [];
  const { key, target, load, thresholds, workers } = spec;
  const limits = Object.entries(thresholds).map(([name, value]) => `${name} ${value}`);
  return [
    "",
    `**Experiment** \`${key}\``,
    "",
    row(["", ""]),
    row(["---", "---"]),
    row(["load", loadInWords(load)]),
    row(["target", `${target.model} over ${target.protocol} at ${target.host}:${target.port}`]),
    ...(workers ? [row(["pods", String(workers.count)])] : []),
    row(["valid within", limits.join(", ")]),
  ];
}

function resources(steps: readonly Step[]): string[] {
  const order = (a: Step, b: Step) => `${a.op} ${a.type} ${a.name}`.localeCompare(`${b.op} ${b.type} ${b.name}`);
  const changed = steps.filter(({ op }) => op !== "same" && op !== "read").sort(order);
  if (changed.length === 0) return [];
  const rows = changed
    .slice(0, MAX_ROWS)
    .map(({ op, type, name, changed }) =>
      row([op, quoted(type), quoted(name), changed.slice(0, 8).map(quoted).join(" ")]),
    );
  const more = changed.length > MAX_ROWS ? [`and ${changed.length - MAX_ROWS} more`] : [];
  return [
    "",
    `<details><summary>Resources</summary>`,
    "",
    row(["", "type", "name", "changes"]),
    row(["---", "---", "---", "---"]),
    ...rows,
    ...more,
    "",
    "</details>",
  ];
}

const quoted = (text: string): string => `\`${text.replaceAll("`", "'")}\``;
const row = (cells: readonly string[]): string =>
  `| ${cells.map((cell) => cell.replaceAll("|", "\\|").replaceAll("\n", " ")).join(" | ")} |`;
