import { experimentKey } from "./key.ts";
import type { Result } from "./result.ts";

/** What there was when a result was measured, beside what was chosen for it. Measured, not planned. */
export interface Environment {
  readonly kernel: string;
  readonly cpuModel: string;
  /** Version of Node.js that ran the load client. */
  readonly nodejs: string;
  readonly clientCpus: string;
  /** CPUs of the servers as they were read back, sorted. */
  readonly serverCpus: readonly string[];
  /** Digests of the images that really ran, sorted. */
  readonly digests: readonly string[];
}

export function environmentOf({ environment }: Pick<Result, "environment">): Environment {
  const { kernel, cpuModel, versions, clientCpus, servers } = environment;
  return {
    kernel,
    cpuModel,
    nodejs: versions.node,
    clientCpus,
    serverCpus: servers.map(({ node, cpusAllowed }) => `${node} ${cpusAllowed ?? "unknown"}`).sort(),
    digests: [...new Set(servers.flatMap(({ images }) => images))].sort(),
  };
}

/**
 * Hash of an environment: results of the same experiment can be put side by side only where it is equal.
 *
 * @returns 12 hexadecimal digits
 */
export const fingerprintOf = (result: Pick<Result, "environment">): string => experimentKey(environmentOf(result));

/** What every experiment on a machine has in common, whatever is deployed there. */
export const MACHINE = ["kernel", "cpuModel", "nodejs"] as const satisfies readonly (keyof Environment)[];

/** One phrase for each thing in which two environments differ, such as `kernel 6.1.0 instead of 5.15.0`; none if they are equal. */
export function environmentChanges<K extends keyof Environment>(
  before: Pick<Environment, K>,
  now: Pick<Environment, K>,
  keys: readonly K[],
): string[] {
  const text = (value: string | readonly string[]) => (typeof value === "string" ? value : value.join(", ")) || "none";
  return keys.flatMap((key) => {
    const [was, is] = [text(before[key]), text(now[key])];
    return was === is ? [] : [`${names[key]} ${is} instead of ${was}`];
  });
}

const names: Readonly<Record<keyof Environment, string>> = {
  kernel: "kernel",
  cpuModel: "CPU model",
  nodejs: "Node.js of the client",
  clientCpus: "CPUs of the client",
  serverCpus: "CPUs of the servers",
  digests: "image digests",
};
