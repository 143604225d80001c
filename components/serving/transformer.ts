import type { types } from "@pulumi/kubernetes";
import { restrictedContainer } from "../restricted.ts";
import { GRPC } from "./modelServer.ts";

/** A unit of a Seldon graph. A container of the same name does its work. */
export interface GraphUnit {
  readonly name: string;
  readonly type: "MODEL" | "TRANSFORMER" | "OUTPUT_TRANSFORMER";
  readonly endpoint: { readonly type: "GRPC" | "REST" };
  readonly parameters?: readonly { readonly name: string; readonly type: "STRING"; readonly value: string }[];
  readonly children: readonly GraphUnit[];
}

export interface TransformerArgs {
  /** Turns a JPEG file into a tensor and scores into the name of the class, with Seldon's Python wrapper. */
  readonly image: string;
  /** Seldon's proxy to servers that speak TensorFlow Serving's API. */
  readonly proxyImage: string;
  /** What the server behind it serves: name of the model, of its input and of its output. */
  readonly model: string;
  readonly input: string;
  readonly output: string;
}

/**
 * What the guide puts in front of a server that takes tensors alone: files go in, names come out. Units of a graph that Seldon's
 * executor walks, in the pod of the server, which answers on its own port.
 */
export function transformer({ image, proxyImage, model, input, output }: TransformerArgs): {
  graph: GraphUnit;
  containers: types.input.core.v1.Container[];
} {
  const endpoint = { type: "GRPC" } as const;
  const text = (name: string, value: string) => ({ name, type: "STRING" as const, value });
  const proxy: GraphUnit = {
    name: "tfserving-proxy",
    type: "MODEL",
    endpoint,
    parameters: [
      text("grpc_endpoint", `localhost:${GRPC}`),
      text("model_name", model),
      text("model_input", input),
      text("model_output", output),
    ],
    children: [],
  };
  const graph: GraphUnit = { name: "imagenet-transformer", type: "TRANSFORMER", endpoint, children: [proxy] };
  return { graph, containers: [container(graph.name, image), container(proxy.name, proxyImage)] };
}

const container = (name: string, image: string): types.input.core.v1.Container => ({
  name,
  image,
  resources: { requests: { cpu: "100m", memory: "256Mi" }, limits: { memory: "512Mi" } },
  securityContext: restrictedContainer,
});
