import { hostname } from "node:os";

/** Name of this node: the Job is told by the cluster, a run by hand has the host's. */
export const nodeName = (): string => process.env.NODE_NAME || hostname();
