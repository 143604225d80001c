import { XDS_HOST, XDS_PORT } from "./istiod.ts";

export interface BootstrapArgs {
  /** Of the gateway's pods. */
  readonly namespace: string;
  readonly account: string;
  /** Labels by which a Gateway selects these pods. */
  readonly labels: Readonly<Record<string, string>>;
  /** Connections from clients at once, over all listeners. */
  readonly maxConnections: number;
}

export const ADMIN_PORT = 15000;
export const STATUS_PORT = 15021;
/** Mounted beside the bootstrap: where the token for istiod is. */
export const TOKEN_FILE = "/var/run/secrets/tokens/istio-token";
const TOKEN_SECRET_FILE = "/etc/envoy/token.json";
const CA_FILE = "/etc/envoy/istiod-ca.pem";

const type = (name: string) => ({ "@type": `type.googleapis.com/envoy.${name}` });
const address = (host: string, port: number) => ({ socket_address: { address: host, port_value: port } });
const endpoint = (cluster_name: string, host: string, port: number) => ({
  cluster_name,
  endpoints: [{ lb_endpoints: [{ endpoint: { address: address(host, port) } }] }],
});

/**
 * What an Envoy knows before it has talked to istiod: where istiod is, how to trust it, and the token to show it. Everything else
 * istiod tells it; until then it is not ready.
 */
export function bootstrap({ namespace, account, labels, maxConnections }: BootstrapArgs) {
  const fromIstiod = { ads: {}, initial_fetch_timeout: "0s", resource_api_version: "V3" };
  return {
    node: {
      cluster: `${account}.${namespace}`,
      metadata: {
        NAMESPACE: namespace,
        CLUSTER_ID: "Kubernetes",
        SERVICE_ACCOUNT: account,
        ISTIO_VERSION: "1.31.0",
        LABELS: labels,
      },
    },
    admin: { address: address("127.0.0.1", ADMIN_PORT) },
    overload_manager: {
      resource_monitors: [
        {
          name: "envoy.resource_monitors.global_downstream_max_connections",
          typed_config: {
            ...type("extensions.resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig"),
            max_active_downstream_connections: maxConnections,
          },
        },
      ],
    },
    dynamic_resources: {
      lds_config: fromIstiod,
      cds_config: fromIstiod,
      ads_config: {
        api_type: "DELTA_GRPC",
        transport_api_version: "V3",
        set_node_on_first_message_only: true,
        grpc_services: [
          {
            envoy_grpc: {
              cluster_name: "xds-grpc",
              // By itself it would wait for up to half a minute when istiod is back, and be as slow to say that it is gone.
              retry_policy: { retry_back_off: { base_interval: "0.5s", max_interval: "5s" } },
            },
          },
        ],
      },
    },
    static_resources: { clusters: [istiod(), admin()], listeners: [status()] },
  };
}

/** The token as Envoy's filter reads it; the file is renewed by the kubelet. */
export const tokenSecret = {
  resources: [
    {
      ...type("extensions.transport_sockets.tls.v3.Secret"),
      name: "istio-token",
      generic_secret: { secret: { filename: TOKEN_FILE } },
    },
  ],
};

function istiod() {
  const http = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
  return {
    name: "xds-grpc",
    type: "STRICT_DNS",
    connect_timeout: "2s",
    load_assignment: endpoint("xds-grpc", XDS_HOST, XDS_PORT),
    typed_extension_protocol_options: {
      [http]: {
        ...type("extensions.upstreams.http.v3.HttpProtocolOptions"),
        explicit_http_config: {
          http2_protocol_options: { connection_keepalive: { interval: "30s", timeout: "10s" } },
        },
        http_filters: [
          {
            name: "envoy.filters.http.credential_injector",
            typed_config: {
              ...type("extensions.filters.http.credential_injector.v3.CredentialInjector"),
              overwrite: true,
              credential: {
                name: "envoy.http.injected_credentials.generic",
                typed_config: {
                  ...type("extensions.http.injected_credentials.generic.v3.Generic"),
                  header: "authorization",
                  header_value_prefix: "Bearer ",
                  credential: {
                    name: "istio-token",
                    sds_config: { path_config_source: { path: TOKEN_SECRET_FILE } },
                  },
                },
              },
            },
          },
          {
            name: "envoy.filters.http.upstream_codec",
            typed_config: type("extensions.filters.http.upstream_codec.v3.UpstreamCodec"),
          },
        ],
      },
    },
    transport_socket: {
      name: "envoy.transport_sockets.tls",
      typed_config: {
        ...type("extensions.transport_sockets.tls.v3.UpstreamTlsContext"),
        sni: XDS_HOST,
        common_tls_context: {
          alpn_protocols: ["h2"],
          validation_context: {
            trusted_ca: { filename: CA_FILE },
            match_typed_subject_alt_names: [{ san_type: "DNS", matcher: { exact: XDS_HOST } }],
          },
        },
      },
    },
  };
}

const admin = () => ({
  name: "admin",
  type: "STATIC",
  connect_timeout: "1s",
  load_assignment: endpoint("admin", "127.0.0.1", ADMIN_PORT),
});

/** Readiness and figures, and nothing else of the admin interface. */
const status = () => ({
  name: "status",
  address: address("0.0.0.0", STATUS_PORT),
  ignore_global_conn_limit: true,
  filter_chains: [
    {
      filters: [
        {
          name: "envoy.filters.network.http_connection_manager",
          typed_config: {
            ...type("extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"),
            stat_prefix: "status",
            route_config: {
              virtual_hosts: [
                {
                  name: "status",
                  domains: ["*"],
                  routes: [
                    { match: { path: "/healthz/ready" }, route: { cluster: "admin", prefix_rewrite: "/ready" } },
                    { match: { path: "/stats/prometheus" }, route: { cluster: "admin" } },
                  ],
                },
              ],
            },
            http_filters: [
              {
                name: "envoy.filters.http.router",
                typed_config: type("extensions.filters.http.router.v3.Router"),
              },
            ],
          },
        },
      ],
    },
  ],
});
