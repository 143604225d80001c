import { describe, expect, it } from "vitest";
import { bootstrap } from "../../../components/gateway/bootstrap.ts";
import { definitions } from "../../../components/gateway/definitions.ts";
import { destinationSpec, gatewaySpec, routeSpec } from "../../../components/gateway/routes.ts";

const args = {
  name: "server",
  namespace: "inference-dev",
  service: "server.inference-dev.svc.cluster.local",
  ports: { "v2-grpc": 8001, "v2-rest": 8000, "v2-rest-binary": 8000, metrics: 8002 },
  host: "inference.internal",
  gateway: "istio-ingress/inference-dev",
  timeoutSeconds: 60,
  hasSeldonRoutes: false,
};
type Routes = ReturnType<typeof routeSpec>["http"];
const named = (routes: Routes, name: string) => routes.find((route) => route.name === name)!;
const portOf = (routes: Routes, name: string) => named(routes, name).route[0]!.destination.port.number;

describe("a route", () => {
  it("is as reviewed", () => expect(routeSpec(args)).toMatchSnapshot());

  it("leads by Seldon's paths and headers to this deployment alone", () => {
    const { http } = routeSpec(args);
    expect(named(http, "seldon-rest")).toMatchObject({
      match: [{ uri: { prefix: "/seldon/inference-dev/server/" } }],
      rewrite: { uri: "/" },
    });
    expect(named(http, "seldon-grpc").match).toEqual([
      {
        uri: { regex: ".*tensorflow.*|.*seldon.protos.*|.*inference.*" },
        headers: { seldon: { exact: "server" }, namespace: { exact: "inference-dev" } },
      },
    ]);
    expect([portOf(http, "seldon-rest"), portOf(http, "seldon-grpc")]).toEqual([8000, 8001]);
  });

  it("leaves these to Seldon's operator where there is one, and what carries its headers too", () => {
    const { http } = routeSpec({ ...args, hasSeldonRoutes: true });
    expect(http.map(({ name }) => name)).toEqual(["grpc", "rest"]);
    for (const { match } of http) for (const one of match) expect(one).toHaveProperty("withoutHeaders", { seldon: {} });
  });

  it("lets nobody administer a server", () => {
    const prefixes = routeSpec(args).http.flatMap(({ match }) =>
      match.flatMap((one) => ("uri" in one && "prefix" in one.uri! ? [one.uri.prefix] : [])),
    );
    for (const path of ["/v2/repository/models/lite0/unload", "/v2/trace/setting", "/metrics", "/"])
      expect(prefixes.filter((prefix) => path.startsWith(prefix))).toEqual([]);
  });

  it("ends a request in time and never sends it twice", () => {
    for (const { timeout, retries } of routeSpec({ ...args, timeoutSeconds: 7 }).http)
      expect([timeout, retries]).toEqual(["7s", { attempts: 0 }]);
  });

  it("has nothing for what a server does not speak", () => {
    expect(routeSpec({ ...args, ports: { "tfs-rest": 8501 } }).http.map(({ name }) => name)).toEqual([
      "seldon-rest",
      "rest",
    ]);
  });
});

it("makes a Gateway of TLS alone, for one name and one namespace", () => {
  const gateway = { label: "ingressgateway", namespace: "n", host: "a.b", credential: "n-tls" };
  const spec = gatewaySpec({ ...gateway, isMutual: false });
  expect(spec).toMatchSnapshot();
  expect(spec.servers.map(({ port }) => port.protocol)).toEqual(["HTTPS"]);
  expect(gatewaySpec({ ...gateway, isMutual: true }).servers[0]!.tls.mode).toBe("MUTUAL");
});

it("limits connections, from clients and to servers", () => {
  expect(destinationSpec("s", 7).trafficPolicy.connectionPool.tcp.maxConnections).toBe(7);
  const { overload_manager } = bootstrap({ namespace: "n", account: "a", labels: {}, maxConnections: 9 });
  expect(overload_manager.resource_monitors[0]!.typed_config).toHaveProperty("max_active_downstream_connections", 9);
});

it("starts an Envoy that trusts istiod alone, and shows it its token", () => {
  const text = bootstrap({ namespace: "n", account: "a", labels: { istio: "i" }, maxConnections: 1 });
  expect(text).toMatchSnapshot();
  expect(text.admin.address.socket_address.address).toBe("127.0.0.1");
});

it("defines the kinds in every version that Seldon's operator and istiod ask for, stored once", () => {
  for (const [name, { versions, names, group }] of Object.entries(definitions)) {
    const all = versions as { name: string; storage: boolean; served: boolean }[];
    expect(name).toBe(`${(names as { plural: string }).plural}.${group}`);
    expect(all.filter(({ served }) => served).map((version) => version.name)).toEqual(["v1", "v1beta1", "v1alpha3"]);
    expect(all.filter(({ storage }) => storage)).toHaveLength(1);
  }
});
