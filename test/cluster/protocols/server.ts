import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Input } from "../../../benchmarks/client/inputs.ts";
import { protocols } from "../../../benchmarks/client/protocols/index.ts";
import type { Outcome } from "../../../benchmarks/client/protocols/protocol.ts";
import type { Target } from "../../../benchmarks/spec.ts";
import { distribution } from "../../../local/toolchain/distribution.ts";
import { ensureTargets } from "../../../local/toolchain/index.ts";
import { pythonTarget } from "../../../local/toolchain/python.ts";

export interface PythonServer {
  readonly grpc: number;
  readonly http: number;
  stop(): void;
}

/** Installs the official Python stubs (NAME.txt) where they are missing, and starts the server NAME.py on them. */
export async function startServer(name: "tfs" | "seldon"): Promise<PythonServer> {
  const stubs = pythonTarget(`stubs-${name}`, distribution(), 5, join(import.meta.dirname, `${name}.txt`));
  await ensureTargets([stubs]);
  const child = spawn("/usr/bin/python3", [join(import.meta.dirname, `${name}.py`)], {
    stdio: ["pipe", "pipe", "inherit"],
    env: { ...process.env, PYTHONPATH: stubs.path, PYTHONDONTWRITEBYTECODE: "1" },
  });
  const ports = await new Promise<string>((resolve, reject) => {
    createInterface(child.stdout).once("line", resolve);
    child.once("exit", (code) => reject(new Error(`${name}.py ended with exit code ${code}`)));
  });
  return { ...JSON.parse(ports), stop: () => child.stdin.end() };
}

/** One request, and what its reply answers. */
export async function ask(target: Target, batch: readonly Input[]): Promise<(number | string)[]> {
  const outcome = await exchange(target, batch);
  if (outcome.reply === undefined) throw new Error(`${outcome.kind}: ${outcome.detail}`);
  return protocols[target.protocol](target, undefined).answers(outcome.reply, batch.length);
}

/** One request on a connection of its own. */
export async function exchange(target: Target, batch: readonly Input[]): Promise<Outcome> {
  const protocol = protocols[target.protocol](target, undefined);
  const connection = await protocol.connect(
    { ip: target.host, port: target.port },
    { timeoutMs: 20_000, maxReplyBytes: 1 << 20 },
  );
  try {
    return await new Promise((resolve) => connection.send(protocol.encode(batch), resolve));
  } finally {
    connection.close();
  }
}

/** The class that the servers see in these bytes, and its name. */
export function truth(data: Buffer): { index: number; label: string } {
  const index = createHash("sha256").update(data).digest().readUInt32BE(0) % 1000;
  return { index, label: `clásse ${index}` };
}

const shape = [3, 4, 5];

/** Four tensors; among their elements the smallest and the largest, and one that needs all nine digits. */
export const tensors: readonly Input[] = [0, 1, 2, 3].map((n) => {
  const data = Buffer.alloc(4 * 60);
  for (let i = 0; i < 60; i++) data.writeFloatLE(Math.sin(1000 * n + i) * 10 ** ((i % 9) - 4), 4 * i);
  if (n === 1)
    for (const [i, x] of [2 ** -149, (2 - 2 ** -23) * 2 ** 127, 1000 + 2 ** -14].entries()) data.writeFloatLE(x, 4 * i);
  return { name: `tensor-${n}`, datatype: "FP32", shape, data, labels: new Set([truth(data).index]) };
});

/** Four files that begin as a JPEG does, with every byte there is in them. */
export const photos: readonly Input[] = [0, 1, 2, 3].map((n) => {
  const all = Buffer.from(Array.from({ length: 256 }, (_, i) => (i * (2 * n + 1)) % 256));
  const data = Buffer.concat([Buffer.from([0xff, 0xd8, 0xff, 0xe0]), all]);
  return { name: `photo-${n}.jpg`, datatype: "BYTES", shape: [], data, labels: new Set([truth(data).index]) };
});
