import type { types } from "@pulumi/kubernetes";
import { restrictedContainer, restrictedPod } from "../components/restricted.ts";
import type { CpuPlan } from "../components/serving/cpuPlan.ts";
import { type FetchArgs, fetchContainer, fetchVolume } from "../components/storage/fetch/container.ts";
import type { BenchmarkSpec } from "./spec.ts";

/** The pod of the benchmark Job: fetches the inputs, then runs the client. */
export function jobPod(args: {
  image: string;
  account: string;
  clientName: string;
  specName: string;
  spec: BenchmarkSpec;
  plan: CpuPlan;
  inputs: FetchArgs;
}): types.input.core.v1.PodSpec {
  const { image, account, clientName, specName, spec, plan, inputs } = args;
  return {
    ...restrictedPod,
    restartPolicy: "Never",
    serviceAccountName: account,
    automountServiceAccountToken: true, // it looks at the servers' pods and writes its result
    // CPUs are set apart on every node; the client takes those of the first.
    ...(spec.clientCpus === undefined ? {} : { nodeSelector: { "kubernetes.io/hostname": plan.nodes[0].name } }),
    initContainers: [fetchContainer({ ...inputs, subPath: "inputs/" }, "inputs")],
    containers: [
      {
        name: "client",
        image,
        command: ["node", "/client/client.cjs", "/spec/spec.json", "/inputs"],
        env: [{ name: "NODE_NAME", valueFrom: { fieldRef: { fieldPath: "spec.nodeName" } } }],
        resources: { requests: { cpu: "100m", memory: "256Mi" }, limits: { memory: "1Gi" } },
        securityContext: restrictedContainer,
        volumeMounts: [
          { name: "client", mountPath: "/client", readOnly: true },
          { name: "spec", mountPath: "/spec", readOnly: true },
          { name: "inputs", mountPath: "/inputs", readOnly: true },
        ],
      },
    ],
    volumes: [
      { name: "client", configMap: { name: clientName } },
      { name: "spec", configMap: { name: specName } },
      { name: "inputs", emptyDir: {} },
      fetchVolume(inputs),
    ],
  };
}
