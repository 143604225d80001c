import { dump } from "js-yaml";
import { describe, expect, it } from "vitest";
import { namedPorts } from "../../components/serving/modelServer.ts";
import { type ServerName, serverKinds } from "../../components/serving/servers/kinds.ts";
import { checkConfig } from "../../stacks/config.ts";
import { requestsOf, serverWarnings } from "../../stacks/server.ts";
import { dev, only, presetConfig, runProgram, SERVICE, STATEFUL_SET } from "./program.ts";

const away = {
  ...presetConfig("high-throughput"),
  pinning: "none",
  benchmark: { enabled: false },
  model: { name: "lite0", version: "1" },
};
type Changes = Record<string, object | string>;
const problemsOf = (changes: Changes, base: object = away) => checkConfig({ ...base, ...changes }).problems;
const presetOf = (stack: string) => {
  const { instances, cpus } = presetConfig(stack) as { instances: number; cpus: number };
  return { instances, cpus } as unknown as Changes;
};
interface Variable {
  name: string;
  value: string;
}
const jpeg = { model: { ...away.model, inputs: "jpeg" } };
const transformed = { engine: "seldon", seldon: { operator: "installed", executor: { enabled: true } } };

async function manifests(changes: Changes) {
  const program = await runProgram({ ...away, ...changes });
  const { template } = only(program, STATEFUL_SET, "server-node1").inputs.spec;
  const [container] = template.spec.containers;
  return { ports: only(program, SERVICE, "server").inputs.spec.ports, container, volumes: template.spec.volumes };
}

const cases: [string, Changes][] = [
  ["triton", {}],
  ["triton-jpeg-gpus", { server: { kind: "triton", gpus: 2 }, ...jpeg }],
  ["ovms", { server: { kind: "ovms" } }],
  ["ovms-jpeg", { server: { kind: "ovms" }, ...jpeg }],
  ["ovms-tensorflow-serving", { server: { kind: "ovms", api: "tensorflow-serving" } }],
  ["mlserver", { server: { kind: "mlserver" } }],
  ["mlserver-jpeg", { server: { kind: "mlserver" }, ...jpeg }],
  ["dlrs", { server: { kind: "dlrs" } }],
];

describe("the manifest of a server", () => {
  it.each(cases)("is as reviewed: %s", async (name, changes) => {
    expect(problemsOf(changes)).toEqual([]);
    const text = dump(await manifests(changes), { noRefs: true, lineWidth: -1 });
    await expect(text.replace(/fetch-[0-9a-f]{10}/g, "fetch-HASH")).toMatchFileSnapshot(
      `__snapshots__/server-${name}.yaml`,
    );
  });

  it.each(cases)("names every port that a probe asks, and gives each number once: %s", async (_, changes) => {
    const { ports, container } = await manifests(changes);
    const names = container.ports.map(({ name }: { name: string }) => name);
    for (const probe of [container.startupProbe, container.readinessProbe, container.livenessProbe])
      expect(names).toContain((probe.httpGet ?? probe.tcpSocket).port);
    expect(ports.map(({ name }: { name: string }) => name)).toEqual(names);
    const numbers = container.ports.map(({ containerPort }: { containerPort: number }) => containerPort);
    expect(new Set(numbers).size).toBe(numbers.length);
  });

  it("has the port numbers of any other kind, so that the Service can stay", async () => {
    const numbers = new Map<string, number>();
    for (const [, changes] of cases)
      for (const { name, port } of (await manifests(changes)).ports) {
        expect(port).toBe(numbers.get(name) ?? port);
        numbers.set(name, port);
      }
    expect([...numbers.keys()].sort()).toEqual(["grpc", "http", "metrics"]);
  });

  it("counts as ready only with its model", async () => {
    for (const kind of ["ovms", "mlserver"]) {
      const { container } = await manifests({ server: { kind } });
      expect(container.readinessProbe.httpGet.path).toBe("/v2/models/lite0/ready");
      expect(container.startupProbe.httpGet.path).toBe("/v2/models/lite0/ready");
    }
  });

  it("is of the release that speaks the API", async () => {
    const image = async (server: object) => (await manifests({ server })).container.image;
    expect(await image({ kind: "ovms" })).toMatch(/:2026\.3$/);
    expect(await image({ kind: "ovms", api: "tensorflow-serving" })).toMatch(/:2026\.2\.1$/);
  });

  it("has its threads from the plan, in the variables that it reads", async () => {
    const { container: dlrs } = await manifests({ server: { kind: "dlrs" }, ...presetOf("low-latency") });
    expect(dlrs.env.map(({ name, value }: Variable) => [name, value])).toEqual(
      Object.entries({
        PYTHONPATH: "/usr/local/lib/openvino/inference_engine/:/usr/local/lib",
        OMP_NUM_THREADS: "24",
        KMP_SETTINGS: "1",
        KMP_AFFINITY: "granularity=fine,verbose,compact,1,0",
        KMP_BLOCKTIME: "1",
      }),
    );
    expect(dlrs.command.slice(0, 2)).toEqual(["/bin/bash", "-c"]);
    const { container } = await manifests({ server: { kind: "ovms" } });
    expect(container.command).toContain(
      '--plugin_config={"INFERENCE_NUM_THREADS":2,"NUM_STREAMS":1,"ENABLE_CPU_PINNING":false}',
    );
  });
});

describe("a config whose server does not fit", () => {
  const embedded = { ...dev, benchmark: { enabled: false } };

  it.each<[string, Changes, object, RegExp]>([
    [
      "an API it does not have",
      { server: { kind: "triton", api: "tensorflow-serving" } },
      away,
      /^server\.api: triton.*use ovms$/,
    ],
    [
      "an API that is newer",
      { server: { kind: "dlrs", api: "v2" } },
      away,
      /^server\.api: dlrs.*triton or ovms or mlserver$/,
    ],
    [
      "GPUs that it cannot use",
      { server: { kind: "ovms", gpus: 1 } },
      away,
      /^server\.gpus: ovms.*set it to 0, or use triton or mlserver$/,
    ],
    ["GPUs that are not there", { server: { gpus: 1 } }, embedded, /^server\.gpus: 1 .*embedded.*set it to 0/],
    [
      "no image for it",
      { server: { kind: "ovms" } },
      embedded,
      /^server\.kind: ovms cannot run on the embedded cluster.*triton and mlserver/,
    ],
    [
      "JPEG files that nothing decodes",
      { server: { kind: "dlrs" }, ...jpeg },
      away,
      /^model\.inputs: dlrs takes no JPEG.*engine kubernetes.*inputs tensor.*use triton or ovms or mlserver, or .*engine seldon with seldon\.executor\.enabled/,
    ],
    [
      "JPEG files that only an executor could have decoded",
      { server: { kind: "dlrs" }, engine: "seldon", ...jpeg },
      away,
      /^model\.inputs: dlrs takes no JPEG.*engine seldon without its executor.*seldon\.executor\.enabled/,
    ],
    [
      "a protocol that the transformer in front does not speak",
      { server: { kind: "dlrs" }, ...transformed, ...jpeg, benchmark: { protocol: "tfs-grpc" } },
      away,
      /^benchmark\.protocol: what decodes files in front of dlrs does not speak tfs-grpc; choose seldon-grpc$/,
    ],
    [
      "a protocol it does not speak",
      { server: { kind: "dlrs" }, benchmark: { protocol: "v2-grpc" } },
      away,
      /^benchmark\.protocol: server\.kind dlrs does not speak v2-grpc; choose one of tfs-grpc, tfs-rest$/,
    ],
    [
      "a protocol without bytes",
      { ...jpeg, benchmark: { protocol: "v2-rest" } },
      away,
      /^benchmark\.protocol: v2-rest sends JSON.*choose one of v2-grpc, v2-rest-binary$/,
    ],
  ])("is told of %s, and what to do", (_, changes, base, problem) => {
    const problems = problemsOf(changes, base);
    expect(problems).toHaveLength(1);
    expect(problems[0]).toMatch(problem);
  });

  it("may have GPUs, and images of its own on the embedded cluster", () => {
    expect(problemsOf({ server: { kind: "triton", gpus: 4 } })).toEqual([]);
    expect(problemsOf({ server: { kind: "ovms" }, images: { ovms: "mine:1" } }, embedded)).toEqual([]);
  });

  it("is warned of what is discontinued, and of nothing else", () => {
    const warnings = (kind: ServerName) =>
      serverWarnings({ server: { kind, gpus: 0, streams: 1, memory: "1Gi", readySeconds: 60 } });
    expect(warnings("dlrs").join()).toMatch(/discontinued.*ovms/);
    for (const kind of ["triton", "ovms", "mlserver"] as const) expect(warnings(kind)).toEqual([]);
  });
});

describe("requests", () => {
  const of = (model: object, kind = "triton") => {
    const { config } = checkConfig({ ...away, server: { kind }, model: { ...away.model, ...model } });
    return requestsOf(config!);
  };

  it("are tensors unless JPEG files are asked for", () => {
    expect(of({})).toEqual({ name: "lite0", inputs: "tensor", input: "data", output: "prob", folder: "inputs/" });
    expect(of({ inputs: "jpeg" })).toEqual({
      name: "lite0-jpeg",
      inputs: "jpeg",
      input: "image",
      output: "label",
      folder: "inputs-jpeg/",
    });
  });

  it("ask for what the server computes, and for what the config names", () => {
    expect(of({ inputs: "jpeg" }, "ovms").output).toBe("prob");
    expect(of({ inputs: "jpeg", input: "x", output: "y" })).toMatchObject({ input: "x", output: "y" });
  });
});

describe("named ports", () => {
  it("are there once for each number", () => {
    expect(namedPorts(serverKinds.ovms.ports("v2"))).toEqual([
      { name: "grpc", port: 8001 },
      { name: "http", port: 8000 },
    ]);
    expect(namedPorts(serverKinds.dlrs.ports("tensorflow-serving")).map(({ name }) => name)).toEqual(["grpc", "http"]);
  });
});
