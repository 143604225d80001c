import { spawn } from "node:child_process";
import { afterEach, expect, test, vi } from "vitest";
import { parseResult } from "../../../benchmarks/result.ts";
import { inputsFolder, restServer, type TestServer } from "./servers.ts";

vi.setConfig({ testTimeout: 60_000 }); // processes start slowly on a busy machine

let server: TestServer | undefined;
afterEach(() => server?.stop());

/** Runs the command line to its end; presses Ctrl-C as soon as `interrupt` says so. */
function client(args: readonly string[], interrupt?: () => boolean) {
  const child = spawn(process.execPath, ["benchmarks/client/main.ts", ...args], { stdio: ["ignore", "pipe", "pipe"] });
  let [out, err] = ["", ""];
  child.stdout.on("data", (chunk) => (out += chunk));
  child.stderr.on("data", (chunk) => (err += chunk));
  const looking = setInterval(() => {
    if (!interrupt?.()) return;
    clearInterval(looking);
    child.kill("SIGINT");
  }, 20);
  child.on("exit", () => clearInterval(looking));
  return new Promise<{ code: number | null; out: string; err: string }>((resolve) =>
    child.on("close", (code) => resolve({ code, out, err })),
  );
}
const against = ({ port }: TestServer) => [
  ...["--url", `http://127.0.0.1:${port}`, "--protocol", "v2-rest", "--model", "model", "--inputs", inputsFolder()],
  ...["--warmup", "0.1", "--duration", "0.5"],
];

test("prints a table, or the result as JSON", async () => {
  server = await restServer({ delayMs: 2 });
  const table = await client(against(server));
  expect(table).toMatchObject({ code: 0, err: "" });
  expect(table.out).toMatch(
    /^load +1 client in a closed loop[\s\S]*throughput +\d+\.\d inferences\/s[\s\S]*verdict +INVALID/,
  );
  const json = await client([...against(server), "--output", "json", "--clients", "2"]);
  const result = parseResult(json.out);
  expect(result.counts.answered).toBeGreaterThan(3);
  expect(result.load.requested).toMatchObject({ clients: 2, durationSeconds: 0.5 });
  expect(result).toMatchObject({ plan: null, key: "", environment: { servers: [], versions: { client: "source" } } });
});

test("Ctrl-C ends it cleanly, with what was measured so far", async () => {
  server = await restServer({ delayMs: 2 });
  const { seen } = server;
  const args = [...against(server), "--warmup", "0", "--duration", "60", "--output", "json"];
  const { code, out } = await client(args, () => seen.requests > 100);
  expect(code).toBe(0);
  const result = parseResult(out);
  expect(result.counts.answered).toBeGreaterThan(5);
  expect(result.verdict.reasons[0]).toMatch(/^The run ended after \d\.\d s of the 60 s asked for/);
});

test("mistakes are one clear sentence", async () => {
  const given = ["--model", "m", "--inputs", inputsFolder()];
  const cases: [string[], RegExp][] = [
    [given, /^Which server\? Give --url, or --host and --port\.\n$/],
    [
      [...given, "--url", "https://a:1"],
      /^--url https:\/\/a:1 begins with https:\/\/; this client speaks http:\/\/ only\.\n$/,
    ],
    [[...given, "--url", "nonsense"], /^--url nonsense is not a URL/],
    [[...given, "--host", "no.such.name.invalid", "--port", "1"], /^The name "no\.such\.name\.invalid" has no address/],
    [
      [...given, "--host", "127.0.0.1", "--port", "1"],
      /^Cannot connect to 127\.0\.0\.1:1: .*ECONNREFUSED.*\nIs the server up/,
    ],
    [[...given, "--host", "a", "--port", "0"], /'0' is invalid\. It must be a whole number from 1/],
    [["--model", "m", "--inputs", "/nowhere", "--host", "127.0.0.1", "--port", "1"], /^Cannot read the inputs: ENOENT/],
  ];
  const results = await Promise.all(cases.map(([args]) => client(args)));
  for (const [i, { code, err }] of results.entries()) {
    expect(err).toMatch(cases[i]![1]);
    expect(err).not.toMatch(/\n +at /);
    expect(code).toBe(1);
  }
});
