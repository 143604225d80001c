import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Input } from "../../../benchmarks/client/inputs.ts";
import type { Target } from "../../../benchmarks/spec.ts";
import { ask, exchange, type PythonServer, photos, startServer, tensors, truth } from "./server.ts";

let server: PythonServer;
beforeAll(async () => {
  server = await startServer("tfs");
});
afterAll(() => server?.stop());

type Protocol = "tfs-grpc" | "tfs-rest";

/** By default tensors to the default signature; files have a signature of their own. */
const target = (protocol: Protocol, model: string, batch: readonly Input[], more: Partial<Target> = {}): Target => ({
  protocol,
  host: "127.0.0.1",
  port: protocol === "tfs-grpc" ? server.grpc : server.http,
  model,
  output: "probabilities",
  ...(batch[0]!.datatype === "BYTES" ? { input: "image_bytes", signature: "images" } : { input: "x" }),
  ...more,
});

const kinds = [
  ["tensor", tensors],
  ["JPEG", photos],
] as const;
const all = (inputs: readonly Input[]) => inputs.map(({ data }) => truth(data));

describe.each(kinds)("a %s", (_, inputs) => {
  const one = inputs.slice(0, 1);

  it.each(["scores", "scores-packed", "scores-double", "classes", "classes-packed", "classes-int32"])(
    "goes to TensorFlow Serving and comes back as %s, alone and four at once",
    async (model) => {
      const models: [Protocol, string][] = [
        ["tfs-grpc", model],
        ["tfs-rest", model],
        ["tfs-rest", `${model}-single`],
      ];
      for (const [protocol, name] of models)
        for (const batch of [one, inputs])
          expect(await ask(target(protocol, name, batch), batch)).toEqual(all(batch).map(({ index }) => index));
    },
  );

  it("comes back as labels", async () => {
    for (const protocol of ["tfs-grpc", "tfs-rest"] as const)
      for (const batch of [one, inputs])
        expect(await ask(target(protocol, "labels", batch), batch)).toEqual(all(batch).map(({ label }) => label));
  });
});

describe("TensorFlow Serving's refusals", () => {
  const failed = (protocol: Protocol, model: string, more: Partial<Target> = {}) =>
    exchange(target(protocol, model, tensors, more), tensors);

  it("name the status and the server's own words, over gRPC", async () => {
    expect(await failed("tfs-grpc", "nonesuch")).toMatchObject({
      kind: "grpc NOT_FOUND",
      detail: "Servable not found for request: Latest(nonesuch)",
    });
    expect(await failed("tfs-grpc", "scores", { signature: "other" })).toMatchObject({
      kind: "grpc INVALID_ARGUMENT",
      detail: 'Serving signature key "other" not found.',
    });
    expect(await failed("tfs-grpc", "scores", { output: "other" })).toMatchObject({
      kind: "grpc INVALID_ARGUMENT",
      detail: "output tensor alias not found in signature: other",
    });
    expect(await failed("tfs-grpc", "scores", { signature: "images", input: "image_bytes" })).toMatchObject({
      kind: "grpc INVALID_ARGUMENT",
    });
  });

  it("name the status and the server's own words, over REST", async () => {
    expect(await failed("tfs-rest", "nonesuch")).toMatchObject({
      kind: "http 404",
      detail: expect.stringContaining("Servable not found for request: Latest(nonesuch)"),
    });
    expect(await failed("tfs-rest", "scores", { signature: "other" })).toMatchObject({
      kind: "http 400",
      detail: expect.stringContaining('Serving signature key "other" not found.'),
    });
    expect(await failed("tfs-rest", "scores", { input: "other" })).toMatchObject({ kind: "http 400" });
    expect(await failed("tfs-rest", "scores", { pathPrefix: "/elsewhere" })).toMatchObject({ kind: "http 404" });
  });

  it("are no answers: an output that is not there, a reply that does not fit the batch", async () => {
    await expect(ask(target("tfs-rest", "scores", tensors, { output: "other" }), tensors)).rejects.toThrow(
      /^no output "other" among \[(probabilities, features|features, probabilities)\]$/, // a protobuf map has no order
    );
    for (const protocol of ["tfs-grpc", "tfs-rest"] as const)
      await expect(ask(target(protocol, "short", tensors), tensors)).rejects.toThrow("5 values do not make 4 answers");
  });
});
