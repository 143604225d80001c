import * as grpc from "@grpc/grpc-js";
import enginePb from "@pulumi/pulumi/proto/engine_pb.js";
import { stub } from "./wire.ts";

const { EngineClient } = stub("engine");

/** Where a plugin reports what a resource is doing. */
export interface Log {
  /** A line that stands in the progress display until the next one replaces it; "" clears it. */
  status(urn: string, message: string): void;
  /** A line that stays under "Diagnostics". */
  info(urn: string, message: string): void;
  warn(urn: string, message: string): void;
}

/** Reports nothing: for tests, and until the engine has said where it listens. */
export const silent: Log = { status() {}, info() {}, warn() {} };

/** A log that writes to the engine at `address`, leaving out what a resource has just said. */
export function engineLog(address: string): Log {
  const client = new EngineClient(address, grpc.credentials.createInsecure());
  const last = new Map<string, string>();
  let tail = Promise.resolve(); // one after the other, or a cleared line might come back
  const send = (severity: enginePb.LogSeverity, urn: string, message: string, ephemeral: boolean) => {
    if (ephemeral) {
      if ((last.get(urn) ?? "") === message) return;
      last.set(urn, message);
    }
    const request = new enginePb.LogRequest()
      .setSeverity(severity)
      .setUrn(urn)
      .setMessage(message)
      .setEphemeral(ephemeral);
    // The engine may be closing; a lost progress line is no fault.
    tail = tail.then(() => new Promise((done) => client.log(request, () => done())));
  };
  const { INFO, WARNING } = enginePb.LogSeverity;
  return {
    status: (urn, message) => send(INFO, urn, message, true),
    info: (urn, message) => send(INFO, urn, message, false),
    warn: (urn, message) => send(WARNING, urn, message, false),
  };
}
