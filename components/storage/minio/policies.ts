/** What a user may do with a bucket: `read` its objects, also `write` them, also `manage` (delete, and write in parts). */
export type Right = "read" | "write" | "manage";

/** A user of the store with the right to one bucket. */
export interface Grant {
  readonly bucket: string;
  readonly right: Right;
}

/** Name of the user, and of the policy. */
export const userOf = ({ bucket, right }: Grant) => `${bucket}-${right}`;

const OBJECTS: Readonly<Record<Right, readonly string[]>> = {
  read: ["GetObject"],
  write: ["GetObject", "PutObject"],
  manage: ["GetObject", "PutObject", "DeleteObject", "ListMultipartUploadParts", "AbortMultipartUpload"],
};
/** Without ListBucket a store says "forbidden" where it means "not there". */
const BUCKET: Readonly<Record<Right, readonly string[]>> = {
  read: ["ListBucket", "GetBucketLocation"],
  write: ["ListBucket", "GetBucketLocation"],
  manage: ["ListBucket", "GetBucketLocation", "ListBucketMultipartUploads"],
};

/** The policy in the language that S3 and its likes share; nothing in it reaches beyond the bucket. */
export function policyOf({ bucket, right }: Grant) {
  const allow = (actions: readonly string[], resource: string) => ({
    Effect: "Allow",
    Action: actions.map((action) => `s3:${action}`),
    Resource: [`arn:aws:s3:::${resource}`],
  });
  return {
    Version: "2012-10-17",
    Statement: [allow(OBJECTS[right], `${bucket}/*`), allow(BUCKET[right], bucket)],
  };
}
