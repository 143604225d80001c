import { defineConfig } from "vitest/config";
import { testInstance } from "./test/cluster/setup.ts";

/** `unit` needs nothing but Node; `cluster` drives the real command line, engine and Kubernetes on a machine that can boot it. */
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
          sequence: { groupOrder: 1 },
          testTimeout: 60_000, // bounds a hang
        },
      },
      {
        test: {
          name: "cluster",
          include: ["test/cluster/**/*.test.ts"],
          globalSetup: ["test/cluster/setup.ts"],
          setupFiles: ["test/cluster/instance.ts"],
          env: { INFERENCE_STACK_INSTANCE: testInstance },
          pool: "forks",
          isolate: true,
          // They mostly wait, and those that measure take turns; each worker has a cluster of its own.
          maxWorkers: 2,
          sequence: { groupOrder: 2 }, // after the units, which take less time
          testTimeout: 900_000,
          hookTimeout: 900_000,
        },
      },
    ],
  },
});
