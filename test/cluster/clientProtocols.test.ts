import { createHash } from "node:crypto";
import { cpSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Input, readInputs } from "../../benchmarks/client/inputs.ts";
import type { Target } from "../../benchmarks/spec.ts";
import { ensure } from "../../local/toolchain/index.ts";
import { ask, connect, file, refusal, send, targetOf } from "../benchmarks/client/protocols/exchange.ts";
import { startTriton, type Triton } from "../perf/client/triton.ts";

/**
 * The client's V2 protocols against the real Triton, started by hand on this machine with the stack's model and one of the
 * tests' own that takes JPEGs and answers with names.
 */
const folder = mkdtempSync(join(tmpdir(), "protocols-"));
let triton: Triton;
let tensors: Input[];
let photos: Input[];

beforeAll(async () => {
  const { model, pythonPath } = await ensure(["model"]);
  const repository = join(folder, "repository");
  cpSync(join(model, "repository"), repository, { recursive: true });
  cpSync(join(import.meta.dirname, "photo"), join(repository, "photo"), { recursive: true });
  process.env["PHOTO_PYTHONPATH"] = pythonPath.split(delimiter)[1];
  triton = await startTriton(folder, ["lite0", "photo"], repository);
  tensors = readInputs(triton.inputs);
  photos = ["coffee", "chelsea", "rocket"].map((name) =>
    photo(readFileSync(join(dirname(triton.inputs), "inputs-jpeg", `${name}.jpg`))),
  );
});
afterAll(async () => {
  await triton?.stop();
  rmSync(folder, { recursive: true, force: true });
});

const photo = (data: Buffer): Input => ({ ...file(data), shape: [1] }); // Triton's models have a dimension for the element

describe.each(["v2-grpc", "v2-rest", "v2-rest-binary"] as const)("%s", (protocol) => {
  const to = (more: Partial<Target> = {}) =>
    targetOf(protocol, protocol === "v2-grpc" ? triton.grpc : triton.rest, { model: "lite0", ...more });
  const photoTo = (output: string) => to({ model: "photo", input: "image", output });
  const generous = { timeoutMs: 60_000 };

  test("the sample photos are what they show, alone and in batches", async () => {
    for (const batch of [...tensors.map((input) => [input]), tensors.slice(0, 2), tensors.slice(0, 5)]) {
      const answers = await ask(to(), batch, generous);
      expect(answers).toHaveLength(batch.length);
      for (const [i, { labels }] of batch.entries()) expect(labels).toContain(answers[i]);
    }
  });

  test("files arrive as they are, and names, numbers and scores come back", async () => {
    const digest = ({ data }: Input) => createHash("sha256").update(data).digest("hex");
    expect(await ask(photoTo("label"), photos.slice(0, 1), generous)).toEqual([digest(photos[0]!)]);
    expect(await ask(photoTo("label"), photos, generous)).toEqual(photos.map(digest));
    expect(await ask(photoTo("long"), photos, generous)).toEqual(photos.map(({ data }) => data.length));
    expect(await ask(photoTo("double"), photos, generous)).toEqual([1, 1, 1]);
    for (const width of await ask(photoTo("number"), photos, generous)) expect(width).toBeGreaterThan(100);
  });

  test("what the server refuses is its own sentence", async () => {
    const kind = protocol === "v2-grpc" ? "grpc" : "http";
    const [input] = tensors;
    expect(await ask(to({ model: "nothing" }), [input!])).toMatch(
      new RegExp(`^${kind} (NOT_FOUND|404|400): .*unknown model: 'nothing' is not found`),
    );
    expect(
      await ask(to(), [{ ...input!, shape: [3, 224, 112], data: input!.data.subarray(0, input!.data.length / 2) }]),
    ).toMatch(new RegExp(`^${kind} (INVALID_ARGUMENT|400): .*unexpected shape for input 'data'`));
    expect(await ask(to({ input: "wrong" }), [input!])).toMatch(
      new RegExp(`^${kind} (INVALID_ARGUMENT|400): .*input 'wrong'`),
    );
    expect(await ask(to({ output: "wrong" }), [input!])).toMatch(
      new RegExp(`^${kind} (INVALID_ARGUMENT|400): .*output 'wrong'`),
    );
    expect(await ask(photoTo("label"), [photo(Buffer.from([0xff, 0xd8, 1]))])).toMatch(
      new RegExp(`^${kind} (INVALID_ARGUMENT|400): .*not a JPEG`),
    );
  });

  test("a reply that comes too late is a timeout, and the connection goes on", async () => {
    const { protocol: spoken, connection } = await connect(photoTo("label"), { timeoutMs: 1500 });
    const late = await send(connection, spoken.encode([photo(Buffer.from("wait"))])); // for three seconds
    expect(late).toMatchObject({ kind: "timeout", detail: "no complete reply within 1500 ms" });
    await expect
      .poll(async () => (await send(connection, spoken.encode(photos.slice(0, 1)))).reply, { timeout: 30_000 })
      .toBeDefined();
    connection.close();
  });

  test("the wrong one of the server's ports is one sentence", async () => {
    const wrong = targetOf(protocol, protocol === "v2-grpc" ? triton.rest : triton.grpc);
    const refused = await refusal(wrong, { timeoutMs: 2000 });
    const said = refused === "connected" ? await ask(wrong, tensors.slice(0, 1), { timeoutMs: 2000 }) : refused;
    expect(said).toMatch(/this may (not )?be (a|its|the server's) (gRPC|REST) port|the server closed the connection/);
  });

  test("a request costs little more on the wire than its tensor", async () => {
    const { protocol: spoken, connection } = await connect(to(), generous);
    const message = spoken.encode(tensors.slice(0, 1));
    for (let i = 0; i < 4; i++) expect((await send(connection, message)).reply).toBeDefined();
    const { sent, received, bodySent, bodyReceived } = connection.bytes();
    connection.close();
    expect(bodySent).toBe(4 * message.body.length);
    expect(sent - bodySent).toBeGreaterThan(0);
    expect(sent - bodySent).toBeLessThan(4 * 700);
    expect(received - bodyReceived).toBeGreaterThan(0);
    if (protocol !== "v2-rest") expect(bodySent / 4 - tensors[0]!.data.length).toBeLessThan(200);
  });
});
