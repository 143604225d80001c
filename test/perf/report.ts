/** How long a report of many results takes, and how large it is: `npm run bench report [-- RESULTS]`, 500 by default. */
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { seededRandom } from "../../benchmarks/client/random.ts";
import { Samples } from "../../benchmarks/client/samples.ts";
import { fingerprintOf } from "../../benchmarks/fingerprint.ts";
import type { Result } from "../../benchmarks/result.ts";
import { type Settings, writeRun } from "../../benchmarks/sweep/store.ts";
import { run } from "../../local/exec.ts";
import { checkout } from "../../local/paths.ts";
import { resultOf } from "../benchmarks/results.ts";

const results = Number(process.argv[2] ?? 500);
const folder = mkdtempSync(join(tmpdir(), "report-"));
const random = seededRandom(1);
const pick = <T>(values: readonly T[]): T => values[Math.floor(random() * values.length)]!;

for (let at = 0; at < results; at++) store(at);
const began = performance.now();
const report = () => run(process.execPath, [join(checkout, "local", "cli.ts"), "report", folder, "--folder", folder]);
await report();
const seconds = (performance.now() - began) / 1000;
const { size } = statSync(join(folder, "report.html"));
console.log(`report of ${results} results: ${seconds.toFixed(1)} s, report.html ${(size / 1e6).toFixed(2)} MB`);
rmSync(folder, { recursive: true });

/** A result of a sweep over servers and load, as large as one of a minute: 60 parts of the interval, a whole histogram. */
function store(at: number): void {
  const [instances, clients, protocol, batch] = [
    pick([1, 2, 4, 8]),
    pick([1, 2, 4, 8, 16]),
    pick(["v2-grpc", "v2-rest"] as const),
    pick([1, 8]),
  ];
  const settings: Settings = {
    instances,
    "benchmark.protocol": protocol,
    "benchmark.batch": batch,
    "benchmark.clients": clients,
  };
  const throughput = 160 * Math.min(instances, clients) * (1 + 0.05 * random());
  const samples = new Samples();
  for (let i = 0; i < 5000; i++) samples.record((1000 * clients * (1 - Math.log(1 - random()) / 4)) / throughput);
  const plan = { hash: `p${instances}`, instances, clientCpus: "0" };
  const made = resultOf({
    at,
    throughput,
    load: { clients, batch } as never,
    target: { protocol },
    plan,
    valid: random() > 0.05,
  });
  const latency = samples.toJSON();
  const series = Array.from({ length: 60 }, (_, i) => ({ ...made.series[0]!, startSeconds: i, durationSeconds: 1 }));
  const result: Result = {
    ...made,
    series,
    latencyMs: samples.timing(),
    histogram: { latency, serviceTime: latency, slip: latency },
  };
  const cell = Object.values(settings).join("-");
  writeRun(folder, {
    cell,
    run: at,
    stack: "dev",
    settings,
    chosen: {},
    fingerprint: fingerprintOf(result),
    seconds: 60,
    result,
  });
}
