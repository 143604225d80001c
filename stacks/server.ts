import type { Images } from "../components/images.ts";
import type { Api, ModelServer, Protocol, ServedModel, ServerKind } from "../components/serving/modelServer.ts";
import { serverKinds } from "../components/serving/servers/kinds.ts";
import type { Config } from "./schema.ts";

type ServingConfig = Pick<Config, "server" | "model" | "cluster" | "engine" | "images" | "benchmark">;

/** The model that requests name, and where requests for it are found. */
export interface Requests extends ServedModel {
  readonly input: string;
  readonly output: string;
  /** Folder of the model's version that holds the requests and their manifest. */
  readonly folder: string;
}

/** What requests carry, with the names that the config leaves open. */
export function requestsOf({ model, server }: Pick<Config, "model" | "server">): Requests {
  const { inputs } = model;
  const [input, output] = inputs === "tensor" ? ["data", "prob"] : ["image", server.kind === "ovms" ? "prob" : "label"];
  // What decodes in front of a server hands it tensors.
  const takesFiles = inputs === "jpeg" && serverKinds[server.kind].decodes;
  return {
    inputs,
    name: takesFiles ? `${model.name}-jpeg` : model.name,
    input: model.input ?? input,
    output: model.output ?? output,
    folder: inputs === "tensor" ? "inputs/" : "inputs-jpeg/",
  };
}

/** @param threads that compute in one instance */
export function modelServerOf(config: ServingConfig, images: Images, threads: number): ModelServer {
  const { kind, memory, gpus, streams } = config.server;
  const api = apiOf(config.server);
  const server = serverKinds[kind];
  return server.build({
    image: images[server.image(api)],
    model: requestsOf(config),
    memory,
    gpus,
    streams,
    threads,
    api,
  });
}

/** One sentence for what is allowed and yet no good idea. */
export function serverWarnings({ server }: Pick<Config, "server">): string[] {
  const { discontinued } = serverKinds[server.kind];
  return discontinued ? [`server.kind: ${server.kind}: ${discontinued}`] : [];
}

/** What does not fit together around the server: the key, its value, and the way out. */
export function serverProblems(config: ServingConfig): string[] {
  const { server, cluster, images } = config;
  const kind = serverKinds[server.kind];
  const api = apiOf(server);
  const problems: string[] = [];
  if (!kind.apis.includes(api))
    return [
      `server.api: ${server.kind} does not speak ${api}; it speaks ${kind.apis.join(" and ")}; use ${kindsWith((k) => k.apis.includes(api))}`,
    ];
  const image = kind.image(api);
  if (cluster.kind === "embedded" && !["triton", "mlserver"].includes(image) && images[image] === undefined)
    problems.push(
      `server.kind: ${server.kind} cannot run on the embedded cluster, for which only the images of triton and mlserver are built; use one of these, or a cluster of your own (cluster.kind kubeconfig)`,
    );
  if (server.gpus > 0 && !kind.usesGpus)
    problems.push(
      `server.gpus: ${server.kind} does not compute on NVIDIA GPUs, so ${server.gpus} would lie idle; set it to 0, or use ${kindsWith((k) => k.usesGpus)}`,
    );
  else if (server.gpus > 0 && cluster.kind === "embedded")
    problems.push(
      `server.gpus: ${server.gpus} is more than the embedded cluster has, which is none; set it to 0, or use a cluster of your own (cluster.kind kubeconfig)`,
    );
  if (server.streams > 1 && !kind.hasStreams)
    problems.push(
      `server.streams: ${server.kind} computes one batch at a time, so ${server.streams} is not possible; set it to 1, or use ${kindsWith((k) => k.hasStreams === true)}`,
    );
  return [...problems, ...inputProblems(config), ...protocolProblems(config)];
}

function inputProblems({ server, model, engine }: ServingConfig): string[] {
  if (model.inputs === "tensor" || serverKinds[server.kind].decodes) return [];
  return [
    `model.inputs: ${server.kind} takes no JPEG files, and the engine ${engine} puts nothing in front of it that would decode them; send tensors (model.inputs tensor), or use ${kindsWith((k) => k.decodes)}`,
  ];
}

function protocolProblems({ server, model, benchmark }: ServingConfig): string[] {
  if (!benchmark.enabled) return [];
  const { kind } = server;
  const spoken = spokenBy(server);
  const protocol: Protocol = benchmark.protocol;
  const inJson = model.inputs === "jpeg" ? ["v2-rest"] : [];
  if (!spoken.includes(protocol)) {
    const older = serverKinds[kind].apis.find((api) => protocol in serverKinds[kind].ports(api));
    const instead = older ? `set server.api to ${older}, or ` : "";
    return [
      `benchmark.protocol: server.kind ${kind} does not speak ${protocol}${older ? ` with server.api ${apiOf(server)}` : ""}; ${instead}choose one of ${spoken.join(", ")}`,
    ];
  }
  if (inJson.includes(protocol))
    return [
      `benchmark.protocol: ${protocol} sends JSON, which cannot hold a JPEG file; choose one of ${spoken.filter((name) => !inJson.includes(name)).join(", ")}`,
    ];
  return [];
}

/** The protocols of the server, in the order of its own file. */
export function spokenBy(server: Config["server"]): Protocol[] {
  const ports = serverKinds[server.kind].ports(apiOf(server));
  return Object.keys(ports).filter((spoken): spoken is Protocol => spoken !== "metrics");
}

const apiOf = ({ kind, api }: Config["server"]): Api => api ?? serverKinds[kind].apis[0];

/** Names of the kinds to recommend. */
const kindsWith = (wanted: (kind: ServerKind) => boolean): string =>
  Object.entries(serverKinds)
    .filter(([, kind]) => wanted(kind) && !kind.discontinued)
    .map(([name]) => name)
    .join(" or ");
