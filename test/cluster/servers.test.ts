import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { InputManifest } from "../../benchmarks/spec.ts";
import { kubectl } from "../../local/cluster/cluster.ts";
import { ensure } from "../../local/toolchain/index.ts";
import { cli, configs, judged, quick, result, succeed } from "./cli.ts";

/** Servers other than the one every other test runs, and JPEG files. */
const NAMESPACE = "inference-dev";
const start = (...sets: string[]) => configs(["benchmark.enabled=false", ...sets]);

let model: string;
beforeAll(async () => {
  ({ model } = await ensure(["model"]));
});
afterAll(() => cli("stop", "--purge"));

/** Posts a request of the V2 protocol to the first server, which is reached by its address. */
async function infer(name: string, body: string | Buffer<ArrayBuffer>, headers: Record<string, string> = {}) {
  const where = ["get", "pod", "server-node1-0", "-n", NAMESPACE, "-o", "jsonpath={.status.podIP}"];
  const url = `http://${await kubectl(where)}:8000/v2/models/${name}/infer`;
  const response = await fetch(url, {
    method: "POST",
    body,
    headers,
    signal: AbortSignal.timeout(20_000),
  });
  return {
    status: response.status,
    reply: (await response.json()) as { outputs: { data: unknown[] }[]; error?: string },
  };
}

/** The photos as files, with the names of what is on them; a label is a class or its name. */
const photos = () => {
  const { inputs } = JSON.parse(readFileSync(join(model, "inputs-jpeg", "manifest.json"), "utf8")) as InputManifest;
  return inputs.map(({ file, labels }) => ({
    data: readFileSync(join(model, "inputs-jpeg", file)),
    labels: labels as readonly unknown[],
  }));
};
const image = { name: "image", shape: [1], datatype: "BYTES" };
const outputs = [{ name: "label" }];

describe("MLServer", () => {
  it("serves the same model with the same answers", async () => {
    await succeed("start", ...configs([...quick, "server.kind=mlserver", "benchmark.protocol=v2-grpc"]));
    const { correctness, errors, environment } = await result();
    expect(correctness.checked).toBeGreaterThan(20);
    expect([correctness.wrong, errors.total]).toEqual([0, 0]);
    expect(environment.servers.map(({ cpusAllowed }) => cpusAllowed)).toEqual(["1"]);
  });

  it("answers files with names, and refuses what is no picture", async () => {
    await succeed("start", ...start("server.kind=mlserver", "model.inputs=jpeg"));
    const ask = (data: Buffer) =>
      infer("lite0-jpeg", JSON.stringify({ inputs: [{ ...image, data: [data.toString("base64")] }], outputs }), {
        "content-type": "application/json",
      });
    for (const { data, labels } of photos()) {
      const { status, reply } = await ask(data);
      expect(status).toBe(200);
      expect(labels).toContain(reply.outputs[0].data[0]);
    }
    const { status, reply } = await ask(Buffer.from("no picture"));
    expect([status, reply.error]).toEqual([400, expect.stringContaining("neither a JPEG nor a PNG")]);
  });
});

describe("Triton", () => {
  /** A request with its file behind the JSON. */
  const ask = (data: Buffer) => {
    const length = Buffer.alloc(4);
    length.writeUInt32LE(data.length);
    const parameters = { binary_data_size: data.length + 4 };
    const head = Buffer.from(JSON.stringify({ inputs: [{ ...image, parameters }], outputs }));
    return infer("lite0-jpeg", Buffer.concat([head, length, data]), {
      "inference-header-content-length": String(head.length),
    });
  };

  it("answers the load client's files with the right names", async () => {
    await succeed("start", ...configs([...judged, "model.inputs=jpeg"]));
    const { correctness, counts, errors, environment, verdict } = await result();
    expect([counts.answered, correctness.checked, correctness.wrong, errors.total]).toEqual([1050, 1050, 0, 0]);
    expect(environment.servers.map(({ cpusAllowed }) => cpusAllowed)).toEqual(["1"]);
    expect(verdict).toMatchObject({ valid: true, reasons: [] });
  });

  it("answers files with names, and refuses what is no picture", async () => {
    for (const { data, labels } of photos()) {
      const { status, reply } = await ask(data);
      expect(status).toBe(200);
      expect(labels).toContain(reply.outputs[0].data[0]);
    }
    const cut = photos()[0].data.subarray(0, 5000);
    for (const [data, why] of [
      [Buffer.from("no picture"), "neither a JPEG nor a PNG"],
      [cut, "cannot be decoded"],
    ] as const)
      expect(await ask(data)).toMatchObject({ status: 400, reply: { error: expect.stringContaining(why) } });
    expect((await ask(photos()[0].data)).status).toBe(200);
  });
});
