import { describe, expect, it } from "vitest";
import { judgeDaemonSet } from "../../local/plugins/kubernetes/await/daemonSet.ts";
import { judgeDeployment } from "../../local/plugins/kubernetes/await/deployment.ts";
import { judgeJob } from "../../local/plugins/kubernetes/await/job.ts";
import { judgePod, podReasons } from "../../local/plugins/kubernetes/await/pod.ts";
import { selectorText } from "../../local/plugins/kubernetes/await/rule.ts";
import { ruleFor } from "../../local/plugins/kubernetes/await/rules.ts";
import { judgeService } from "../../local/plugins/kubernetes/await/service.ts";
import { judgeStatefulSet } from "../../local/plugins/kubernetes/await/statefulSet.ts";
import type { KubeObject } from "../../local/plugins/kubernetes/object.ts";

const is = (type: string, status: boolean, more: object = {}) => ({ type, status: status ? "True" : "False", ...more });
const owned = (uid: string) => [{ uid }];

function pod(status: object, uid = "owner"): KubeObject {
  return { kind: "Pod", metadata: { name: "p", namespace: "n", ownerReferences: owned(uid) }, status };
}
const unready = (containers: object[]) =>
  pod({
    conditions: [
      is("PodScheduled", true),
      is("Initialized", true),
      is("Ready", false, { reason: "ContainersNotReady", message: "containers with unready status: [c]" }),
    ],
    containerStatuses: containers,
  });

describe("a Pod", () => {
  it("is ready when its condition says so, or when it has done its work", () => {
    const conditions = [is("PodScheduled", true), is("Initialized", true), is("Ready", true)];
    expect(judgePod(pod({ conditions })).ready).toBe(true);
    expect(
      judgePod(pod({ phase: "Succeeded", conditions: [is("PodScheduled", true), is("Ready", false)] })).ready,
    ).toBe(true);
  });

  it("is waited for step by step", () => {
    expect(judgePod(pod({})).status).toBe('Waiting for Pod "n/p" to be scheduled');
    expect(judgePod(pod({ conditions: [is("PodScheduled", true)] })).status).toBe(
      'Waiting for Pod "n/p" to be initialized',
    );
    expect(judgePod(unready([])).status).toBe('Waiting for Pod "n/p" to be ready');
  });

  it("says why it cannot be scheduled", () => {
    const message = "0/1 nodes are available: 1 Insufficient cpu.";
    expect(
      judgePod(pod({ conditions: [is("PodScheduled", false, { reason: "Unschedulable", message })] })).reasons,
    ).toEqual([`[Pod n/p]: ${message}`]);
  });

  it("says which image is missing, and how a container ended", () => {
    const pulling = {
      name: "c",
      ready: false,
      state: { waiting: { reason: "ImagePullBackOff", message: 'Back-off pulling image "x"' } },
    };
    expect(podReasons(unready([pulling]))).toEqual([
      '[Pod n/p]: containers with unready status: [c][ImagePullBackOff] Back-off pulling image "x"',
    ]);
    const crashed = {
      name: "c",
      ready: false,
      state: { waiting: { reason: "CrashLoopBackOff", message: "back-off" } },
      lastState: { terminated: { reason: "Error", exitCode: 1, finishedAt: "2026-01-01T00:00:00Z" } },
    };
    expect(podReasons(unready([crashed]))[0]).toContain(
      'container "c" terminated at 2026-01-01T00:00:00Z (Error: exit code 1)',
    );
    const starting = { name: "c", ready: false, state: { waiting: { reason: "ContainerCreating" } } };
    expect(podReasons(unready([starting]))).toEqual(["[Pod n/p]: containers with unready status: [c]"]);
  });
});

describe("a Job", () => {
  const job = (status: object): KubeObject => ({
    kind: "Job",
    metadata: { name: "j", namespace: "n", uid: "owner" },
    status,
  });

  it("is ready when it has succeeded, and only then", () => {
    expect(judgeJob(job({}), [])).toMatchObject({ ready: false, status: 'Waiting for Job "n/j" to start' });
    expect(judgeJob(job({ startTime: "now", active: 1 }), [])).toMatchObject({
      ready: false,
      status: 'Waiting for Job "n/j" to succeed (Active: 1 | Succeeded: 0 | Failed: 0)',
    });
    expect(judgeJob(job({ startTime: "now", conditions: [is("Complete", true)] }), []).ready).toBe(true);
  });

  it("has failed for good when it says so, with the exit code of its Pod", () => {
    const failed = is("Failed", true, {
      reason: "BackoffLimitExceeded",
      message: "Job has reached the specified backoff limit",
    });
    const ended = unready([{ name: "c", ready: false, state: { terminated: { reason: "Error", exitCode: 3 } } }]);
    const verdict = judgeJob(job({ startTime: "now", conditions: [failed] }), [
      ended,
      { ...ended, metadata: { name: "other" } },
    ]);
    expect(verdict).toMatchObject({ ready: false, failed: true });
    expect(verdict.reasons).toEqual([
      '[Pod n/p]: containers with unready status: [c]container "c" completed with exit code 3',
      "[BackoffLimitExceeded] Job has reached the specified backoff limit",
    ]);
  });
});

describe("a Deployment", () => {
  const revision = { "deployment.kubernetes.io/revision": "2" };
  const deployment = (status: object, generation = 3): KubeObject => ({
    metadata: { name: "d", uid: "owner", generation, annotations: revision },
    spec: { replicas: 2 },
    status: { observedGeneration: 3, updatedReplicas: 2, ...status },
  });
  const done = { conditions: [is("Available", true), is("Progressing", true, { reason: "NewReplicaSetAvailable" })] };
  const set = (readyReplicas: number, annotations = revision): KubeObject => ({
    metadata: { uid: "set", ownerReferences: owned("owner"), annotations },
    spec: { replicas: 2 },
    status: { readyReplicas },
  });

  it("is ready when the Pods of its current revision are", () => {
    expect(judgeDeployment(deployment(done), [set(2)], [])).toMatchObject({
      ready: true,
      status: "Deployment initialization complete",
    });
  });

  it.each([
    ["Pods are missing", deployment(done), [set(1)]],
    [
      "the new revision has no ReplicaSet yet",
      deployment(done),
      [set(2, { "deployment.kubernetes.io/revision": "1" })],
    ],
    ["the controller has not seen the change", deployment(done, 4), [set(2)]],
    ["it has only been scaled so far", deployment({ ...done, updatedReplicas: 0 }), [set(2)]],
    [
      "the ReplicaSet is another one's",
      deployment(done),
      [{ ...set(2), metadata: { ...set(2).metadata, ownerReferences: owned("else") } }],
    ],
    [
      "the rollout goes on",
      deployment({ conditions: [is("Available", true), is("Progressing", true, { reason: "ReplicaSetUpdated" })] }),
      [set(2)],
    ],
  ])("is not ready while %s", (_, object, sets) => {
    expect(judgeDeployment(object, sets, []).ready).toBe(false);
  });

  it("counts its Pods, and says what stops it", () => {
    const conditions = [
      is("Available", false, {
        reason: "MinimumReplicasUnavailable",
        message: "Deployment does not have minimum availability.",
      }),
    ];
    const missing = { name: "c", ready: false, state: { waiting: { reason: "ErrImagePull", message: "not found" } } };
    const verdict = judgeDeployment(
      deployment({ conditions }),
      [set(0)],
      [{ ...unready([missing]), metadata: { name: "p", ownerReferences: owned("set") } }],
    );
    expect(judgeDeployment(deployment({ conditions }), [set(0)], []).status).toBe(
      "Waiting for app ReplicaSet to be available (0/2 Pods available)",
    );
    expect(verdict.reasons).toEqual([
      "[MinimumReplicasUnavailable] Deployment does not have minimum availability.",
      "Minimum number of live Pods was not attained",
      "[Pod p]: containers with unready status: [c][ErrImagePull] not found",
    ]);
    expect(verdict.status).toContain("ErrImagePull");
  });

  it("of no Pods is ready without any", () => {
    const object = { ...deployment({ ...done, updatedReplicas: undefined }), spec: { replicas: 0 } };
    expect(judgeDeployment(object, [{ ...set(0), spec: { replicas: 0 } }], []).ready).toBe(true);
  });
});

describe("a StatefulSet", () => {
  const set = (status: object, spec: object = {}): KubeObject => ({
    metadata: { name: "s", generation: 2 },
    spec: { replicas: 2, ...spec },
    status: {
      observedGeneration: 2,
      replicas: 2,
      readyReplicas: 2,
      currentRevision: "a",
      updateRevision: "a",
      ...status,
    },
  });

  it("is ready when all Pods are, each of the new revision", () => {
    expect(judgeStatefulSet(set({}), []).ready).toBe(true);
    expect(judgeStatefulSet(set({ readyReplicas: 1 }), []).status).toBe(
      "[1/3] Waiting for StatefulSet update to roll out (1/2 Pods ready)",
    );
    expect(judgeStatefulSet(set({ updateRevision: "b" }), []).status).toBe(
      "[2/3] Waiting for StatefulSet to update .status.currentRevision",
    );
    expect(judgeStatefulSet(set({ observedGeneration: 1 }), []).ready).toBe(false);
  });

  it("is not ready while it still has Pods to take away", () => {
    expect(judgeStatefulSet(set({ replicas: 3, readyReplicas: 2 }), []).ready).toBe(false);
  });

  it("of no Pods is ready at once; one that holds Pods back is not waited for", () => {
    expect(judgeStatefulSet(set({ replicas: 0, readyReplicas: 0 }, { replicas: 0 }), []).ready).toBe(true);
    expect(judgeStatefulSet(set({ updateRevision: "b" }, { updateStrategy: { type: "OnDelete" } }), []).ready).toBe(
      true,
    );
  });
});

describe("a DaemonSet", () => {
  it("is ready when it runs on every node it should", () => {
    const status = { observedGeneration: 1, desiredNumberScheduled: 2, updatedNumberScheduled: 2, numberReady: 2 };
    const set = (more: object): KubeObject => ({
      metadata: { generation: 1 },
      spec: {},
      status: { ...status, ...more },
    });
    expect(judgeDaemonSet(set({}), []).ready).toBe(true);
    expect(judgeDaemonSet(set({ numberReady: 1 }), []).status).toBe(
      "Waiting for DaemonSet to be ready (1/2 Pods ready)",
    );
    expect(judgeDaemonSet(set({ updatedNumberScheduled: 1 }), []).ready).toBe(false);
  });
});

describe("a Service", () => {
  const service = (spec: object, status: object = {}): KubeObject => ({
    spec: { selector: { app: "x" }, clusterIP: "10.0.0.1", ...spec },
    status,
  });
  const slice = (...ready: boolean[]): KubeObject => ({
    endpoints: ready.map((r, i) => ({ addresses: [`10.0.0.${i}`], conditions: { ready: r } })),
  });

  it("waits for a Pod that takes traffic", () => {
    expect(judgeService(service({}), [])).toMatchObject({
      ready: false,
      status: "[1/3] Finding Pods to direct traffic to",
    });
    expect(judgeService(service({}), [slice(false)]).ready).toBe(false);
    expect(judgeService(service({}), [slice(false, true)]).ready).toBe(true);
  });

  it("starts settling again when its Pods change", () => {
    const print = (...ready: boolean[]) => judgeService(service({}), [slice(...ready)]).fingerprint;
    expect(print(true)).not.toBe(print(true, true));
    expect(print(true, false)).toBe(print(true));
  });

  it.each([{ clusterIP: "None" }, { type: "ExternalName" }, { selector: {} }])(
    "does not wait for Pods with %j",
    (spec) => {
      expect(judgeService(service(spec), [])).toMatchObject({ ready: true, fingerprint: undefined });
    },
  );

  it("that is a load balancer waits for its address too", () => {
    const spec = { type: "LoadBalancer" };
    expect(judgeService(service(spec), [slice(true)])).toMatchObject({
      ready: false,
      status: "[2/3] Attempting to allocate IP address to Service",
    });
    expect(judgeService(service(spec, { loadBalancer: { ingress: [{ ip: "1.2.3.4" }] } }), [slice(true)]).ready).toBe(
      true,
    );
  });
});

describe("other kinds", () => {
  it("of definitions are ready when established; claims and custom resources are not waited for", () => {
    const rule = ruleFor({ apiVersion: "apiextensions.k8s.io/v1", kind: "CustomResourceDefinition" })!;
    expect(rule.judge({ status: { conditions: [is("Established", true)] } }, []).ready).toBe(true);
    expect(
      rule.judge(
        { status: { conditions: [is("NamesAccepted", false, { reason: "ListKindConflict", message: "taken" })] } },
        [],
      ).reasons,
    ).toEqual(["[ListKindConflict] taken"]);
    expect(ruleFor({ apiVersion: "v1", kind: "PersistentVolumeClaim" })).toBeUndefined();
    expect(ruleFor({ apiVersion: "example.com/v1", kind: "Deployment" })).toBeUndefined();
  });
});

describe("selectors", () => {
  it("are written as the API takes them in a query", () => {
    expect(
      selectorText({
        matchLabels: { app: "x" },
        matchExpressions: [
          { key: "a", operator: "In", values: ["1", "2"] },
          { key: "b", operator: "NotIn", values: ["3"] },
          { key: "c", operator: "Exists" },
          { key: "d", operator: "DoesNotExist" },
        ],
      }),
    ).toBe("app=x,a in (1,2),b notin (3),c,!d");
  });
});
