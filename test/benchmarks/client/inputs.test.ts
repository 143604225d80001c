import { createHash } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { expect, test } from "vitest";
import { spread } from "../../../benchmarks/client/addresses.ts";
import { drawOrder, readInputs } from "../../../benchmarks/client/inputs.ts";
import { inputsFolder } from "./servers.ts";

test("inputs are read as the manifest describes them", () => {
  const inputs = readInputs(inputsFolder([4, 5]));
  expect(inputs.map(({ name, shape, labels }) => ({ name, shape, labels: [...labels] }))).toEqual([
    { name: "input 0", shape: [3], labels: [4] },
    { name: "input 1", shape: [3], labels: [5] },
  ]);
  expect(inputs[0]!.data.readFloatLE(0)).toBe(4);
});

test("inputs that are not what the manifest says are refused, by name", () => {
  const tampered = inputsFolder();
  writeFileSync(join(tampered, "1.bin"), Buffer.alloc(12));
  expect(() => readInputs(tampered)).toThrow(/1\.bin has SHA-256 .* but the manifest says/);
  const edited = (change: object) => inputsFolder([1], ({ inputs }) => ({ inputs: [{ ...inputs[0], ...change }] }));
  expect(() => readInputs(edited({ shape: [4] }))).toThrow(/12 bytes, but FP32 of shape \[4\] takes 16/);
  expect(() => readInputs(edited({ datatype: "INT8" }))).toThrow(
    /inputs\[0\] \(input 0\): "datatype" must be FP32 or BYTES, not "INT8"/,
  );
  for (const labels of [[], [-1], [""], "cat", [{}]])
    expect(() => readInputs(edited({ labels }))).toThrow(/"labels" must be a list of class indexes or names/);
  expect(() => readInputs(edited({ datatype: "BYTES" }))).toThrow(/"shape" must be \[\] or \[1\] for BYTES, not \[3\]/);
  expect(() => readInputs(edited({ file: "gone.bin" }))).toThrow(/Cannot read the inputs: ENOENT.*gone\.bin/);
  expect(() => readInputs(inputsFolder([1], () => ({ inputs: [] })))).toThrow(/lists no inputs/);
  expect(() => readInputs("/nowhere")).toThrow(/Cannot read the inputs/);
});

test("files are read as they are, with names for labels", () => {
  const files = (shape: number[]) =>
    inputsFolder([1, 2], ({ inputs }) => ({
      inputs: inputs.map((input) => ({ ...input, datatype: "BYTES", shape, labels: ["cat", 3] })),
    }));
  for (const shape of [[], [1]]) {
    const [input] = readInputs(files(shape));
    expect(input).toMatchObject({ datatype: "BYTES", shape, labels: new Set(["cat", 3]) });
    expect(input!.data).toEqual(Buffer.from(new Float32Array([1, 0.1, -2]).buffer));
  }
  const empty = createHash("sha256").digest("hex");
  const folder = inputsFolder([1], ({ inputs }) => ({
    inputs: [{ ...inputs[0], datatype: "BYTES", shape: [], file: "empty.jpg", sha256: empty }],
  }));
  writeFileSync(join(folder, "empty.jpg"), "");
  expect(() => readInputs(folder)).toThrow(/empty\.jpg is empty/);
});

test("inputs of several kinds are refused: a batch could not be made of them", () => {
  const mixed = (change: object) =>
    inputsFolder([1, 2], ({ inputs }) => ({ inputs: [inputs[0], { ...inputs[1], ...change }] }));
  expect(() => readInputs(mixed({ shape: [1, 3] }))).toThrow(
    /input 1 is FP32 of shape \[1,3\], but input 0 is FP32 of shape \[3\]. All inputs must be of one kind/,
  );
  expect(() => readInputs(mixed({ datatype: "BYTES", shape: [] }))).toThrow(/All inputs must be of one kind/);
});

test("the order is the same for the same seed, another for another, and every input comes equally often", () => {
  const take = (seed: number, n: number) => {
    const draw = drawOrder(5, seed);
    return Array.from({ length: n }, draw);
  };
  expect(take(7, 50)).toEqual(take(7, 50));
  expect(take(7, 50)).not.toEqual(take(8, 50));
  const counts = [0, 0, 0, 0, 0];
  for (const index of take(3, 5000)) counts[index]!++;
  expect(counts).toEqual([1000, 1000, 1000, 1000, 1000]);
});

test("no server is left out, and with enough clients each keeps to one", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 60 }), fc.integer({ min: 1, max: 60 }), (lanes, addresses) => {
      const plan = spread(lanes, addresses);
      expect(plan).toHaveLength(lanes);
      const load = Array.from({ length: addresses }, () => 0);
      for (const servers of plan) for (const server of servers) load[server]! += 1 / servers.length;
      expect(Math.min(...load)).toBeGreaterThan(0);
      expect(Math.max(...load) - Math.min(...load)).toBeLessThanOrEqual(1 + 1e-9);
      if (lanes < addresses) expect(Math.max(...load) - Math.min(...load)).toBeCloseTo(0, 9);
      else for (const servers of plan) expect(servers).toHaveLength(1);
    }),
  );
});
