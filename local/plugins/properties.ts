import type { JavaScriptValue, Struct } from "google-protobuf/google/protobuf/struct_pb.js";
import { structPb } from "./wire.ts";

/**
 * Property values as the engine sends them, in plain JavaScript. Everything is JSON except three things that JSON cannot
 * say: a value that is secret, a value that is not known before the deployment, and assets, which stay the signed
 * objects they are on the wire.
 */
export type Value = null | boolean | number | string | Secret | Unknown | Value[] | { [key: string]: Value };
export type Properties = { [key: string]: Value };

/** What is left of a value when secrecy is taken off: JSON, and `unknown` where there is nothing yet. */
export type Plain = null | boolean | number | string | Unknown | Plain[] | { [key: string]: Plain };
export type PlainObject = { [key: string]: Plain };

/** Marks a value that the engine must encrypt in the state and hide on the screen. */
export class Secret {
  readonly value: Value;
  constructor(value: Value) {
    this.value = value;
  }
}

/** The type of `unknown`, of which there is one. */
export class Unknown {
  toJSON(): string {
    return unknownSentinel;
  }
}

/** Stands for every value that is not known during a preview. */
export const unknown = new Unknown();

const signatureKey = "4dabf18193072939515e22adb298388d";
const signatures = {
  secret: "1b47061264138c4ac30d75fd1eb44270",
  resource: "5cf8f73096256a8f31e491e813e4eb8e",
  output: "d0e6a833031e9bbcd3f4e8bde6ca49a4",
};

const unknownSentinel = "04da6b54-80e4-46f7-96ec-b56ff0331ba9";
/** The engine has one placeholder per type; what type a value would have had does not matter here. */
const unknownSentinels = new Set([
  unknownSentinel,
  "1c4a061d-8072-4f0a-a4cb-0ff528b18fe7",
  "3eeb2bf0-c639-47a8-9e75-3b44932eb421",
  "6a19a0b0-7e62-4c92-b797-7f8e31da9cc2",
  "030794c1-ac77-496b-92df-f27374a8bd58",
  "e48ece36-62e2-4504-bad9-02848725956a",
  "dd056dcd-154b-4c76-9bd3-c8f88648b5ff",
]);

/** Reads a protobuf struct; a missing one is an empty object. Nulls inside objects mean "not set" and are dropped. */
export function decode(struct: Struct | undefined): Properties {
  return struct ? (fromWire(struct.toJavaScript() as Wire) as Properties) : {};
}

/** Writes properties as a protobuf struct, the opposite of `decode`. */
export function encode(properties: Properties): Struct {
  return structPb.Struct.fromJavaScript(toWire(properties) as { [key: string]: JavaScriptValue });
}

type Wire = null | boolean | number | string | Wire[] | { [key: string]: Wire };

function fromWire(wire: Wire): Value {
  if (typeof wire === "string") return unknownSentinels.has(wire) ? unknown : wire;
  if (wire === null || typeof wire !== "object") return wire;
  if (Array.isArray(wire)) return wire.map(fromWire);
  switch (wire[signatureKey]) {
    case signatures.secret:
      return new Secret(fromWire(wire.value ?? null));
    case signatures.output: {
      const value = "value" in wire ? fromWire(wire.value!) : unknown;
      return wire.secret === true ? new Secret(value) : value;
    }
    case signatures.resource:
      return fromWire(wire.id ?? wire.urn ?? null);
  }
  return Object.fromEntries(
    Object.entries(wire)
      .filter(([, v]) => v !== null)
      .map(([k, v]) => [k, fromWire(v)]),
  );
}

function toWire(value: Value): Wire {
  if (value instanceof Secret) return { [signatureKey]: signatures.secret, value: toWire(value.value) };
  if (value instanceof Unknown) return unknownSentinel;
  if (Array.isArray(value)) return value.map((v) => toWire(v ?? null));
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, v]) => v !== undefined && v !== null)
      .map(([k, v]) => [k, toWire(v)]),
  );
}

export const isObject = (value: unknown): value is { [key: string]: Value } =>
  value !== null &&
  typeof value === "object" &&
  !Array.isArray(value) &&
  !(value instanceof Secret) &&
  !(value instanceof Unknown);

/** The value without its secrecy, at every depth. */
export function plain(value: Properties): PlainObject;
export function plain(value: Value): Plain;
export function plain(value: Value): Plain {
  if (value instanceof Secret) return plain(value.value);
  if (Array.isArray(value)) return value.map((v) => plain(v));
  if (isObject(value)) return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, plain(v)]));
  return value as Plain;
}

/** Whether `test` holds for the value or anything in it. */
function some(value: Value, test: (value: Value) => boolean): boolean {
  if (test(value)) return true;
  if (value instanceof Secret) return some(value.value, test);
  if (Array.isArray(value)) return value.some((v) => some(v, test));
  return isObject(value) && Object.values(value).some((v) => some(v, test));
}

export const hasUnknown = (value: Value): boolean => some(value, (v) => v instanceof Unknown);
export const hasSecret = (value: Value): boolean => some(value, (v) => v instanceof Secret);

/** Deep equality of plain values; an unknown value equals nothing, not even another unknown one. */
export function equal(a: Plain | undefined, b: Plain | undefined): boolean {
  if (a instanceof Unknown || b instanceof Unknown) return false;
  if (a === b) return true;
  if (a === null || b === null || typeof a !== "object" || typeof b !== "object") return false;
  if (Array.isArray(a) || Array.isArray(b))
    return Array.isArray(a) && Array.isArray(b) && a.length === b.length && a.every((v, i) => equal(v, b[i]));
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((k) => k in b && equal(a[k], b[k]));
}
