/**
 * How much later than due our client sends: 2,000 requests/s at random distances from one core, while the machine is
 * otherwise idle. `npm run bench:slip [-- --seconds N] [--rate N]`.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import type { Result } from "../../../benchmarks/result.ts";
import { loaders } from "./loaders.ts";
import { machine } from "./machine.ts";
import { clientCpu, pinned, startNullServer } from "./pinned.ts";
import { grid, percent } from "./ratios.ts";
import { writeRequest } from "./request.ts";
import { tools } from "./tools.ts";

const { values } = parseArgs({
  options: { seconds: { type: "string", default: "20" }, rate: { type: "string", default: "2000" } },
});
const targetMs = 1;
console.log(machine());
const programs = await tools();
const folder = mkdtempSync(join(tmpdir(), "bench-slip-"));
const server = await startNullServer(programs.nullserver);
try {
  const rows = [
    ["", "sent/s", "slip p50 ms", "p99", "p99.9", "max", "latency p50 ms", "p99", "client busy", "verdict"],
  ];
  const worst: number[] = [];
  for (const protocol of ["v2-grpc", "v2-rest"] as const) {
    const task = {
      request: writeRequest(folder, "tiny", protocol),
      port: protocol === "v2-grpc" ? server.grpc : server.rest,
      concurrency: 0,
      seconds: Number(values.seconds) + 1,
      rate: Number(values.rate),
      options: ["--arrivals", "poisson"],
    };
    const { command, args, env } = loaders.ours(task, programs);
    const result = JSON.parse(await pinned(clientCpu, command, args, env).output) as Result;
    const { slipMs, latencyMs, load, verdict, environment } = result;
    const ms = (value: number | null) => value?.toFixed(3) ?? "-";
    worst.push(slipMs.p99 ?? Number.POSITIVE_INFINITY);
    rows.push([
      protocol,
      load.achieved.sentPerSecond.toFixed(0),
      ...[slipMs.p50, slipMs.p99, slipMs.p999, slipMs.max, latencyMs.p50, latencyMs.p99].map(ms),
      percent(Math.max(...environment.clients.map(({ busyShare }) => busyShare))),
      verdict.valid ? "VALID" : `INVALID: ${verdict.reasons.join(" ")}`,
    ]);
  }
  console.log(grid(rows));
  const reached = worst.every((p99) => p99 <= targetMs);
  console.log(
    `slip p99 at most ${Math.max(...worst).toFixed(3)} ms (target: ${targetMs} ms): ${reached ? "reached" : "NOT REACHED"}`,
  );
} finally {
  await server.stop();
  rmSync(folder, { recursive: true, force: true });
}
