import { describe, expect, test } from "vitest";
import { parseTarget } from "../../../../benchmarks/client/cli/target.ts";
import type { Target } from "../../../../benchmarks/spec.ts";
import { flagsOf } from "./flags.ts";

const targetOf = async (line: string) => parseTarget(await flagsOf(...line.split(" ").filter(Boolean)));
const tensors = { input: "data", output: "prob" };
const seldon = { seldon: "seldonovms-server-res", namespace: "kubeflow" };

describe("flags name a server", () => {
  const cases: [string, Target][] = [
    [
      "--url http://127.0.0.1:8001 --model m",
      { protocol: "v2-grpc", host: "127.0.0.1", port: 8001, model: "m", ...tensors },
    ],
    [
      "--url http://[::1]:8001/ --model m --input in --output-tensor out",
      { protocol: "v2-grpc", host: "::1", port: 8001, model: "m", input: "in", output: "out" },
    ],
    [
      "--host a,b --port 80 --protocol v2-rest-binary --model m",
      { protocol: "v2-rest-binary", host: "a,b", port: 80, model: "m", ...tensors },
    ],
    ["--url https://a --model m", { protocol: "v2-grpc", host: "a", port: 443, model: "m", ...tensors, tls: {} }],
    ["--host a --port 1 --tls --model m", { protocol: "v2-grpc", host: "a", port: 1, model: "m", ...tensors, tls: {} }],
    [
      "--url https://a:1 --model m --ca-file ca --cert-file c --key-file k --server-name s --authority b",
      {
        protocol: "v2-grpc",
        host: "a",
        port: 1,
        model: "m",
        ...tensors,
        authority: "b",
        tls: { caFile: "ca", certFile: "c", keyFile: "k", serverName: "s" },
      },
    ],
    [
      "--url http://a/v1/x/ --protocol tfs-rest --signature s --model m",
      { protocol: "tfs-rest", host: "a", port: 80, model: "m", ...tensors, signature: "s", pathPrefix: "/v1/x" },
    ],
    [
      "--url http://a --protocol v2-rest --path-prefix /p --model m --header X-A=b=c --header d=",
      {
        protocol: "v2-rest",
        host: "a",
        port: 80,
        model: "m",
        ...tensors,
        pathPrefix: "/p",
        headers: { "x-a": "b=c", d: "" },
      },
    ],
    [
      "--ingress 10.54.8.228:31380",
      {
        protocol: "seldon-grpc",
        host: "10.54.8.228",
        port: 31380,
        model: "seldonovms-server-res",
        ...tensors,
        headers: seldon,
      },
    ],
    [
      "--ingress a.nip.io:443 --deployment d --namespace n --certs-file c.pem",
      {
        protocol: "seldon-grpc",
        host: "a.nip.io",
        port: 443,
        model: "d",
        ...tensors,
        headers: { seldon: "d", namespace: "n" },
        tls: { caFile: "c.pem" },
      },
    ],
    [
      "--url http://a --protocol seldon-rest --deployment d --namespace n",
      { protocol: "seldon-rest", host: "a", port: 80, model: "d", ...tensors, pathPrefix: "/seldon/n/d" },
    ],
    ["--url http://a --protocol seldon-rest", { protocol: "seldon-rest", host: "a", port: 80, model: "", ...tensors }],
    [
      "--ingress a:1 --header namespace=other",
      {
        protocol: "seldon-grpc",
        host: "a",
        port: 1,
        model: "seldonovms-server-res",
        ...tensors,
        headers: { ...seldon, namespace: "other" },
      },
    ],
    ["--ingress a:1 --protocol v2-grpc --model m", { protocol: "v2-grpc", host: "a", port: 1, model: "m", ...tensors }],
  ];
  test.each(cases)("%s", async (line, target) => expect(await targetOf(line)).toEqual(target));
});

describe("mistakes are one sentence with the value and a way out", () => {
  const cases: [string, RegExp][] = [
    ["--model m", /^Which server\? Give --url, or --host and --port, or the guide's --ingress HOST:PORT\.$/],
    ["--host a --model m", /^Which server\?/],
    ["--url http://a --host b --model m", /^--url http:\/\/a and --host and --port both name a server/],
    ["--url http://a --ingress b:1", /^--url http:\/\/a and --ingress b:1 both name a server/],
    ["--url nonsense --model m", /^--url nonsense is not a URL; an example is http:\/\/127/],
    ["--url localhost:8001 --model m", /^--url localhost:8001 is not a URL/],
    ["--url grpc://a:1 --model m", /^--url grpc:\/\/a:1 begins with grpc:\/\/; it must be http:\/\/ or https:\/\//],
    ["--url http://a/?b=c --model m", /may have a host, a port and a path, and nothing else/],
    ["--url http://a", /^Which model\? v2-grpc needs --model/],
    ["--ingress 10.0.0.1", /^--ingress 10\.0\.0\.1 is not HOST:PORT .* an example is 10\.54\.8\.228:31380\.$/],
    ["--ingress a:70000", /^--ingress a:70000 is not HOST:PORT with a port from 1 to 65535/],
    [
      "--url http://a --model m --signature s",
      /^--signature s belongs to TensorFlow Serving, but the protocol is v2-grpc/,
    ],
    [
      "--url http://a --model m --protocol v2-rest --deployment d",
      /^--deployment d belongs to Seldon, but the protocol is v2-rest/,
    ],
    ["--url http://a/x --model m", /^The path \/x has no meaning in gRPC \(v2-grpc\)/],
    ["--url http://a/x --model m --protocol v2-rest --path-prefix /y", /has a path, and so has --path-prefix \/y/],
    ["--url http://a --model m --protocol v2-rest --path-prefix y", /^--path-prefix y must begin with \//],
    ["--url http://a --model m --ca-file f", /is plain text, but --ca-file f asks for TLS\. Use https:\/\//],
    ["--url http://a --model m --tls", /is plain text, but --tls asks for TLS/],
    ["--url https://a --model m --cert-file f", /^--cert-file f needs --key-file beside it/],
    ["--url https://a --model m --key-file f", /^--key-file f needs --cert-file beside it/],
    ["--url https://a --model m --ca-file f --certs-file g", /^--ca-file f and --certs-file g mean the same/],
    ["--url http://a --model m --header novalue", /^--header novalue is not NAME=VALUE/],
    ["--url http://a --model m --header Host=b", /"host" is set by the client itself\. Use --authority/],
    ["--url http://a --model m --header grpc-timeout=1S", /"grpc-timeout" is set by the client itself/],
    ["--url http://a --model m --header a(=1", /^--header a\(=1 is not a header/],
    ["--url http://a --model m --header a=1 --header A=2", /there is a value for "a" already/],
  ];
  test.each(cases)("%s", (line, sentence) => expect(targetOf(line)).rejects.toThrow(sentence));
});

test("the help is in groups and has examples", async () => {
  let help = "";
  const { clientCommand } = await import("../../../../benchmarks/client/cli/options.ts");
  const command = clientCommand(async () => {}).exitOverride();
  command.configureOutput({ writeOut: (text) => (help += text) });
  await expect(command.parseAsync(["--help"], { from: "user" })).rejects.toThrow("(outputHelp)");
  for (const group of ["Server:", "TLS:", "Inputs:", "MLPerf:", "Output:", "As the guide's client"])
    expect(help).toContain(`\n${group}`);
  expect(help).toMatch(/Examples:[\s\S]*--scenario Server[\s\S]*--output guide[\s\S]*Exit codes: 0/);
});
