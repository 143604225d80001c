import { connectStore, s3Client } from "../reach/connect.ts";
import { reasonOf } from "../reach/reason.ts";
import { uploadModel } from "./upload.ts";

/** Uploads a model's folder into the stack's bucket: `node main.ts FOLDER`, with the store in the environment. */
const [folder] = process.argv.slice(2);

try {
  if (!folder) throw new Error("usage: main.ts FOLDER");
  const store = await connectStore();
  const s3 = s3Client(store);
  try {
    const { name, version, files, copied, sent, sentBytes } = await uploadModel(s3, store.bucket, folder);
    console.log(
      `model ${name} ${version}: ${files} files, ${sent} sent (${(sentBytes / 1e6).toFixed(1)} MB), ${copied} copied from other versions, ${files - sent - copied} there already`,
    );
  } finally {
    s3.destroy();
    store.close();
  }
} catch (error) {
  console.error(`model upload: ${reasonOf(error)}`);
  process.exitCode = 1;
}
