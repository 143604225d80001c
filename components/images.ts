/**
 * Every public image a stack may run, each pinned: the list to mirror for a site without the internet. A stack's `images`
 * config puts another reference in the place of any of them.
 */
export const publicImages = {
  /** Object store. The last image its project published. */
  minio:
    "quay.io/minio/minio:RELEASE.2025-09-07T16-13-09Z@sha256:14cea493d9a34af32f524e538b8346cf79f3321eff8e708c1e2960462bd8936e",
  /** Ceph's daemons; Rook's charts name their other images themselves. */
  ceph: "quay.io/ceph/ceph:v20.2.4-20260818",
  /** Registry of images. */
  registry: "docker.io/library/registry:3.1.1",
  /** Runs the load client and the program that fetches models. Needs taskset when CPUs are reserved for the client. */
  node: "docker.io/library/node:24.21.0-bookworm",
  /** Model server. Our models for its Python backend need OpenVINO, NumPy and Pillow in it. */
  triton: "nvcr.io/nvidia/tritonserver:24.10-py3",
  /** OpenVINO Model Server. */
  ovms: "docker.io/openvino/model_server:2026.3",
  /** The last release of it that speaks the API of TensorFlow Serving. */
  "ovms-tensorflow-serving": "docker.io/openvino/model_server:2026.2.1",
  /** Model server. Our runtime for it needs OpenVINO, NumPy and Pillow in it. */
  mlserver: "docker.io/seldonio/mlserver:1.7.1",
  /** Discontinued model server; its last image. */
  dlrs: "docker.io/clearlinux/stacks-dlrs-mkl:v0.4.1",
  /** Decodes JPEG files in front of a server that takes tensors alone, and names the answers: the demonstration's own image. */
  transformer: "docker.io/seldonio/openvino-demo-transformer:0.1",
  /** Between that and a server with the API of TensorFlow Serving. */
  "tfserving-proxy": "docker.io/seldonio/tfserving-proxy:1.16.0",
  /** Operator of the engine `seldon`: of the last line under the Apache licence. */
  "seldon-operator": "docker.io/seldonio/seldon-core-operator:1.16.0",
  /** Operator of TFJobs: the last line that has them. */
  "training-operator": "ghcr.io/kubeflow/training-v1/training-operator:v1-93c5489",
  /** Python with TensorFlow, for training. */
  training: "docker.io/tensorflow/tensorflow:2.21.0",
  /** Locust. For gRPC it needs grpcio and grpcio-tools in it. */
  locust: "docker.io/locustio/locust:2.46.3",
  /** Serves the metrics API that autoscaling reads. */
  "metrics-server": "registry.k8s.io/metrics-server/metrics-server:v0.9.0",
  /** Control plane of the gateway. */
  istiod: "docker.io/istio/pilot:1.31.1",
  /** The gateway itself. */
  envoy: "docker.io/envoyproxy/envoy:v1.40.0",
} as const;

export type ImageName = keyof typeof publicImages;
export type Images = Readonly<Record<ImageName, string>>;
