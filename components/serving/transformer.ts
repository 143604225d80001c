import type { types } from "@pulumi/kubernetes";
import { restrictedContainer, restrictedPod } from "../restricted.ts";
import { GRPC } from "./modelServer.ts";

type Container = types.input.core.v1.Container;

/** A unit of a Seldon graph. A container of the same name does its work. */
export interface GraphUnit {
  readonly name: string;
  readonly type: "MODEL" | "TRANSFORMER" | "OUTPUT_TRANSFORMER";
  readonly endpoint: { readonly type: "GRPC" };
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

/** What stands in front of a server that takes tensors alone. */
export interface Transformer {
  /** In what order Seldon's executor asks. */
  readonly graph: GraphUnit;
  /** In the server's pod, because it asks the server under localhost. */
  readonly proxy: Container;
  /** Containers of a pod of its own: decoding takes no CPU from the server's cores. */
  readonly containers: readonly Container[];
  /** What all of these containers write to. */
  readonly volume: types.input.core.v1.Volume;
}

/** What the guide puts in front of a server that takes tensors alone: files go in, names come out. */
export function transformer({ image, proxyImage, model, input, output }: TransformerArgs): Transformer {
  const endpoint = { type: "GRPC" } as const;
  const text = (name: string, value: string) => ({ name, type: "STRING" as const, value });
  const parameters = [
    text("grpc_endpoint", `localhost:${GRPC}`),
    text("model_name", model),
    text("model_input", input),
    text("model_output", output),
  ];
  const proxy: GraphUnit = { name: "proxy", type: "MODEL", endpoint, parameters, children: [] };
  const decoder: GraphUnit = { name: "decoder", type: "TRANSFORMER", endpoint, children: [proxy] };
  const namer: GraphUnit = { name: "namer", type: "OUTPUT_TRANSFORMER", endpoint, children: [decoder] };
  // Models take single precision; the image's own default is double.
  const env = [{ name: "DTYPE", value: "float32" }];
  return {
    graph: namer,
    proxy: container(proxy.name, proxyImage),
    containers: [namer, decoder].map(({ name }) => ({ ...container(name, image), env })),
    volume: { name: VOLUME, emptyDir: { medium: "Memory", sizeLimit: "16Mi" } },
  };
}

/** The pod of its own, on the node of its server. */
export function transformerPod({ containers, volume }: Transformer, node: string) {
  return {
    ...restrictedPod,
    nodeSelector: { "kubernetes.io/hostname": node },
    terminationGracePeriodSeconds: 20,
    containers: [...containers],
    volumes: [volume],
  } satisfies types.input.core.v1.PodSpec;
}

const VOLUME = "transformer";

const container = (name: string, image: string): Container => ({
  name,
  image,
  resources: { requests: { cpu: "100m", memory: "512Mi" }, limits: { memory: "512Mi" } },
  securityContext: restrictedContainer,
  volumeMounts: [{ name: VOLUME, mountPath: "/tmp" }],
});
