/**
 * What the benchmark component asks of the load client: the whole experiment as data. The component writes it into a
 * ConfigMap, the client in the Job reads it, and its hash is the key under which the result is kept.
 */
export interface BenchmarkSpec {
  /** Hash of everything that was chosen for this experiment; names the Job and the result. */
  readonly key: string;
  readonly target: Target;
  readonly load: ClosedLoop;
  readonly thresholds: Thresholds;
  /** The servers that must be there, and no others, before anything is measured. */
  readonly servers: ServerSet;
  /** Where the result goes: a ConfigMap that exists already, with an empty `result.json`. */
  readonly result: { readonly namespace: string; readonly configMap: string };
  /** CPU list (Linux list format, such as "0" or "0-1") the client keeps to; absent: it shares the servers' cores. */
  readonly clientCpus?: string;
  /** Echoed into the result: image references, plan, versions of the program. */
  readonly about: Readonly<Record<string, unknown>>;
}

export interface Target {
  readonly protocol: "v2-grpc" | "v2-rest";
  /** DNS name whose addresses (one per server instance) the client spreads its connections over; several with commas. */
  readonly host: string;
  readonly port: number;
  readonly model: string;
  /** Name of the output tensor whose largest entry is the answer. */
  readonly output: string;
  /** Name of the input tensor. Its type and shape come from the inputs' manifest. */
  readonly input: string;
}

/** N clients that each send the next request as soon as the last was answered. */
export interface ClosedLoop {
  readonly mode: "closed";
  readonly clients: number;
  readonly warmupSeconds: number;
  readonly durationSeconds: number;
  /** Seeds the order in which the inputs are drawn. */
  readonly seed: number;
  /** A request without a complete reply after this long has failed. Default 10. */
  readonly timeoutSeconds?: number;
}

/** What makes a run INVALID. */
export interface Thresholds {
  /** Largest share of requests that may fail. 0..1. */
  readonly maxErrorRate: number;
  /** Fewest answered requests. */
  readonly minRequests: number;
  /** Largest relative difference of throughput between the halves of the run: it was not steady. 0..1. */
  readonly maxDrift: number;
}

export interface ServerSet {
  readonly namespace: string;
  /** Label selector of every server pod of this service, of whichever plan. */
  readonly selector: string;
  /** Value of the label `inference-stack/plan` that the pods must carry. */
  readonly planHash: string;
  /** How many pods must be Ready, and how many may exist. */
  readonly count: number;
  /** How long to wait for that. */
  readonly readySeconds: number;
  /** Planned CPU list by the name of the pod, or of the workload that has this one pod; read back from the pods' logs. Absent: not pinned. */
  readonly cpus?: Readonly<Record<string, string>>;
}

/** One entry of `inputs/manifest.json`, beside the model in the bucket. */
export interface InputManifest {
  readonly inputs: readonly {
    readonly name: string;
    /** File of raw little-endian tensor bytes beside the manifest. */
    readonly file: string;
    readonly sha256: string;
    readonly datatype: "FP32";
    /** Without the batch dimension. */
    readonly shape: readonly number[];
    /** Class indexes that count as a right answer (top-1). */
    readonly labels: readonly number[];
  }[];
}
