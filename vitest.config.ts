import { defineConfig } from "vitest/config";
import { testInstance } from "./test/cluster/setup.ts";

/**
 * Two projects: `unit` needs nothing but Node; `cluster` drives the real command line, engine and one-node Kubernetes,
 * one file after the other because they share that cluster.
 */
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
          name: "cluster",
          include: ["test/cluster/**/*.test.ts"],
          globalSetup: ["test/cluster/setup.ts"],
          env: { INFERENCE_STACK_INSTANCE: testInstance },
          pool: "forks",
          fileParallelism: false,
          testTimeout: 900_000,
          hookTimeout: 900_000,
        },
      },
    ],
  },
});
