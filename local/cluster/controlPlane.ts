import { join } from "node:path";
import type { ClusterSpec, Service } from "./spec.ts";

/** The first node's processes that make it a cluster, in order. */
export function controlPlane({ folder, bin, network, nodes: [first] }: ClusterSpec): Service[] {
  const pki = (file: string) => join(folder, "pki", file);
  const { address } = first.link;
  return [
    {
      name: "etcd",
      command: [join(bin, "etcd"), ...etcdFlags(join(folder, "etcd"))],
      ready: "http://127.0.0.1:2379/readyz",
    },
    {
      name: "kube-apiserver",
      command: [join(bin, "kube-apiserver"), ...apiServerFlags(address, network.serviceRange, pki)],
      ready: `${apiOf(address)}/readyz`,
    },
    {
      name: "kube-controller-manager",
      command: [
        join(bin, "kube-controller-manager"),
        `--kubeconfig=${pki("controller-manager.kubeconfig")}`,
        `--authentication-kubeconfig=${pki("controller-manager.kubeconfig")}`,
        `--authorization-kubeconfig=${pki("controller-manager.kubeconfig")}`,
        `--root-ca-file=${pki("ca.crt")}`,
        `--service-account-private-key-file=${pki("sa.key")}`,
        `--cluster-signing-cert-file=${pki("ca.crt")}`,
        `--cluster-signing-key-file=${pki("ca.key")}`,
        "--use-service-account-credentials",
        "--leader-elect=false",
        "--bind-address=127.0.0.1",
      ],
    },
    {
      name: "kube-scheduler",
      command: [
        join(bin, "kube-scheduler"),
        `--kubeconfig=${pki("scheduler.kubeconfig")}`,
        "--leader-elect=false",
        "--bind-address=127.0.0.1",
      ],
    },
  ];
}

/** Where the API server answers, at the first node's address. */
export const apiOf = (address: string) => `https://${address}:6443`;

function etcdFlags(data: string): string[] {
  const [client, peer] = ["http://127.0.0.1:2379", "http://127.0.0.1:2380"];
  return [
    `--data-dir=${data}`,
    `--listen-client-urls=${client}`,
    `--advertise-client-urls=${client}`,
    `--listen-peer-urls=${peer}`,
    `--initial-advertise-peer-urls=${peer}`,
    `--initial-cluster=default=${peer}`,
    // One machine, nothing precious: the disk need not confirm every write. A killed process loses nothing by it.
    "--unsafe-no-fsync",
    "--log-level=warn",
  ];
}

function apiServerFlags(address: string, serviceRange: string, pki: (file: string) => string): string[] {
  return [
    "--etcd-servers=http://127.0.0.1:2379",
    `--advertise-address=${address}`,
    // Every address of the node's own network namespace: the link to this machine and loopback. Nothing public is there.
    "--bind-address=0.0.0.0",
    "--secure-port=6443",
    `--service-cluster-ip-range=${serviceRange}`,
    "--allow-privileged",
    "--authorization-mode=Node,RBAC",
    "--enable-admission-plugins=NodeRestriction",
    "--anonymous-auth=false",
    `--client-ca-file=${pki("ca.crt")}`,
    `--tls-cert-file=${pki("apiserver.crt")}`,
    `--tls-private-key-file=${pki("apiserver.key")}`,
    `--kubelet-client-certificate=${pki("apiserver-kubelet-client.crt")}`,
    `--kubelet-client-key=${pki("apiserver-kubelet-client.key")}`,
    `--kubelet-certificate-authority=${pki("ca.crt")}`,
    "--kubelet-preferred-address-types=InternalIP",
    "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
    `--service-account-key-file=${pki("sa.pub")}`,
    `--service-account-signing-key-file=${pki("sa.key")}`,
    `--requestheader-client-ca-file=${pki("front-proxy-ca.crt")}`,
    "--requestheader-allowed-names=front-proxy-client",
    "--requestheader-username-headers=X-Remote-User",
    "--requestheader-group-headers=X-Remote-Group",
    "--requestheader-extra-headers-prefix=X-Remote-Extra-",
    `--proxy-client-cert-file=${pki("front-proxy-client.crt")}`,
    `--proxy-client-key-file=${pki("front-proxy-client.key")}`,
    "--enable-aggregator-routing=true",
  ];
}
