import type { types } from "@pulumi/kubernetes";

/** User and group of every container here: nobody in particular, and never root. */
const USER = 65532;

/** Label of a namespace that admits only pods of Pod Security level `restricted`. */
export const ENFORCE_RESTRICTED = { "pod-security.kubernetes.io/enforce": "restricted" };

/** Label of one that admits pods which are not that careful, but none that reach for the node. */
export const ENFORCE_BASELINE = { "pod-security.kubernetes.io/enforce": "baseline" };

/** Pod settings that level asks for. Volumes belong to the pod's group, so nothing has to run as root to hand them over. */
export const restrictedPod = {
  automountServiceAccountToken: false,
  enableServiceLinks: false,
  securityContext: {
    runAsNonRoot: true,
    runAsUser: USER,
    runAsGroup: USER,
    fsGroup: USER,
    fsGroupChangePolicy: "OnRootMismatch",
    seccompProfile: { type: "RuntimeDefault" },
  },
} satisfies types.input.core.v1.PodSpec | Record<string, unknown>;

/** What it asks of every container, and a read-only root besides. */
export const restrictedContainer = {
  allowPrivilegeEscalation: false,
  readOnlyRootFilesystem: true,
  capabilities: { drop: ["ALL"] },
} satisfies types.input.core.v1.SecurityContext;
