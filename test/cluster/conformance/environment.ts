import { join } from "node:path";
import { loadImages, startCluster } from "../../../local/cluster/cluster.ts";
import { state } from "../../../local/paths.ts";
import { ensure } from "../../../local/toolchain/index.ts";
import type { Environment } from "./project.ts";

/** The tests' own cluster, brought up where it is not, with an image that has a shell. */
export async function environment(): Promise<Environment> {
  const { pulumi, bin, images } = await ensure(["pulumi", "kubernetes", "pause", "coredns", "node"]);
  await startCluster(bin, images, () => {});
  await loadImages([images.node], () => {});
  return { kubeconfig: state.kubeconfig, pulumi, kubectl: join(bin, "kubectl"), image: images.node.ref };
}
