import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { run } from "../exec.ts";
import type { Network } from "./network.ts";

interface Certificate {
  readonly name: string;
  /** OpenSSL subject, such as `/O=system:masters/CN=admin`: Kubernetes reads groups from O and the user from CN. */
  readonly subject: string;
  readonly ca: "ca" | "front-proxy-ca";
  readonly names?: readonly string[];
}

const KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];

/** Whom the cluster's certificates are for. */
interface Parties {
  readonly network: Network;
  readonly nodes: readonly { readonly name: string; readonly link: { readonly address: string } }[];
}

function certificates({ network, nodes }: Parties): Certificate[] {
  const service = [
    "kubernetes",
    "kubernetes.default",
    "kubernetes.default.svc",
    "kubernetes.default.svc.cluster.local",
    "localhost",
  ];
  const addresses = [network.apiServiceAddress, nodes[0].link.address, "127.0.0.1"];
  return [
    { name: "apiserver", subject: "/CN=kube-apiserver", ca: "ca", names: [...service.map(dns), ...addresses.map(ip)] },
    { name: "apiserver-kubelet-client", subject: "/O=system:masters/CN=kube-apiserver-kubelet-client", ca: "ca" },
    { name: "front-proxy-client", subject: "/CN=front-proxy-client", ca: "front-proxy-ca" },
    ...users({ nodes }),
  ];
}

/** Who gets a kubeconfig. A kubelet also serves with its certificate. */
function users({ nodes }: Pick<Parties, "nodes">): Certificate[] {
  return [
    { name: "admin", subject: "/O=system:masters/CN=admin", ca: "ca" },
    { name: "controller-manager", subject: "/CN=system:kube-controller-manager", ca: "ca" },
    { name: "scheduler", subject: "/CN=system:kube-scheduler", ca: "ca" },
    { name: "proxy", subject: "/CN=system:kube-proxy", ca: "ca" },
    ...nodes.map(({ name, link }): Certificate => {
      return {
        name,
        subject: `/O=system:nodes/CN=system:node:${name}`,
        ca: "ca",
        names: [dns(name), ip(link.address)],
      };
    }),
  ];
}

const dns = (name: string) => `DNS:${name}`;
const ip = (address: string) => `IP:${address}`;

/**
 * The cluster's certificates and kubeconfigs in `folder`. The authorities and the service account key are made once and
 * kept, because running pods trust them; what they sign is made anew at every start and never gets old.
 */
export async function writePki(folder: string, parties: Parties): Promise<void> {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  for (const name of ["ca", "front-proxy-ca"])
    if (!existsSync(join(folder, `${name}.crt`)))
      await openssl(folder, [
        "req",
        "-x509",
        ...KEY,
        "-keyout",
        `${name}.key`,
        "-out",
        `${name}.crt`,
        "-days",
        "3650",
        "-subj",
        `/CN=${name}`,
      ]);
  if (!existsSync(join(folder, "sa.pub"))) {
    await openssl(folder, ["genrsa", "-out", "sa.key", "2048"]);
    await openssl(folder, ["rsa", "-in", "sa.key", "-pubout", "-out", "sa.pub"]);
  }
  await Promise.all(certificates(parties).map((certificate) => sign(folder, certificate)));
  const server = `https://${parties.nodes[0].link.address}:6443`;
  for (const { name } of users(parties)) writeKubeconfig(folder, name, server);
}

function sign(folder: string, { name, subject, ca, names }: Certificate): Promise<string> {
  return openssl(folder, [
    ...[
      "req",
      "-x509",
      "-CA",
      `${ca}.crt`,
      "-CAkey",
      `${ca}.key`,
      ...KEY,
      "-keyout",
      `${name}.key`,
      "-out",
      `${name}.crt`,
    ],
    ...["-days", "365", "-subj", subject, "-addext", "basicConstraints=critical,CA:FALSE"],
    ...[
      "-addext",
      "extendedKeyUsage=serverAuth,clientAuth",
      ...(names ? ["-addext", `subjectAltName=${names.join(",")}`] : []),
    ],
  ]);
}

const openssl = (cwd: string, args: string[]) => run("openssl", args, { cwd });

function writeKubeconfig(folder: string, user: string, server: string): void {
  const data = (file: string) => readFileSync(join(folder, file)).toString("base64");
  const config = {
    apiVersion: "v1",
    kind: "Config",
    clusters: [{ name: "inference-stack", cluster: { server, "certificate-authority-data": data("ca.crt") } }],
    users: [
      { name: user, user: { "client-certificate-data": data(`${user}.crt`), "client-key-data": data(`${user}.key`) } },
    ],
    contexts: [{ name: "inference-stack", context: { cluster: "inference-stack", user } }],
    "current-context": "inference-stack",
  };
  const file = join(folder, `${user}.kubeconfig`);
  writeFileSync(file, JSON.stringify(config, null, 1), { mode: 0o600 }); // JSON is YAML
  chmodSync(file, 0o600);
}
