import type { Ports } from "../serving/modelServer.ts";

/** Whose requests a Gateway takes. */
export interface GatewaySpecArgs {
  /** Value of the label `istio` of the Envoys. */
  readonly label: string;
  /** The namespace whose routes it follows. */
  readonly namespace: string;
  /** DNS name under which clients reach it. */
  readonly host: string;
  /** Secret with its certificate. */
  readonly credential: string;
  /** Clients have to show a certificate too. */
  readonly isMutual: boolean;
}

/** Spec of a Gateway: one name, over TLS alone. */
export function gatewaySpec({ label, namespace, host, credential, isMutual }: GatewaySpecArgs) {
  return {
    selector: { istio: label },
    servers: [
      {
        port: { number: 443, name: "https", protocol: "HTTPS" },
        hosts: [`${namespace}/${host}`],
        tls: {
          mode: isMutual ? "MUTUAL" : "SIMPLE",
          credentialName: credential,
          minProtocolVersion: "TLSV1_2",
        },
      },
    ],
  };
}

export interface RouteSpecArgs {
  /** Name of the Service, and of the deployment in Seldon's paths and headers. */
  readonly name: string;
  readonly namespace: string;
  /** Full DNS name of the Service. */
  readonly service: string;
  readonly ports: Ports;
  readonly host: string;
  /** `NAMESPACE/NAME` of the Gateway. */
  readonly gateway: string;
  /** A request that has not been answered after this long is ended, in seconds. */
  readonly timeoutSeconds: number;
  /** Something else routes by Seldon's paths and headers. */
  readonly hasSeldonRoutes: boolean;
}

/** What clients of the servers ask for over REST. What a server lets its administrator do is not among it. */
const REST = ["/v2/models/", "/v2/health/", "/v1/models/", "/api/"];
/** The gRPC services by which Seldon's operator tells what is for the servers. */
const GRPC = ".*tensorflow.*|.*seldon.protos.*|.*inference.*";

/**
 * Spec of a VirtualService: to the servers by the host alone, and by path (REST) or headers (gRPC) as Seldon has them. A request
 * is never sent twice: what fails, fails, and whoever measures sees it.
 */
export function routeSpec(args: RouteSpecArgs) {
  const { name, namespace, service, ports, host, gateway, timeoutSeconds, hasSeldonRoutes } = args;
  const to = (port: number) => ({
    route: [{ destination: { host: service, port: { number: port } } }],
    timeout: `${timeoutSeconds}s`,
    retries: { attempts: 0 },
  });
  const [grpc, http] = [portOf(ports, true), portOf(ports, false)];
  // The operator's own routes may be older or younger than these, and the older win.
  const own = hasSeldonRoutes ? { withoutHeaders: { seldon: {} } } : {};
  const seldon = {
    rest: { uri: { prefix: `/seldon/${namespace}/${name}/` } },
    grpc: { uri: { regex: GRPC }, headers: { seldon: { exact: name }, namespace: { exact: namespace } } },
  };
  return {
    hosts: [host],
    gateways: [gateway],
    http: [
      ...(http === undefined || hasSeldonRoutes
        ? []
        : [{ name: "seldon-rest", match: [seldon.rest], rewrite: { uri: "/" }, ...to(http) }]),
      ...(grpc === undefined || hasSeldonRoutes ? [] : [{ name: "seldon-grpc", match: [seldon.grpc], ...to(grpc) }]),
      ...(grpc === undefined
        ? []
        : [
            {
              name: "grpc",
              match: [{ headers: { "content-type": { prefix: "application/grpc" } }, ...own }],
              ...to(grpc),
            },
          ]),
      ...(http === undefined
        ? []
        : [{ name: "rest", match: REST.map((prefix) => ({ uri: { prefix }, ...own })), ...to(http) }]),
    ],
  };
}

const portOf = (ports: Ports, isGrpc: boolean): number | undefined =>
  Object.entries(ports).find(([spoken]) => spoken !== "metrics" && spoken.endsWith("-grpc") === isGrpc)?.[1];

/**
 * Spec of a DestinationRule for the servers: the next request goes to the less busy of two, and so many connections are the most.
 *
 * @param service full DNS name
 */
export function destinationSpec(service: string, maxConnections: number) {
  return {
    host: service,
    trafficPolicy: {
      loadBalancer: { simple: "LEAST_REQUEST" },
      connectionPool: { tcp: { maxConnections, connectTimeout: "5s" } },
      tls: { mode: "DISABLE" }, // between Envoy and the servers, which do not speak it
    },
  };
}
