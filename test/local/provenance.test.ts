import { expect, test } from "vitest";
import type { Engine } from "../../local/stack/engine.ts";
import { manifestsOf } from "../../local/stack/provenance.ts";

const urn = (type: string, name: string) =>
  `urn:pulumi:dev::inference-stack::inference-stack:storage:ObjectStore$${type}::${name}`;
const secret = { "4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270", ciphertext: "v1:abc" };
const resource = (type: string, name: string, more: object) => ({ type, urn: urn(type, name), ...more });

/** What `pulumi stack export` prints. */
const exported = {
  deployment: {
    resources: [
      resource("random:index/randomPassword:RandomPassword", "password", { inputs: { length: 40 } }),
      resource("kubernetes:core/v1:Secret", "credentials", {
        inputs: { kind: "Secret", stringData: { user: "a", password: secret } },
      }),
      resource("kubernetes:core/v1:ConfigMap", "measured", { external: true, inputs: {} }),
      resource("kubernetes:core/v1:List", "all", { inputs: { items: [secret, 1, null] } }),
    ],
  },
};

test("manifests are what the program asked Kubernetes for, without what it only read, and without secrets", async () => {
  const engine = { read: async () => JSON.stringify(exported) } as unknown as Engine;
  expect(await manifestsOf(engine, "dev")).toEqual([
    {
      type: "kubernetes:core/v1:Secret",
      name: "credentials",
      object: { kind: "Secret", stringData: { user: "[secret]", password: "[secret]" } },
    },
    { type: "kubernetes:core/v1:List", name: "all", object: { items: ["[secret]", 1, null] } },
  ]);
});
