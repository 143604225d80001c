import http from "node:http";
import type { Socket } from "node:net";
import type { Target } from "../../spec.ts";
import type { Input } from "../inputs.ts";
import {
  type Address,
  authority,
  type Connection,
  connectionKind,
  type Limits,
  type Message,
  type Outcome,
  type Protocol,
} from "./protocol.ts";

/** Open Inference Protocol V2 over HTTP/1.1 with keep-alive; tensors as JSON numbers. */
export function v2Rest(target: Target): Protocol {
  return {
    encode(input: Input): Message {
      const { buffer, byteOffset, length } = input.data;
      const elements = new Float32Array(buffer.slice(byteOffset, byteOffset + length));
      const data = Array.from(elements, (value) => Number(value.toPrecision(9))); // nine digits give the same float back
      const tensor = { name: target.input, shape: input.shape, datatype: input.datatype, data };
      return { body: Buffer.from(JSON.stringify({ inputs: [tensor], outputs: [{ name: target.output }] })) };
    },
    scores: (reply) => outputScores(reply, target.output),
    async connect(address, limits) {
      const connection = new RestConnection(address, limits, `/v2/models/${encodeURIComponent(target.model)}`);
      await connection.open();
      return connection;
    },
  };
}

class RestConnection implements Connection {
  readonly #address: Address;
  readonly #limits: Limits;
  readonly #path: string;
  readonly #agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  readonly #sockets = new Set<Socket>();
  #before = { sent: 0, received: 0 };

  constructor(address: Address, limits: Limits, path: string) {
    this.#address = address;
    this.#limits = limits;
    this.#path = path;
  }

  /** Asks whether the model is there, which opens the socket that the requests will use. Any HTTP answer will do. */
  open(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#exchange("GET", "/ready", undefined, (outcome) => {
        if (outcome.reply || outcome.kind.startsWith("http ")) resolve();
        else reject(new Error(outcome.detail));
      });
    });
  }

  send(message: Message, done: (outcome: Outcome) => void): void {
    this.#exchange("POST", "/infer", message.body, done);
  }

  #exchange(method: string, path: string, body: Buffer | undefined, done: (outcome: Outcome) => void): void {
    const { timeoutMs, maxReplyBytes } = this.#limits;
    let finished = false;
    const finish = (outcome: Outcome) => {
      if (finished) return;
      finished = true;
      clearTimeout(timer);
      done(outcome);
    };
    const fail = (kind: string, detail: string) => finish({ at: performance.now(), kind, detail });
    const request = http.request({
      agent: this.#agent,
      host: this.#address.ip,
      port: this.#address.port,
      method,
      path: this.#path + path,
      headers: {
        host: authority(this.#address),
        ...(body && { "content-type": "application/json", "content-length": body.length }),
      },
    });
    const timer = setTimeout(() => {
      fail("timeout", `no complete reply within ${timeoutMs} ms`);
      request.destroy();
    }, timeoutMs);
    request.on("socket", (socket) => this.#count(socket));
    request.on("error", (error) => {
      if ((error as NodeJS.ErrnoException).code?.startsWith("HPE_")) fail("malformed reply", error.message);
      else fail(connectionKind(error), error.message);
    });
    request.on("response", (response) => {
      const chunks: Buffer[] = [];
      let received = 0;
      response.on("data", (chunk: Buffer) => {
        received += chunk.length;
        if (received <= maxReplyBytes) chunks.push(chunk);
        else {
          fail("reply too large", `more than ${maxReplyBytes} bytes`);
          request.destroy();
        }
      });
      response.on("end", () => {
        const at = performance.now();
        const reply = chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks);
        if (response.statusCode === 200) finish({ at, reply });
        else finish({ at, kind: `http ${response.statusCode}`, detail: errorText(reply) });
      });
      response.on("error", (error) => fail(connectionKind(error), error.message));
      response.on("close", () => fail("connection lost", "the connection was closed in the middle of a reply"));
    });
    request.end(body);
  }

  #count(socket: Socket): void {
    if (this.#sockets.has(socket)) return;
    this.#sockets.add(socket);
    socket.once("close", () => {
      this.#sockets.delete(socket);
      this.#before.sent += socket.bytesWritten;
      this.#before.received += socket.bytesRead;
    });
  }

  bytes() {
    let { sent, received } = this.#before;
    for (const socket of this.#sockets) {
      sent += socket.bytesWritten;
      received += socket.bytesRead;
    }
    return { sent, received };
  }

  close(): void {
    this.#agent.destroy();
  }
}

/** The protocol's errors are `{"error": "..."}`; others are shown as they are, shortened. */
function errorText(reply: Buffer): string {
  const text = reply.toString();
  try {
    return String(JSON.parse(text).error ?? text).slice(0, 300);
  } catch {
    return text.slice(0, 300);
  }
}

function outputScores(reply: Buffer, name: string): ArrayLike<number> {
  const outputs = (JSON.parse(reply.toString()) as { outputs?: unknown } | null)?.outputs;
  if (!Array.isArray(outputs)) throw new Error("no list of outputs");
  const output = outputs.find((candidate) => candidate?.name === name);
  if (!output) throw new Error(`no output "${name}" among [${outputs.map((candidate) => candidate?.name).join(", ")}]`);
  if (!Array.isArray(output.data) || output.data.length === 0) throw new Error(`output "${name}" is empty`);
  const data: unknown[] = output.data.flat(Number.POSITIVE_INFINITY);
  if (typeof data[0] !== "number") throw new Error(`output "${name}" does not hold numbers`);
  return data as number[];
}
