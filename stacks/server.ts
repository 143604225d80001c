import type { Images } from "../components/images.ts";
import type { Api, ModelServer, Protocol, ServedModel, ServerKind } from "../components/serving/modelServer.ts";
import { serverKinds } from "../components/serving/servers/kinds.ts";
import { type Transformer, transformer } from "../components/serving/transformer.ts";
import type { Config } from "./schema.ts";

/** What has to be right by itself before it can be seen whether it fits together. */
export const SERVING = ["server", "model", "cluster", "engine", "seldon", "images", "benchmark"] as const;
type ServingConfig = Pick<Config, (typeof SERVING)[number]>;

/** The model that requests name, and where requests for it are found. */
export interface Requests extends ServedModel {
  readonly input: string;
  readonly output: string;
  /** Folder of the model's version that holds the requests and their manifest. */
  readonly folder: string;
}

/** Names of the tensors where the config says none. */
const TENSORS = { input: "data", output: "prob" };

/** What requests carry, with the names that the config leaves open. */
export function requestsOf({ model, server }: Pick<Config, "model" | "server">): Requests {
  const { inputs } = model;
  const files = { input: "image", output: server.kind === "ovms" ? TENSORS.output : "label" };
  const { input, output } = inputs === "tensor" ? TENSORS : files;
  const takesFiles = inputs === "jpeg" && !isTransformed({ model, server });
  return {
    inputs,
    name: takesFiles ? `${model.name}-jpeg` : model.name,
    input: model.input ?? input,
    output: model.output ?? output,
    folder: inputs === "tensor" ? "inputs/" : "inputs-jpeg/",
  };
}

/** Requests carry files that the server does not take: what decodes them in front of it hands it tensors. */
const isTransformed = ({ model, server }: Pick<Config, "model" | "server">) =>
  model.inputs === "jpeg" && !serverKinds[server.kind].decodes;

/** What stands in front of the servers, where they do not take what requests carry. */
export function transformerOf(config: Pick<Config, "model" | "server">, images: Images): Transformer | undefined {
  const { model } = config;
  if (!isTransformed(config)) return undefined;
  return transformer({
    image: images.transformer,
    proxyImage: images["tfserving-proxy"],
    model: model.name,
    input: model.input ?? TENSORS.input,
    output: model.output ?? TENSORS.output,
  });
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

function inputProblems(config: ServingConfig): string[] {
  const { server, engine, seldon } = config;
  if (!isTransformed(config) || (engine === "seldon" && seldon.executor.enabled)) return [];
  const front = engine === "seldon" ? "engine seldon without its executor" : `engine ${engine}`;
  return [
    `model.inputs: ${server.kind} takes no JPEG files, and the ${front} puts nothing in front of it that would decode them; send tensors (model.inputs tensor), use ${kindsWith((k) => k.decodes)}, or have them decoded on the way (engine seldon with seldon.executor.enabled, on a cluster with its executor)`,
  ];
}

function protocolProblems(config: ServingConfig): string[] {
  const { server, model, benchmark } = config;
  if (!benchmark.enabled) return [];
  const { kind } = server;
  const spoken = spokenBy(config);
  const protocol: Protocol = benchmark.protocol;
  const inJson = model.inputs === "jpeg" ? ["v2-rest"] : [];
  if (!spoken.includes(protocol) && isTransformed(config))
    return [
      `benchmark.protocol: what decodes files in front of ${kind} does not speak ${protocol}; choose ${spoken.join(", ")}`,
    ];
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

/** The protocols of the server, in the order of its own file; or of what stands in front of it. */
export function spokenBy(config: Pick<Config, "model" | "server">): Protocol[] {
  if (isTransformed(config)) return ["seldon-grpc"];
  const { server } = config;
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
