import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  decode,
  encode,
  equal,
  hasSecret,
  hasUnknown,
  type Properties,
  plain,
  Secret,
  unknown,
  type Value,
} from "../../local/plugins/properties.ts";
import { structPb } from "../../local/plugins/wire.ts";

const key = fc.string({ minLength: 1 }).filter((k) => k !== "__proto__" && k !== "4dabf18193072939515e22adb298388d");
const { value } = fc.letrec<{ value: Value }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    fc.boolean(),
    fc.double({ noNaN: true, noDefaultInfinity: true }).map((n) => n + 0),
    fc.string(),
    fc.constant(unknown),
    tie("value").map((v) => new Secret(v)),
    fc.array(tie("value"), { maxLength: 4 }),
    fc.dictionary(key, tie("value"), { maxKeys: 4, noNullPrototype: true }),
  ),
}));
const properties = fc.dictionary(key, value, { maxKeys: 5, noNullPrototype: true });

const wire = (json: object) => structPb.Struct.fromJavaScript(json as never);
const signed = (signature: string, rest: object) => ({ "4dabf18193072939515e22adb298388d": signature, ...rest });

describe("property values", () => {
  it("survive the way over the wire, secrets and unknowns included", () => {
    fc.assert(
      fc.property(properties, (given) => {
        expect(decode(encode(given))).toEqual(given);
      }),
    );
  });

  it("lose all secrecy, and nothing else, in `plain`", () => {
    fc.assert(
      fc.property(properties, (given) => {
        expect(hasSecret(plain(given) as Properties)).toBe(false);
        expect(hasUnknown(plain(given) as Properties)).toBe(hasUnknown(given));
      }),
    );
  });

  it("are equal to themselves unless something in them is unknown", () => {
    fc.assert(
      fc.property(properties, (given) => {
        expect(equal(plain(given), plain(given))).toBe(!hasUnknown(given));
      }),
    );
  });

  it("are read in the engine's own spelling", () => {
    const secret = "1b47061264138c4ac30d75fd1eb44270";
    const output = "d0e6a833031e9bbcd3f4e8bde6ca49a4";
    const resource = "5cf8f73096256a8f31e491e813e4eb8e";
    expect(
      decode(
        wire({
          secret: signed(secret, { value: { a: [1] } }),
          unknown: "04da6b54-80e4-46f7-96ec-b56ff0331ba9",
          unknownObject: "dd056dcd-154b-4c76-9bd3-c8f88648b5ff",
          output: signed(output, { value: "x", secret: true, dependencies: [] }),
          laterOutput: signed(output, {}),
          resource: signed(resource, { urn: "urn:x", id: "ns/x" }),
          nothing: null,
        }),
      ),
    ).toEqual({
      secret: new Secret({ a: [1] }),
      unknown,
      unknownObject: unknown,
      output: new Secret("x"),
      laterOutput: unknown,
      resource: "ns/x",
    });
  });

  it("keep assets as they are", () => {
    const asset = signed("c44067f5952c0a294b673a41bacd8c17", { hash: "h", text: "t" });
    expect(encode(decode(wire({ asset }))).toJavaScript()).toEqual({ asset });
  });

  it("are nothing when nothing was sent", () => {
    expect(decode(undefined)).toEqual({});
  });
});
