import { defineConfig } from "vitest/config";
import { testInstance } from "./test/cluster/setup.ts";

/** Parts that each need images of their own, which take long to build the first time. */
const platform = ["full", "gateway", "locust", "registry", "replay", "sweep", "training"].map(
  (name) => `test/cluster/${name}.test.ts`,
);

/** Drives the real command line, engine and Kubernetes, one file after the other because they share a cluster. */
const onCluster = {
  globalSetup: ["test/cluster/setup.ts"],
  env: { INFERENCE_STACK_INSTANCE: testInstance },
  pool: "forks" as const,
  fileParallelism: false,
  testTimeout: 900_000,
  hookTimeout: 900_000,
};

/** `unit` needs nothing but Node; `cluster` and `platform` need a machine that can boot the embedded cluster. */
export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: "unit",
          include: ["test/**/*.test.ts"],
          exclude: ["test/cluster/**"],
          pool: "forks",
          isolate: true,
          testTimeout: 60_000, // bounds a hang; beside the cluster tests nothing is quick
        },
      },
      {
        test: {
          ...onCluster,
          name: "cluster",
          include: ["test/cluster/**/*.test.ts"],
          exclude: platform,
        },
      },
      { test: { ...onCluster, name: "platform", include: platform } },
    ],
  },
});
