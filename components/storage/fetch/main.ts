import { fetchModel } from "./fetch.ts";

/** Entry of the program that init containers run; everything comes from the environment. */
const setting = (name: string) => {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set`);
  return value;
};

try {
  const { files, bytes, seconds } = await fetchModel({
    endpoint: setting("S3_ENDPOINT"),
    region: setting("AWS_REGION"),
    bucket: setting("S3_BUCKET"),
    prefix: setting("PREFIX"),
    subPath: setting("SUB_PATH"),
    target: setting("TARGET"),
    accessKeyId: setting("AWS_ACCESS_KEY_ID"),
    secretAccessKey: setting("AWS_SECRET_ACCESS_KEY"),
  });
  console.log(`fetched ${files} files, ${(bytes / 1e6).toFixed(1)} MB in ${seconds.toFixed(1)} s`);
} catch (error) {
  console.error(`fetch: ${(error as Error).message}`);
  process.exitCode = 1;
}
