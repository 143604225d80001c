import type * as pulumi from "@pulumi/pulumi";
import { bundleLocustCollector, locustProgram } from "../benchmarks/locust/bundle.ts";
import { LocustRun } from "../benchmarks/locust/run.ts";
import type { Target } from "../benchmarks/spec.ts";
import type { Images } from "../components/images.ts";
import { Locust } from "../components/load/locust.ts";
import type { CpuPlan } from "../components/serving/cpuPlan.ts";
import type { ServiceFacts } from "../components/serving/inferenceService.ts";
import type { FetchArgs } from "../components/storage/fetch/container.ts";
import type { Config } from "./schema.ts";
import { requestsOf, spokenBy } from "./server.ts";

type Parts = Pick<Config, "locust" | "benchmark" | "server" | "model">;
export const LOCUST_PARTS = ["locust", "benchmark", "server", "model"] as const satisfies readonly (keyof Parts)[];

/** What the locustfile speaks. */
const SPOKEN = ["v2-grpc", "v2-rest", "seldon-grpc", "seldon-rest"] as const;
type Spoken = (typeof SPOKEN)[number];

const protocolOf = ({ locust, benchmark }: Pick<Config, "locust" | "benchmark">): Target["protocol"] =>
  locust.protocol ?? benchmark.protocol;

/** One line for everything about Locust that cannot be, with the way out. */
export function locustProblems({ locust, benchmark, server, model }: Parts): string[] {
  if (!locust.enabled) return [];
  const protocol = protocolOf({ locust, benchmark });
  const key = locust.protocol === undefined ? "benchmark.protocol" : "locust.protocol";
  const both = SPOKEN.filter((spoken) => (spokenBy({ model, server }) as readonly string[]).includes(spoken));
  const choice = both.length > 0 ? `choose one of ${both.join(", ")}` : "use a server that speaks one of its protocols";
  if (!SPOKEN.includes(protocol as Spoken))
    return [`${key}: Locust does not speak ${protocol}; set locust.protocol: ${choice}`];
  if (!both.includes(protocol as Spoken))
    return [`${key}: server.kind ${server.kind} does not speak ${protocol}, which Locust is to use; ${choice}`];
  if (protocol === "v2-rest" && model.inputs === "jpeg")
    return [`${key}: v2-rest sends JSON, which cannot hold a JPEG file; let locust.protocol be v2-grpc`];
  return [];
}

export interface LocustPlace {
  readonly namespace: string;
  readonly images: Images;
  readonly service: ServiceFacts;
  readonly plan: CpuPlan;
  /** Where requests come from. */
  readonly inputs: FetchArgs & { readonly subPath: string };
}

/** Locust, if the config asks for it: with its web page, or one run of it. */
export async function locustOf(
  name: string,
  config: Parts,
  place: LocustPlace,
  opts: pulumi.ComponentResourceOptions,
): Promise<Locust | LocustRun | undefined> {
  const { locust, benchmark, server } = config;
  if (!locust.enabled) return undefined;
  const { namespace, images, service, plan, inputs } = place;
  const { users, spawnRate, workers, rerun } = locust;
  const target = targetOf(config, service);
  const shared = { namespace, image: images.locust, inputs, program: locustProgram(), workers };
  const { timeout: timeoutSeconds, seed, thresholds } = benchmark;
  if (!locust.headless) {
    const spec = { target, timeoutSeconds, seed };
    return new Locust(name, { ...shared, spec, mode: { web: { port: locust.port, users, spawnRate } } }, opts);
  }
  return new LocustRun(
    name,
    {
      ...shared,
      target,
      run: { users, spawnRate, durationSeconds: locust.duration, readySeconds: server.readySeconds },
      timeoutSeconds,
      seed,
      thresholds,
      servers: {
        namespace,
        selector: Object.entries(service.selector)
          .map(([key, value]) => `${key}=${value}`)
          .join(","),
        planHash: plan.hash,
        count: plan.nodes.reduce((sum, { instances }) => sum + instances.length, 0),
        readySeconds: server.readySeconds,
        ...(Object.keys(service.cpusByPod).length > 0 ? { cpus: service.cpusByPod } : {}),
      },
      serverImage: service.image,
      rerun,
      node: images.node,
      collector: await bundleLocustCollector(),
    },
    opts,
  );
}

/** Of Locust: where the page is, or what its run measured. */
export const locustOutput = (locust: Locust | LocustRun | undefined) =>
  locust instanceof LocustRun ? { result: locust.result, tables: locust.tables } : (locust?.page ?? null);

function targetOf(config: Parts, service: ServiceFacts): Target {
  const { name: model, input, output } = requestsOf(config);
  const protocol = protocolOf(config);
  const { host, ports } = service.endpoint;
  return { protocol, host, port: ports[protocol]!, model, input, output };
}
