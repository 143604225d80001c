import { forwardPort } from "./portForward.ts";
import { reasonOf, storeClient, uploadModel } from "./upload.ts";

/**
 * Uploads a model's folder into the stack's bucket: `node main.ts FOLDER BUCKET NAMESPACE SELECTOR PORT`, with the context in
 * KUBE_CONTEXT, the file (unless the usual one) in KUBECONFIG, and the keys in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.
 */
const [folder, bucket, namespace, selector, port] = process.argv.slice(2);

try {
  if (!port) throw new Error("usage: main.ts FOLDER BUCKET NAMESPACE SELECTOR PORT");
  const { KUBECONFIG: kubeconfig, KUBE_CONTEXT: context = "", AWS_REGION: region = "us-east-1" } = process.env;
  const forwarded = await forwardPort({ kubeconfig, context, namespace, selector, port: Number(port) });
  const s3 = storeClient(forwarded.url, region);
  try {
    const { name, version, files, sent, sentBytes } = await uploadModel(s3, bucket, folder);
    console.log(
      `model ${name} ${version}: ${files} files, ${sent} sent (${(sentBytes / 1e6).toFixed(1)} MB), ${files - sent} there already`,
    );
  } finally {
    s3.destroy();
    forwarded.close();
  }
} catch (error) {
  console.error(`model upload: ${reasonOf(error)}`);
  process.exitCode = 1;
}
