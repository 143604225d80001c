/**
 * How much memory our client takes for ten million recorded requests, and when it writes a line for each of a million.
 * `npm run bench:memory [-- --requests N]`, about three minutes.
 */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import type { Result } from "../../../benchmarks/result.ts";
import { loaders } from "./loaders.ts";
import { machine } from "./machine.ts";
import { clientCpu, pinned, startNullServer } from "./pinned.ts";
import { grid } from "./ratios.ts";
import { writeRequest } from "./request.ts";
import { tools } from "./tools.ts";

const { values } = parseArgs({ options: { requests: { type: "string", default: "10000000" } } });
const clients = 16;
const targetMegabytes = 150;
console.log(machine());
const programs = await tools();
const folder = mkdtempSync(join(tmpdir(), "bench-memory-"));
const server = await startNullServer(programs.nullserver);
try {
  const request = writeRequest(folder, "tiny", "v2-grpc");
  const rows = [["", "requests", "answered", "MB after a tenth", "after a half", "largest", "requests/s"]];
  const largest = [];
  for (const [name, share, options] of [
    ["recorded", 1, []],
    ["with --debug", 0.1, ["--debug"]],
  ] as const) {
    const repeats = Math.ceil((Number(values.requests) * share) / clients);
    const task = { request, port: server.grpc, concurrency: clients, seconds: 1, options };
    const { command, args, env } = loaders.ours(task, programs);
    const file = join(folder, "result.json");
    const before = await server.answered();
    const [warmup, duration] = [args.indexOf("--warmup"), args.indexOf("--duration")];
    const counted = args.filter((_, i) => ![warmup, warmup + 1, duration, duration + 1].includes(i));
    const began = performance.now();
    const client = pinned(
      clientCpu,
      "sh",
      [
        ...["-c", `exec "$@" 2>/dev/null`, "sh", command, ...counted],
        ...["--repeats", String(repeats), "--output-file", file],
      ],
      env,
    );
    const looks: { megabytes: number; answered: number }[] = [];
    const look = async () =>
      looks.push({ megabytes: residentMegabytes(client.pid), answered: (await server.answered()) - before });
    const timer = setInterval(look, 500);
    await client.output.finally(() => clearInterval(timer));
    const seconds = (performance.now() - began) / 1000;
    const { counts } = JSON.parse(readFileSync(file, "utf8")) as Result;
    const after = (part: number) => looks.find(({ answered }) => answered >= part * repeats * clients)?.megabytes;
    largest.push(Math.max(...looks.map(({ megabytes }) => megabytes)));
    rows.push([
      name,
      String(repeats * clients),
      String(counts.answered),
      ...[after(0.1), after(0.5), largest.at(-1)].map((megabytes) => megabytes?.toFixed(0) ?? "-"),
      (counts.answered / seconds).toFixed(0),
    ]);
  }
  console.log(grid(rows));
  const most = Math.max(...largest);
  console.log(
    `at most ${most.toFixed(0)} MB resident (target: ${targetMegabytes} MB): ${most <= targetMegabytes ? "reached" : "NOT REACHED"}`,
  );
} finally {
  await server.stop();
  rmSync(folder, { recursive: true, force: true });
}

/** The most it has had so far; 0 once it has ended. */
function residentMegabytes(pid: number): number {
  try {
    return Number(/^VmHWM:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? 0) / 1024;
  } catch {
    return 0;
  }
}
