import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ApiError, Client, NoMatch, Unreachable } from "../../local/plugins/kubernetes/client.ts";
import { checkConfig, readConfig, replacedBy } from "../../local/plugins/kubernetes/config.ts";
import { loadAccess } from "../../local/plugins/kubernetes/kubeconfig.ts";

const kubeconfig = (server: string, more: object = {}) =>
  JSON.stringify({
    clusters: [{ name: "c", cluster: { server } }],
    users: [{ name: "u", user: { token: "t" } }],
    contexts: [
      { name: "one", context: { cluster: "c", user: "u", namespace: "n" } },
      { name: "two", context: { cluster: "none", user: "u" } },
    ],
    "current-context": "one",
    ...more,
  });

describe("a kubeconfig", () => {
  it("leads to the cluster of the context named, else of the current one", async () => {
    const access = loadAccess(kubeconfig("https://a:6443"), undefined);
    expect(access.server.host).toBe("a:6443");
    expect(access.namespace).toBe("n");
    expect((await access.credentials()).headers).toEqual({ authorization: "Bearer t" });
  });

  it("that lacks something says what", () => {
    expect(() => loadAccess("/nowhere/config", undefined)).toThrow("there is no kubeconfig at /nowhere/config");
    expect(() => loadAccess(kubeconfig("https://a"), "three")).toThrow('has no context "three"; it has: one, two');
    expect(() => loadAccess(kubeconfig("https://a"), "two")).toThrow(
      'has no cluster "none", which context "two" needs',
    );
    expect(() => loadAccess(kubeconfig("https://a", { "current-context": "" }), undefined)).toThrow(
      "names no current context; it has: one, two",
    );
  });
});

describe("the provider's configuration", () => {
  it("takes booleans as the SDK sends them", () => {
    expect(readConfig({ enableConfigMapMutable: "true", namespace: "n" })).toMatchObject({
      enableConfigMapMutable: true,
      namespace: "n",
    });
    expect(readConfig({ enableConfigMapMutable: true })).toMatchObject({ enableConfigMapMutable: true });
  });

  it("refuses options it would not follow", () => {
    expect(
      checkConfig({ enableServerSideApply: "false", renderYamlToDirectory: "x" }).map(({ property }) => property),
    ).toEqual(["enableServerSideApply", "renderYamlToDirectory"]);
    expect(checkConfig({ enableServerSideApply: "true", kubeconfig: "x" })).toEqual([]);
  });

  it("means other objects only when it leads to another cluster", () => {
    const at = (server: string) => ({ kubeconfig: kubeconfig(server) });
    expect(replacedBy(at("https://a"), at("https://b"))).toEqual(["kubeconfig"]);
    expect(
      replacedBy(at("https://a"), {
        kubeconfig: kubeconfig("https://a", { users: [{ name: "u", user: { token: "other" } }] }),
      }),
    ).toEqual([]);
    expect(
      replacedBy({ ...at("https://a"), clusterIdentifier: "x" }, { ...at("https://b"), clusterIdentifier: "x" }),
    ).toEqual([]);
    expect(
      replacedBy({ ...at("https://a"), clusterIdentifier: "x" }, { ...at("https://a"), clusterIdentifier: "y" }),
    ).toEqual(["clusterIdentifier"]);
    expect(replacedBy({ kubeconfig: "/nowhere" }, at("https://b"))).toEqual([]);
  });
});

describe("the client", () => {
  let server: Server;
  let client: Client;
  const asked: string[] = [];
  const kinds = [
    { name: "widgets", kind: "Widget", namespaced: true },
    { name: "widgets/status", kind: "Widget", namespaced: true },
  ];
  beforeAll(async () => {
    server = createServer(answer).listen(0, "127.0.0.1");
    await new Promise((resolve) => server.once("listening", resolve));
    client = new Client(
      loadAccess(kubeconfig(`http://127.0.0.1:${(server.address() as AddressInfo).port}`), undefined),
    );
  });
  afterAll(() => server.close());

  function answer(request: IncomingMessage, response: ServerResponse): void {
    const path = request.url!;
    asked.push(`${request.method} ${path}`);
    const say = (code: number, body: unknown, headers = {}) =>
      response.writeHead(code, headers).end(typeof body === "string" ? body : JSON.stringify(body));
    if (path === "/apis/example.com/v1") return void say(200, { resources: kinds });
    if (path.endsWith("/widgets/w")) return void say(200, { kind: "Widget" });
    if (path.startsWith("/apis/example.com/v1/namespaces/n/widgets?"))
      return void say(
        422,
        { reason: "Invalid", message: "Widget is invalid", details: { kind: "Widget" } },
        { warning: '299 - "unknown field \\"x\\""' },
      );
    say(404, "404 page not found\n");
  }

  const widget = { apiVersion: "example.com/v1", kind: "Widget", metadata: { name: "w", namespace: "n" } };

  it("finds out where a kind lives once", async () => {
    expect(await client.read(widget)).toEqual({ kind: "Widget" });
    await client.read(widget);
    expect(asked).toEqual([
      "GET /apis/example.com/v1",
      "GET /apis/example.com/v1/namespaces/n/widgets/w",
      "GET /apis/example.com/v1/namespaces/n/widgets/w",
    ]);
  });

  it("gives the API server's reason and warnings", async () => {
    const warnings: string[] = [];
    const error = await client
      .create(widget, { query: { dryRun: "All" }, onWarning: (text) => warnings.push(text) })
      .catch((e) => e);
    expect(error).toBeInstanceOf(ApiError);
    expect(error).toMatchObject({ code: 422, reason: "Invalid", message: "Widget is invalid" });
    expect(warnings).toEqual(['unknown field \\"x\\"']);
  });

  it("knows a kind that the cluster does not have, and looks again in case it came", async () => {
    const gadget = { ...widget, kind: "Gadget" };
    await expect(client.read(gadget)).rejects.toBeInstanceOf(NoMatch);
    kinds.push({ name: "gadgets", kind: "Gadget", namespaced: false });
    expect(await client.path(gadget, "object")).toBe("/apis/example.com/v1/gadgets/w");
    expect(await client.serves("none.example.com/v1", "Widget")).toBe(false);
  });

  it("says so when nobody is there", async () => {
    const nobody = new Client(loadAccess(kubeconfig("https://127.0.0.1:1"), undefined));
    const error = await nobody.ping().catch((e) => e);
    expect(error).toBeInstanceOf(Unreachable);
    expect(error.message).toContain("https://127.0.0.1:1");
  });
});
