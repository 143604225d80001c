/**
 * Every public image a stack may run, each pinned: the list to mirror for a site without the internet. A stack's `images`
 * config puts another reference in the place of any of them.
 */
export const publicImages = {
  /** Object store. The last image its project published. */
  minio:
    "quay.io/minio/minio:RELEASE.2025-09-07T16-13-09Z@sha256:14cea493d9a34af32f524e538b8346cf79f3321eff8e708c1e2960462bd8936e",
  /** Runs the load client and the program that fetches models. Needs taskset when CPUs are reserved for the client. */
  node: "docker.io/library/node:24.21.0-bookworm",
  /** Model server. The model's Python backend needs OpenVINO and NumPy in it. */
  triton: "nvcr.io/nvidia/tritonserver:24.10-py3",
  /** Operator of the engine `seldon`: of the last line under the Apache licence. */
  "seldon-operator": "docker.io/seldonio/seldon-core-operator:1.16.0",
  /** Serves the metrics API that autoscaling reads. */
  "metrics-server": "registry.k8s.io/metrics-server/metrics-server:v0.9.0",
} as const;

export type ImageName = keyof typeof publicImages;
export type Images = Readonly<Record<ImageName, string>>;
