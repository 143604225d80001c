import { readFileSync } from "node:fs";
import type { Result } from "../benchmarks/result.ts";
import type { GatewayArgs, KeyPair } from "../components/gateway/gateway.ts";
import { daysLeft, type GivenPems, pemProblems } from "../components/tls/check.ts";
import type { Config } from "./schema.ts";

type Parts = Pick<Config, "gateway" | "benchmark" | "cluster" | "engine" | "seldon">;
type Tls = Config["gateway"]["tls"] | Config["gateway"]["mtls"];
export const GATEWAY_PARTS = [
  "gateway",
  "benchmark",
  "cluster",
  "engine",
  "seldon",
] as const satisfies readonly (keyof Parts)[];

/** The files that the config names, read. It must be free of `gatewayProblems`. */
export function gatewayFiles({
  gateway: { tls, mtls },
}: Pick<Config, "gateway">): Pick<GatewayArgs, "certificate" | "certificateCa" | "clientCa" | "client"> {
  const text = (file: string | undefined) => (file === undefined ? undefined : readFileSync(file, "utf8"));
  const pair = ({ certificateFile, keyFile }: Tls): KeyPair | undefined =>
    certificateFile !== undefined && keyFile !== undefined
      ? { certificate: text(certificateFile)!, key: text(keyFile)! }
      : undefined;
  return {
    certificate: pair(tls),
    certificateCa: text(tls.caFile),
    ...(mtls.enabled ? { clientCa: text(mtls.caFile), client: pair(mtls) } : {}),
  };
}

const SOON_DAYS = 14;

/** One sentence for what is allowed and yet no good idea. The config must be free of `gatewayProblems`. */
export function gatewayWarnings(config: Pick<Config, "gateway">, now = new Date()): string[] {
  if (!config.gateway.enabled) return [];
  const { certificate, client } = gatewayFiles(config);
  const of = { "gateway.tls.certificateFile": certificate, "gateway.mtls.certificateFile": client };
  return Object.entries(of).flatMap(([key, pair]) => {
    const left = pair ? daysLeft(pair.certificate, now) : SOON_DAYS;
    return left < SOON_DAYS ? [`${key}: it expires in ${Math.floor(left)} days; renew it and deploy again`] : [];
  });
}

/** One line for everything about the gateway that cannot be, with the way out. */
export function gatewayProblems(config: Parts, now = new Date()): string[] {
  const { gateway, benchmark } = config;
  const isUsed = benchmark.enabled && (benchmark.path === "gateway" || benchmark.comparePaths);
  if (!gateway.enabled)
    return isUsed
      ? [
          `benchmark.${benchmark.path === "gateway" ? "path: gateway" : "comparePaths: true"} needs a gateway; set gateway.enabled to true, or leave it out`,
        ]
      : [];
  return [...placeProblems(config), ...(isUsed ? usageProblems(config) : []), ...tlsProblems(config, isUsed, now)];
}

function placeProblems({ gateway, cluster, seldon, engine }: Parts): string[] {
  const problems: string[] = [];
  if (gateway.mode !== "manifests" && cluster.kind === "embedded")
    problems.push(
      `gateway.mode: ${JSON.stringify(gateway.mode)} is not possible on the embedded cluster, which has only the images that are built here; use manifests`,
    );
  const taken = ["istio-system", ...(engine === "seldon" ? [seldon.namespace] : [])];
  if (gateway.mode === "manifests" && taken.includes(gateway.namespace))
    problems.push(
      `gateway.namespace: ${gateway.namespace} is somebody else's already, and istiod hands the gateway any Secret in its namespace; give it one of its own, such as istio-ingress`,
    );
  return problems;
}

function usageProblems({ gateway, benchmark, engine, seldon }: Parts): string[] {
  const problems: string[] = [];
  if (benchmark.timeout > gateway.timeout)
    problems.push(
      `benchmark.timeout: ${benchmark.timeout} s is longer than gateway.timeout, after which the gateway itself ends a request; raise gateway.timeout to at least ${benchmark.timeout}`,
    );
  if (engine === "seldon" && seldon.executor.enabled)
    problems.push(
      "benchmark.path: the gateway's route by host leads to the servers themselves and not to seldon.executor, so the two ways could not be compared; leave the executor out, or measure with benchmark.path service",
    );
  return problems;
}

function tlsProblems({ gateway: { host, tls, mtls } }: Parts, isUsed: boolean, now: Date): string[] {
  const problems = [...fileProblems("gateway.tls", tls, { host, now })];
  if (!mtls.enabled) return problems;
  if (mtls.caFile === undefined && tls.certificateFile !== undefined)
    problems.push(
      "gateway.mtls.caFile: is missing; with a certificate of your own (gateway.tls.certificateFile) it says which authority vouches for the clients",
    );
  if (mtls.caFile !== undefined && mtls.certificateFile === undefined && isUsed)
    problems.push(
      "gateway.mtls.certificateFile: is missing, and so is keyFile; without them the load client cannot get through the gateway",
    );
  if (mtls.caFile === undefined && mtls.certificateFile !== undefined)
    problems.push(
      "gateway.mtls.caFile: is missing; it has to hold the authority that vouches for certificateFile. Or leave all three out, and the stack makes its own",
    );
  return [...problems, ...fileProblems("gateway.mtls", mtls, { now })];
}

/** What is wrong with a certificate, its key and its authority, each by its key in the config. */
function fileProblems(key: string, files: Tls, options: { host?: string; now: Date }): string[] {
  const { certificateFile, keyFile, caFile } = files;
  if ((certificateFile === undefined) !== (keyFile === undefined)) {
    const [there, missing] =
      certificateFile === undefined ? ["keyFile", "certificateFile"] : ["certificateFile", "keyFile"];
    return [`${key}.${missing}: is missing, and ${there} is there; give both, or neither`];
  }
  const problems: string[] = [];
  const read = (name: string, file: string | undefined): string | undefined => {
    if (file === undefined) return undefined;
    try {
      return readFileSync(file, "utf8");
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      problems.push(
        `${key}.${name}: ${file} cannot be read (${code}); paths are from the folder of Pulumi.yaml, or absolute`,
      );
      return undefined;
    }
  };
  const [certificate, own, ca] = [
    read("certificateFile", certificateFile),
    read("keyFile", keyFile),
    read("caFile", caFile),
  ];
  if (certificate === undefined || own === undefined) return problems;
  const names: Record<keyof GivenPems, string> = { certificate: "certificateFile", key: "keyFile", ca: "caFile" };
  const found = pemProblems({ certificate, key: own, ca }, options);
  return [
    ...problems,
    ...found.map(({ of, text }) => `${key}.${names[of]}: ${files[names[of] as keyof typeof files]} ${text}`),
  ];
}

export type Path = Config["benchmark"]["path"];

/** What the gateway costs: the same load both ways, one right after the other. */
export interface GatewayCost {
  /** Median latency through the gateway, less that of the straight way, in milliseconds; null if one has too few samples. */
  readonly p50Ms: number | null;
  /** Inferences per second through the gateway, as a share of those of the straight way. */
  readonly throughputRatio: number;
  /** Both measurements are. */
  readonly valid: boolean;
  /** By the way: what was measured. */
  readonly measured: Readonly<
    Record<Path, { readonly p50Ms: number | null; readonly inferencesPerSecond: number; readonly key: string }>
  >;
}

/** @param path way of the first result; the second went the other */
export function costOf(path: Path, first: Result, second: Result): GatewayCost {
  const [gateway, service] = path === "gateway" ? [first, second] : [second, first];
  const measured = ({ latencyMs, throughput, key }: Result) => ({
    p50Ms: latencyMs.p50,
    inferencesPerSecond: throughput.inferencesPerSecond,
    key,
  });
  const [a, b] = [gateway.latencyMs.p50, service.latencyMs.p50];
  return {
    p50Ms: a === null || b === null ? null : a - b,
    throughputRatio: gateway.throughput.inferencesPerSecond / service.throughput.inferencesPerSecond,
    valid: gateway.verdict.valid && service.verdict.valid,
    measured: { gateway: measured(gateway), service: measured(service) },
  };
}
