import { containersOf, type Pod, podsOf } from "./pods.ts";
import type { ResourceRule } from "./rule.ts";

/** Kubernetes' Pod Security Standard `restricted` (v1.34), and a read-only root besides. */
export const restrictedPods: ResourceRule = {
  name: "restricted-pods",
  description: "Pods keep to the Pod Security level restricted, and their root file system is read-only.",
  level: "mandatory",
  check: (resource) =>
    podsOf(resource).flatMap((pod) => [
      ...podProblems(pod),
      ...containersOf(pod).flatMap((c) => containerProblems(pod, c)),
    ]),
};

const allowedVolumes = new Set([
  "configMap",
  "csi",
  "downwardAPI",
  "emptyDir",
  "ephemeral",
  "persistentVolumeClaim",
  "projected",
  "secret",
]);

function podProblems({ path, spec }: Pod): string[] {
  const shared = ["hostNetwork", "hostPID", "hostIPC"].filter((key) => spec[key] === true);
  // biome-ignore lint/suspicious/noExplicitAny: a Volume
  const volumes = (spec.volumes ?? []).flatMap((volume: any) =>
    Object.keys(volume)
      .filter((key) => key !== "name" && !allowedVolumes.has(key))
      .map((kind) => `${path}.volumes: ${volume.name} is a ${kind}; allowed are ${[...allowedVolumes].join(", ")}`),
  );
  return [...shared.map((key) => `${path}.${key}: true shares the node's; leave it out`), ...volumes];
}

function containerProblems({ spec }: Pod, { path, container }: ReturnType<typeof containersOf>[number]): string[] {
  const pod = spec.securityContext ?? {};
  const own = container.securityContext ?? {};
  const at = `${path}.securityContext`;
  const seccomp = (own.seccompProfile ?? pod.seccompProfile)?.type;
  const added = (own.capabilities?.add ?? []).filter((name: string) => name !== "NET_BIND_SERVICE");
  const ports = (container.ports ?? []).filter(({ hostPort }: { hostPort?: number }) => hostPort);
  return [
    ...unless((own.runAsNonRoot ?? pod.runAsNonRoot) === true, `${at}.runAsNonRoot: must be true, here or in the pod`),
    ...unless((own.runAsUser ?? pod.runAsUser) !== 0, `${at}.runAsUser: 0 is root`),
    ...unless(own.allowPrivilegeEscalation === false, `${at}.allowPrivilegeEscalation: must be false`),
    ...unless(own.privileged !== true, `${at}.privileged: true gives it the node`),
    ...unless((own.capabilities?.drop ?? []).includes("ALL"), `${at}.capabilities.drop: must have ALL`),
    ...unless(added.length === 0, `${at}.capabilities.add: ${added.join(", ")} is not allowed`),
    ...unless(seccomp === "RuntimeDefault" || seccomp === "Localhost", `${at}.seccompProfile: must be RuntimeDefault`),
    ...unless(own.readOnlyRootFilesystem === true, `${at}.readOnlyRootFilesystem: must be true; write to an emptyDir`),
    ...unless(ports.length === 0, `${path}.ports: hostPort listens on the node's own addresses; use a Service`),
  ];
}

const unless = (isRight: boolean, problem: string): string[] => (isRight ? [] : [problem]);
