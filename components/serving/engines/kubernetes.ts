import * as k8s from "@pulumi/kubernetes";
import { PLAN_LABEL, SET_LABEL } from "../../labels.ts";
import { serverPod } from "../serverPod.ts";
import type { Engine, EngineArgs } from "./engine.ts";
import { workloadName } from "./workloadName.ts";

/** The engine `kubernetes`: a StatefulSet per node, whose pods find their CPUs by ordinal. A node that does not serve has one of no pods. */
export const kubernetes: Engine = {
  describe(args) {
    const serving = setsOf(args).filter(({ instances }) => instances.length > 0);
    return {
      ports: args.server.ports,
      cpusByPod: Object.fromEntries(
        serving.flatMap(({ set, instances }) =>
          instances.flatMap(({ cpus }, i) => (cpus ? [[`${set}-${i}`, cpus]] : [])),
        ),
      ),
      pods: serving.map(({ pod }) => pod),
      scaleTargets: serving.map(({ set }) => ({ apiVersion: "apps/v1", kind: "StatefulSet", name: set })),
    };
  },

  deploy(args, opts) {
    const { name, namespace, labels, selector, plan, isAutoscaled, readySeconds } = args;
    for (const { set, node, instances, pod } of setsOf(args)) {
      const own = { ...labels, [SET_LABEL]: set };
      new k8s.apps.v1.StatefulSet(
        `${name}-${node}`,
        {
          metadata: { namespace, labels, name: set },
          spec: {
            serviceName: name,
            // Left out it is the autoscaler's; set, every deployment would take it back.
            ...(isAutoscaled && instances.length > 0 ? {} : { replicas: instances.length }),
            podManagementPolicy: "Parallel",
            selector: { matchLabels: { ...selector, [SET_LABEL]: set } },
            template: { metadata: { labels: { ...own, [PLAN_LABEL]: plan.hash } }, spec: pod },
          },
        },
        { ...opts, customTimeouts: { create: `${readySeconds}s`, update: `${readySeconds}s` } },
      );
    }
  },
};

/** By node. */
function setsOf(args: EngineArgs) {
  return args.plan.nodes.map(({ name: node, instances }) => ({
    node,
    instances,
    set: workloadName(args.name, node),
    pod: serverPod({ ...args, node, instances }),
  }));
}
