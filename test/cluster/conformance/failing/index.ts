import * as k8s from "@pulumi/kubernetes";

/** Resources that exist but do not become what they should. WHAT says which. */
const image = process.env.CONFORMANCE_IMAGE!;
const what = process.env.WHAT;
const metadata = { namespace: new k8s.core.v1.Namespace("bad").metadata.name };
const container = { name: "c", image, command: ["/bin/sh", "-c", "exit 3"] };

if (what === "job")
  new k8s.batch.v1.Job("bad", {
    metadata,
    spec: { backoffLimit: 0, template: { spec: { restartPolicy: "Never", containers: [container] } } },
  });
if (what === "image")
  new k8s.core.v1.Pod("bad", {
    metadata: { ...metadata, annotations: { "pulumi.com/timeoutSeconds": "5" } },
    spec: { containers: [{ ...container, image: "localhost/none-such:1" }] },
  });
if (what === "service")
  new k8s.core.v1.Service("bad", { metadata, spec: { selector: { app: "nobody" }, ports: [{ port: 80 }] } });
if (what === "existing") {
  const first = new k8s.core.v1.ConfigMap("first", { metadata: { ...metadata, name: "same" } });
  new k8s.core.v1.ConfigMap("second", { metadata: { ...metadata, name: "same" } }, { dependsOn: first });
}
