import type { types } from "@pulumi/kubernetes";
import { restrictedContainer, restrictedPod } from "../../restricted.ts";

interface CollectArgs {
  readonly namespace: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly schedule: string;
  /** Image with Node.js. */
  readonly image: string;
  readonly account: string;
  /** The registry's StatefulSet. */
  readonly set: string;
}

/** What the account may do: restart this one workload. */
export const collectRules = (set: string): types.input.rbac.v1.PolicyRule[] => [
  { apiGroups: ["apps"], resources: ["statefulsets"], resourceNames: [set], verbs: ["patch"] },
];

/** Restarts the registry, whose pod collects garbage before it serves. */
export function collectJob(args: CollectArgs): types.input.batch.v1.CronJobSpec {
  const { namespace, labels, schedule, image, account, set } = args;
  return {
    schedule,
    concurrencyPolicy: "Forbid",
    successfulJobsHistoryLimit: 1,
    failedJobsHistoryLimit: 1,
    jobTemplate: {
      spec: {
        backoffLimit: 2,
        activeDeadlineSeconds: 120,
        template: {
          metadata: { labels },
          spec: {
            ...restrictedPod,
            automountServiceAccountToken: true,
            serviceAccountName: account,
            restartPolicy: "Never",
            containers: [
              {
                name: "restart",
                image,
                command: ["node", "-e", restart(namespace, set)],
                env: [{ name: "NODE_EXTRA_CA_CERTS", value: `${ACCOUNT}/ca.crt` }],
                resources: { requests: { cpu: "20m", memory: "48Mi" }, limits: { memory: "128Mi" } },
                securityContext: restrictedContainer,
              },
            ],
          },
        },
      },
    },
  };
}

const ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount";

/** What `kubectl rollout restart` does. */
const restart = (namespace: string, set: string) => `
const token = require("node:fs").readFileSync("${ACCOUNT}/token", "utf8");
const annotations = { "kubectl.kubernetes.io/restartedAt": new Date().toISOString() };
fetch("https://kubernetes.default.svc/apis/apps/v1/namespaces/${namespace}/statefulsets/${set}", {
  method: "PATCH",
  headers: { authorization: "Bearer " + token, "content-type": "application/strategic-merge-patch+json" },
  body: JSON.stringify({ spec: { template: { metadata: { annotations } } } }),
}).then(async (reply) => {
  console.log(reply.ok ? "${set} restarts" : await reply.text());
  process.exitCode = reply.ok ? 0 : 1;
});
`;
