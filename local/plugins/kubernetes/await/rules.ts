import { condition, displayName, isTrue, type KubeObject } from "../object.ts";
import { daemonSet } from "./daemonSet.ts";
import { deployment } from "./deployment.ts";
import { job } from "./job.ts";
import { pod } from "./pod.ts";
import type { Rule } from "./rule.ts";
import { service } from "./service.ts";
import { statefulSet } from "./statefulSet.ts";
import { waitForRule } from "./waitFor.ts";

/** A definition is of use once its kinds are served. */
const customResourceDefinition: Rule = {
  timeoutSeconds: 60,
  judge(object) {
    if (isTrue(object, "Established")) return { ready: true, status: "", reasons: [] };
    const refused = condition(object, "NamesAccepted");
    const why =
      refused?.status === "False"
        ? `[${refused.reason}] ${refused.message}`
        : `CustomResourceDefinition "${displayName(object)}" is not established`;
    return { ready: false, status: why, reasons: [why] };
  },
};

const ingress: Rule = {
  timeoutSeconds: 600,
  judge(object) {
    if ((object.status?.loadBalancer?.ingress ?? []).length > 0)
      return { ready: true, status: "Ingress initialization complete", reasons: [] };
    return {
      ready: false,
      status: "[2/3] Waiting for update of .status.loadBalancer with hostname/IP",
      reasons: [
        "Ingress .status.loadBalancer field was not updated with a hostname/IP address; is an ingress controller running?",
      ],
    };
  },
};

/** Kinds whose objects take time to do what they are there for. Objects of other kinds are ready when they exist. */
const rules: Readonly<Record<string, Rule>> = {
  "apiextensions.k8s.io/v1/CustomResourceDefinition": customResourceDefinition,
  "apps/v1/DaemonSet": daemonSet,
  "apps/v1/Deployment": deployment,
  "apps/v1/StatefulSet": statefulSet,
  "batch/v1/Job": job,
  "networking.k8s.io/v1/Ingress": ingress,
  "v1/Pod": pod,
  "v1/Service": service,
};

/** What the object asks for itself comes before what its kind asks for. */
export const ruleFor = (object: KubeObject): Rule | undefined =>
  waitForRule(object) ?? rules[`${object.apiVersion}/${object.kind}`];
