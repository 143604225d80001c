import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import type { Bundle } from "../bundle.ts";
import { labelsOf } from "../components/labels.ts";
import { accountThatMay } from "../components/permission.ts";
import { restrictedContainer, restrictedPod } from "../components/restricted.ts";
import { fetchPod } from "../components/storage/fetch/container.ts";
import { resultOfJob } from "./resultJob.ts";

export interface CollectorArgs {
  readonly namespace: string;
  /** Of the experiment: in the names of all that belongs to it alone. */
  readonly key: string;
  /** Image with Node.js. */
  readonly image: string;
  /** Secret with which it is pulled. @default - anybody may */
  readonly pullSecret?: string;
  /** Takes the path of the spec, waits until there is something to read, and writes the result. */
  readonly program: Bundle;
  /** What the program is told. */
  readonly spec: object;
  /** ConfigMap that the program fills; made here, empty. */
  readonly result: string;
  /** What it may do besides writing the result. */
  readonly rules: k8s.types.input.rbac.v1.PolicyRule[];
  /** After this long it has failed. */
  readonly seconds: number;
}

/**
 * A Job that waits for something that measures by itself, makes a result of what that left in its logs, and writes it into a
 * ConfigMap; the program reads it from there. As with the benchmark's own Job, the key is in all names: nothing runs while
 * nothing changes.
 */
export class Collector extends pulumi.ComponentResource {
  /** What is in the ConfigMap when the Job has ended. */
  readonly data: pulumi.Output<Readonly<Record<string, string>>>;

  constructor(name: string, args: CollectorArgs, opts?: pulumi.ComponentResourceOptions) {
    super("inference-stack:benchmarks:Collector", name, {}, opts);
    const { namespace, key, program, spec, result, rules, seconds } = args;
    const child = { parent: this, dependsOn: opts?.dependsOn };
    const labels = labelsOf("collector", name);
    const metadata = (named: string) => ({ namespace, name: named, labels });
    const programName = `${name}-collector-${program.hash.slice(0, 10)}`;
    const specName = `${name}-spec-${key}`;
    const account = `${name}-collector`;

    const code = new k8s.core.v1.ConfigMap(
      programName,
      { metadata: metadata(programName), data: { "collector.cjs": program.code } },
      child,
    );
    const told = new k8s.core.v1.ConfigMap(
      specName,
      { metadata: metadata(specName), data: { "spec.json": JSON.stringify(spec, null, 2) } },
      child,
    );
    const mayWrite = {
      apiGroups: [""],
      resources: ["configmaps"],
      resourceNames: [result],
      verbs: ["get", "update", "patch"],
    };
    const allowed = accountThatMay(
      account,
      { metadata: metadata(account), rules: [...rules, mayWrite] },
      { parent: this },
    );
    const written = resultOfJob(
      name,
      {
        metadata: metadata(`${name}-collector-${key}`),
        result: metadata(result),
        pod: pod({ ...args, account, programName, specName }),
        seconds,
        after: [code, told, allowed],
      },
      child,
    );
    this.data = written.apply((data) => data ?? {});
    this.registerOutputs({ key });
  }
}

/** What a collector that reads pods and their logs may do. */
export const READ_LOGS: k8s.types.input.rbac.v1.PolicyRule[] = [
  { apiGroups: [""], resources: ["pods"], verbs: ["get", "list"] },
  { apiGroups: [""], resources: ["pods/log"], verbs: ["get"] },
];

function pod(args: {
  account: string;
  image: string;
  pullSecret?: string;
  programName: string;
  specName: string;
}): k8s.types.input.core.v1.PodSpec {
  return {
    ...restrictedPod,
    restartPolicy: "Never",
    serviceAccountName: args.account,
    automountServiceAccountToken: true,
    ...fetchPod(args),
    containers: [
      {
        name: "collector",
        image: args.image,
        command: ["node", "/program/collector.cjs", "/spec/spec.json"],
        resources: { requests: { cpu: "20m", memory: "64Mi" }, limits: { memory: "256Mi" } },
        securityContext: restrictedContainer,
        volumeMounts: [
          { name: "program", mountPath: "/program", readOnly: true },
          { name: "spec", mountPath: "/spec", readOnly: true },
        ],
      },
    ],
    volumes: [
      { name: "program", configMap: { name: args.programName } },
      { name: "spec", configMap: { name: args.specName } },
    ],
  };
}
