import { Environment } from "@marcbachmann/cel-js";
import { type AxisName, axisNames } from "./axes.ts";
import type { Setting } from "./store.ts";

/** Values of axes, those of the stack itself where the sweep does not vary them. */
export type Values = Readonly<Partial<Record<AxisName, Setting>>>;

/** A condition on a point. */
export type Condition = (values: Values) => boolean;

/**
 * Reads a condition in CEL, the expression language of Kubernetes, over the names of the axes, such as `clients <= 4 * instances`.
 *
 * @param known axes that have a value everywhere
 * @throws Error with one sentence if it is no condition over them
 */
export function parseCondition(text: string, known: Values): Condition {
  const names = axisNames.filter((name) => known[name] !== undefined);
  const environment = new Environment();
  for (const name of names) environment.registerVariable(name, typeOf(name, known[name]!));
  const evaluate = environment.parse(text);
  const { valid, type, error } = evaluate.check();
  if (!valid) throw new Error(`${firstLine(error)}; the axes here are ${names.join(", ")}`);
  if (type !== "bool") throw new Error(`it is of type ${type} and not a condition, which is true or false`);
  return (values) => evaluate(Object.fromEntries(names.map((name) => [name, toCel(name, values[name]!)]))) === true;
}

const firstLine = (error: unknown): string => String((error as Error | undefined)?.message ?? error).split("\n")[0]!;

/** CEL tells whole numbers from others; of the axes only the rate may be a fraction. */
const typeOf = (name: AxisName, value: Setting) =>
  typeof value === "string" ? "string" : typeof value === "boolean" ? "bool" : name === "rate" ? "double" : "int";

const toCel = (name: AxisName, value: Setting) =>
  typeof value === "number" && typeOf(name, value) === "int" ? BigInt(value) : value;
