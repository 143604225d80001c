import { describe, expect, it } from "vitest";
import { diffObjects, format } from "../../local/plugins/kubernetes/diff.ts";
import { type PlainObject, unknown } from "../../local/plugins/properties.ts";

const autonamed = { "pulumi.com/autonamed": "true" };
const strict = { configMaps: false, secrets: false };

interface Change {
  readonly apiVersion: string;
  readonly kind: string;
  readonly before: PlainObject;
  readonly after: PlainObject;
}

function change({ apiVersion, kind, before, after }: Change, metadata: PlainObject = { name: "x" }) {
  const { changes, deleteBeforeReplace } = diffObjects(
    { apiVersion, kind, metadata, ...before },
    { apiVersion, kind, metadata, ...after },
    strict,
  );
  const replaces = [...changes].filter(([, { replace }]) => replace).map(([path]) => path);
  return { paths: [...changes.keys()], replaces, deleteBeforeReplace };
}

const inPlace: [string, Change][] = [
  [
    "nothing",
    { apiVersion: "apps/v1", kind: "Deployment", before: { spec: { replicas: 1 } }, after: { spec: { replicas: 1 } } },
  ],
  [
    "Deployment replicas",
    { apiVersion: "apps/v1", kind: "Deployment", before: { spec: { replicas: 1 } }, after: { spec: { replicas: 2 } } },
  ],
  [
    "StatefulSet replicas",
    { apiVersion: "apps/v1", kind: "StatefulSet", before: { spec: { replicas: 1 } }, after: { spec: { replicas: 2 } } },
  ],
  [
    "Job backoffLimit",
    {
      apiVersion: "batch/v1",
      kind: "Job",
      before: { spec: { backoffLimit: 0 } },
      after: { spec: { backoffLimit: 1 } },
    },
  ],
  [
    "claim size",
    {
      apiVersion: "v1",
      kind: "PersistentVolumeClaim",
      before: { spec: { resources: { requests: { storage: "1Gi" } } } },
      after: { spec: { resources: { requests: { storage: "2Gi" } } } },
    },
  ],
  [
    "ConfigMap labels",
    {
      apiVersion: "v1",
      kind: "ConfigMap",
      before: { data: { a: "1" } },
      after: { data: { a: "1" }, metadata: { name: "x", labels: { l: "1" } } },
    },
  ],
  [
    "a custom resource",
    {
      apiVersion: "example.com/v1",
      kind: "Deployment",
      before: { spec: { selector: "a" } },
      after: { spec: { selector: "b" } },
    },
  ],
];

const replaced: [string, string, Change][] = [
  [
    "ConfigMap data",
    "data.a",
    { apiVersion: "v1", kind: "ConfigMap", before: { data: { a: "1" } }, after: { data: { a: "2" } } },
  ],
  [
    "a key taken from a ConfigMap",
    "data.b",
    { apiVersion: "v1", kind: "ConfigMap", before: { data: { a: "1", b: "1" } }, after: { data: { a: "1" } } },
  ],
  [
    "Secret stringData",
    "data.a",
    { apiVersion: "v1", kind: "Secret", before: { stringData: { a: "1" } }, after: { stringData: { a: "2" } } },
  ],
  [
    "Deployment selector",
    "spec.selector.matchLabels.y",
    {
      apiVersion: "apps/v1",
      kind: "Deployment",
      before: { spec: { selector: { matchLabels: { a: "1" } } } },
      after: { spec: { selector: { matchLabels: { a: "1", y: "1" } } } },
    },
  ],
  [
    "a selector that comes with its spec",
    "spec",
    {
      apiVersion: "apps/v1",
      kind: "Deployment",
      before: {},
      after: { spec: { selector: { matchLabels: { a: "1" } } } },
    },
  ],
  [
    "Job template",
    "spec.template.spec.containers[0].image",
    {
      apiVersion: "batch/v1",
      kind: "Job",
      before: { spec: { template: { spec: { containers: [{ image: "a" }] } } } },
      after: { spec: { template: { spec: { containers: [{ image: "b" }] } } } },
    },
  ],
  [
    "Pod image",
    "spec.containers[0].image",
    {
      apiVersion: "v1",
      kind: "Pod",
      before: { spec: { containers: [{ name: "c", image: "a" }] } },
      after: { spec: { containers: [{ name: "c", image: "b" }] } },
    },
  ],
  [
    "volumeClaimTemplates",
    "spec.volumeClaimTemplates[0].spec.size",
    {
      apiVersion: "apps/v1",
      kind: "StatefulSet",
      before: { spec: { volumeClaimTemplates: [{ spec: { size: "1" } }] } },
      after: { spec: { volumeClaimTemplates: [{ spec: { size: "2" } }] } },
    },
  ],
  [
    "roleRef",
    "roleRef.name",
    {
      apiVersion: "rbac.authorization.k8s.io/v1",
      kind: "RoleBinding",
      before: { roleRef: { name: "a" } },
      after: { roleRef: { name: "b" } },
    },
  ],
  [
    "data that is not known yet",
    "data.a",
    { apiVersion: "v1", kind: "ConfigMap", before: { data: { a: "1" } }, after: { data: { a: unknown } } },
  ],
];

describe("the difference between two versions of an object", () => {
  it.each(inPlace)("%s: the object stays", (_, given) => {
    expect(change(given).replaces).toEqual([]);
  });

  it.each(replaced)("%s: another object, whose name decides which one goes first", (_, path, given) => {
    expect(change(given)).toMatchObject({ replaces: [path], deleteBeforeReplace: true });
    expect(change(given, { name: "x-12345678", annotations: autonamed })).toMatchObject({
      replaces: [path],
      deleteBeforeReplace: false,
    });
  });

  it("a new name or namespace is another object, made before the old one goes", () => {
    const object = { apiVersion: "v1", kind: "Service" };
    for (const metadata of [{ name: "y" }, { name: "x", namespace: "n" }] as PlainObject[]) {
      const { changes, deleteBeforeReplace } = diffObjects(
        { ...object, metadata: { name: "x" } },
        { ...object, metadata },
        strict,
      );
      expect([...changes.values()].map(({ replace }) => replace)).toEqual([true]);
      expect(deleteBeforeReplace).toBe(false);
    }
  });

  it("the default namespace may be said or left out", () => {
    const object = { apiVersion: "v1", kind: "Service" };
    const metadata = { name: "x", namespace: "default" };
    expect(diffObjects({ ...object, metadata }, { ...object, metadata: { name: "x" } }, strict).changes.size).toBe(0);
  });

  it("a Secret is the same in both of its spellings", () => {
    const object = { apiVersion: "v1", kind: "Secret", metadata: { name: "x" } };
    expect(
      diffObjects({ ...object, stringData: { a: "1" } }, { ...object, data: { a: "MQ==" } }, strict).changes.size,
    ).toBe(0);
  });

  it("data may change in place where the configuration says so, but never in an immutable object", () => {
    const object = { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "x" } };
    const replaces = (more: PlainObject) =>
      [
        ...diffObjects(
          { ...object, ...more, data: { a: "1" } },
          { ...object, ...more, data: { a: "2" } },
          { configMaps: true, secrets: true },
        ).changes.values(),
      ].map(({ replace }) => replace);
    expect(replaces({})).toEqual([false]);
    expect(replaces({ immutable: true })).toEqual([true]);
  });

  it("leaves out what is ignored", () => {
    const object = { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "x" } };
    const { changes, deleteBeforeReplace } = diffObjects(
      { ...object, data: { a: "1" } },
      { ...object, data: { a: "2" } },
      strict,
      ["data"],
    );
    expect(changes.size).toBe(0);
    expect(deleteBeforeReplace).toBe(false);
  });

  it("names paths as the engine does", () => {
    expect(format(["metadata", "annotations", "a.b/c"])).toBe('metadata.annotations["a.b/c"]');
    expect(format(["spec", "ports", 0, "port"])).toBe("spec.ports[0].port");
  });
});
