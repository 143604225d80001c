import { MODELS } from "../objectStore.ts";
import { BUCKET_CLASS, OBJECT_STORE } from "./values.ts";

/** Who reads models, and who uploads them. */
export const READER = `${MODELS}-read`;
export const WRITER = `${MODELS}-write`;

const waitFor = (condition: string) => ({ "pulumi.com/waitFor": condition });
type Labels = Readonly<Record<string, string>>;

/** A user of the object store whose keys are in the Secret of the same name. */
export const storeUser = (user: string, namespace: string, labels: Labels) => ({
  apiVersion: "ceph.rook.io/v1",
  kind: "CephObjectStoreUser",
  metadata: { name: user, namespace, labels: { ...labels }, annotations: waitFor("jsonpath={.status.phase}=Ready") },
  spec: {
    store: OBJECT_STORE,
    displayName: user,
    keys: [
      {
        accessKeyRef: { name: user, key: "AWS_ACCESS_KEY_ID" },
        secretKeyRef: { name: user, key: "AWS_SECRET_ACCESS_KEY" },
      },
    ],
    // None of its own.
    ...(user === READER ? { quotas: { maxBuckets: -1 } } : {}),
  },
});

/** A bucket of the one who uploads, which the servers' user may read. */
export const bucketClaim = (bucket: string, namespace: string, labels: Labels) => ({
  apiVersion: "objectbucket.io/v1alpha1",
  kind: "ObjectBucketClaim",
  metadata: {
    name: bucket,
    namespace,
    labels: { ...labels },
    annotations: waitFor("jsonpath={.status.phase}=Bound"),
  },
  spec: {
    bucketName: bucket,
    storageClassName: BUCKET_CLASS,
    additionalConfig: { bucketOwner: WRITER, bucketPolicy: JSON.stringify(readPolicy(bucket, READER)) },
  },
});

const readPolicy = (bucket: string, user: string) => {
  const allow = (actions: string[], resource: string) => ({
    Effect: "Allow",
    Principal: { AWS: [`arn:aws:iam:::user/${user}`] },
    Action: actions,
    Resource: [`arn:aws:s3:::${resource}`],
  });
  return {
    Version: "2012-10-17",
    Statement: [allow(["s3:GetObject"], `${bucket}/*`), allow(["s3:ListBucket", "s3:GetBucketLocation"], bucket)],
  };
};
