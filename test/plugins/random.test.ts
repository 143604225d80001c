import pb from "@pulumi/pulumi/proto/provider_pb.js";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { decode, encode, type Properties, Secret, unknown } from "../../local/plugins/properties.ts";
import { drawText, spellings } from "../../local/plugins/random.ts";
import { Plugin } from "./plugin.ts";

const types = {
  password: "randomPassword:RandomPassword",
  string: "randomString:RandomString",
  id: "randomId:RandomId",
};
const urnOf = (type: keyof typeof types) => `urn:pulumi:test::test::random:index/${types[type]}::r`;

describe("the random provider, over gRPC", () => {
  let plugin: Plugin;
  beforeAll(async () => {
    plugin = await Plugin.start("random");
  });
  afterAll(() => plugin.stop());

  const create = async (type: keyof typeof types, inputs: Properties, preview = false) => {
    const request = new pb.CreateRequest().setUrn(urnOf(type)).setProperties(encode(inputs)).setPreview(preview);
    const response: pb.CreateResponse = await plugin.call("create", request);
    return { id: response.getId(), properties: decode(response.getProperties()) };
  };

  it("draws a password that nobody sees, not even in its id", async () => {
    const { id, properties } = await create("password", { length: 20, special: false });
    expect(id).toBe("none");
    expect(properties.result).toBeInstanceOf(Secret);
    expect((properties.result as Secret).value).toMatch(/^[a-zA-Z0-9]{20}$/);
    expect(properties).toMatchObject({ length: 20, special: false, upper: true });
  });

  it("draws a string that is its own id", async () => {
    const { id, properties } = await create("string", { length: 8 });
    expect(id).toHaveLength(8);
    expect(properties.result).toBe(id);
  });

  it("draws an id in four spellings", async () => {
    const { id, properties } = await create("id", { byteLength: 4, prefix: "p-" });
    const bytes = Buffer.from(id, "base64url");
    expect(bytes).toHaveLength(4);
    expect(properties).toMatchObject({
      hex: `p-${bytes.toString("hex")}`,
      dec: `p-${bytes.readUInt32BE()}`,
      b64Url: `p-${id}`,
    });
  });

  it("draws nothing in a preview", async () => {
    expect((await create("password", { length: 20 }, true)).properties).toMatchObject({ result: new Secret(unknown) });
  });

  it("draws anew when keepers change, and only then", async () => {
    const diff = (oldInputs: Properties, news: Properties): Promise<pb.DiffResponse> =>
      plugin.call(
        "diff",
        new pb.DiffRequest().setUrn(urnOf("string")).setId("x").setOldInputs(encode(oldInputs)).setNews(encode(news)),
      );
    expect(
      (await diff({ length: 8, keepers: { a: "1" } }, { length: 8, keepers: { a: "2" } })).getReplacesList(),
    ).toEqual(["keepers"]);
    expect((await diff({ length: 8 }, { length: 8 })).getChanges()).toBe(pb.DiffResponse.DiffChanges.DIFF_NONE);
  });

  it("refuses contradictions", async () => {
    const failures = async (type: string, inputs: Properties): Promise<string[]> => {
      const request = new pb.CheckRequest().setUrn(`urn:pulumi:test::test::${type}::r`).setNews(encode(inputs));
      return (await plugin.call("check", request))
        .getFailuresList()
        .map((f: pb.CheckFailure) => `${f.getProperty()}: ${f.getReason()}`);
    };
    const string = "random:index/randomString:RandomString";
    expect(await failures(string, {})).toEqual(["length: is required"]);
    expect(await failures(string, { length: 2, minUpper: 3 })).toEqual(["length: is 2, but the minima add up to 3"]);
    expect(
      await failures(string, { length: 2, special: false, upper: false, lower: false, numeric: false }),
    ).toHaveLength(1);
    expect(await failures("random:index/randomPet:RandomPet", {})).toHaveLength(1);
    expect(await failures(string, { length: unknown })).toEqual([]);
  });
});

describe("random text", () => {
  it("has the length, only characters of the sets asked for, and of each at least as many as asked for", () => {
    const inputs = fc.record({
      length: fc.integer({ min: 6, max: 40 }),
      special: fc.boolean(),
      upper: fc.boolean(),
      minLower: fc.integer({ min: 0, max: 3 }),
      minNumeric: fc.integer({ min: 0, max: 3 }),
    });
    fc.assert(
      fc.property(inputs, (given) => {
        const text = drawText({ ...given, overrideSpecial: "_" });
        expect(text).toHaveLength(given.length);
        expect(text).toMatch(new RegExp(`^[a-z0-9${given.upper ? "A-Z" : ""}${given.special ? "_" : ""}]*$`));
        expect(text.replace(/[^a-z]/g, "").length).toBeGreaterThanOrEqual(given.minLower);
        expect(text.replace(/[^0-9]/g, "").length).toBeGreaterThanOrEqual(given.minNumeric);
      }),
    );
  });

  it("spells one number in four ways", () => {
    expect(spellings(Buffer.from([0xff, 0xfe]), "")).toEqual({
      id: "__4",
      values: { b64Std: "//4=", b64Url: "__4", dec: "65534", hex: "fffe" },
    });
  });
});
