import http2 from "node:http2";
import net from "node:net";
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
import { decodeResponse, encodeRequest } from "./v2-proto.ts";

/** Large enough that a reply of a few megabytes never waits for a window update. */
const streamWindow = 4 << 20;
const sessionWindow = 16 << 20;

const statusNames = [
  ..."OK CANCELLED UNKNOWN INVALID_ARGUMENT DEADLINE_EXCEEDED NOT_FOUND ALREADY_EXISTS PERMISSION_DENIED".split(" "),
  ..."RESOURCE_EXHAUSTED FAILED_PRECONDITION ABORTED OUT_OF_RANGE UNIMPLEMENTED INTERNAL UNAVAILABLE".split(" "),
  ..."DATA_LOSS UNAUTHENTICATED".split(" "),
];

/** Open Inference Protocol V2 over gRPC, straight on HTTP/2: one unary call per request, without a gRPC library. */
export function v2Grpc(target: Target): Protocol {
  return {
    encode(input: Input): Message {
      const message = encodeRequest({
        model_name: target.model,
        inputs: [{ name: target.input, datatype: input.datatype, shape: input.shape }],
        outputs: [{ name: target.output }],
        raw_input_contents: [input.data],
      });
      const body = Buffer.allocUnsafe(5 + message.length); // gRPC frame: not compressed, length, message
      body.writeUInt8(0, 0);
      body.writeUInt32BE(message.length, 1);
      body.set(message, 5);
      return { body };
    },
    scores: (reply) => outputScores(reply, target.output),
    async connect(address, limits) {
      const connection = new GrpcConnection(address, limits, "/inference.GRPCInferenceService/ModelInfer");
      await connection.open();
      return connection;
    },
  };
}

class GrpcConnection implements Connection {
  readonly #address: Address;
  readonly #limits: Limits;
  readonly #headers: http2.OutgoingHttpHeaders;
  #session: http2.ClientHttp2Session | undefined;
  #socket: net.Socket | undefined;
  #lastError: Error | undefined;
  #before = { sent: 0, received: 0 };

  constructor(address: Address, limits: Limits, path: string) {
    this.#address = address;
    this.#limits = limits;
    this.#headers = {
      ":method": "POST",
      ":path": path,
      ":scheme": "http",
      ":authority": authority(address),
      "content-type": "application/grpc",
      te: "trailers",
    };
  }

  /** Resolves when the server has sent its settings: then it speaks HTTP/2, and its window is known. */
  open(): Promise<void> {
    const session = this.#connect();
    return new Promise((resolve, reject) => {
      const late = setTimeout(() => {
        session.destroy();
        reject(new Error(`no HTTP/2 settings from ${authority(this.#address)} within ${this.#limits.timeoutMs} ms`));
      }, this.#limits.timeoutMs);
      session.once("remoteSettings", () => {
        clearTimeout(late);
        resolve();
      });
      session.once("close", () => {
        clearTimeout(late);
        reject(this.#lastError ?? new Error(`${authority(this.#address)} closed the connection`));
      });
    });
  }

  #connect(): http2.ClientHttp2Session {
    this.#lastError = undefined;
    const socket = net.connect({ host: this.#address.ip, port: this.#address.port, noDelay: true });
    const session = http2.connect(`http://${authority(this.#address)}`, {
      createConnection: () => socket,
      settings: { initialWindowSize: streamWindow, enablePush: false },
    });
    const gone = () => {
      if (this.#session === session) this.#session = undefined;
    };
    session.once("connect", () => session.setLocalWindowSize(sessionWindow));
    session.on("error", (error) => {
      this.#lastError = error;
      gone();
    });
    session.once("goaway", gone); // what is under way may still end; what comes next needs a new session
    session.once("close", gone);
    socket.once("close", () => {
      this.#before.sent += socket.bytesWritten;
      this.#before.received += socket.bytesRead;
      if (this.#socket === socket) this.#socket = undefined;
    });
    this.#session = session;
    this.#socket = socket;
    return session;
  }

  send(message: Message, done: (outcome: Outcome) => void): void {
    const usable = this.#session && !this.#session.closed && !this.#session.destroyed;
    const session = usable ? this.#session! : this.#connect();
    const { timeoutMs, maxReplyBytes } = this.#limits;
    const chunks: Buffer[] = [];
    let received = 0;
    let status: string | undefined;
    let detail = "";
    let problem: Error | undefined;
    let finished = false;

    const finish = (outcome: Outcome) => {
      if (finished) return;
      finished = true;
      clearTimeout(timer);
      done(outcome);
    };
    const fail = (kind: string, what: string) => finish({ at: performance.now(), kind, detail: what });
    const take = (headers: http2.IncomingHttpHeaders) => {
      if (headers["grpc-status"] === undefined) return;
      status = String(headers["grpc-status"]);
      detail = decodeMessage(headers["grpc-message"]);
    };

    const stream = session.request(this.#headers, { endStream: false });
    const timer = setTimeout(() => {
      fail("timeout", `no complete reply within ${timeoutMs} ms`);
      stream.close(http2.constants.NGHTTP2_CANCEL);
    }, timeoutMs);
    stream.on("response", (headers) => {
      take(headers); // an error without a message comes as headers only
      const http = headers[":status"];
      if (http === 200 || status !== undefined) return;
      fail(`http ${http}`, `${authority(this.#address)} answered with HTTP status ${http}: not a gRPC server?`);
      stream.close(http2.constants.NGHTTP2_CANCEL);
    });
    stream.on("trailers", take);
    stream.on("data", (chunk: Buffer) => {
      received += chunk.length;
      if (received <= maxReplyBytes) chunks.push(chunk);
      else {
        fail("reply too large", `more than ${maxReplyBytes} bytes`);
        stream.close(http2.constants.NGHTTP2_CANCEL);
      }
    });
    stream.on("error", (error) => {
      problem = error;
    });
    stream.on("end", () => {
      const at = performance.now();
      if (status === undefined) return; // "close" follows and knows why
      if (status !== "0") finish({ at, kind: `grpc ${statusNames[Number(status)] ?? status}`, detail });
      else finish({ at, reply: chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks, received) });
    });
    stream.on("close", () => {
      if (finished) return;
      const cause = this.#lastError ?? problem;
      if (status !== undefined && status !== "0") fail(`grpc ${statusNames[Number(status)] ?? status}`, detail);
      else if (session.destroyed || session.closed)
        fail(connectionKind(cause ?? new Error()), cause?.message ?? "the server closed the connection");
      else if (stream.rstCode)
        fail(`stream reset ${stream.rstCode}`, cause?.message ?? `HTTP/2 code ${stream.rstCode}`);
      else fail("malformed reply", "the stream ended without a gRPC status");
    });
    stream.end(message.body);
  }

  bytes() {
    return {
      sent: this.#before.sent + (this.#socket?.bytesWritten ?? 0),
      received: this.#before.received + (this.#socket?.bytesRead ?? 0),
    };
  }

  close(): void {
    this.#session?.destroy();
  }
}

/** gRPC percent-encodes the message in the header. */
function decodeMessage(header: string | string[] | undefined): string {
  const text = String(header ?? "");
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** Takes the gRPC frame off a reply and reads one output tensor from it. */
function outputScores(reply: Buffer, name: string): ArrayLike<number> {
  if (reply.length < 5 || reply.readUInt32BE(1) !== reply.length - 5) throw new Error("not one whole gRPC message");
  if (reply[0] !== 0) throw new Error("a compressed gRPC message, which was not asked for");
  const { outputs, raw_output_contents: raw } = decodeResponse(reply.subarray(5));
  const index = outputs.findIndex((output) => output.name === name);
  if (index < 0) throw new Error(`no output "${name}" among [${outputs.map((output) => output.name).join(", ")}]`);
  const { datatype, contents } = outputs[index]!;
  const bytes = raw[index];
  if (bytes) {
    if (datatype !== "FP32") throw new Error(`output "${name}" is ${datatype}, not FP32`);
    if (bytes.length % 4) throw new Error(`output "${name}" has ${bytes.length} bytes, not a multiple of 4`);
    return new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length)); // a copy: it may lie unaligned
  }
  if (contents?.fp32_contents.length) return contents.fp32_contents;
  if (contents?.fp64_contents.length) return contents.fp64_contents;
  throw new Error(`output "${name}" is empty`);
}
