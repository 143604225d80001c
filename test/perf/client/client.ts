/**
 * Our client against its peers: CPU time per request and the highest rate from one core, against a server that does
 * nothing, and through Triton. `npm run bench:client [-- --json] [--seconds N] [--rounds N]`.
 * `--case NAME` and `--tool NAME` (repeatable) leave the others out.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { UserError } from "../../../error.ts";
import { median } from "../measure.ts";
import { type Case, cases } from "./cases.ts";
import { machine } from "./machine.ts";
import { type Measured, measure, type Server } from "./measure.ts";
import { clientCpu, serverCpu, startNullServer } from "./pinned.ts";
import { best, type CaseResult, ceiling, type Figure, ratios, table } from "./ratios.ts";
import { type Request, writeBody, writeRequest } from "./request.ts";
import { tools } from "./tools.ts";
import { startTriton } from "./triton.ts";

const { values } = parseArgs({
  options: {
    json: { type: "boolean", default: false },
    seconds: { type: "string", default: "4" },
    rounds: { type: "string", default: "3" },
    case: { type: "string", multiple: true },
    tool: { type: "string", multiple: true },
  },
});
const wanted = choose();
const programs = await tools();
machine(); // says so before anything is measured if it will not do
const folder = mkdtempSync(join(tmpdir(), "bench-client-"));
const stop: (() => unknown)[] = [() => rmSync(folder, { recursive: true, force: true })];
try {
  const results: CaseResult[] = [];
  const nullServer = await startNullServer(programs.nullserver);
  stop.unshift(nullServer.stop);
  for (const one of wanted.filter(({ server }) => server === "null"))
    results.push(await compare(one, nullServer, writeRequest(folder, one.size, one.protocol)));
  const realCases = wanted.filter(({ server }) => server === "triton");
  if (realCases.length > 0) {
    const triton = await startTriton(folder);
    stop.unshift(triton.stop);
    for (const one of realCases) {
      const about = { protocol: one.protocol, model: "lite0" } as const;
      const body = writeBody(folder, "photo", about, triton.inputs);
      results.push(await compare(one, triton, { ...about, inputs: triton.inputs, body }));
    }
  }
  if (values.json) {
    const figures = results.flatMap((result) =>
      best(result).map(({ tool, cpuMicrosPerRequest, requestsPerSecond, p99Ms }) => ({
        case: result.about.name,
        tool,
        cpuMicrosPerRequest,
        requestsPerSecond,
        p99Ms,
      })),
    );
    console.log(JSON.stringify({ cases: figures }, null, 2));
  } else {
    console.log(`${machine()}; server on CPU ${serverCpu}, client on CPU ${clientCpu}\n`);
    console.log(results.map(table).join("\n\n"));
    console.log("\n* counts: the number in flight at which the tool is fastest\n");
    console.log(results.map(ceiling).join("\n"));
    console.log(`\n${results.flatMap((result) => ratios(result).map(({ text }) => text)).join("\n")}`);
  }
} finally {
  for (const end of stop) await end();
}

function choose(): Case[] {
  const { case: names = cases.map(({ name }) => name), tool: chosen } = values;
  const unknown = names.find((name) => !cases.some((one) => one.name === name));
  if (unknown) {
    const known = cases.map(({ name }) => name).join(", ");
    throw new UserError(`--case ${unknown} is not one of ${known}.`);
  }
  return cases
    .filter(({ name }) => names.includes(name))
    .map((one) => ({ ...one, tools: one.tools.filter((tool) => !chosen || chosen.includes(tool)) }));
}

/** The tools in turn, round by round, so that a machine that changes its speed does so for all of them. */
async function compare(one: Case, server: Server, request: Request): Promise<CaseResult> {
  const runs = one.tools.flatMap((tool) => one.concurrency.map((concurrency) => ({ tool, concurrency })));
  const measured = runs.map((): Measured[] => []);
  for (let round = 1; round <= Number(values.rounds); round++) {
    for (const [i, { tool, concurrency }] of runs.entries()) {
      const result = await measure(tool, { request, concurrency }, Number(values.seconds), server, programs);
      measured[i]!.push(result);
      console.error(
        `${one.name} ${tool} at ${concurrency}, round ${round}: ${result.requestsPerSecond.toFixed(0)}/s, ${result.cpuMicrosPerRequest.toFixed(1)} us`,
      );
    }
  }
  const figures = runs.map(({ tool, concurrency }, i): Figure => {
    const all = measured[i]!;
    const middle = (value: (one: Measured) => number) => median(all.map(value));
    return {
      tool,
      concurrency,
      requestsPerSecond: middle((m) => m.requestsPerSecond),
      cpuMicrosPerRequest: middle((m) => m.cpuMicrosPerRequest),
      p99Ms: middle((m) => m.report.p99 ?? Number.NaN),
      serverMicrosPerRequest: middle((m) => m.serverMicrosPerRequest),
      others: Math.max(...all.map((m) => m.others)),
      failed: all.reduce((sum, m) => sum + m.report.failed, 0),
    };
  });
  return { about: one, figures };
}
