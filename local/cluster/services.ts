import { mkdirSync, writeFileSync } from "node:fs";
import { totalmem } from "node:os";
import { join } from "node:path";
import { cgroupOf } from "./cgroups.ts";
import type { ClusterSpec, Node, Service } from "./spec.ts";

/** Of each node's own containerd, in a folder that all nodes' mount namespaces share. */
export const socketOf = (node: string) => `/run/containerd/${node}.sock`;
export const stateOf = (node: string) => `/run/containerd/${node}`;

/** Writes the configuration files under the node's `etc` and returns the processes that make it a node, in order. */
export function nodeServices(cluster: ClusterSpec, node: Node): Service[] {
  const { bin } = cluster;
  const { folder, name } = node;
  const etc = join(folder, "etc");
  mkdirSync(join(etc, "cni"), { recursive: true });
  const files: Record<string, string> = {
    "containerd.toml": containerdConfig(cluster, node),
    "cni/10-bridge.conflist": JSON.stringify(cniConfig(node), null, 1),
    "kubelet.yaml": JSON.stringify(kubeletConfig(cluster, node), null, 1),
    "kube-proxy.yaml": JSON.stringify(proxyConfig(cluster, node), null, 1),
    "resolv.conf": "",
  };
  for (const [file, text] of Object.entries(files)) writeFileSync(join(etc, file), text);
  return [
    { name: "containerd", command: ["containerd", "-c", join(etc, "containerd.toml")] },
    {
      name: "kubelet",
      command: [
        join(bin, "kubelet"),
        `--config=${join(etc, "kubelet.yaml")}`,
        `--kubeconfig=${join(cluster.folder, "pki", `${name}.kubeconfig`)}`,
        `--hostname-override=${name}`,
        `--node-ip=${node.link.address}`,
        `--root-dir=${join(folder, "kubelet")}`,
        `--cert-dir=${join(folder, "kubelet", "pki")}`,
      ],
    },
    { name: "kube-proxy", command: [join(bin, "kube-proxy"), `--config=${join(etc, "kube-proxy.yaml")}`] },
  ];
}

function containerdConfig({ pause }: ClusterSpec, { name, folder }: Node): string {
  return `version = 2
root = "${folder}/containerd"
state = "${stateOf(name)}"
oom_score = 0
[grpc]
  address = "${socketOf(name)}"
[plugins."io.containerd.internal.v1.opt"]
  path = "${folder}/opt"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "${pause}"
  # Without CAP_SYS_RESOURCE a score below our own cannot be set, and no container would start.
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
    default_runtime_name = "runc"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        SystemdCgroup = false
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "${folder}/etc/cni"
  [plugins."io.containerd.grpc.v1.cri".registry]
    config_path = "${folder}/etc/certs.d"
`;
}

function cniConfig({ folder, link }: Node) {
  return {
    cniVersion: "1.0.0",
    name: "pods",
    plugins: [
      {
        type: "bridge",
        bridge: "cni0",
        isGateway: true,
        hairpinMode: true,
        ipam: {
          type: "host-local",
          dataDir: join(folder, "cni"),
          ranges: [[{ subnet: link.podRange }]],
          routes: [{ dst: "0.0.0.0/0" }],
        },
      },
      { type: "portmap", capabilities: { portMappings: true } },
    ],
  };
}

function kubeletConfig({ folder: shared, network, nodes }: ClusterSpec, { name, folder, sharedCpus }: Node) {
  const pki = join(shared, "pki");
  return {
    apiVersion: "kubelet.config.k8s.io/v1beta1",
    kind: "KubeletConfiguration",
    containerRuntimeEndpoint: `unix://${socketOf(name)}`,
    cgroupDriver: "cgroupfs",
    cgroupRoot: cgroupOf(name),
    failCgroupV1: false,
    failSwapOn: false,
    oomScoreAdj: 0,
    maxOpenFiles: 20000,
    authentication: {
      anonymous: { enabled: false },
      webhook: { enabled: true },
      x509: { clientCAFile: join(pki, "ca.crt") },
    },
    authorization: { mode: "Webhook" },
    tlsCertFile: join(pki, `${name}.crt`),
    tlsPrivateKeyFile: join(pki, `${name}.key`),
    clusterDomain: "cluster.local",
    clusterDNS: [network.dnsAddress],
    resolvConf: join(folder, "etc", "resolv.conf"),
    podLogsDir: join(folder, "logs"),
    // Images come from archives and could not be pulled again: nothing may collect them.
    imageGCHighThresholdPercent: 100,
    evictionHard: {
      "memory.available": "200Mi",
      "nodefs.available": "0%",
      "nodefs.inodesFree": "0%",
      "imagefs.available": "0%",
    },
    serializeImagePulls: false,
    syncFrequency: "10s",
    shutdownGracePeriod: "0s",
    systemReserved: {
      // The machine's memory is all nodes' together: each offers its part.
      memory: String(totalmem() - Math.floor(totalmem() / nodes.length)),
      ...(sharedCpus && "quantity" in sharedCpus ? { cpu: sharedCpus.quantity } : {}),
    },
    ...(sharedCpus ? { cpuManagerPolicy: "static" } : {}),
    ...(sharedCpus && "list" in sharedCpus ? { reservedSystemCPUs: sharedCpus.list } : {}),
  };
}

function proxyConfig(cluster: ClusterSpec, { name, link }: Node) {
  return {
    apiVersion: "kubeproxy.config.k8s.io/v1alpha1",
    kind: "KubeProxyConfiguration",
    mode: "iptables",
    clientConnection: { kubeconfig: join(cluster.folder, "pki", "proxy.kubeconfig") },
    hostnameOverride: name,
    clusterCIDR: link.podRange,
    oomScoreAdj: 0,
    // The connection-tracking sysctls belong to the machine and cannot be written from a node's namespace.
    conntrack: { maxPerCore: 0, min: 0, tcpEstablishedTimeout: "0s", tcpCloseWaitTimeout: "0s" },
    metricsBindAddress: "127.0.0.1:10249",
  };
}
