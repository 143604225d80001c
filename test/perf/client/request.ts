import { createHash } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { readInputs } from "../../../benchmarks/client/inputs.ts";
import { protocols } from "../../../benchmarks/client/protocols/index.ts";
import type { InputManifest, Target } from "../../../benchmarks/spec.ts";

/** A request that every tool sends, byte for byte the same body. */
export interface Request {
  readonly protocol: "v2-grpc" | "v2-rest";
  /** The null server answers "tiny" with two scores, anything else with a thousand. */
  readonly model: string;
  /** Folder of inputs, for our client. */
  readonly inputs: string;
  /** File with what our client sends of it: the gRPC message, or the JSON. */
  readonly body: string;
}

const sizes = {
  /** The picture of a 224 x 224 model: 602,112 bytes. */
  large: { model: "lite0", shape: [3, 224, 224], label: 999 },
  tiny: { model: "tiny", shape: [2], label: 1 },
};

/** Writes what is needed to send a request into `folder`. */
export function writeRequest(folder: string, size: keyof typeof sizes, protocol: Request["protocol"]): Request {
  const { model, shape, label } = sizes[size];
  const inputs = join(folder, size);
  mkdirSync(inputs, { recursive: true });
  const values = Float32Array.from({ length: shape.reduce((a, b) => a * b) }, (_, i) => (i % 255) / 128 - 1);
  const data = Buffer.from(values.buffer);
  const sha256 = createHash("sha256").update(data).digest("hex");
  const manifest: InputManifest = {
    inputs: [{ name: size, file: "tensor", sha256, datatype: "FP32", shape, labels: [label] }],
  };
  writeFileSync(join(inputs, "tensor"), data);
  writeFileSync(join(inputs, "manifest.json"), JSON.stringify(manifest));
  return { protocol, model, inputs, body: writeBody(folder, `${size}.${protocol}`, { protocol, model }, inputs) };
}

/** Writes the body that our client makes of the first input. */
export function writeBody(
  folder: string,
  name: string,
  { protocol, model }: Pick<Target, "model"> & Pick<Request, "protocol">,
  inputs: string,
): string {
  const target: Target = { protocol, host: "127.0.0.1", port: 0, model, input: "data", output: "prob" };
  const { body } = protocols[protocol](target, undefined).encode([readInputs(inputs)[0]!]);
  const file = join(folder, name);
  writeFileSync(file, protocol === "v2-grpc" ? body.subarray(5) : body); // less gRPC's own five bytes
  return file;
}
