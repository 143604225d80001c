import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Result } from "../../benchmarks/result.ts";
import type { NodeTopology } from "../../components/serving/topology.ts";
import { UserError } from "../../error.ts";
import { CONTEXT, loadImages, startCluster } from "../cluster/cluster.ts";
import { readTopology } from "../cluster/topology.ts";
import { withLock } from "../lock.ts";
import { checkout, state, stateDir } from "../paths.ts";
import type { ImageName } from "../toolchain/images.ts";
import { ensure, imagesAmong, type Need, plan, type Toolchain } from "../toolchain/index.ts";
import { completeConfig, configOf, lastConfigOf, mergedConfig, PROJECT, writeStackFile } from "./config.ts";
import { type Engine, openEngine, openStack } from "./engine.ts";
import { parsePreview, STREAMING } from "./events.ts";
import { unwellPods } from "./failure.ts";
import { type FurtherOutputs, furtherSummary } from "./further.ts";
import { confine } from "./isolation.ts";
import { needsOf } from "./needs.ts";
import { type StackNode, stackNodes, withFormerNodes } from "./nodes.ts";
import { adoptPending } from "./pending.ts";
import { chosenOf, keepBundle } from "./provenance.ts";
import { reviewMarkdown } from "./review.ts";
import { nextCommands, type Outputs, summary } from "./summary.ts";

export interface StartOptions {
  readonly stack: string;
  /** `key=value` settings over the stack's file, for this run. */
  readonly config: readonly string[];
  /** Measure again although nothing changed. */
  readonly rerun?: boolean;
  readonly dryRun?: boolean;
}

/** One instance, one command at a time. */
const lock = join(stateDir, "stack.lock");
/** The machine's: two measurements at once would measure each other. */
export const measuring = "/run/lock/inference-stack.measuring";

const policyPack = join(checkout, "policy");

export const tell = (line: string) => console.log(`  ${line}`);

/** Everything from nothing to the printed measurement. Returns the exit code. */
export async function start(options: StartOptions): Promise<number> {
  const needs = needsOf(options.stack, options.config);
  if (options.dryRun) return dryRun(needs);
  const nodes = nodesOf(options);
  const tools = await ensure(needs);
  return locked(async () => {
    if (nodes) {
      console.log("Cluster");
      await bringUp(options, needs, tools, nodes);
    }
    const { engine, file } = await prepare(options, tools, nodes);
    console.log("Stack");
    const before = await outputsOf(engine, options.stack);
    const up = () =>
      engine.attach(["up", "--yes", "--stack", options.stack, "--config-file", file, "--suppress-outputs"]);
    const code = measures(options)
      ? await withLock(measuring, up, () => tell("waiting for another measurement on this machine to end"))
      : await up();
    if (code !== 0) {
      if (nodes) console.error(await unwellPods());
      return code;
    }
    const outputs = await outputsOf(engine, options.stack);
    const result = outputs.benchmark;
    const fresh = result?.startedAt !== before.benchmark?.startedAt;
    const resultFile = result && keep(result);
    console.log(summary(outputs, resultFile, fresh));
    const further = furtherSummary(outputs);
    if (further) console.log(further);
    if (result && resultFile && fresh)
      await keepProvenance(engine, options, localConfig(options, tools, nodes), result, resultFile);
    console.log(nextCommands(options.stack));
    return 0;
  });
}

/** A result is a result without it, too. */
async function keepProvenance(
  engine: Engine,
  { stack, config }: StartOptions,
  local: ReturnType<typeof localConfig>,
  result: Result,
  resultFile: string,
): Promise<void> {
  const complete = completeConfig(stack, local, config);
  try {
    const file = await keepBundle(engine, {
      stack,
      config: mergedConfig(stack, {}, config),
      complete,
      chosen: await chosenOf(complete, stack),
      result,
      resultFile,
    });
    console.log(`Bundle\n  ${file}\n`);
  } catch (error) {
    console.error(`  what the result comes from could not be kept: ${(error as Error).message}`);
  }
}

/** The embedded cluster as the stack wants it, with its images. Quick where it is so already. */
export async function bringUp(
  { stack, config }: StartOptions,
  needs: readonly Need[],
  tools: Toolchain,
  nodes: readonly StackNode[],
): Promise<void> {
  const shapes = nodes.map(({ shape }) => shape);
  await startCluster(tools.bin, tools.images, tell, shapes);
  await loadImages(
    imagesAmong(needs).map((name) => tools.images[name]),
    tell,
  );
  const topologies = nodes.map(({ topology }) => topology);
  confine(mergedConfig(stack, {}, config), topologies);
}

export interface PreviewOptions extends StartOptions {
  /** Print it as a comment for a pull request, with what the policies say. */
  readonly markdown?: boolean;
  /** Of a preview that somebody else has run: the file with what `pulumi preview --json` printed, event by event. */
  readonly events?: string;
}

/** `pulumi preview` of the stack. Needs no cluster when the stack was never deployed. */
export async function preview(options: PreviewOptions, args: readonly string[]): Promise<number> {
  const { stack, markdown, events } = options;
  if (events !== undefined) return review(stack, events);
  const tools = await ensure(needsOf(stack, options.config));
  return locked(async () => {
    const { engine, file } = await prepare(options, tools, nodesOf(options));
    const all = ["preview", "--stack", stack, "--config-file", file, ...args];
    if (!markdown) return engine.attach(all);
    const { code, stdout, stderr } = await engine.capture([...all, "--policy-pack", policyPack, "--json"], STREAMING);
    process.stdout.write(reviewMarkdown({ stack, code, preview: parsePreview(stdout), stderr }));
    return code;
  });
}

/** Prints it as a comment. The exit code is that of the preview. */
function review(stack: string, file: string): number {
  if (!existsSync(file)) throw new UserError(`--events ${file}: there is no such file`);
  const preview = parsePreview(readFileSync(file, "utf8"));
  const code = preview.succeeded ? 0 : 1;
  process.stdout.write(reviewMarkdown({ stack, code, preview, stderr: "" }));
  return code;
}

/** `pulumi destroy` of the stack: nothing it made stays. */
export async function destroy(stack: string): Promise<number> {
  const tools = await ensure(["pulumi"]);
  return locked(async () => {
    const engine = await openEngine(tools.pulumi);
    const file = join(state.stacks, `Pulumi.${stack}.yaml`);
    if (!existsSync(file))
      throw new UserError(`stack "${stack}" was never deployed from here; there is nothing to destroy`);
    await openStack(engine, stack);
    await adoptPending(engine, stack, file);
    await refuseProtected(engine, stack);
    return engine.attach(["destroy", "--yes", "--stack", stack, "--config-file", file]);
  });
}

/** Before anything is deleted: the engine would say it as well, but not how to go on from here. */
async function refuseProtected(engine: Engine, stack: string): Promise<void> {
  const { deployment } = JSON.parse(await engine.read(["stack", "export", "--stack", stack])) as {
    deployment: { resources?: { urn: string; protect?: boolean }[] };
  };
  const kept = (deployment.resources ?? []).filter(({ protect }) => protect);
  if (kept.length === 0) return;
  const names = kept.map(({ urn }) => urn.split("::").at(-1)).join(", ");
  const off = names
    .split(", ")
    .map((name) => `--config ${name === "registry" ? "registry" : "objectStore"}.protect=false`);
  throw new UserError(
    `stack "${stack}" protects its data: ${names} cannot be destroyed. Nothing was deleted.`,
    `to delete the data too, run \`npm start -- --stack ${stack} ${off.join(" ")}\` and then destroy again`,
  );
}

/** Any Pulumi command in the environment of this instance. */
export async function pulumi(stack: string, args: readonly string[]): Promise<number> {
  const tools = await ensure(["pulumi"]);
  const engine = await openEngine(tools.pulumi);
  const file = join(state.stacks, `Pulumi.${stack}.yaml`);
  const takesFile = ["up", "update", "preview", "destroy", "refresh", "import", "watch"].includes(args[0]);
  const more = takesFile && existsSync(file) && !args.includes("--config-file") ? ["--config-file", file] : [];
  return engine.attach([...args, ...more], { PULUMI_STACK: stack });
}

/** The stack's outputs as JSON text; the benchmark's result among them. */
export async function outputs(stack: string): Promise<string> {
  const tools = await ensure(["pulumi"]);
  return JSON.stringify(await outputsOf(await openEngine(tools.pulumi), stack), null, 2);
}

export const locked = <T>(work: () => Promise<T>) =>
  withLock(lock, work, () => tell("waiting for another command of this checkout to end"));

/** What the stack wants the embedded cluster's nodes to be; undefined for another cluster. */
export function nodesOf({ stack, config }: StartOptions): StackNode[] | undefined {
  return isEmbedded(stack) ? stackNodes(mergedConfig(stack, {}, config), readTopology("this machine")) : undefined;
}

async function prepare(options: StartOptions, tools: Toolchain, nodes: StackNode[] | undefined) {
  const local = localConfig(options, tools, nodes);
  const file = writeStackFile(options.stack, { ...local, ...rerun(options) }, options.config);
  const engine = await openEngine(tools.pulumi);
  await openStack(engine, options.stack);
  await adoptPending(engine, options.stack, file);
  return { engine, file };
}

/** What only this machine knows of a stack; nothing where it is for another cluster. */
export function localConfig(
  { stack, config }: StartOptions,
  tools: Toolchain,
  nodes: readonly StackNode[] | undefined,
) {
  const { [`${PROJECT}:model`]: model, [`${PROJECT}:registry`]: registry } = mergedConfig(stack, {}, config);
  const isInBucket = (model as { version?: string } | undefined)?.version !== undefined;
  const { enabled, images = [] } = (registry ?? {}) as { enabled?: boolean; images?: ImageName[] };
  if (!nodes) return {};
  return {
    ...embeddedConfig(stack, tools, nodes, isInBucket),
    ...(enabled ? { registry: embeddedRegistry(tools, nodes, images) } : {}),
  };
}

function embeddedConfig(stack: string, tools: Toolchain, nodes: readonly StackNode[], isInBucket: boolean) {
  const images = Object.fromEntries(Object.entries(tools.images).map(([name, { ref }]) => [name, ref]));
  const last = (lastConfigOf(stack, "topology") ?? []) as unknown as NodeTopology[];
  const topology = withFormerNodes(
    nodes.map((node) => node.topology),
    last,
  );
  return {
    cluster: { kind: "embedded", kubeconfig: state.kubeconfig, context: CONTEXT, nodes: nodes.length },
    topology: JSON.parse(JSON.stringify(topology)), // as YAML wants it
    images,
    ...(isInBucket ? {} : { model: { source: tools.model } }),
  };
}

/** Whether anything in the stack measures. */
function measures({ stack, config }: StartOptions): boolean {
  const merged = mergedConfig(stack, {}, config);
  const isEnabled = (key: string, otherwise: boolean) =>
    (merged[`${PROJECT}:${key}`] as { enabled?: boolean } | undefined)?.enabled ?? otherwise;
  return isEnabled("benchmark", true) || isEnabled("training", false) || isEnabled("locust", false);
}

/** Where its images come from, and where its nodes look up registries. */
function embeddedRegistry(tools: Toolchain, nodes: readonly StackNode[], images: readonly ImageName[]) {
  return {
    archives: Object.fromEntries(images.map((name) => [name, tools.images[name].archive])),
    certsFolders: nodes.map(({ topology }) => join(state.cluster, topology.name, "etc", "certs.d")),
  };
}

/** The counter that makes an unchanged experiment a new one; kept, so that the next start finds its result. */
function rerun({ stack, rerun }: StartOptions): Record<string, { rerun: number }> {
  const file = join(state.stacks, `${stack}.rerun`);
  const count = (existsSync(file) ? Number(readFileSync(file, "utf8")) : 0) + (rerun ? 1 : 0);
  if (count === 0) return {};
  mkdirSync(state.stacks, { recursive: true });
  writeFileSync(file, String(count));
  return { benchmark: { rerun: count } };
}

export function isEmbedded(stack: string): boolean {
  return (configOf(stack, "cluster") as { kind?: string } | undefined)?.kind === "embedded";
}

async function dryRun(needs: Need[]): Promise<number> {
  console.log("npm start would:");
  for (const step of await plan(needs)) console.log(`  ${step.state === "missing" ? "make " : "reuse"}  ${step.title}`);
  console.log("  then boot the cluster, run `pulumi up`, measure, and print the result");
  return 0;
}

async function outputsOf(engine: Engine, stack: string): Promise<Outputs & FurtherOutputs> {
  return engine.read(["stack", "output", "--json", "--stack", stack]).then(
    (text) => JSON.parse(text) as Outputs & FurtherOutputs,
    () => ({}),
  );
}

/** Results outlive the stack: one file for each experiment and run. */
function keep(result: Result): string {
  mkdirSync(state.results, { recursive: true });
  const file = join(state.results, `${result.startedAt.replace(/[:.]/g, "-")}-${result.key}.json`);
  if (!existsSync(file)) writeFileSync(file, `${JSON.stringify(result, null, 2)}\n`);
  return file;
}
