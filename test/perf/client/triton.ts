import { chmodSync, copyFileSync, mkdirSync, readdirSync, symlinkSync } from "node:fs";
import { createServer } from "node:net";
import { delimiter, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { systemPython } from "../../../local/toolchain/distribution.ts";
import { ensure } from "../../../local/toolchain/index.ts";
import type { Server } from "./measure.ts";
import { cpuSeconds, pinned, serverCpu } from "./pinned.ts";

/** The stack's own model server, on this machine instead of in a pod. */
export interface Triton extends Server {
  /** Folder with the requests that its model is measured with. */
  readonly inputs: string;
  stop(): Promise<void>;
}

/**
 * Starts Triton with the stack's model on the server's CPU; its files go into `folder`.
 *
 * @param models those of the repository to serve
 * @param repository folder with models. @default - the stack's
 */
export async function startTriton(folder: string, models = ["lite0"], repository?: string): Promise<Triton> {
  const { model, pythonPath } = await ensure(["model"]);
  const [wheels] = pythonPath.split(delimiter) as [string];
  const home = join(wheels, "pytriton", "tritonserver");
  const backend = join(folder, "backends", "python");
  mkdirSync(backend, { recursive: true });
  // The backend ignores PYTHONPATH but imports from its own folder, so that is where the wheels are linked to.
  for (const source of [join(home, "backends", "python"), wheels])
    for (const file of readdirSync(source)) symlinkSync(join(source, file), join(backend, file));
  const stub = join("python_backend_stubs", await systemPython(), "triton_python_backend_stub");
  copyFileSync(join(home, stub), join(backend, "triton_python_backend_stub"));
  chmodSync(join(backend, "triton_python_backend_stub"), 0o755); // the wheel's is not executable
  const [grpc, rest] = await freePorts(2);
  const server = pinned(
    serverCpu,
    join(home, "bin", "tritonserver"),
    [
      ...[
        `--model-repository=${repository ?? join(model, "repository")}`,
        "--model-control-mode=explicit",
        ...models.map((name) => `--load-model=${name}`),
        `--backend-directory=${join(folder, "backends")}`,
      ],
      ...["--disable-auto-complete-config", "--exit-timeout-secs=3", "--allow-metrics=false"],
      ...["--grpc-address=127.0.0.1", `--grpc-port=${grpc}`, "--http-address=127.0.0.1", `--http-port=${rest}`],
    ],
    {
      LD_LIBRARY_PATH: join(wheels, "nvidia_pytriton.libs"), // the backend's own path leads nowhere from a link
      OMP_NUM_THREADS: "1",
      OPENBLAS_NUM_THREADS: "1",
    },
  );
  const base = `http://127.0.0.1:${rest}/v2`;
  let failed: unknown;
  server.output.catch((error) => {
    failed = error;
  });
  for (let i = 0; !(await isReady(`${base}/health/ready`)); i++) {
    if (failed || i === 600) throw failed ?? new Error("Triton was not ready within a minute");
    await sleep(100);
  }
  return {
    grpc: grpc!,
    rest: rest!,
    inputs: join(model, "inputs"),
    cpuSeconds: () => cpuSeconds(server.pid),
    async answered() {
      const response = await fetch(`${base}/models/lite0/stats`);
      const { model_stats } = (await response.json()) as {
        model_stats: { inference_stats: { success: { count: number } } }[];
      };
      return model_stats[0]!.inference_stats.success.count;
    },
    async stop() {
      server.child.kill("SIGTERM");
      await server.output.catch(() => {});
    },
  };
}

const isReady = (url: string): Promise<boolean> =>
  fetch(url).then(
    ({ ok }) => ok,
    () => false,
  );

async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, "127.0.0.1"));
  await Promise.all(servers.map((server) => new Promise((resolve) => server.once("listening", resolve))));
  const ports = servers.map((server) => (server.address() as { port: number }).port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}
