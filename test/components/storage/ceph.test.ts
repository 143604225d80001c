import * as pulumi from "@pulumi/pulumi";
import * as settings from "@pulumi/pulumi/runtime/settings.js";
import { Ajv2020 } from "ajv/dist/2020.js";
import fc from "fast-check";
import { dump } from "js-yaml";
import { describe, expect, it } from "vitest";
import { Ceph } from "../../../components/storage/ceph/ceph.ts";
import { CephStore } from "../../../components/storage/ceph/cephStore.ts";
import { cephLayout, layoutProblems } from "../../../components/storage/ceph/layout.ts";
import { bucketClaim, storeUser } from "../../../components/storage/ceph/resources.ts";
import {
  type CephValuesArgs,
  clusterSpec,
  clusterValues,
  driverValues,
  objectStoreSpec,
  operatorValues,
  poolSpec,
} from "../../../components/storage/ceph/values.ts";
import { schemas } from "./cephSchemas.ts";

const args: CephValuesArgs = {
  namespace: "rook-ceph",
  image: "quay.io/ceph/ceph:v20",
  nodes: ["node1", "node2", "node3"].map((name) => ({ name, devices: ["/dev/sdb", "/dev/sdc"] })),
  mons: 3,
  retention: { volumes: "Delete", buckets: "Retain", disks: "Retain" },
  isDefaultClass: true,
  objectStore: { tlsSecret: "tls" },
};

const device = fc.integer({ min: 0, max: 20 }).map((i) => `/dev/sd${i}`);
const someNodes = fc.uniqueArray(
  fc.record({
    name: fc.integer({ min: 0, max: 9 }).map((i) => `node${i}`),
    devices: fc.uniqueArray(device, { minLength: 1, maxLength: 4 }),
  }),
  { minLength: 1, maxLength: 6, selector: ({ name }) => name },
);

describe("Ceph's layout", () => {
  it("keeps no two copies in one place, and never more copies than there are places", () => {
    fc.assert(
      fc.property(someNodes, (nodes) => {
        const { copies, failureDomain } = cephLayout(nodes);
        const disks = nodes.reduce((sum, { devices }) => sum + devices.length, 0);
        const places = failureDomain === "host" ? nodes.length : disks;
        expect(copies).toBe(Math.min(3, places));
        expect(failureDomain).toBe(nodes.length > 1 ? "host" : "osd");
        // What is accepted survives the loss of one place.
        expect(layoutProblems(nodes, "ceph.nodes").length === 0).toBe(copies >= 2);
      }),
    );
  });

  it("uses the disks that are named, and no others", () => {
    fc.assert(
      fc.property(someNodes, (nodes) => {
        const { storage } = clusterSpec({ ...args, nodes });
        expect([storage.useAllNodes, storage.useAllDevices]).toEqual([false, false]);
        expect(storage.nodes.map(({ name, devices }) => ({ name, devices: devices.map((d) => d.name) }))).toEqual(
          nodes,
        );
      }),
    );
  });

  it.each([
    [[], /^ceph\.nodes: is empty; name the nodes and the disks/],
    [[{ name: "a", devices: ["/dev/sdb"] }], /one disk \(\/dev\/sdb of a\) keeps only one copy/],
    [
      [
        { name: "a", devices: ["/dev/sdb"] },
        { name: "a", devices: ["/dev/sdc"] },
      ],
      /a is there more than once/,
    ],
    [[{ name: "a", devices: ["/dev/sdb", "/dev/sdb"] }], /\/dev\/sdb of a is there more than once/],
  ])("says what is wrong with %j", (nodes, message) => {
    expect(layoutProblems(nodes, "ceph.nodes")).toEqual([expect.stringMatching(message)]);
  });
});

describe("Ceph's manifests", () => {
  const resources = {
    CephCluster: clusterSpec(args),
    CephBlockPool: poolSpec(args.nodes),
    CephObjectStore: objectStoreSpec(args.nodes, args.retention, { tlsSecret: "tls" }),
    CephObjectStoreUser: storeUser("models-read", "rook-ceph", {}).spec,
    ObjectBucketClaim: bucketClaim("models", "rook-ceph", {}).spec,
  };

  it("are these", async () => {
    const all = {
      "rook-ceph": operatorValues(),
      "ceph-csi-drivers": driverValues("rook-ceph"),
      "rook-ceph-cluster": clusterValues(args),
      users: ["models-read", "models-write"].map((user) => storeUser(user, "rook-ceph", { part: "stack" })),
      claim: bucketClaim("models", "rook-ceph", { part: "stack" }),
    };
    await expect(dump(all, { noRefs: true, lineWidth: -1 })).toMatchFileSnapshot("__snapshots__/ceph.yaml");
  });

  it.each(Object.entries(resources))("of a %s have fields that there are, with values that may be", (kind, spec) => {
    const validate = new Ajv2020({ strict: false, allErrors: true }).compile(schemas[kind as keyof typeof schemas]);
    expect(validate(spec), JSON.stringify(validate.errors)).toBe(true);
    expect(validate({ ...spec, useAllDevises: true })).toBe(false);
  });

  it("find each other by name: classes the drivers, claims the class, users and claim the store", () => {
    const values = clusterValues({ ...args, namespace: "storage" });
    const drivers = driverValues("storage");
    expect(drivers.drivers.rbd.name).toBe("storage.rbd.csi.ceph.com");
    expect(drivers.operatorConfig.namespace).toBe(values.operatorNamespace);
    const [pool] = values.cephBlockPools;
    const secrets = Object.entries(pool.storageClass.parameters).filter(([key]) => key.endsWith("namespace"));
    expect(new Set(secrets.map(([, value]) => value))).toEqual(new Set(["storage"]));
    const [store] = values.cephObjectStores;
    const claim = bucketClaim("models", "storage", {});
    expect(claim.spec.storageClassName).toBe(store.storageClass.name);
    expect(storeUser("a", "storage", {}).spec.store).toBe(store.name);
    const { Statement } = JSON.parse(claim.spec.additionalConfig.bucketPolicy);
    const actions = Statement.flatMap((statement: { Action: string[] }) => statement.Action);
    expect(actions).toEqual(["s3:GetObject", "s3:ListBucket", "s3:GetBucketLocation"]);
  });

  it("keep what retention says, and nothing less", () => {
    const of = (retention: Partial<CephValuesArgs["retention"]>) => {
      const values = clusterValues({ ...args, retention: { ...args.retention, ...retention } });
      return [
        values.cephBlockPools[0].storageClass.reclaimPolicy,
        values.cephObjectStores[0].storageClass.reclaimPolicy,
        values.cephObjectStores[0].spec.preservePoolsOnDelete,
        values.cephClusterSpec.cleanupPolicy.confirmation,
      ];
    };
    expect(of({})).toEqual(["Delete", "Retain", true, ""]);
    expect(of({ volumes: "Retain", buckets: "Delete" })).toEqual(["Retain", "Delete", false, ""]);
    expect(of({ disks: "Delete" })).toEqual(["Delete", "Retain", true, "yes-really-destroy-data"]);
  });
});

describe("Ceph's components", () => {
  it("are made one after the other, and so deleted in the other order", async () => {
    const started: string[] = [];
    const done: string[] = [];
    /** What was done when something was started. */
    const before = new Map<string, string[]>();
    await pulumi.runtime.setMocks(
      {
        async newResource({ type, name, inputs }) {
          const id = `${type.split(":").at(-1)} ${name}`;
          started.push(id);
          before.set(id, [...done]);
          await new Promise((resolve) => setTimeout(resolve, 20)); // what does not wait overtakes
          done.push(id);
          const result = type.includes("RandomPassword") ? { result: "r".repeat(64) } : {};
          return { id, state: { ...inputs, ...result, metadata: { ...inputs.metadata, uid: `uid of ${name}` } } };
        },
        call: () => ({}),
      },
      "inference-stack",
      "test",
    );
    const ceph = new Ceph("ceph", { ...args, domain: "cluster.local", hasObjectStore: true });
    const store = new CephStore("object-store", { namespace: "inference", ceph, protect: true });
    await new Promise((resolve) => pulumi.output(store.identity).apply(resolve));
    await (settings as unknown as { waitForRPCs(): Promise<void> }).waitForRPCs();
    const order = [
      "Namespace rook-ceph",
      "Release rook-ceph",
      "Release ceph-csi-drivers",
      "Release rook-ceph-cluster",
      "CephObjectStoreUser models-write",
      "ObjectBucketClaim models",
      "Secret object-store-read",
    ];
    expect(started.filter((id) => order.includes(id))).toEqual(order);
    for (const [i, id] of order.entries())
      for (const earlier of order.slice(0, i)) expect(before.get(id)).toContain(earlier);
    expect(before.get("Release rook-ceph-cluster")).toContain("Secret rook-ceph-rgw-ceph-objectstore-tls");
    expect(store.bucket).toMatchObject({
      endpoint: "https://rook-ceph-rgw-ceph-objectstore.rook-ceph.svc.cluster.local:8443",
      secretName: "object-store-read",
      caBundle: "object-store-ca",
    });
  });
});
