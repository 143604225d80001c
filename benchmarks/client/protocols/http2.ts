import {
  ackFlag,
  cancelCode,
  codeName,
  cut,
  endHeaders,
  endStream,
  FrameType,
  frame,
  frameHeader,
  maxWindow,
  notHttp2,
  numberFrame,
  ownMaxFrame,
  ownWindow,
  ProtocolError,
  preface,
  priorityFlag,
  putFrameHeader,
  readNumber,
  Setting,
  unpadded,
} from "./frames.ts";
import { encodeRequestHeaders, HeaderDecoder, type HeaderList, type RequestBlocks } from "./hpack.ts";
import { explain, type Link, ready } from "./tls.ts";

/**
 * The client's side of one HTTP/2 connection (RFC 9113) for requests that all have the same headers and a body, as gRPC's
 * unary calls do. A general implementation spends most of a small request on streams, events and header objects; here a
 * request is two frames in one write, and all that is due in one turn of the event loop goes out in one system call.
 */
export class Http2Session {
  /** No new requests: the server said GOAWAY, the stream numbers are used up, or the connection is gone. */
  retired = false;
  /** Bytes of DATA so far. */
  bodySent = 0;
  bodyReceived = 0;

  readonly #link: Link;
  readonly #headers: HeaderList;
  readonly #decoder = new HeaderDecoder();
  readonly #streams = new Map<number, Stream>();
  /** Streams that have something left to send, oldest first. */
  #waiting: Stream[] = [];
  #control: Buffer[] = [];
  #blocks: RequestBlocks | undefined;
  #block: Buffer;
  #nextId = 1;
  #scheduled = false;
  #dead = false;
  #settled: { resolve(): void; reject(error: Error): void } | undefined;
  // What the server allows
  #window = 65_535;
  #initialWindow = 65_535;
  #maxFrame = 16_384;
  #maxStreams = Number.POSITIVE_INFINITY;
  #tableSize = 4096;
  // What has come
  #rest: Buffer | undefined;
  #unacknowledged = 0;
  #fragments: Fragments | undefined;

  private constructor(link: Link, headers: HeaderList) {
    this.#link = link;
    this.#headers = headers;
    this.#block = Buffer.alloc(0);
  }

  /**
   * Resolves when the server has sent its settings: then it speaks HTTP/2, and its window is known.
   *
   * @throws Error with one sentence, after at most `timeoutMs`
   */
  static async open(link: Link, headers: HeaderList, timeoutMs: number): Promise<Http2Session> {
    const late = performance.now() + timeoutMs;
    await ready(link, "h2", timeoutMs);
    const session = new Http2Session(link, headers);
    const { socket, raw } = link;
    const gone = (error?: Error) => session.#fail(error);
    socket.on("error", gone);
    raw.on("error", gone);
    socket.on("close", () => gone());
    socket.on("data", (chunk: Buffer) => session.#receive(chunk));
    socket.write(preface);
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(
        () => session.#fail(new Error(`no HTTP/2 settings within ${timeoutMs} ms; this may not be a gRPC port`)),
        Math.max(1, late - performance.now()),
      );
      const settle = (settled: () => void) => {
        clearTimeout(timer);
        session.#settled = undefined;
        settled();
      };
      session.#settled = { resolve: () => settle(resolve), reject: (error) => settle(() => reject(error)) };
      if (socket.destroyed) session.#fail(undefined);
    });
    return session;
  }

  /** Sends a request as soon as the server's limits allow. */
  request(stream: Stream): void {
    this.#waiting.push(stream);
    this.#schedule();
  }

  /** Ends a request from our side; the stream hears nothing any more. */
  cancel(stream: Stream): void {
    stream.ended = true;
    if (!this.#streams.delete(stream.id)) return; // it was still waiting
    this.#control.push(numberFrame(FrameType.RstStream, stream.id, cancelCode));
    this.#finishRetired();
    this.#schedule();
  }

  close(): void {
    this.#fail(new Error("the client closed the connection"));
  }

  #schedule(): void {
    if (this.#scheduled || this.#dead) return;
    this.#scheduled = true;
    process.nextTick(flush, this);
  }

  /** Writes all that may be written now. */
  flush(): void {
    this.#scheduled = false;
    if (this.#dead) return;
    const out = this.#control;
    this.#control = [];
    const waiting = this.#waiting;
    let kept = 0;
    let i = 0;
    for (; i < waiting.length; i++) {
      const stream = waiting[i]!;
      if (stream.ended) continue;
      if (stream.id === 0 && !this.#start(stream, out)) break;
      if (stream.offset < stream.body.length && !this.#sendBody(stream, out)) waiting[kept++] = stream;
    }
    if (kept < i) {
      waiting.copyWithin(kept, i);
      waiting.length -= i - kept;
    }
    const { socket } = this.#link;
    if (out.length === 1) socket.write(out[0]!);
    else if (out.length > 1) {
      socket.cork();
      for (const bytes of out) socket.write(bytes);
      socket.uncork();
    }
    this.#finishRetired();
  }

  /** The HEADERS frame, with the body in the same piece of memory if it is small. False: not now. */
  #start(stream: Stream, out: Buffer[]): boolean {
    if (this.#streams.size >= this.#maxStreams) return false;
    stream.id = this.#nextId;
    this.#nextId += 2;
    if (this.#nextId > maxStreamId) this.retired = true;
    stream.window = this.#initialWindow;
    this.#streams.set(stream.id, stream);
    const block = this.#block;
    const { body } = stream;
    const whole = body.length <= smallBody && body.length <= Math.min(stream.window, this.#window, this.#maxFrame);
    const bytes = Buffer.allocUnsafe(frameHeader + block.length + (whole ? frameHeader + body.length : 0));
    putFrameHeader(bytes, 0, block.length, FrameType.Headers, endHeaders, stream.id);
    bytes.set(block, frameHeader);
    out.push(bytes);
    if (whole) {
      const at = frameHeader + block.length;
      putFrameHeader(bytes, at, body.length, FrameType.Data, endStream, stream.id);
      bytes.set(body, at + frameHeader);
      this.#sent(stream, body.length);
    }
    this.#block = this.#blocks!.next;
    return true;
  }

  /** As much of the body as the windows allow. True: all of it. */
  #sendBody(stream: Stream, out: Buffer[]): boolean {
    const { body } = stream;
    const allowed = Math.min(body.length - stream.offset, stream.window, this.#window);
    if (allowed <= 0) return false;
    const frames = Math.ceil(allowed / this.#maxFrame);
    const headers = Buffer.allocUnsafe(frames * frameHeader);
    let from = stream.offset;
    const to = from + allowed;
    for (let i = 0; i < frames; i++) {
      const end = Math.min(from + this.#maxFrame, to);
      const at = i * frameHeader;
      putFrameHeader(headers, at, end - from, FrameType.Data, end === body.length ? endStream : 0, stream.id);
      out.push(headers.subarray(at, at + frameHeader), body.subarray(from, end));
      from = end;
    }
    this.#sent(stream, allowed);
    return to === body.length;
  }

  #sent(stream: Stream, length: number): void {
    stream.offset += length;
    stream.window -= length;
    this.#window -= length;
    this.bodySent += length;
  }

  #receive(chunk: Buffer): void {
    let bytes = chunk;
    if (this.#rest) {
      bytes = Buffer.concat([this.#rest, chunk]);
      this.#rest = undefined;
    }
    try {
      let at = 0;
      while (!this.#dead && bytes.length - at >= frameHeader) {
        const length = bytes.readUIntBE(at, 3);
        const type = bytes[at + 3]!;
        if (this.#blocks === undefined && type !== FrameType.Settings) throw new ProtocolError(notHttp2(bytes));
        if (length > ownMaxFrame) throw new ProtocolError(`a frame of ${length} bytes, more than was allowed`);
        const end = at + frameHeader + length;
        if (end > bytes.length) break;
        const id = bytes.readUInt32BE(at + 5) & 0x7fff_ffff;
        this.#frame(type, bytes[at + 4]!, id, bytes.subarray(at + frameHeader, end));
        at = end;
      }
      if (at < bytes.length) this.#rest = at === 0 ? bytes : bytes.subarray(at);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.#fail(error);
    }
  }

  #frame(type: number, flags: number, id: number, payload: Buffer): void {
    if (this.#fragments && type !== FrameType.Continuation) throw new ProtocolError("headers that are not continued");
    switch (type) {
      case FrameType.Data:
        this.#data(id, payload, flags);
        break;
      case FrameType.Headers: {
        let block = unpadded(payload, flags);
        if (flags & priorityFlag) block = cut(block, 5);
        this.#headerBlock({ id, end: (flags & endStream) !== 0, parts: [], size: 0 }, block, flags);
        break;
      }
      case FrameType.Continuation:
        if (this.#fragments?.id !== id) throw new ProtocolError("a continuation of nothing");
        this.#headerBlock(this.#fragments, payload, flags);
        break;
      case FrameType.RstStream: {
        const code = codeName(readNumber(payload));
        const stream = this.#take(id);
        if (stream && !stream.ended) stream.onReset(code);
        break;
      }
      case FrameType.Settings:
        if (id !== 0) throw new ProtocolError("settings of a stream");
        if ((flags & ackFlag) === 0) this.#settings(payload);
        break;
      case FrameType.Ping:
        if (payload.length !== 8) throw new ProtocolError("a ping of a wrong length");
        if ((flags & ackFlag) === 0) {
          const pong = frame(FrameType.Ping, ackFlag, 0, payload);
          this.#control.push(pong);
          this.#schedule();
        }
        break;
      case FrameType.GoAway:
        this.#goAway(payload);
        break;
      case FrameType.WindowUpdate:
        this.#windowUpdate(id, readNumber(payload) & 0x7fff_ffff);
        break;
      case FrameType.PushPromise:
        throw new ProtocolError("a push, which was not allowed");
      default: // what is not known is to be skipped
    }
  }

  #data(id: number, payload: Buffer, flags: number): void {
    if (id === 0 || id >= this.#nextId) throw new ProtocolError("data of a request that was not sent");
    this.#unacknowledged += payload.length;
    if (this.#unacknowledged >= ownWindow / 2) {
      this.#control.push(numberFrame(FrameType.WindowUpdate, 0, this.#unacknowledged));
      this.#unacknowledged = 0;
      this.#schedule();
    }
    const data = unpadded(payload, flags);
    this.bodyReceived += data.length;
    const end = (flags & endStream) !== 0;
    const stream = end ? this.#take(id) : this.#streams.get(id);
    if (!stream) return; // of a request that was cancelled
    stream.onData(data);
    if (end && !stream.ended) stream.onEnd();
  }

  #headerBlock(fragments: Fragments, block: Buffer, flags: number): void {
    fragments.size += block.length;
    if (fragments.size > maxHeaderBlock) throw new ProtocolError("too many headers");
    if ((flags & endHeaders) === 0) {
      fragments.parts.push(block);
      this.#fragments = fragments;
      return;
    }
    this.#fragments = undefined;
    const { id, end, parts } = fragments;
    let list: HeaderList;
    try {
      list = this.#decoder.decode(parts.length ? Buffer.concat([...parts, block]) : block);
    } catch (error) {
      throw new ProtocolError((error as Error).message);
    }
    const stream = end ? this.#take(id) : this.#streams.get(id);
    if (!stream) return;
    stream.onHeaders(list);
    if (end && !stream.ended) stream.onEnd();
  }

  /** The server has nothing more to say about a request: it is not open any longer. */
  #take(id: number): Stream | undefined {
    const stream = this.#streams.get(id);
    if (!stream) return undefined;
    this.#streams.delete(id);
    if (stream.offset < stream.body.length) {
      stream.offset = stream.body.length; // the rest of the body is not wanted
      this.#control.push(numberFrame(FrameType.RstStream, id, cancelCode));
      this.#schedule();
    } else if (this.#waiting.length > 0) this.#schedule(); // one of those may start now
    this.#finishRetired();
    return stream;
  }

  #settings(payload: Buffer): void {
    if (payload.length % 6) throw new ProtocolError("settings of a wrong length");
    let tableSize = this.#tableSize;
    for (let at = 0; at < payload.length; at += 6) {
      const value = payload.readUInt32BE(at + 2);
      switch (payload.readUInt16BE(at)) {
        case Setting.HeaderTableSize:
          tableSize = value;
          break;
        case Setting.MaxConcurrentStreams:
          this.#maxStreams = value;
          break;
        case Setting.InitialWindowSize: {
          if (value > maxWindow) throw new ProtocolError("a window that is too large");
          const change = value - this.#initialWindow;
          this.#initialWindow = value;
          for (const stream of this.#streams.values()) stream.window += change;
          break;
        }
        case Setting.MaxFrameSize:
          if (value < 16_384 || value > 16_777_215) throw new ProtocolError("a frame size out of range");
          this.#maxFrame = value;
          break;
      }
    }
    if (!this.#blocks || tableSize !== this.#tableSize) {
      this.#tableSize = tableSize;
      this.#blocks = encodeRequestHeaders(this.#headers, tableSize);
      this.#block = this.#blocks.first;
    }
    this.#control.push(frame(FrameType.Settings, ackFlag, 0));
    this.#schedule();
    this.#settled?.resolve();
  }

  #windowUpdate(id: number, increment: number): void {
    if (id === 0) {
      this.#window += increment;
      if (this.#window > maxWindow) throw new ProtocolError("a window that is too large");
    } else {
      const stream = this.#streams.get(id);
      if (!stream) return;
      stream.window += increment;
    }
    if (this.#waiting.length > 0) this.#schedule();
  }

  #goAway(payload: Buffer): void {
    if (payload.length < 8) throw new ProtocolError("a GOAWAY of a wrong length");
    this.retired = true;
    const last = payload.readUInt32BE(0) & 0x7fff_ffff;
    const text = payload.toString("latin1", 8, 308).replace(/[^ -~]+/g, " ");
    const said = `the server is closing the connection (GOAWAY ${codeName(payload.readUInt32BE(4))}${text && `: ${text}`})`;
    const error = explain(Object.assign(new Error(said), { code: "GOAWAY" }));
    const refused = this.#waiting.filter(({ id }) => id === 0);
    for (const [id, stream] of this.#streams) if (id > last) refused.push(stream);
    this.#waiting = this.#waiting.filter(({ id }) => id !== 0 && id <= last);
    for (const stream of refused) {
      this.#streams.delete(stream.id);
      if (!stream.ended) stream.onLost(error);
    }
    this.#settled?.reject(error);
    this.#finishRetired();
  }

  #finishRetired(): void {
    if (this.retired && this.#streams.size === 0 && this.#waiting.length === 0) this.#fail(undefined);
  }

  /** The connection is gone, or has to go: whatever is under way has failed. */
  #fail(error: Error | undefined): void {
    if (this.#dead) return;
    this.#dead = true;
    this.retired = true;
    this.#link.socket.destroy();
    this.#link.raw.destroy();
    const lost = new Set([...this.#streams.values(), ...this.#waiting]);
    this.#streams.clear();
    this.#waiting = [];
    const cause = explain(error ?? new Error("the server closed the connection"));
    for (const stream of lost) if (!stream.ended) stream.onLost(cause);
    this.#settled?.reject(cause);
  }
}

/** One request and what comes back for it. The session calls it until `ended` is set or `onEnd`, `onReset` or `onLost` came. */
export abstract class Stream {
  readonly body: Buffer;
  /** Set by the session, which alone uses the first three. */
  id = 0;
  offset = 0;
  window = 0;
  ended = false;

  constructor(body: Buffer) {
    this.body = body;
  }

  /** Headers, then perhaps trailers. */
  abstract onHeaders(list: HeaderList): void;
  abstract onData(data: Buffer): void;
  abstract onEnd(): void;
  /** The server gave this request up. */
  abstract onReset(code: string): void;
  /** The connection is gone; the error says why in one sentence. */
  abstract onLost(error: Error): void;
}

const flush = (session: Http2Session) => session.flush();

/** A header block that comes in several frames. */
interface Fragments {
  readonly id: number;
  readonly end: boolean;
  readonly parts: Buffer[];
  size: number;
}

const maxHeaderBlock = 256 << 10;
const maxStreamId = 0x7fff_ffff;
/** Up to here, copying the body behind its headers costs less than handing over another piece of memory. */
const smallBody = 4096;
