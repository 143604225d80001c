import type { Link, Network } from "./network.ts";

/** Everything the cluster's processes need to know. Written by the command line, read inside the namespaces. */
export interface ClusterSpec {
  /** The instance's cluster folder: what all nodes share. */
  readonly folder: string;
  /** Folder of etcd and the Kubernetes binaries. */
  readonly bin: string;
  readonly network: Network;
  /** Reference of the sandbox image. */
  readonly pause: string;
  /** The first also runs the control plane, and the others as parts of itself. */
  readonly nodes: readonly Node[];
}

/** What is chosen of a node. CPUs are Linux lists. */
export interface NodeShape {
  /** Its CPUs; null for all of this machine's. */
  readonly cpus: string | null;
  /**
   * CPUs that the kubelet's static CPU manager keeps for pods that have none of their own: a list, or a quantity of which it
   * takes the next whole number, lowest first. null: no CPU manager.
   */
  readonly sharedCpus: { readonly list: string } | { readonly quantity: string } | null;
}

/** One node. */
export interface Node extends NodeShape {
  readonly name: string;
  /** Data of its containerd, kubelet and pods. */
  readonly folder: string;
  readonly link: Link;
}

/** One process: started in the order of a list, each when the one before is ready. */
export interface Service {
  readonly name: string;
  readonly command: readonly string[];
  /** HTTPS or HTTP address that answers 200 once it serves; authenticated as administrator. */
  readonly ready?: string;
}
