import { createPrivateKey, X509Certificate } from "node:crypto";
import type { AddressInfo } from "node:net";
import { connect, createServer } from "node:tls";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { clientPems, type Pems, servingPems } from "../../../components/tls/authority.ts";

const secret = "0123456789abcdef0123456789abcdef";
const names = ["server.place.svc", "server.place", "127.0.0.1"];
let pems: Pems;
let server: ReturnType<typeof createServer>;
beforeAll(async () => {
  pems = await servingPems(secret, names);
  server = createServer({ key: pems.key, cert: pems.certificate }, (socket) => socket.end("served"));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
});
afterAll(() => server.close());

/** What a client that trusts only `ca` and asks for `servername` gets from the server, or why it gets nothing. */
const dial = (servername: string | undefined, ca: string) =>
  new Promise<string>((resolve) => {
    const { port } = server.address() as AddressInfo;
    const socket = connect({ host: "127.0.0.1", port, servername, ca });
    socket.once("error", ({ message }) => resolve(message));
    socket.once("data", (data) => resolve(data.toString()));
  });

it("serves TLS for each of its names and its address, and for no other", async () => {
  for (const name of [...names.slice(0, 2), undefined]) expect(await dial(name, pems.ca)).toBe("served");
  expect(await dial("other.place.svc", pems.ca)).toMatch(/does not match certificate's altnames/);
});

it("cannot be taken for a server at an address it does not name", async () => {
  const other = await servingPems(secret, names.slice(0, 2));
  expect(new X509Certificate(other.certificate).checkIP("127.0.0.1")).toBeUndefined();
  expect(new X509Certificate(pems.certificate).checkIP("127.0.0.1")).toBe("127.0.0.1");
});

it("is vouched for by its own authority alone", async () => {
  const other = await servingPems(secret.toUpperCase(), names);
  expect(await dial(names[0]!, other.ca)).toMatch(/unable to verify|certificate signature failure/);
});

it("cannot vouch for others with the server's certificate", () => {
  expect(new X509Certificate(pems.ca).ca).toBe(true);
  expect(new X509Certificate(pems.certificate).ca).toBe(false);
});

it("is the same whenever it is made of the same secret", async () => {
  expect(await servingPems(secret, names)).toEqual(pems);
  expect((await servingPems(`${secret}x`, names)).key).not.toBe(pems.key);
  await expect(servingPems("short", names)).rejects.toThrow("at least 32 characters");
});

describe("a client certificate", () => {
  /** Who the client is to a server that asks, or why it is nobody. */
  const greet = (client?: Pems) =>
    new Promise<string>((resolve) => {
      const asking = createServer(
        { key: pems.key, cert: pems.certificate, ca: pems.ca, requestCert: true, rejectUnauthorized: false },
        (socket) => {
          const { subject } = socket.getPeerCertificate();
          resolve(socket.authorized ? `welcome ${subject.CN}` : String(socket.authorizationError));
          socket.destroy();
          asking.close();
        },
      );
      asking.listen(0, "127.0.0.1", () => {
        const { port } = asking.address() as AddressInfo;
        const own = client && { key: client.key, cert: client.certificate };
        connect({ host: "127.0.0.1", port, servername: names[0], ca: pems.ca, ...own }).on("error", () => {});
      });
    });

  it("is accepted by a server of the same authority, and by no other", async () => {
    expect(await greet(await clientPems(secret, names[0]!, "bench", "P-256"))).toBe("welcome bench");
    expect(await greet(await clientPems(secret.toUpperCase(), names[0]!, "bench", "P-256"))).not.toMatch(/welcome/);
    expect(await greet()).not.toMatch(/welcome/);
  });

  it("does not pass for a server's, nor a server's for a client's", async () => {
    expect(new X509Certificate((await clientPems(secret, names[0]!, "bench", "P-256")).certificate).keyUsage).toEqual([
      "1.3.6.1.5.5.7.3.2",
    ]);
    expect(await greet(pems)).toBe("INVALID_PURPOSE");
  });
});

it("has a key that every TLS library knows, where that is asked for", async () => {
  const one = await servingPems(secret, names, "P-256");
  const { publicKey } = new X509Certificate(one.certificate);
  expect(publicKey.asymmetricKeyDetails?.namedCurve).toBe("prime256v1");
  expect(new X509Certificate(one.certificate).checkPrivateKey(createPrivateKey(one.key))).toBe(true);
  expect(new X509Certificate(one.certificate).verify(new X509Certificate(pems.ca).publicKey)).toBe(true);
  expect(await servingPems(secret, names, "P-256")).toEqual(one);
});
