import { mkdtempSync, readdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { text } from "node:stream/consumers";
import { expect, test } from "vitest";
import { debugHeader, debugLines } from "../../../../benchmarks/client/output/debug.ts";
import { GuideOutput } from "../../../../benchmarks/client/output/guide.ts";
import type { Sample } from "../../../../benchmarks/client/recorder.ts";

const sample = (dueAt: number, endedAt: number, rest: Partial<Sample> = {}): Sample => ({
  dueAt,
  sentAt: dueAt + 0.25,
  endedAt,
  server: "10.0.0.1:80",
  input: "dog.jpeg",
  measured: true,
  answer: 248,
  right: true,
  ...rest,
});

async function printed(blocks: readonly (readonly Sample[])[], imagesPerRequest = 1): Promise<string> {
  const guide = new GuideOutput(imagesPerRequest);
  try {
    for (const block of blocks) guide.add(block);
    const out = new PassThrough();
    const [result] = await Promise.all([text(out), guide.print(out).then(() => out.end())]);
    return result;
  } finally {
    guide.close();
  }
}

test("prints the format of the guide, to the letter", async () => {
  // The guide's own example: three images one after the other.
  const start = 1_700_000_000_000;
  const samples = [
    sample(start, start + 53.244),
    sample(start + 53.244, start + 53.244 + 94.234),
    sample(start + 160.842, start + 160.842 + 52.158),
  ];
  expect(await printed([samples.slice(0, 1), [], samples.slice(1)])).toBe(
    "total: 0.213 seconds, throughput 14.08 imgs/s\n53.244\n94.234\n52.158\n",
  );
});

test("the warm-up does not count, and a failed request has no latency", async () => {
  const samples = [
    sample(0, 500, { measured: false }),
    sample(1000, 1500),
    sample(1500, 3000, { failure: "timeout", answer: undefined, right: undefined }),
  ];
  expect(await printed([samples])).toBe("total: 2.000 seconds, throughput 0.50 imgs/s\n500.000\n");
  expect(await printed([samples], 4)).toMatch(/throughput 2\.00 imgs\/s/);
  expect(await printed([])).toBe("total: 0.000 seconds, throughput 0.00 imgs/s\n");
});

test("the total is from the first start to the last end, whichever clients those are of", async () => {
  const samples = [sample(1200, 1300), sample(1000, 2000), sample(1100, 1150)];
  expect(await printed([samples])).toBe("total: 1.000 seconds, throughput 3.00 imgs/s\n100.000\n1000.000\n50.000\n");
});

test("latencies wait in a file that has no name: nothing is left behind", async () => {
  const folder = mkdtempSync(join(tmpdir(), "guide-"));
  const guide = new GuideOutput(1, folder);
  guide.add([sample(0, 1)]);
  expect(readdirSync(folder)).toEqual([]);
  guide.close();
  expect(() => new GuideOutput(1, "/nowhere/at/all")).toThrow(/^Cannot keep the latencies until the end.*ENOENT/);
});

test("a million requests stay flat in memory", async () => {
  const guide = new GuideOutput(1);
  const block = Array.from({ length: 1000 }, (_, i) => sample(i, i + 1.5));
  const before = process.memoryUsage.rss();
  for (let i = 0; i < 1000; i++) guide.add(block);
  let bytes = 0;
  const out = new PassThrough();
  out.on("data", (chunk: Buffer) => (bytes += chunk.length));
  await guide.print(out);
  guide.close();
  const head = "total: 1.000 seconds, throughput 1000000.00 imgs/s\n".length + 1;
  expect(Math.abs(bytes - head - 1e6 * "1.500\n".length)).toBeLessThan(10);
  expect(process.memoryUsage.rss() - before).toBeLessThan(100e6);
});

test("--debug has a line of CSV for each request", () => {
  const at = Date.parse("2026-01-01T00:00:00.125Z");
  const lines = debugLines([
    sample(at, at + 53.2444),
    sample(at, at + 2, { answer: 'Eskimo "dog", husky', right: false, measured: false }),
    sample(at, at + 10, { failure: "grpc UNAVAILABLE", answer: undefined, right: undefined, input: "a,b" }),
  ]);
  expect(debugHeader + lines).toBe(
    [
      "dueAt,latencyMs,serviceTimeMs,slipMs,measured,server,input,outcome,answer",
      "2026-01-01T00:00:00.125Z,53.244,52.994,0.250,true,10.0.0.1:80,dog.jpeg,right,248",
      '2026-01-01T00:00:00.125Z,2.000,1.750,0.250,false,10.0.0.1:80,dog.jpeg,wrong,"Eskimo ""dog"", husky"',
      '2026-01-01T00:00:00.125Z,10.000,9.750,0.250,true,10.0.0.1:80,"a,b",grpc UNAVAILABLE,',
      "",
    ].join("\n"),
  );
});
