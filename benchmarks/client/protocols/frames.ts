/** The frames of HTTP/2 (RFC 9113, section 6) and what both sides may say in them. */

/** The server does not keep to HTTP/2. */
export class ProtocolError extends Error {
  readonly code = "ERR_HTTP2";
}

export const FrameType = {
  Data: 0,
  Headers: 1,
  RstStream: 3,
  Settings: 4,
  PushPromise: 5,
  Ping: 6,
  GoAway: 7,
  WindowUpdate: 8,
  Continuation: 9,
} as const;
export const Setting = {
  HeaderTableSize: 1,
  EnablePush: 2,
  MaxConcurrentStreams: 3,
  InitialWindowSize: 4,
  MaxFrameSize: 5,
} as const;

export const endStream = 0x1;
export const ackFlag = 0x1;
export const endHeaders = 0x4;
const paddedFlag = 0x8;
export const priorityFlag = 0x20;

export const frameHeader = 9;
export const ownMaxFrame = 16_384; // the standard's, which we do not change
export const maxWindow = 0x7fff_ffff;
/** A reply never waits for a window: those that are too large are cancelled by whoever reads them. */
export const ownWindow = maxWindow;

const codeNames =
  "NO_ERROR PROTOCOL_ERROR INTERNAL_ERROR FLOW_CONTROL_ERROR SETTINGS_TIMEOUT STREAM_CLOSED FRAME_SIZE_ERROR REFUSED_STREAM CANCEL COMPRESSION_ERROR CONNECT_ERROR ENHANCE_YOUR_CALM INADEQUATE_SECURITY HTTP_1_1_REQUIRED".split(
    " ",
  );
export const cancelCode = codeNames.indexOf("CANCEL");
export const codeName = (code: number): string => codeNames[code] ?? String(code);

export function putFrameHeader(
  bytes: Buffer,
  at: number,
  length: number,
  type: number,
  flags: number,
  id: number,
): void {
  bytes[at] = length >>> 16;
  bytes[at + 1] = length >>> 8;
  bytes[at + 2] = length;
  bytes[at + 3] = type;
  bytes[at + 4] = flags;
  bytes[at + 5] = id >>> 24;
  bytes[at + 6] = id >>> 16;
  bytes[at + 7] = id >>> 8;
  bytes[at + 8] = id;
}

export function frame(type: number, flags: number, id: number, payload: Uint8Array = Buffer.alloc(0)): Buffer {
  const bytes = Buffer.allocUnsafe(frameHeader + payload.length);
  putFrameHeader(bytes, 0, payload.length, type, flags, id);
  bytes.set(payload, frameHeader);
  return bytes;
}

/** A frame that holds one number of 32 bits. */
export function numberFrame(type: number, id: number, value: number): Buffer {
  const payload = Buffer.allocUnsafe(4);
  payload.writeUInt32BE(value);
  return frame(type, 0, id, payload);
}

export function readNumber(payload: Buffer): number {
  if (payload.length !== 4) throw new ProtocolError("a frame of a wrong length");
  return payload.readUInt32BE(0);
}

export function unpadded(payload: Buffer, flags: number): Buffer {
  if ((flags & paddedFlag) === 0) return payload;
  const padding = payload[0] ?? 0;
  return cut(payload.subarray(0, Math.max(0, payload.length - padding)), 1);
}

export function cut(payload: Buffer, length: number): Buffer {
  if (payload.length < length) throw new ProtocolError("a frame that is too short");
  return payload.subarray(length);
}

/** What an HTTP/2 client begins with: no pushes, and windows that never hold a reply up. */
export const preface = (() => {
  const settings = Buffer.alloc(12);
  settings.writeUInt16BE(Setting.EnablePush, 0);
  settings.writeUInt16BE(Setting.InitialWindowSize, 6);
  settings.writeUInt32BE(ownWindow, 8);
  return Buffer.concat([
    Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    frame(FrameType.Settings, 0, 0, settings),
    numberFrame(FrameType.WindowUpdate, 0, ownWindow - 65_535),
  ]);
})();

/** Says what a server speaks that does not begin as HTTP/2 does. */
export function notHttp2(bytes: Buffer): string {
  const text = bytes.toString("latin1", 0, 5);
  if (text === "HTTP/") return "the server speaks HTTP/1.1, not gRPC; this may be its REST port";
  if (bytes[0] === 0x15 && bytes[1] === 0x03) return "the server speaks TLS; set `tls` in the target";
  return "the server does not speak HTTP/2; this may not be its gRPC port";
}
