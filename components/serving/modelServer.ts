import type { types } from "@pulumi/kubernetes";
import type { ImageName } from "../images.ts";

type Probe = types.input.core.v1.Probe;
type EnvVar = types.input.core.v1.EnvVar;

/** Protocols a load client can speak. */
export type Protocol =
  | "v2-grpc"
  | "v2-rest"
  | "v2-rest-binary"
  | "tfs-grpc"
  | "tfs-rest"
  | "seldon-grpc"
  | "seldon-rest";

/** Families of protocols of model servers: Open Inference Protocol V2, and TensorFlow Serving's. */
export type Api = "v2" | "tensorflow-serving";

/** Port numbers by what is spoken on them. Several protocols may share one. */
export type Ports = Readonly<Partial<Record<Protocol | "metrics", number>>>;

/**
 * Where every kind of server listens. The numbers are the same for all, so that another kind is no other Service: the ports of an
 * existing one cannot be renumbered in place.
 */
export const GRPC = 8001;
export const HTTP = 8000;
export const METRICS = 8002;

/** Which model of the repository is served, and what its requests carry. */
export interface ServedModel {
  /** Its name in the repository, and in requests. */
  readonly name: string;
  /** `tensor`: numbers as the network takes them. `jpeg`: files, which something in front of the network has to decode. */
  readonly inputs: "tensor" | "jpeg";
}

/** What a kind of server is told. */
export interface ServerArgs {
  readonly image: string;
  readonly model: ServedModel;
  /** Memory of one instance, as a Kubernetes quantity. */
  readonly memory: string;
  /** Threads that compute in one instance. */
  readonly threads: number;
  /** GPUs of one instance. Default 0. */
  readonly gpus?: number;
  /** Inferences that one instance computes at the same time. Default 1. */
  readonly streams?: number;
  /** What it has to speak. */
  readonly api: Api;
}

/** A kind of model server; each has a file that says it. */
export interface ServerKind {
  /** What it can speak; the first is meant when nothing is said. */
  readonly apis: readonly [Api, ...Api[]];
  ports(api: Api): Ports;
  /** The public image that speaks that. */
  image(api: Api): ImageName;
  /** It takes JPEG files by itself, and needs nothing in front of it. */
  readonly decodes: boolean;
  /** It can compute on NVIDIA GPUs. */
  readonly usesGpus: boolean;
  /** It can compute several inferences at the same time in one instance. */
  readonly hasStreams?: boolean;
  /** One sentence for who still asks for it. */
  readonly discontinued?: string;
  build(args: ServerArgs): ModelServer;
}

/** What one model server needs to run in a pod. */
export interface ModelServer {
  /** Name of the container. */
  readonly name: string;
  readonly image: string;
  /** Full command: images may have another entry point. */
  readonly command: readonly string[];
  readonly env: readonly EnvVar[];
  /** Probes name them as `namedPorts` does. */
  readonly ports: Ports;
  /** Folder where the server expects the model's `repository/`. */
  readonly modelPath: string;
  /** Folders in memory that it writes to, with their largest size. They count as its memory. */
  readonly scratch: Readonly<Record<string, string>>;
  readonly memory: string;
  /** NVIDIA GPUs of the container. Default 0. */
  readonly gpus?: number;
  readonly startupProbe: Probe;
  readonly readinessProbe: Probe;
  readonly livenessProbe: Probe;
  /** How long it may take to end. */
  readonly terminationSeconds: number;
}

export interface NamedPort {
  readonly name: "grpc" | "http" | "metrics";
  readonly port: number;
}

/** The ports of a pod, each once. Metrics have a name of their own only where they have a port of their own. */
export function namedPorts(ports: Ports): NamedPort[] {
  const nameOf = (spoken: string) => (spoken === "metrics" ? "metrics" : spoken.endsWith("-grpc") ? "grpc" : "http");
  const order = ["grpc", "http", "metrics"] as const;
  const byNumber = new Map<number, NamedPort>();
  for (const name of order)
    for (const [spoken, port] of Object.entries(ports))
      if (nameOf(spoken) === name && !byNumber.has(port)) byNumber.set(port, { name, port });
  return [...byNumber.values()];
}

/** A probe of a path of the port `http`. */
export const httpGet = (path: string): Probe => ({ httpGet: { path, port: "http" } });
