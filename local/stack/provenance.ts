import { CoreV1Api, KubeConfig } from "@kubernetes/client-node";
import { bundleClient } from "../../benchmarks/client/bundle.ts";
import { type Bundle, type Manifest, type NodeFacts, writeBundle } from "../../benchmarks/provenance/bundle.ts";
import type { Result } from "../../benchmarks/result.ts";
import { bundleFetch } from "../../components/storage/fetch/bundle.ts";
import { UserError } from "../../error.ts";
import type { RawConfig } from "../../stacks/settings.ts";
import { cellOf } from "../../stacks/sweep.ts";
import { run } from "../exec.ts";
import { checkout } from "../paths.ts";
import type { Engine } from "./engine.ts";

/** What the engine knows of a resource. */
interface Resource {
  readonly type: string;
  readonly urn: string;
  readonly external?: boolean;
  readonly inputs?: unknown;
}

/** The objects that a stack consists of, as the program asked for them. */
export async function manifestsOf(engine: Engine, stack: string): Promise<Manifest[]> {
  const text = await engine.read(["stack", "export", "--stack", stack]);
  const { resources = [] } = (JSON.parse(text) as { deployment: { resources?: readonly Resource[] } }).deployment;
  return resources
    .filter(({ type, external }) => type.startsWith("kubernetes:") && !external)
    .map(({ type, urn, inputs }) => ({
      type,
      name: urn.split("::").at(-1)!,
      object: type.endsWith(":Secret") ? withoutValues(masked(inputs)) : masked(inputs),
    }));
}

/** A Secret is one, whether or not the program has marked its values. */
function withoutValues(secret: unknown): unknown {
  const { data, stringData, ...rest } = secret as { data?: object; stringData?: object };
  const names = Object.keys({ ...data, ...stringData });
  return { ...rest, stringData: Object.fromEntries(names.map((name) => [name, "[secret]"])) };
}

/** Marks a value in the engine's state that is more than a value: of those, secrets are encrypted. */
const SPECIAL = "4dabf18193072939515e22adb298388d";

function masked(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(masked);
  if (typeof value !== "object" || value === null) return value;
  if (SPECIAL in value) return "[secret]";
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, masked(inner)]));
}

/** What the nodes of a cluster say of themselves; none if it cannot be asked. */
export async function nodeFacts(cluster: { kubeconfig?: string; context: string }): Promise<NodeFacts[]> {
  const config = new KubeConfig();
  if (cluster.kubeconfig) config.loadFromFile(cluster.kubeconfig);
  else config.loadFromDefault();
  config.setCurrentContext(cluster.context);
  const { items } = await config.makeApiClient(CoreV1Api).listNode();
  return items.map(({ metadata, status }) => ({
    name: metadata?.name ?? "",
    kernel: status?.nodeInfo?.kernelVersion ?? "",
    os: status?.nodeInfo?.osImage ?? "",
    kubelet: status?.nodeInfo?.kubeletVersion ?? "",
    containerRuntime: status?.nodeInfo?.containerRuntimeVersion ?? "",
    architecture: status?.nodeInfo?.architecture ?? "",
    capacity: status?.capacity ?? {},
  }));
}

/** The checkout's commit, with `+` if something in it was changed; null where it is none of Git. */
export async function programVersion(): Promise<Bundle["program"]> {
  const git = (...args: string[]) => run("git", ["-C", checkout, ...args]);
  try {
    const commit = (await git("rev-parse", "HEAD")).trim();
    const changed = (await git("status", "--porcelain")).trim();
    return `${commit}${changed ? "+" : ""}`;
  } catch {
    return null;
  }
}

/** The experiment of a config by parts; which of its repeated runs it is does not count. */
export async function chosenOf(config: RawConfig, stack: string): Promise<Bundle["chosen"]> {
  const [client, fetch] = await Promise.all([bundleClient(), bundleFetch()]);
  const { experiment, problems } = cellOf(config, { "benchmark.rerun": 0 }, stack, { client, fetch });
  if (experiment) return experiment.chosen;
  throw new UserError(`The config of stack ${stack} cannot be deployed here:`, ...problems.map((line) => `  ${line}`));
}

/** Keeps all that a result comes from in a file beside it. @returns its path */
export async function keepBundle(
  engine: Engine,
  {
    stack,
    config,
    complete,
    chosen,
    result,
    resultFile,
  }: {
    stack: string;
    /** As the user has it, with prefixes. */
    config: Bundle["config"];
    /** As the program read it, without. */
    complete: RawConfig;
    chosen: Bundle["chosen"];
    result: Result;
    resultFile: string;
  },
): Promise<string> {
  const file = resultFile.replace(/\.json$/, ".bundle.gz");
  const cluster = complete["cluster"] as Parameters<typeof nodeFacts>[0];
  const [program, nodes, manifests] = await Promise.all([
    programVersion(),
    nodeFacts(cluster),
    manifestsOf(engine, stack),
  ]);
  const images = (complete["images"] ?? {}) as Bundle["images"];
  writeBundle(file, { stack, config, program, chosen, images, nodes, manifests, result });
  return file;
}
