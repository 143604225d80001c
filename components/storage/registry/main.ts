import { forwardPort } from "../reach/portForward.ts";
import { pushImage } from "./push.ts";

/** Pushes an image into the stack's registry: `node main.ts ARCHIVE REPOSITORY:TAG`, with the registry in the environment. */
const setting = (name: string) => {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set`);
  return value;
};

try {
  const [archive, image] = process.argv.slice(2);
  if (!image) throw new Error("usage: main.ts ARCHIVE REPOSITORY:TAG");
  const forwarded = await forwardPort({
    kubeconfig: process.env.KUBECONFIG,
    context: setting("KUBE_CONTEXT"),
    namespace: setting("POD_NAMESPACE"),
    selector: setting("POD_SELECTOR"),
    port: Number(setting("POD_PORT")),
  });
  try {
    const seconds = await pushImage(archive, image, {
      host: `127.0.0.1:${forwarded.port}`,
      user: setting("REGISTRY_USER"),
      password: setting("REGISTRY_PASSWORD"),
      ca: setting("REGISTRY_CA"),
      log: forwarded.log,
    });
    console.log(`pushed ${image} in ${seconds.toFixed(1)} s`);
  } finally {
    forwarded.close();
  }
} catch (error) {
  console.error(`image push: ${(error as Error).message}`);
  process.exitCode = 1;
}
