import type { types } from "@pulumi/kubernetes";

type Probe = types.input.core.v1.Probe;

/** Protocols a load client can speak. */
export type Protocol = "v2-grpc" | "v2-rest" | "v2-rest-binary";

/** What one model server needs to run in a pod; each kind of server has a file that says it. */
export interface ModelServer {
  /** Name of the container. */
  readonly name: string;
  readonly image: string;
  /** Full command: images may have another entry point. */
  readonly command: readonly string[];
  readonly env: readonly { readonly name: string; readonly value: string }[];
  /** Ports by what is spoken on them; probes name them `grpc`, `http` and `metrics`. */
  readonly ports: Readonly<Record<Protocol | "metrics", number>>;
  /** Folder where the server expects the model's `repository/`. */
  readonly modelPath: string;
  /** Folders in memory that it writes to, with their largest size. They count as its memory. */
  readonly scratch: Readonly<Record<string, string>>;
  readonly memory: string;
  readonly startupProbe: Probe;
  readonly readinessProbe: Probe;
  readonly livenessProbe: Probe;
  /** How long it may take to end. */
  readonly terminationSeconds: number;
}
