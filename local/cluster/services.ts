import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { cgroupRoot } from "./cgroups.ts";
import type { Network } from "./network.ts";

/** Everything the node's processes need to know. Written by the command line, read inside the namespaces. */
export interface NodeSpec {
  readonly node: string;
  /** The instance's cluster folder. */
  readonly folder: string;
  /** Folder of etcd and the Kubernetes binaries. */
  readonly bin: string;
  readonly network: Network;
  /** Reference of the sandbox image. */
  readonly pause: string;
}

/** One process of the node: started in the order of the list, each when the one before is ready. */
export interface Service {
  readonly name: string;
  readonly command: readonly string[];
  /** HTTPS or HTTP address that answers 200 once it serves; authenticated as administrator. */
  readonly ready?: string;
}

export const SOCKET = "/run/containerd/containerd.sock";

/** Writes the configuration files under `folder/etc` and returns the processes in order. */
export function services(spec: NodeSpec): Service[] {
  const { folder, bin, network, node } = spec;
  const etc = join(folder, "etc");
  mkdirSync(join(etc, "cni"), { recursive: true });
  const files: Record<string, string> = {
    "containerd.toml": containerdConfig(spec),
    "cni/10-bridge.conflist": JSON.stringify(cniConfig(spec), null, 1),
    "kubelet.yaml": JSON.stringify(kubeletConfig(spec), null, 1),
    "kube-proxy.yaml": JSON.stringify(proxyConfig(spec), null, 1),
    "resolv.conf": "",
  };
  for (const [file, text] of Object.entries(files)) writeFileSync(join(etc, file), text);
  const pki = (file: string) => join(folder, "pki", file);
  const kubeconfig = (user: string) => `--kubeconfig=${pki(`${user}.kubeconfig`)}`;
  const api = `https://${network.nodeAddress}:6443`;
  return [
    { name: "containerd", command: ["containerd", "-c", join(etc, "containerd.toml")] },
    {
      name: "etcd",
      command: [join(bin, "etcd"), ...etcdFlags(join(folder, "etcd"))],
      ready: "http://127.0.0.1:2379/readyz",
    },
    {
      name: "kube-apiserver",
      command: [join(bin, "kube-apiserver"), ...apiServerFlags(network, pki)],
      ready: `${api}/readyz`,
    },
    {
      name: "kube-controller-manager",
      command: [
        join(bin, "kube-controller-manager"),
        kubeconfig("controller-manager"),
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
        kubeconfig("scheduler"),
        "--leader-elect=false",
        "--bind-address=127.0.0.1",
      ],
    },
    {
      name: "kubelet",
      command: [
        join(bin, "kubelet"),
        `--config=${join(etc, "kubelet.yaml")}`,
        kubeconfig("node"),
        `--hostname-override=${node}`,
        `--node-ip=${network.nodeAddress}`,
        `--root-dir=${join(folder, "kubelet")}`,
        `--cert-dir=${join(folder, "kubelet", "pki")}`,
      ],
    },
    { name: "kube-proxy", command: [join(bin, "kube-proxy"), `--config=${join(etc, "kube-proxy.yaml")}`] },
  ];
}

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

function apiServerFlags(network: Network, pki: (file: string) => string): string[] {
  return [
    "--etcd-servers=http://127.0.0.1:2379",
    `--advertise-address=${network.nodeAddress}`,
    // Every address of the node's own network namespace: the link to this machine and loopback. Nothing public is there.
    "--bind-address=0.0.0.0",
    "--secure-port=6443",
    `--service-cluster-ip-range=${network.serviceRange}`,
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

function containerdConfig({ folder, pause }: NodeSpec): string {
  return `version = 2
root = "${folder}/containerd"
state = "/run/containerd"
oom_score = 0
[grpc]
  address = "${SOCKET}"
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

function cniConfig({ folder, network }: NodeSpec) {
  return {
    cniVersion: "1.0.0",
    name: "pods",
    plugins: [
      {
        type: "bridge",
        bridge: "cni0",
        isGateway: true,
        ipMasq: true,
        hairpinMode: true,
        ipam: {
          type: "host-local",
          dataDir: join(folder, "cni"),
          ranges: [[{ subnet: network.podRange }]],
          routes: [{ dst: "0.0.0.0/0" }],
        },
      },
      { type: "portmap", capabilities: { portMappings: true } },
    ],
  };
}

function kubeletConfig({ folder, network }: NodeSpec) {
  const pki = join(folder, "pki");
  return {
    apiVersion: "kubelet.config.k8s.io/v1beta1",
    kind: "KubeletConfiguration",
    containerRuntimeEndpoint: `unix://${SOCKET}`,
    cgroupDriver: "cgroupfs",
    cgroupRoot,
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
    tlsCertFile: join(pki, "kubelet.crt"),
    tlsPrivateKeyFile: join(pki, "kubelet.key"),
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
  };
}

function proxyConfig({ folder, network, node }: NodeSpec) {
  return {
    apiVersion: "kubeproxy.config.k8s.io/v1alpha1",
    kind: "KubeProxyConfiguration",
    mode: "iptables",
    clientConnection: { kubeconfig: join(folder, "pki", "proxy.kubeconfig") },
    hostnameOverride: node,
    clusterCIDR: network.podRange,
    oomScoreAdj: 0,
    // The connection-tracking sysctls belong to the machine and cannot be written from the node's namespace.
    conntrack: { maxPerCore: 0, min: 0, tcpEstablishedTimeout: "0s", tcpCloseWaitTimeout: "0s" },
    metricsBindAddress: "127.0.0.1:10249",
  };
}
