import { describe, expect, it } from "vitest";
import { PROVISIONER, volume } from "../../local/cluster/volumes.ts";

describe("volume", () => {
  const claim = {
    metadata: { name: "data", namespace: "store", uid: "u1" },
    spec: { storageClassName: "local", accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "1Gi" } } },
  };

  it("is bound to its claim and its nodes, and is deleted with the claim", () => {
    expect(volume("pvc-u1", "/data/pvc-u1", claim, ["node1", "node2"])).toMatchObject({
      metadata: { annotations: { "pv.kubernetes.io/provisioned-by": PROVISIONER } },
      spec: {
        capacity: { storage: "1Gi" },
        claimRef: { namespace: "store", name: "data", uid: "u1" },
        local: { path: "/data/pvc-u1" },
        persistentVolumeReclaimPolicy: "Delete",
        nodeAffinity: { required: { nodeSelectorTerms: [{ matchExpressions: [{ values: ["node1", "node2"] }] }] } },
      },
    });
  });
});
