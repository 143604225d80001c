import { chmodSync, mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { CoreV1Api, KubeConfig, type V1PersistentVolume, type V1PersistentVolumeClaim } from "@kubernetes/client-node";

/** Names the provisioner in the StorageClass, the claims and the volumes. */
export const PROVISIONER = "inference-stack/local";
export const STORAGE_CLASS = "local";

/**
 * Gives every claim of our storage class a folder as a `local` volume, and takes folder and volume away when the claim is
 * gone. Unlike the controller manager's host-path provisioner, such volumes honour `fsGroup`, so no pod needs root.
 * A volume belongs to the node its pod was scheduled to, and to the first node, which sees the same folder and is always
 * there: with fewer nodes at a later start it takes the volumes over. Runs until the process ends.
 */
export async function provisionVolumes(
  kubeconfig: string,
  folder: string,
  firstNode: string,
  say: (text: string) => void,
): Promise<never> {
  const config = new KubeConfig();
  config.loadFromFile(kubeconfig);
  const api = config.makeApiClient(CoreV1Api);
  mkdirSync(folder, { recursive: true });
  for (;;) {
    try {
      for (const claim of (await api.listPersistentVolumeClaimForAllNamespaces()).items) {
        const node = nodeOf(claim);
        if (node === undefined) continue;
        const name = `pvc-${claim.metadata!.uid}`;
        const path = join(folder, name);
        mkdirSync(path, { recursive: true });
        chmodSync(path, 0o770); // the kubelet gives the folder to the pod's fsGroup; nobody else may look inside
        await api
          .createPersistentVolume({ body: volume(name, path, claim, [...new Set([firstNode, node])]) })
          .catch(unless(409));
        say(`volume ${name} for ${claim.metadata!.namespace}/${claim.metadata!.name}`);
      }
      const volumes = (await api.listPersistentVolume()).items.filter(isReleased);
      for (const { metadata } of volumes) {
        rmSync(join(folder, metadata!.name!), { recursive: true, force: true });
        await api.deletePersistentVolume({ name: metadata!.name! }).catch(unless(404));
        say(`volume ${metadata!.name} removed`);
      }
    } catch (error) {
      say(`volumes: ${String(error).split("\n")[0]}`);
    }
    await sleep(1000);
  }
}

/** Where the volume is needed of a claim that waits for us: the scheduler has placed its pod and no volume is bound yet. */
function nodeOf({ metadata, spec }: V1PersistentVolumeClaim): string | undefined {
  const annotations = metadata?.annotations ?? {};
  const isOurs = !spec?.volumeName && annotations["volume.kubernetes.io/storage-provisioner"] === PROVISIONER;
  return isOurs ? annotations["volume.kubernetes.io/selected-node"] : undefined;
}

function isReleased({ metadata, status }: V1PersistentVolume): boolean {
  return status?.phase === "Released" && metadata?.annotations?.["pv.kubernetes.io/provisioned-by"] === PROVISIONER;
}

export function volume(
  name: string,
  path: string,
  claim: V1PersistentVolumeClaim,
  nodes: string[],
): V1PersistentVolume {
  return {
    metadata: { name, annotations: { "pv.kubernetes.io/provisioned-by": PROVISIONER } },
    spec: {
      storageClassName: claim.spec!.storageClassName,
      capacity: { storage: claim.spec!.resources!.requests!.storage },
      accessModes: claim.spec!.accessModes,
      persistentVolumeReclaimPolicy: "Delete",
      volumeMode: "Filesystem",
      claimRef: {
        apiVersion: "v1",
        kind: "PersistentVolumeClaim",
        namespace: claim.metadata!.namespace,
        name: claim.metadata!.name,
        uid: claim.metadata!.uid,
      },
      local: { path },
      nodeAffinity: {
        required: {
          nodeSelectorTerms: [{ matchExpressions: [{ key: "kubernetes.io/hostname", operator: "In", values: nodes }] }],
        },
      },
    },
  };
}

function unless(code: number): (error: unknown) => void {
  return (error) => {
    if ((error as { code?: number }).code !== code) throw error;
  };
}
