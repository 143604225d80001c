import type { Slo } from "./scaling.ts";

/**
 * What the benchmark component asks of the load client: the whole experiment as data. The component writes it into a
 * ConfigMap, the client in the Job reads it, and its hash is the key under which the result is kept.
 */
export interface BenchmarkSpec {
  /** Hash of everything that was chosen for this experiment; names the Job and the result. */
  readonly key: string;
  readonly target: Target;
  readonly load: Load;
  /** Event loops that share the load in one pod. Default 1. */
  readonly threads?: number;
  /** Further pods that carry an equal share each; absent: the coordinator carries all of it. */
  readonly workers?: WorkerSet;
  /** The coordinator tells how the run goes, and lets an open loop's rate be changed, on this port of its pod. */
  readonly control?: { readonly port: number };
  readonly thresholds: Thresholds;
  /** The servers that must be there, and no others, before anything is measured. */
  readonly servers: ServerSet;
  /** An autoscaler adds and removes servers while it measures; that is measured too. */
  readonly scaling?: {
    readonly slo: Slo;
    /** CPUs that each server requests. */
    readonly coresPerServer: number;
  };
  /** Where the result goes: a ConfigMap that exists already, with an empty `result.json`. */
  readonly result: { readonly namespace: string; readonly configMap: string };
  /** CPU list (Linux list format, such as "0" or "0-1") the client keeps to; absent: it shares the servers' cores. */
  readonly clientCpus?: string;
  /** Echoed into the result: image references, plan, versions of the program. */
  readonly about: Readonly<Record<string, unknown>>;
}

export type ProtocolName =
  | "v2-grpc"
  | "v2-rest"
  | "v2-rest-binary"
  | "tfs-grpc"
  | "tfs-rest"
  | "seldon-grpc"
  | "seldon-rest";

export interface Target {
  readonly protocol: ProtocolName;
  /** DNS name whose addresses (one per server instance) the client spreads its connections over; several with commas. */
  readonly host: string;
  readonly port: number;
  readonly model: string;
  /** Name of the output tensor that holds the answer: per input the scores of all classes, the class's number, or its name. */
  readonly output: string;
  /** Name of the input tensor. Its type and shape come from the inputs' manifest. */
  readonly input: string;
  /** Signature of the model, for TensorFlow Serving. Default `serving_default`. */
  readonly signature?: string;
  /** What comes before the protocol's own path in REST, such as `/seldon/kubeflow/resnet`. Default none. */
  readonly pathPrefix?: string;
  /** Headers (gRPC metadata) of every request, such as `seldon` and `namespace`. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Host name (`Host`, `:authority`) that requests name in the place of the address. */
  readonly authority?: string;
  /** Absent: plain text (HTTP/1.1, or HTTP/2 with prior knowledge for gRPC). */
  readonly tls?: TlsFiles;
}

/** PEM files. With `certFile` and `keyFile` it is mutual TLS. */
export interface TlsFiles {
  /** Certificates to trust. Default: those of Node. */
  readonly caFile?: string;
  readonly certFile?: string;
  readonly keyFile?: string;
  /** Name that the server's certificate must have, and that is sent as SNI. Default: `authority`, else the host. */
  readonly serverName?: string;
}

export type Load = ClosedLoop | OpenLoop | MlperfScenario;

/** What every load has. */
interface AnyLoad {
  /** Load before the measured interval; nothing of it is recorded. */
  readonly warmupSeconds: number;
  /** Seeds the order in which the inputs are drawn, and the arrivals of an open loop. */
  readonly seed: number;
  /** Inputs in one request. Default 1. */
  readonly batch?: number;
  /** A request without a complete reply after this long has failed. Default 10. */
  readonly timeoutSeconds?: number;
}

/** N clients that each send the next request as soon as the last was answered. */
export interface ClosedLoop extends AnyLoad {
  readonly mode: "closed";
  readonly clients: number;
  /** Length of the measured interval; either this or `repeats`. */
  readonly durationSeconds?: number;
  /** Measured requests per client; the warm-up then is `warmupRepeats` requests per client, if given. */
  readonly repeats?: number;
  readonly warmupRepeats?: number;
}

/** Requests that come when they are due, whether or not earlier ones were answered. */
export interface OpenLoop extends AnyLoad {
  readonly mode: "open";
  /** `constant`: at equal distances; `poisson`: at exponentially distributed ones. */
  readonly arrivals: "constant" | "poisson";
  /** One after the other. The warm-up runs at the rate the first one begins with. */
  readonly stages: readonly Stage[];
  /** Connections the requests are spread over. Over HTTP/1.1 it is also the number of requests that can be in flight. */
  readonly connections: number;
}

export interface Stage {
  /** Requests per second. */
  readonly rate: number;
  readonly durationSeconds: number;
  /** The rate rises (or falls) in a line from that of the stage before (0 before the first) to `rate`. Default false. */
  readonly ramp?: boolean;
}

/** The four scenarios of MLPerf Inference, with the query as its unit of latency. */
export interface MlperfScenario extends AnyLoad {
  readonly mode: "mlperf";
  readonly scenario: "SingleStream" | "MultiStream" | "Server" | "Offline";
  /** MLPerf's own if absent; a lower one is said in the result. */
  readonly minDurationSeconds?: number;
  readonly minQueries?: number;
  /** Samples in one query: 1, MultiStream 8, Offline at least 24,576 (it has a single query). */
  readonly samplesPerQuery?: number;
  /** Server only: Poisson arrivals at this rate, in queries per second. */
  readonly targetQps?: number;
  /** Server only: 99 % of the queries must take at most this long. */
  readonly latencyBoundMs?: number;
  /** Connections the requests are spread over. Default: enough for one query. */
  readonly connections?: number;
}

/** What makes a run INVALID. Shares are 0..1. */
export interface Thresholds {
  /** Largest share of requests that may fail. */
  readonly maxErrorRate: number;
  /** Fewest answered requests. */
  readonly minRequests: number;
  /** Largest relative difference of throughput between the halves of a closed loop: it was not steady. */
  readonly maxDrift: number;
  /** Open loop: largest relative difference of the achieved rate from what the schedule asked for. Default 0.01. */
  readonly maxRateError: number;
  /** Open loop: slip p99 may be this many milliseconds (default 1), or `maxSlipShare` of latency p50 (default 0.1) if that is more. */
  readonly maxSlipMs: number;
  readonly maxSlipShare: number;
  /** Largest share of its one CPU that any event loop of the client may use while it measures. Default 0.9. */
  readonly maxClientBusy: number;
  /** Largest share of the kernel's CPU-quota periods in which the client or a server was throttled. Default 0.01. */
  readonly maxThrottled: number;
}

export interface ServerSet {
  readonly namespace: string;
  /** Name that stands for the pods' addresses, where the target is something in front of them. Default: the target's host. */
  readonly host?: string;
  /** Label selector of every server pod of this service, of whichever plan. */
  readonly selector: string;
  /** Value of the label `inference-stack/plan` that the pods must carry. */
  readonly planHash: string;
  /** How many pods must be Ready, and how many may exist. */
  readonly count: number;
  /** So many may exist where an autoscaler decides. Default `count`. */
  readonly max?: number;
  /** How long to wait for that. */
  readonly readySeconds: number;
  /** Planned CPU list by the name of the pod, or of the workload that has this one pod; read back from the pods' logs. Absent: not pinned. */
  readonly cpus?: Readonly<Record<string, string>>;
  /** Where the kubelets are to have put them, by node; compared with what the pods' logs say. Absent: CPUs are planned otherwise, or not. */
  readonly placement?: readonly NodePlacement[];
}

/** The servers of one node that get CPUs of their own from its kubelet, which chooses them. */
export interface NodePlacement {
  /** Value of the node's label `kubernetes.io/hostname`. */
  readonly node: string;
  /** How many CPUs each server has for itself. */
  readonly cpus: number;
  /** By number of the NUMA node: its CPUs, as a Linux list, and how many of the servers are to be on them. */
  readonly numa: readonly { readonly cpus: string; readonly servers: number }[];
}

/** Pods of the worker Job. */
export interface WorkerSet {
  readonly namespace: string;
  /** Label selector of the worker pods. */
  readonly selector: string;
  readonly count: number;
  readonly port: number;
}

/** `inputs/manifest.json`, beside the model in the bucket. */
export interface InputManifest {
  readonly inputs: readonly {
    readonly name: string;
    /** Beside the manifest: raw little-endian tensor bytes, or for BYTES the file itself, such as a JPEG. */
    readonly file: string;
    readonly sha256: string;
    readonly datatype: "FP32" | "BYTES";
    /** Without the batch dimension; for BYTES [], or [1] where the server wants a dimension for the one element (Triton). */
    readonly shape: readonly number[];
    /** Classes that count as a right answer (top-1): their indexes, or their names where the server answers with names. */
    readonly labels: readonly (number | string)[];
  }[];
}
