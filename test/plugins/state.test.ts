import { describe, expect, it } from "vitest";
import { named } from "../../local/plugins/kubernetes/naming.ts";
import { adopted, forces, keepIgnored } from "../../local/plugins/kubernetes/ownership.ts";
import { sameQuantity } from "../../local/plugins/kubernetes/quantity.ts";
import {
  checkpoint,
  fromCheckpoint,
  inputsFromLive,
  prune,
  toApi,
  withSecrets,
} from "../../local/plugins/kubernetes/state.ts";
import { type PlainObject, type Properties, Secret, unknown } from "../../local/plugins/properties.ts";

const noSeed = new Uint8Array();

describe("names", () => {
  it("are made up where there are none, and marked", () => {
    expect(named({ labels: { a: "1" } }, undefined, "web", noSeed)).toEqual({
      labels: { a: "1" },
      name: expect.stringMatching(/^web-[0-9a-f]{8}$/),
      annotations: { "pulumi.com/autonamed": "true" },
    });
  });

  it("stay for as long as the object does", () => {
    const olds = { metadata: named(undefined, undefined, "web", noSeed) };
    expect(named(undefined, olds, "web", noSeed)).toEqual(olds.metadata);
  });

  it("that the user gave are not kept once they are taken back", () => {
    expect(named(undefined, { metadata: { name: "mine" } }, "web", noSeed)).toMatchObject({
      name: expect.stringMatching(/^web-/),
    });
  });

  it("repeat for the seed of a plan", () => {
    const seed = new Uint8Array([1, 2, 3]);
    expect(named(undefined, undefined, "web", seed)).toEqual(named(undefined, undefined, "web", seed));
    expect(named(undefined, undefined, "web", seed)).not.toEqual(
      named(undefined, undefined, "web", new Uint8Array([4])),
    );
  });

  it.each<Properties>([{ name: "mine" }, { generateName: "mine-" }, { name: unknown }])(
    "that the user gives stay: %j",
    (metadata) => {
      expect(named(metadata, undefined, "web", noSeed)).toBe(metadata);
    },
  );
});

describe("the state", () => {
  const inputs = { apiVersion: "v1", kind: "Secret", metadata: { name: "x" }, stringData: { a: "1" } };
  const live = { apiVersion: "v1", kind: "Secret", metadata: { name: "x", uid: "u" }, data: { a: "MQ==" } };

  it("keeps the data of a Secret secret whatever the program says", () => {
    const state = checkpoint(live, inputs, inputs, "v1", "pulumi-kubernetes-12345678");
    expect(state.data).toEqual(new Secret({ a: "MQ==" }));
    expect(state.__inputs).toMatchObject({ stringData: new Secret({ a: "1" }) });
    expect(fromCheckpoint(state)).toEqual({ live, inputs, apiVersion: "v1", manager: "pulumi-kubernetes-12345678" });
  });

  it("gives outputs the secrecy of inputs, and a list with a secret in it as a whole", () => {
    const ins = { spec: { password: new Secret("p"), args: ["a", new Secret("b")], open: "o" } };
    expect(withSecrets({ spec: { password: "p", args: ["a", "b"], open: "o" }, status: {} }, ins)).toEqual({
      spec: { password: new Secret("p"), args: new Secret(["a", "b"]), open: "o" },
      status: {},
    });
  });

  it("of a live object holds what the inputs speak of, in their spelling where it means the same", () => {
    const wanted = { spec: { cpu: "1000m", replicas: 2, env: [], list: [{ a: 1 }], gone: "x" } };
    const found: PlainObject = {
      spec: { cpu: "1", replicas: 3, defaulted: true, list: [{ a: 1, b: 2 }, { a: 2 }] },
      status: {},
    };
    expect(prune(found, wanted)).toEqual({ spec: { cpu: "1000m", replicas: 3, env: [], list: [{ a: 1 }, { a: 2 }] } });
  });

  it("of an imported object has inputs without what only the server sets", () => {
    const object = {
      apiVersion: "apps/v1",
      kind: "Deployment",
      metadata: {
        name: "x",
        uid: "u",
        resourceVersion: "1",
        generation: 1,
        creationTimestamp: "now",
        managedFields: [],
        annotations: { "deployment.kubernetes.io/revision": "1" },
      },
      spec: { replicas: 1 },
      status: { replicas: 1 },
    };
    expect(inputsFromLive(object)).toEqual({
      apiVersion: "apps/v1",
      kind: "Deployment",
      metadata: { name: "x" },
      spec: { replicas: 1 },
    });
  });

  it("speaks the API's own key names", () => {
    expect(toApi({ schema: new Secret({ x_kubernetes_preserve_unknown_fields: true }) })).toEqual({
      schema: { "x-kubernetes-preserve-unknown-fields": true },
    });
  });

  it.each([
    ["1000m", "1", true],
    ["1Gi", "1024Mi", true],
    ["1e3", "1k", true],
    ["0.1", "100m", true],
    [1, "1", true],
    ["1G", "1Gi", false],
    ["a", "a", false],
    ["1", "2", false],
  ])("quantities %s and %s are the same: %s", (a, b, same) => {
    expect(sameQuantity(a, b)).toBe(same);
  });
});

describe("field ownership", () => {
  const created = {
    manager: "pulumi-kubernetes",
    operation: "Update",
    apiVersion: "v1",
    fieldsV1: { "f:data": { "f:a": {} } },
  };
  const scaled = {
    manager: "kubectl",
    operation: "Update",
    subresource: "scale",
    fieldsV1: { "f:spec": { "f:replicas": {} } },
  };
  const controller = {
    manager: "kube-controller-manager",
    operation: "Update",
    subresource: "status",
    fieldsV1: { "f:status": {} },
  };

  it("goes from the create, and from what was done by hand, to the manager of the updates", () => {
    const ours = { manager: "m", operation: "Apply", apiVersion: "v1", fieldsV1: { "f:data": { "f:b": {} } } };
    expect(adopted([created, scaled, controller, ours], "m")).toEqual([
      controller,
      {
        manager: "m",
        operation: "Apply",
        apiVersion: "v1",
        fieldsV1: { "f:data": { "f:a": {}, "f:b": {} }, "f:spec": { "f:replicas": {} } },
      },
    ]);
  });

  it("stays where there is nothing to take", () => {
    expect(adopted([controller], "m")).toBeUndefined();
  });

  it("is forced in a preview that may not move it first, and where the user says so", () => {
    const live = { metadata: { managedFields: [created] } };
    expect(forces({}, live, true, false)).toBe(true);
    expect(forces({}, live, false, false)).toBe(false);
    expect(forces({}, { metadata: { managedFields: [controller] } }, true, false)).toBe(false);
    expect(forces({ metadata: { annotations: { "pulumi.com/patchForce": "true" } } }, live, false, false)).toBe(true);
  });

  it("of ignored fields is respected: they are sent as they are", () => {
    const inputs = { data: { a: "0" }, metadata: { labels: { l: "1" } } };
    const live = { data: { a: "1", b: "2" } };
    expect(keepIgnored(inputs, live, ["data", 'metadata.annotations["x/y"]'])).toEqual({
      data: { a: "1", b: "2" },
      metadata: { labels: { l: "1" } },
    });
    expect(inputs.data).toEqual({ a: "0" });
  });
});
