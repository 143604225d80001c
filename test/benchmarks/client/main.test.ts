import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Writable } from "node:stream";
import { afterEach, expect, test, vi } from "vitest";
import type { Flags } from "../../../benchmarks/client/cli/options.ts";
import { runByHand } from "../../../benchmarks/client/cli/run.ts";
import { columns } from "../../../benchmarks/client/output/csv.ts";
import { debugHeader } from "../../../benchmarks/client/output/debug.ts";
import { parseResult } from "../../../benchmarks/result.ts";
import { type SeldonServer, seldonServer } from "./seldonServer.ts";
import { inputsFolder, restServer, type TestServer } from "./servers.ts";

vi.setConfig({ testTimeout: 60_000 }); // processes start slowly on a busy machine

let server: TestServer | SeldonServer | undefined;
afterEach(() => server?.stop());

interface Ended {
  code: number | null;
  signal: NodeJS.Signals | null;
  out: string;
  err: string;
}

/** Runs the command line to its end; presses Ctrl-C whenever `interrupt` has become true, as often as `times`. */
function client(
  args: readonly string[],
  interrupt?: () => boolean,
  times = 1,
  onErr = (_: string) => {},
): Promise<Ended> {
  const child = spawn(process.execPath, ["benchmarks/client/main.ts", ...args], { stdio: ["ignore", "pipe", "pipe"] });
  let [out, err] = ["", ""];
  child.stdout.on("data", (chunk) => (out += chunk));
  child.stderr.on("data", (chunk) => {
    err += chunk;
    onErr(err);
  });
  const looking = setInterval(() => {
    if (!interrupt?.()) return;
    child.kill("SIGINT");
    if (--times === 0) clearInterval(looking);
  }, 100);
  child.on("exit", () => clearInterval(looking));
  return new Promise((resolve) => child.on("close", (code, signal) => resolve({ code, signal, out, err })));
}
const against = ({ port }: TestServer) => [
  ...["--url", `http://127.0.0.1:${port}`, "--protocol", "v2-rest", "--model", "model", "--inputs", inputsFolder()],
  ...["--warmup", "0.1"],
];
const short = ["--duration", "0.5"];
const folder = () => mkdtempSync(join(tmpdir(), "client-"));

test("prints a table, or the result as JSON", async () => {
  server = await restServer({ delayMs: 2 });
  const table = await client([...against(server), ...short]);
  expect(table).toMatchObject({ code: 0, err: "" });
  expect(table.out).toMatch(
    /^load +1 client in a closed loop for 0\.5 s, [\s\S]*throughput +\d+\.\d inferences\/s[\s\S]*verdict +INVALID\nbecause/,
  );
  const json = await client([...against(server), ...short, "--output", "json", "--clients", "2", "--threads", "2"]);
  const result = parseResult(json.out);
  expect(result.counts.answered).toBeGreaterThan(3);
  expect(result.load).toMatchObject({ parts: 2, requested: { mode: "closed", clients: 2, durationSeconds: 0.5 } });
  expect(result).toMatchObject({ plan: null, key: "", environment: { servers: [], versions: { client: "source" } } });
});

test("an open loop with stages has a segment for each, also as CSV and hgrm in a file", async () => {
  server = await restServer();
  const load = ["--stages", "40:0.5,/80:0.5", "--arrivals", "constant", "--output"];
  const result = parseResult((await client([...against(server), ...load, "json"])).out);
  expect(result.load.schedule).toMatchObject({ requests: 50 });
  expect(result.segments).toMatchObject([{ requestedRate: 40 }, { requestedRate: 80 }]);

  const files = folder();
  const csv = await client([...against(server), ...load, "csv", "--output-file", join(files, "csv")]);
  expect(csv).toMatchObject({ code: 0, out: "" });
  expect(csv.err).toMatch(/^INVALID: Only 50 requests answered; at least 100 are needed/);
  const lines = readFileSync(join(files, "csv"), "utf8").trimEnd().split("\n");
  expect(lines.map((line) => line.split(",")[0])).toEqual(["segment", "1", "2", "total"]);
  expect(lines[3]!.split(",")[columns.indexOf("answered")]).toBe("50");

  const hgrm = await client([...against(server), ...load, "hgrm"]);
  expect(hgrm.out).toMatch(/^ +Value +Percentile +TotalCount[\s\S]*Total count += +50\]/);
});

test("an MLPerf scenario has its metric, and says which rules were overridden", async () => {
  server = await restServer({ delayMs: 2 });
  const load = ["--scenario", "SingleStream", "--min-duration", "0.5", "--min-queries", "10"];
  const { out } = await client([...against(server), ...load]);
  expect(out).toMatch(
    /^MLPerf +SingleStream, 90th percentile latency: \d+(\.\d+)? ms \(\d+ queries; .* overridden\)$/m,
  );
  expect(out).toMatch(/^note +0\.5 s were asked for; MLPerf SingleStream takes at least 600 s\.$/m);
});

test("the rate can be changed while it runs, by who has the token", async () => {
  server = await restServer();
  let answer: Promise<Response> | undefined;
  const change = (err: string) => {
    const [, token, url] = /Bearer (\S+)' (http:\S+\/rate) /.exec(err) ?? [];
    if (url && !answer)
      answer = fetch(url, { method: "PUT", headers: { authorization: `Bearer ${token}` }, body: '{"rate": 60}' });
  };
  const load = ["--rate", "20", "--duration", "4", "--control-port", "0", "--output", "json"];
  const { out, err } = await client([...against(server), ...load], undefined, 1, change);
  expect(err).toMatch(
    /^How it goes: http:\/\/127\.0\.0\.1:\d+\/#token=\S+\nFor a script: curl http:\S+\/status\nAnother rate: curl /,
  );
  expect((await answer)?.status).toBe(200);
  const result = parseResult(out);
  expect(result.events).toMatchObject([{ rate: 60 }]);
  expect(result.segments.at(-1)).toMatchObject({ requestedRate: 60 });
});

test("shows a line a second on a terminal, and none with --debug", async () => {
  server = await restServer({ delayMs: 5 });
  const flags = {
    url: `http://127.0.0.1:${server.port}`,
    protocol: "v2-rest",
    model: "model",
    inputs: inputsFolder(),
  } as const;
  const shown = async (more: Flags) => {
    let [out, err] = ["", ""];
    const stream = (add: (text: string) => void) => {
      const to = new Writable({
        write(chunk, _, done) {
          add(`${chunk}`);
          done();
        },
      });
      return Object.assign(to, { isTTY: true }) as unknown as NodeJS.WriteStream;
    };
    const code = await runByHand(
      { ...flags, warmup: 0.5, duration: 2, ...more },
      stream((text) => (out += text)),
      stream((text) => (err += text)),
    );
    return { code, out, err };
  };
  const { code, out, err } = await shown({});
  expect(code).toBe(0);
  expect(out).toMatch(/^load /);
  expect(err).toMatch(/^(\d+ s: \d+ requests\/s, p50 [\d.]+ ms, p99 [\d.]+ ms, \d+ in flight\n){1,3}$/);
  expect((await shown({ debug: true })).err).not.toMatch(/in flight/);
});

test("--fail-invalid tells by the exit code", async () => {
  server = await restServer();
  const args = [...against(server), "--repeats", "4", "--warmup", "0", "--fail-invalid"];
  expect(await client(args)).toMatchObject({ code: 3 });
});

test("a dry run says what would be sent and sends nothing", async () => {
  server = await restServer();
  const { seen, port } = server;
  const plan = (...load: string[]) => client([...against(server as TestServer), ...load, "--dry-run"]);
  const open = await plan("--stages", "100:2,/200:2", "--arrivals", "constant", "--header", "a=b");
  expect(open).toMatchObject({ code: 0, err: "" });
  for (const line of [
    /^protocol +v2-rest, plain text$/m,
    new RegExp(`^addresses +127\\.0\\.0\\.1:${port}$`, "m"),
    /^header +a: b$/m,
    /^inputs +3 FP32 tensors of shape \[3\]: input 0, input 1, input 2$/m,
    /^messages +\d+( to \d+)? bytes each, without headers$/m,
    /^load +constant arrivals in an open loop: 100\/s for 2 s, ramp to 200\/s for 2 s/m,
    /^arrivals +0\.000, 10\.000, 20\.000, 30\.000, 40\.000, \.\.\. ms/m,
    /^requests +500, besides the warm-up$/m,
    /^length +4\.1 s/m,
  ])
    expect(open.out).toMatch(line);
  const poisson = await Promise.all([1, 1, 2].map((seed) => plan("--rate", "50", "--seed", `${seed}`)));
  const arrivals = poisson.map(({ out }) => /^arrivals .*$/m.exec(out)?.[0]);
  expect(arrivals[0]).toMatch(/^arrivals +\d+\.\d{3}, /);
  expect(arrivals[1]).toBe(arrivals[0]);
  expect(arrivals[2]).not.toBe(arrivals[0]);
  expect((await plan("--repeats", "5", "--clients", "2", "--warmup", "1")).out).toMatch(
    /^requests +30, after 6 of the warm-up$/m,
  );
  expect(seen).toEqual({ requests: 0, sockets: 0 });
});

/** Three images, their list and the names of their classes, as the guide has them. */
function guideFiles() {
  const at = folder();
  const write = (name: string, text: string) => {
    writeFileSync(join(at, name), text);
    return join(at, name);
  };
  for (const name of ["dog", "zebra", "pelican"]) write(`${name}.jpeg`, name);
  return [
    ...["--input-images-list", write("input_images.txt", "dog.jpeg 248\nzebra.jpeg 340\npelican.jpeg 144\n")],
    ...["--classes-file", write("classes.json", '{"248": "a dog", "340": "a zebra", "144": "a pelican"}')],
    ...["--input-base-path", at],
  ];
}

test("speaks and prints as the guide's client", async () => {
  server = await seldonServer((image) => `a ${image}`);
  const { seen, port } = server;
  const load = ["--ingress", `127.0.0.1:${port}`, "--clients-number", "2", "--repeats", "4", "--warmup", "1"];
  const names = ["--deployment", "resnet", "--namespace", "kubeflow", "--debug", "false"];
  const { code, out, err } = await client([...load, ...names, ...guideFiles(), "--output", "guide"]);
  expect(code).toBe(0);
  const [first, ...latencies] = out.trimEnd().split("\n");
  expect(first).toMatch(/^total: \d+\.\d{3} seconds, throughput \d+\.\d{2} imgs\/s$/);
  expect(latencies).toHaveLength(2 * 4 * 3);
  for (const line of latencies) expect(line).toMatch(/^\d+\.\d{3}$/);
  expect(err).toMatch(/^INVALID: Only 24 requests answered/);
  expect(err).not.toMatch(/wrong/);
  for (const image of ["dog", "zebra", "pelican"]) {
    const times = seen.filter((request) => request.image === image).length;
    expect(times - 2 * 5).toBeLessThanOrEqual(1); // besides the one that tries the server
    expect(times - 2 * 5).toBeGreaterThanOrEqual(0);
  }
  expect(new Set(seen.map(({ deployment, namespace }) => `${namespace}/${deployment}`))).toEqual(
    new Set(["kubeflow/resnet"]),
  );
});

test("sends only the first images under a limit, and tells wrong names from right ones", async () => {
  server = await seldonServer((image) => (image === "dog" ? "a cat" : `a ${image}`));
  const args = ["--ingress", `127.0.0.1:${server.port}`, ...guideFiles(), "--images-limit", "2", "--repeats", "5"];
  const result = parseResult((await client([...args, "--output", "json"])).out);
  expect(result.counts.answered).toBe(10);
  expect(result.correctness).toEqual({ checked: 10, wrong: 5 });
  expect(new Set(server.seen.map(({ image }) => image))).toEqual(new Set(["dog", "zebra"]));
});

test("--debug tells of every request as it ends", async () => {
  server = await restServer({ wrong: (n) => n === 3, fail: (n) => n === 5 });
  const args = [...against(server), "--repeats", "4", "--warmup", "1", "--debug", "--output", "json"];
  const { err, out } = await client(args);
  const result = parseResult(out);
  const lines = err.trimEnd().split("\n");
  expect(`${lines.shift()}\n`).toBe(debugHeader);
  expect(lines).toHaveLength(result.counts.sent + result.counts.warmup);
  expect(lines.filter((line) => line.split(",")[4] === "true")).toHaveLength(12);
  const outcomes = lines.map((line) => line.split(",")[7]);
  expect(outcomes.filter((outcome) => outcome !== "right").sort()).toEqual(["http 503", "wrong"]);
});

test("Ctrl-C ends it cleanly, with what was measured so far", async () => {
  server = await restServer({ delayMs: 2 });
  const { seen } = server;
  const args = [...against(server), "--warmup", "0", "--duration", "60", "--output", "json"];
  const { code, out } = await client(args, () => seen.requests > 100);
  expect(code).toBe(0);
  const result = parseResult(out);
  expect(result.counts.answered).toBeGreaterThan(5);
  expect(result.verdict.reasons[0]).toMatch(/^The run ended after \d+\.\d s of the 60 s asked for/);
});

test("Ctrl-C prints the guide's lines of what was measured so far", async () => {
  server = await seldonServer((image) => `a ${image}`);
  const { seen, port } = server;
  const args = ["--ingress", `127.0.0.1:${port}`, ...guideFiles(), "--repeats", "10000000", "--output", "guide"];
  const { code, out, err } = await client(args, () => seen.length > 100);
  expect(code).toBe(0);
  expect(out.trimEnd().split("\n").length).toBeGreaterThan(50);
  expect(out).toMatch(/^total: /);
  expect(err).toMatch(/^INVALID: The run ended after/);
});

test("a second Ctrl-C ends it at once", async () => {
  server = await restServer({ hang: (n) => n > 1 });
  const { seen } = server;
  const args = [...against(server), "--warmup", "0", "--duration", "60", "--timeout", "60"];
  const { signal, out } = await client(args, () => seen.requests > 1, 2);
  expect({ signal, out }).toEqual({ signal: "SIGINT", out: "" });
});

test("mistakes are one clear sentence", async () => {
  const given = ["--model", "m", "--inputs", inputsFolder()];
  const closed = [...given, "--host", "127.0.0.1", "--port", "1"];
  const cases: [string[], RegExp][] = [
    [given, /^Which server\? Give --url, or --host and --port, or the guide's --ingress HOST:PORT\.\n$/],
    [[...given, "--host", "no.such.name.invalid", "--port", "1"], /^The name "no\.such\.name\.invalid" has no address/],
    [closed, /^Cannot connect to 127\.0\.0\.1:1: .*ECONNREFUSED.*\nIs the server up/],
    [[...given, "--host", "a", "--port", "0"], /'0' is invalid\. It must be a whole number from 1/],
    [["--model", "m", "--inputs", "/nowhere", "--host", "127.0.0.1", "--port", "1"], /^Cannot read the inputs: ENOENT/],
    [[...closed, "--rate", "5", "--clients", "2"], /^--clients 2 belongs to a closed loop, but --rate 5/],
    [[...closed, "--output-file", "/nowhere/at/all"], /^Cannot write --output-file \/nowhere\/at\/all: ENOENT/],
    [[...closed, "--clinets", "2"], /unknown option '--clinets'\n\(Did you mean --clients\?\)/],
    [[...closed, "--tls", "--ca-file", "/nowhere.pem"], /\/nowhere\.pem/],
  ];
  const results = await Promise.all(cases.map(([args]) => client(args)));
  for (const [i, { code, err }] of results.entries()) {
    expect(err).toMatch(cases[i]![1]);
    expect(err).not.toMatch(/\n +at /);
    expect(code).toBe(1);
  }
});
