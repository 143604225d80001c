import * as k8s from "@pulumi/kubernetes";

const namespace = process.env.NAMESPACE!;
/** Takes over an object made by somebody else, and reads another. */
new k8s.core.v1.ConfigMap(
  "found",
  { metadata: { name: "found", namespace }, data: { a: "1" } },
  { import: `${namespace}/found` },
);
export const read = k8s.core.v1.ConfigMap.get("read", `${namespace}/read`).data;
