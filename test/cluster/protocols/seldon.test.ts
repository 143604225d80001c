import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Input } from "../../../benchmarks/client/inputs.ts";
import { protocols } from "../../../benchmarks/client/protocols/index.ts";
import type { Target } from "../../../benchmarks/spec.ts";
import { ask, exchange, type PythonServer, photos, startServer, tensors, truth } from "./server.ts";

let server: PythonServer;
beforeAll(async () => {
  server = await startServer("seldon");
});
afterAll(() => server?.stop());

type Protocol = "seldon-grpc" | "seldon-rest";
const both = ["seldon-grpc", "seldon-rest"] as const;

const target = (protocol: Protocol, deployment: string, more: Partial<Target> = {}): Target => ({
  protocol,
  host: "127.0.0.1",
  port: protocol === "seldon-grpc" ? server.grpc : server.http,
  model: deployment,
  input: "x",
  output: "probabilities",
  ...(protocol === "seldon-grpc"
    ? { headers: { seldon: deployment, namespace: "kubeflow" } }
    : { pathPrefix: `/seldon/kubeflow/${deployment}` }),
  ...more,
});

const indexes = (inputs: readonly Input[]) => inputs.map(({ data }) => truth(data).index);
const labels = (inputs: readonly Input[]) => inputs.map(({ data }) => truth(data).label);
const batches: [string, readonly Input[]][] = [
  ["a tensor", tensors.slice(0, 1)],
  ["four tensors", tensors],
  ["a JPEG", photos.slice(1, 2)],
];

describe.each(both)("%s", (protocol) => {
  describe.each(batches)("with %s", (_, batch) => {
    it.each(["tensor", "tensor-classes", "ndarray", "tftensor", "tftensor-classes", "json"])(
      "gets the class from %s",
      async (form) => expect(await ask(target(protocol, form), batch)).toEqual(indexes(batch)),
    );

    it.each(["ndarray-labels", "tftensor-labels", "json-label"])("gets the label from %s", async (form) =>
      expect(await ask(target(protocol, form), batch)).toEqual(labels(batch)),
    );
  });

  it("sends every byte of a JPEG and gets the label as text", async () => {
    for (const photo of photos) expect(await ask(target(protocol, "label"), [photo])).toEqual(labels([photo]));
  });

  it("says that a request cannot carry several files", () => {
    const { encode } = protocols[protocol](target(protocol, "label"), undefined);
    expect(() => encode(photos)).toThrow(
      `${protocol} cannot send 4 files in a request: a SeldonMessage holds one (binData). Set the batch to 1, or send FP32 tensors.`,
    );
  });

  it("takes a reply that says FAILURE for a fault of a kind of its own", async () => {
    await expect(ask(target(protocol, "failure"), tensors)).rejects.toMatchObject({
      kind: "seldon FAILURE",
      message:
        "the server answered with status FAILURE (code 500): MICROSERVICE_INTERNAL_ERROR: the model is out of order",
    });
  });

  it("finds no answer in bytes, in nothing, and in one text for four inputs", async () => {
    for (const form of ["bytes", "empty"])
      await expect(ask(target(protocol, form), tensors)).rejects.toThrow("the message holds none of data.tensor");
    await expect(ask(target(protocol, "label"), tensors)).rejects.toThrow("1 values do not make 4 answers");
    await expect(ask(target(protocol, "json", { output: "other" }), tensors)).rejects.toThrow(
      'jsonData has no "other"',
    );
  });
});

describe("Seldon's refusals", () => {
  it("name the gRPC status and the server's words", async () => {
    const failed = (deployment: string, headers?: Record<string, string>) =>
      exchange(target("seldon-grpc", deployment, headers && { headers }), tensors);
    expect(await failed("nonesuch")).toMatchObject({
      kind: "grpc UNKNOWN",
      detail: expect.stringContaining("model nonesuch has no such form of answer"),
    });
    for (const headers of [{ seldon: "tensor" }, { namespace: "kubeflow" }, { seldon: "tensor", namespace: "other" }])
      expect(await failed("tensor", headers as unknown as Record<string, string>)).toMatchObject({
        kind: "grpc UNIMPLEMENTED",
        detail: "no route for these headers",
      });
  });

  it("name the HTTP status and the server's words", async () => {
    const failed = (deployment: string, more?: Partial<Target>) =>
      exchange(target("seldon-rest", deployment, more), tensors);
    expect(await failed("nonesuch")).toMatchObject({
      kind: "http 400",
      detail: expect.stringContaining("model nonesuch has no such form of answer"),
    });
    expect(await failed("tensor", { pathPrefix: "/seldon/other/tensor" })).toMatchObject({ kind: "http 404" });
  });
});
