/** What a store that answered, or was not even dialled, had against a request, in words for the user: the SDK has few. */
export function reasonOf(error: unknown, bucket = process.env.S3_BUCKET, user = process.env.AWS_ACCESS_KEY_ID): string {
  const { name, message, code, $metadata } = error as Error & {
    code?: string;
    $metadata?: { httpStatusCode?: number };
  };
  const status = $metadata?.httpStatusCode;
  if (code && CERTIFICATE.test(code))
    return `the object store's certificate is not one to trust (${message}); of a store of your own, objectStore.external.ca must be the authority that signed it, and objectStore.external.endpoint the name in it`;
  if (status === undefined) return message || name;
  const answer = `the object store answers ${name === "Unknown" ? "" : `${name} `}(HTTP ${status})`.replace("  ", " ");
  if (status === 403)
    return `${answer} to ${user} on bucket ${bucket}: the secret key must be right, and its policy must allow s3:ListBucket on the bucket and s3:GetObject and s3:PutObject on what is in it`;
  if (name === "NoSuchBucket") return `${answer}: there is no bucket ${bucket}; create it, or name another one`;
  if (name === "XMinioStorageFull" || status === 507) return `${answer}: it is full; give it a larger objectStore.size`;
  return answer;
}

const CERTIFICATE = /CERT|SELF_SIGNED|UNABLE_TO_VERIFY|UNABLE_TO_GET_ISSUER/;
