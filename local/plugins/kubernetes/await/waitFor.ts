import { jsonpath } from "json-p3";
import { messageOf } from "../../server.ts";
import { annotation, annotations, type Condition, type KubeObject } from "../object.ts";
import type { Rule, Verdict } from "./rule.ts";

/** What one expression thinks of an object. */
interface Judgement {
  readonly met: boolean;
  /** Why not, in one line. */
  readonly status: string;
}
type Expression = (object: KubeObject) => Judgement;

/**
 * The rule that an object itself asks for with the annotation `pulumi.com/waitFor`, in the place of its kind's: `jsonpath={.path}`,
 * `jsonpath={.path}=value`, `condition=Type`, `condition=Type=Status`, or a JSON list of these that must hold together.
 */
export function waitForRule(object: KubeObject): Rule | undefined {
  const text = annotation(object, annotations.waitFor);
  if (!text) return undefined;
  let expressions: readonly Expression[];
  try {
    expressions = split(text).map(parse);
  } catch (error) {
    // Nobody could ever meet it: say so at once.
    const reasons = [`${annotations.waitFor}: ${messageOf(error)}`];
    return { timeoutSeconds: 600, judge: () => ({ ready: false, failed: true, status: reasons[0]!, reasons }) };
  }
  return { timeoutSeconds: 600, judge: (live) => together(expressions.map((expression) => expression(live))) };
}

function together(judgements: readonly Judgement[]): Verdict {
  const reasons = judgements.filter(({ met }) => !met).map(({ status }) => status);
  return { ready: reasons.length === 0, status: reasons[0] ?? "", reasons };
}

function split(text: string): string[] {
  try {
    const list: unknown = JSON.parse(text);
    if (Array.isArray(list) && list.length === 0) throw new Error("at least one condition must be specified");
    if (Array.isArray(list) && list.every((entry) => typeof entry === "string")) return list;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  return [text];
}

function parse(expression: string): Expression {
  if (expression.startsWith("jsonpath=")) return parsePath(expression.slice("jsonpath=".length));
  if (expression.startsWith("condition=")) return parseCondition(expression.slice("condition=".length));
  throw new Error(`expected a "jsonpath=" or "condition=" prefix, got "${expression}"`);
}

function parsePath(text: string): Expression {
  // The value comes after the closing brace; what is inside the braces may hold equal signs of its own.
  const [, path, value] = /^\{(.*)\}(?:=(.+))?$/s.exec(text) ?? [];
  if (path === undefined) throw new Error(`format should be {.path}=value or {.path}, got "${text}"`);
  const query = jsonpath.compile(path.startsWith("$") ? path : `$${path}`);
  return (object) => {
    const [found] = query.query(object as Parameters<typeof query.query>[0]).values();
    if (found === undefined) return { met: false, status: `{${path}} selected nothing` };
    if (value === undefined) return { met: true, status: "" };
    if (typeof found === "object" && found !== null)
      return { met: false, status: `"{${path}}" has a non-primitive value (${JSON.stringify(found)})` };
    return { met: String(found) === value, status: `Waiting for {${path}}=${value} (found "${found}")` };
  };
}

/** Type and status of a condition are compared without regard to case, as `kubectl wait` does. */
function parseCondition(text: string): Expression {
  const [type = "", status = "True"] = text.split(/=(.*)/s);
  const equal = (a: string, b: string) => a.toLowerCase() === b.toLowerCase();
  return ({ metadata, status: { conditions = [], observedGeneration } = {} }) => {
    const found = (conditions as (Condition & { observedGeneration?: number })[]).find((c) => equal(c.type, type));
    if (!found) return { met: false, status: `Waiting for condition ${type} (the object does not have it yet)` };
    const seen: number | undefined = found.observedGeneration ?? observedGeneration;
    const wanted = metadata?.generation;
    if (seen !== undefined && wanted !== undefined && seen < wanted)
      return { met: false, status: `Generation ${seen} is less than expected ${wanted}` };
    const why = found.message ? `: [${found.reason}] ${found.message}` : "";
    return {
      met: equal(found.status, status),
      status: `Resource has condition ${found.type}=${found.status} (want ${status})${why}`,
    };
  };
}
