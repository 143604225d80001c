/**
 * How much of the model's raw speed arrives at the client: the whole path (Job, Service, model server, OpenVINO) against
 * OpenVINO in one process on the same core, measured in turn in one run; then the same with two instances on two cores against
 * two processes at once; then through the gateway against past it. `npm run bench:path [-- CLIENTS ...]`.
 */
import { join } from "node:path";
import type { Result } from "../../benchmarks/result.ts";
import { kubectl } from "../../local/cluster/cluster.ts";
import { run } from "../../local/exec.ts";
import { checkout } from "../../local/paths.ts";
import { ensure } from "../../local/toolchain/index.ts";
import { printGatewayCost } from "./gateway.ts";
import { mean, measure } from "./measure.ts";

/** Triton's own account of its requests, in nanoseconds and counts since it started. */
interface Statistics {
  readonly count: number;
  readonly queue: number;
  readonly compute: number;
  readonly total: number;
}

const clients = process.argv.length > 2 ? process.argv.slice(2).map(Number) : [1, 2, 3, 4];
const { model, pythonPath } = await ensure(["model"]);

const config = ["benchmark.warmup=2", "benchmark.duration=15"];
const first = await measure(config); // everything is up and warm from here on
const [server] = first.environment.servers;
const cpu = Number.parseInt(server.cpusAllowed ?? "0", 10);
const raws = [await raw(cpu)];
const rows: { clients: number; result: Result; spent: Statistics }[] = [];
for (const n of clients) {
  const before = await statistics();
  const result = await measure([...config, `benchmark.clients=${n}`]);
  const after = await statistics();
  rows.push({ clients: n, result, spent: difference(before, after) });
  raws.push(await raw(cpu));
}

// Two instances on all cores; the client has none of its own then, and takes what it needs from theirs.
const cores = [0, 1];
const rawPair = async () => (await Promise.all(cores.map(raw))).reduce((sum, rate) => sum + rate);
const pairs = [await rawPair()];
const two: { clients: number; result: Result }[] = [];
for (const n of clients.map((n) => 2 * n)) {
  const sets = ["instances=2", "cpus=2", "reserved.client=0", `benchmark.clients=${n}`];
  two.push({ clients: n, result: await measure([...config, ...sets]) });
  pairs.push(await rawPair());
}

/** Cores that the load client kept busy, the kernel's sending and receiving for it included. */
const clientCores = ({ environment, load }: Result) => environment.clientCpuSeconds / load.achieved.durationSeconds;

const limit = mean(raws);
console.log(
  `raw OpenVINO on CPU ${cpu}, batch 1, one thread: ${raws.map((r) => r.toFixed(0)).join(", ")} images/s, mean ${limit.toFixed(1)}`,
);
console.log("clients  images/s  of raw  latency ms  in server ms: queue + compute + rest  outside server ms  verdict");
for (const { clients, result, spent } of rows) {
  const rate = result.throughput.inferencesPerSecond;
  const latency = result.latencyMs.mean ?? Number.NaN;
  const ms = (nanoseconds: number) => nanoseconds / spent.count / 1e6;
  const cells = [
    String(clients).padStart(7),
    rate.toFixed(1).padStart(9),
    (rate / limit).toFixed(2).padStart(7),
    latency.toFixed(2).padStart(11),
    `${ms(spent.total).toFixed(2)}: ${ms(spent.queue).toFixed(2)} + ${ms(spent.compute).toFixed(2)} + ${ms(spent.total - spent.queue - spent.compute).toFixed(2)}`.padStart(
      39,
    ),
    (latency - ms(spent.total)).toFixed(2).padStart(18),
    result.verdict.valid ? "VALID" : `INVALID: ${result.verdict.reasons.join("; ")}`,
  ];
  console.log(cells.join(" "));
}

const one = Math.max(...rows.map(({ result }) => result.throughput.inferencesPerSecond));
const pairLimit = mean(pairs);
const rawRatio = pairLimit / limit;
console.log(
  `\nraw OpenVINO in two processes at once, on CPUs ${cores.join(" and ")}: ${pairs.map((r) => r.toFixed(0)).join(", ")} images/s, mean ${pairLimit.toFixed(1)}: ${rawRatio.toFixed(2)} times one`,
);
// The client's own CPU time is taken from the servers' cores here, and from a core of its own where there is one server.
console.log("                  as measured                           without the client's CPU time");
console.log("clients  images/s  times one  of raw's  client cores  images/s  times one  of raw's  verdict");
for (const { clients, result } of two) {
  const { throughput, verdict } = result;
  const used = clientCores(result);
  const rate = throughput.inferencesPerSecond;
  const freed = (rate * cores.length) / (cores.length - used);
  const ratios = (value: number) => [
    value.toFixed(1).padStart(9),
    (value / one).toFixed(2).padStart(10),
    (value / one / rawRatio).toFixed(2).padStart(9),
  ];
  const cells = [
    String(clients).padStart(7),
    ...ratios(rate),
    used.toFixed(2).padStart(13),
    ...ratios(freed),
    ` ${verdict.valid ? "VALID" : `INVALID: ${verdict.reasons.join("; ")}`}`,
  ];
  console.log(cells.join(" "));
}

async function raw(cpu: number): Promise<number> {
  const python = join(checkout, "images", "model", "raw.py");
  const text = await run("python3", [python, String(cpu), "5", model], {
    env: { ...process.env, PYTHONPATH: pythonPath },
  });
  return (JSON.parse(text) as { imagesPerSecond: number }).imagesPerSecond;
}

async function statistics(): Promise<Statistics> {
  const address = await kubectl(["get", "pod", server.pod, "-n", "inference-dev", "-o", "jsonpath={.status.podIP}"]);
  const response = await fetch(`http://${address}:8000/v2/models/lite0/stats`);
  const { model_stats } = (await response.json()) as {
    model_stats: { inference_stats: Record<string, { count: number; ns: number }> }[];
  };
  const { success, queue, compute_input, compute_infer, compute_output } = model_stats[0].inference_stats;
  return {
    count: success.count,
    total: success.ns,
    queue: queue.ns,
    compute: compute_input.ns + compute_infer.ns + compute_output.ns,
  };
}

function difference(before: Statistics, after: Statistics): Statistics {
  const restarted = after.count < before.count;
  const less = (key: keyof Statistics) => after[key] - (restarted ? 0 : before[key]);
  return { count: less("count"), queue: less("queue"), compute: less("compute"), total: less("total") };
}

await printGatewayCost(clients);
