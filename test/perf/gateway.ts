/**
 * What the way through the gateway costs: both ways measured in turn, and in every other round the other way first, so that a machine
 * that becomes slower or faster meanwhile favours neither. The last part of `npm run bench:path`; alone `npm run bench -- gateway [CLIENTS ...]`.
 */
import { join } from "node:path";
import { run } from "../../local/exec.ts";
import { checkout } from "../../local/paths.ts";
import type { GatewayCost } from "../../stacks/gateway.ts";
import { measure, median } from "./measure.ts";

const rounds = 4;

/** @param clients numbers of clients, one row each */
export async function printGatewayCost(clients: readonly number[]): Promise<void> {
  const config = ["gateway.enabled=true", "benchmark.comparePaths=true", "benchmark.warmup=2", "benchmark.duration=15"];
  await measure([...config, "benchmark.path=gateway"]); // everything is up and warm from here on
  console.log(`\nthrough Istio's gateway over TLS, and straight to the server, ${rounds} times in turn`);
  console.log("clients  p50 ms: gateway - straight = cost (each round)       throughput ratio (each round)  verdicts");
  for (const n of clients) {
    const costs: GatewayCost[] = [];
    for (let round = 0; round < rounds; round++) {
      const path = round % 2 === 0 ? "gateway" : "service";
      await measure([...config, `benchmark.path=${path}`, `benchmark.clients=${n}`]);
      costs.push(await lastCost());
    }
    const p50 = (of: (cost: GatewayCost) => number | null) => median(costs.map((cost) => of(cost) ?? Number.NaN));
    const each = (of: (cost: GatewayCost) => string) => costs.map(of).join(" ");
    const cells = [
      String(n).padStart(7),
      `${p50((c) => c.measured.gateway.p50Ms).toFixed(2)} - ${p50((c) => c.measured.service.p50Ms).toFixed(2)} = ${p50((c) => c.p50Ms).toFixed(2)} (${each((c) => c.p50Ms?.toFixed(2) ?? "-")})`,
      `${median(costs.map((c) => c.throughputRatio)).toFixed(3)} (${each((c) => c.throughputRatio.toFixed(3))})`,
      costs.every(({ valid }) => valid) ? "VALID" : `${costs.filter(({ valid }) => !valid).length} INVALID`,
    ];
    console.log(cells.join("  "));
  }
}

async function lastCost(): Promise<GatewayCost> {
  const text = await run(process.execPath, [join(checkout, "local", "cli.ts"), "outputs"]);
  return (JSON.parse(text) as { gatewayCost: GatewayCost }).gatewayCost;
}

if (import.meta.main) await printGatewayCost(process.argv.length > 2 ? process.argv.slice(2).map(Number) : [1, 3]);
