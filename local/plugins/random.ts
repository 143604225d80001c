import { randomBytes, randomInt, randomUUID } from "node:crypto";
import { equal, type PlainObject, type Properties, plain, Secret, unknown, type Value } from "./properties.ts";
import type {
  CheckRequest,
  CreateRequest,
  Diff,
  DiffRequest,
  Failure,
  Provider,
  ReadRequest,
  UpdateRequest,
} from "./provider.ts";

/** One kind of random value: what it draws, and what of that nobody may see. */
interface Kind {
  readonly required: readonly string[];
  readonly outputs: readonly string[];
  readonly secrets: readonly string[];
  /** Values for inputs left out; the state shows them. */
  readonly defaults?: PlainObject;
  draw(inputs: PlainObject): { id: string; values: PlainObject };
  /** Why the inputs contradict each other, if they do. */
  check?(inputs: PlainObject): Failure | undefined;
}

const sets = {
  lower: "abcdefghijklmnopqrstuvwxyz",
  upper: "ABCDEFGHIJKLMNOPQRSTUVWXYZ",
  numeric: "0123456789",
  special: "!@#$%&*()-_=+[]{}<>:?",
};
type SetName = keyof typeof sets;
const setNames = Object.keys(sets) as SetName[];
const minimum = { lower: "minLower", upper: "minUpper", numeric: "minNumeric", special: "minSpecial" } as const;

const textDefaults = {
  special: true,
  upper: true,
  lower: true,
  number: true,
  numeric: true,
  minUpper: 0,
  minLower: 0,
  minNumeric: 0,
  minSpecial: 0,
};

/** Characters drawn evenly from the sets asked for, each set at least as often as asked for, in random order. */
export function drawText(inputs: PlainObject): string {
  const length = Number(inputs.length);
  const charsOf = (name: SetName) =>
    name === "special" && typeof inputs.overrideSpecial === "string" ? inputs.overrideSpecial : sets[name];
  const wanted = setNames.filter((name) => isWanted(inputs, name));
  const pick = (chars: string) => chars[randomInt(chars.length)]!;
  const drawn = wanted.flatMap((name) =>
    Array.from({ length: Number(inputs[minimum[name]] ?? 0) }, () => pick(charsOf(name))),
  );
  const any = wanted.map(charsOf).join("");
  while (drawn.length < length) drawn.push(pick(any));
  for (let i = drawn.length - 1; i > 0; i--) {
    const j = randomInt(i + 1);
    [drawn[i], drawn[j]] = [drawn[j]!, drawn[i]!];
  }
  return drawn.join("");
}

const isWanted = (inputs: PlainObject, name: SetName): boolean =>
  name === "numeric" ? inputs.numeric !== false && inputs.number !== false : inputs[name] !== false;

function checkText(inputs: PlainObject): Failure | undefined {
  const length = Number(inputs.length);
  if (!Number.isInteger(length) || length < 1)
    return { property: "length", reason: `must be a whole number of at least 1, is ${inputs.length}` };
  const wanted = setNames.filter((name) => isWanted(inputs, name));
  if (wanted.length === 0)
    return { property: "special", reason: "at least one of special, upper, lower and numeric must be true" };
  const least = wanted.reduce((sum, name) => sum + Number(inputs[minimum[name]] ?? 0), 0);
  return least > length ? { property: "length", reason: `is ${length}, but the minima add up to ${least}` } : undefined;
}

const kinds: Readonly<Record<string, Kind>> = {
  "random:index/randomPassword:RandomPassword": {
    required: ["length"],
    outputs: ["result"],
    secrets: ["result"],
    defaults: textDefaults,
    check: checkText,
    draw: (inputs) => ({ id: "none", values: { result: drawText(inputs) } }),
  },
  "random:index/randomString:RandomString": {
    required: ["length"],
    outputs: ["result"],
    secrets: [],
    defaults: textDefaults,
    check: checkText,
    draw(inputs) {
      const result = drawText(inputs);
      return { id: result, values: { result } };
    },
  },
  "random:index/randomId:RandomId": {
    required: ["byteLength"],
    outputs: ["b64Std", "b64Url", "dec", "hex"],
    secrets: [],
    draw: ({ byteLength, prefix }) =>
      spellings(randomBytes(Number(byteLength)), typeof prefix === "string" ? prefix : ""),
  },
  "random:index/randomUuid:RandomUuid": {
    required: [],
    outputs: ["result"],
    secrets: [],
    draw() {
      const result = randomUUID();
      return { id: result, values: { result } };
    },
  },
  "random:index/randomInteger:RandomInteger": {
    required: ["min", "max"],
    outputs: ["result"],
    secrets: [],
    check: ({ min, max }) =>
      Number(max) < Number(min) ? { property: "max", reason: `${max} is less than min, ${min}` } : undefined,
    draw({ min, max }) {
      const result = randomInt(Number(min), Number(max) + 1);
      return { id: String(result), values: { result } };
    },
  },
};

/** One number in four spellings; the id is the one that fits into a URL, without the prefix. */
export function spellings(bytes: Buffer, prefix: string): { id: string; values: PlainObject } {
  const id = bytes.toString("base64url");
  const hex = bytes.toString("hex");
  const values = {
    b64Std: prefix + bytes.toString("base64"),
    b64Url: prefix + id,
    dec: prefix + BigInt(`0x${hex}`),
    hex: prefix + hex,
  };
  return { id, values };
}

/** Random values, drawn once and kept in the state. */
export class RandomProvider implements Provider {
  async check({ type, news }: CheckRequest): Promise<{ inputs: Properties; failures: Failure[] }> {
    const kind = kinds[type];
    if (!kind)
      return {
        inputs: news,
        failures: [
          {
            property: "",
            reason: `${type} is not served by the embedded provider; it has ${Object.keys(kinds).join(", ")}`,
          },
        ],
      };
    const inputs = plain(news);
    const missing = kind.required
      .filter((key) => inputs[key] === undefined)
      .map((property) => ({ property, reason: "is required" }));
    const contradiction =
      missing.length === 0 && !Object.values(inputs).includes(unknown) ? kind.check?.(inputs) : undefined;
    return { inputs: news, failures: contradiction ? [contradiction] : missing };
  }

  /** A drawn value never changes: other inputs, and other keepers, make another one. */
  async diff({ oldInputs, news }: DiffRequest): Promise<Diff> {
    const [before, after] = [plain(oldInputs), plain(news)];
    const keys = [...new Set([...Object.keys(before), ...Object.keys(after)])].filter(
      (key) => !equal(before[key], after[key]),
    );
    return {
      changes: new Map(keys.map((key) => [key, { kind: "update", replace: true }] as const)),
      deleteBeforeReplace: false,
    };
  }

  async create({ type, news, preview }: CreateRequest): Promise<{ id: string; properties: Properties }> {
    const kind = kinds[type]!;
    const inputs = { ...(kind.defaults as Properties | undefined), ...news };
    const { id, values } = preview
      ? { id: "", values: Object.fromEntries(kind.outputs.map((key) => [key, unknown])) }
      : kind.draw(plain(inputs));
    return { id, properties: { ...inputs, ...hidden(kind, values as Properties) } };
  }

  async update({ news, olds }: UpdateRequest): Promise<Properties> {
    return { ...olds, ...news };
  }

  /** An import brings the value as the id; otherwise the state is all there is. */
  async read({ id, type, inputs, properties }: ReadRequest): ReturnType<Provider["read"]> {
    if (Object.keys(properties).length > 0 || !kinds[type]?.outputs.includes("result"))
      return { id, inputs, properties };
    return {
      id,
      inputs: { length: id.length },
      properties: { length: id.length, ...hidden(kinds[type], { result: id }) },
    };
  }

  async delete(): Promise<void> {}
}

const hidden = (kind: Kind, values: Properties): Properties =>
  Object.fromEntries(
    Object.entries(values).map(([key, value]): [string, Value] => [
      key,
      kind.secrets.includes(key) ? new Secret(value) : value,
    ]),
  );
