import net from "node:net";
import type { Input } from "../../../../benchmarks/client/inputs.ts";
import { protocols } from "../../../../benchmarks/client/protocols/index.ts";
import type { Connection, Limits, Outcome, Protocol } from "../../../../benchmarks/client/protocols/protocol.ts";
import { readTls } from "../../../../benchmarks/client/protocols/tls.ts";
import type { Target } from "../../../../benchmarks/spec.ts";

export const tensor = (...values: number[]): Input => ({
  name: "tensor",
  datatype: "FP32",
  shape: [values.length],
  data: Buffer.from(new Float32Array(values).buffer),
  labels: new Set([0]),
});

export const file = (data: Buffer | string): Input => ({
  name: "file",
  datatype: "BYTES",
  shape: [],
  data: Buffer.from(data),
  labels: new Set(["cat"]),
});

export const targetOf = (protocol: Target["protocol"], port: number, more: Partial<Target> = {}): Target => ({
  ...{ protocol, host: "127.0.0.1", port, model: "model", input: "data", output: "prob", ...more },
});

export const limits: Limits = { timeoutMs: 5000, maxReplyBytes: 1 << 20 };

/** A connection to a server of this machine, and its protocol. */
export async function connect(
  target: Target,
  more: Partial<Limits> = {},
): Promise<{ protocol: Protocol; connection: Connection }> {
  const protocol = protocols[target.protocol](target, readTls(target));
  const connection = await protocol.connect({ ip: "127.0.0.1", port: target.port }, { ...limits, ...more });
  return { protocol, connection };
}

export const send = (connection: Connection, message: { readonly body: Buffer }): Promise<Outcome> =>
  new Promise((resolve) => connection.send(message, resolve));

/** Connects, sends one batch, and says what came: the answers, or the failure as `kind: detail`. */
export async function ask(
  target: Target,
  batch: readonly Input[] = [tensor(1, 2, 3)],
  more: Partial<Limits> = {},
): Promise<(number | string)[] | string> {
  const { protocol, connection } = await connect(target, more);
  try {
    const outcome = await send(connection, protocol.encode(batch));
    return outcome.reply ? protocol.answers(outcome.reply, batch.length) : `${outcome.kind}: ${outcome.detail}`;
  } finally {
    connection.close();
  }
}

/** The message of the error a connection fails with. */
export const refusal = (target: Target, more: Partial<Limits> = {}): Promise<string> =>
  connect(target, more).then(
    ({ connection }) => {
      connection.close();
      return "connected";
    },
    (error: Error) => error.message,
  );

/** A bare TCP server; `talk` gets each connection. */
export async function rawServer(talk: (socket: net.Socket) => void): Promise<{ port: number; stop(): void }> {
  const sockets = new Set<net.Socket>();
  const server = net.createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    socket.on("close", () => sockets.delete(socket));
    talk(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    port: (server.address() as net.AddressInfo).port,
    stop() {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}

/** One gRPC message in its frame. */
export function framed(message: Uint8Array): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}
