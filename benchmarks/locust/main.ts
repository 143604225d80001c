import { readFileSync } from "node:fs";
import { UserError } from "../../error.ts";
import { Kubernetes, podAccess } from "../client/kubernetes.ts";
import { observeServers } from "../client/servers.ts";
import { locustLine, measure } from "./measure.ts";
import type { LocustSpec } from "./spec.ts";
import { waitForMaster } from "./wait.ts";

/** Entry of the bundle that waits for a run of Locust and writes its result: `node collector.cjs SPEC`. */
async function main([file]: readonly string[]): Promise<void> {
  if (!file) throw new UserError("Usage: node collector.cjs SPEC.json");
  const spec: LocustSpec = JSON.parse(readFileSync(file, "utf8"));
  const kubernetes = new Kubernetes(podAccess());
  const say = (text: string) => void process.stdout.write(`${text}\n`);
  const { log, seen, servers } = await waitForMaster(kubernetes, spec, { say });
  const line = locustLine(log);
  const observed = await observeServers(kubernetes, spec.servers, servers);
  const result = measure(
    spec,
    line,
    observed.map((server) => ({ ...server, throttledShare: null })),
    seen,
  );
  const { namespace, configMap } = spec.result;
  for (const [name, text] of Object.entries(line.csv))
    await kubernetes.patchConfigMap(namespace, configMap, `${name}.csv`, text);
  await kubernetes.patchConfigMap(namespace, configMap, "result.json", JSON.stringify(result, null, 2));
  say(`${result.throughput.requestsPerSecond.toFixed(1)} requests/s, ${result.verdict.valid ? "VALID" : "INVALID"}`);
}

main(process.argv.slice(2)).catch((error: unknown) => {
  process.stderr.write(`${error instanceof UserError ? error.message : ((error as Error).stack ?? error)}\n`);
  process.exitCode = 1;
});
