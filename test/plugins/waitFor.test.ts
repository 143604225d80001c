import { describe, expect, it } from "vitest";
import { ruleFor } from "../../local/plugins/kubernetes/await/rules.ts";
import type { KubeObject } from "../../local/plugins/kubernetes/object.ts";

const asking = (waitFor: string, rest: KubeObject = {}): KubeObject => ({
  apiVersion: "example.com/v1",
  kind: "Thing",
  ...rest,
  metadata: { name: "t", generation: 2, ...rest.metadata, annotations: { "pulumi.com/waitFor": waitFor } },
});
const judged = (waitFor: string, rest: KubeObject = {}) => {
  const object = asking(waitFor, rest);
  return ruleFor(object)!.judge(object, []);
};
const status = (state: object) => ({ status: state });

describe("an object that says what to wait for", () => {
  it.each([
    ["jsonpath={.status.state}=Available", status({ state: "Available" }), true],
    ["jsonpath={.status.state}=Available", status({ state: "Creating" }), false],
    ["jsonpath={.status.state}", status({ state: "Creating" }), true],
    ["jsonpath={.status.state}", {}, false],
    ["jsonpath={$.status.ready}=3", status({ ready: 3 }), true],
    ["jsonpath={.status.services['a-b']}", status({ services: { "a-b": { port: 1 } } }), true],
    ["jsonpath={.status.services['a-c']}", status({ services: { "a-b": { port: 1 } } }), false],
    [
      "jsonpath={.status.conditions[?(@.type=='Failed'||@.type=='Complete')].status}=True",
      status({ conditions: [{ type: "Complete", status: "True" }] }),
      true,
    ],
    ["condition=Ready", status({ conditions: [{ type: "ready", status: "True" }] }), true],
    ["condition=Ready", status({ conditions: [{ type: "Ready", status: "False" }] }), false],
    ["condition=Ready=False", status({ conditions: [{ type: "Ready", status: "False" }] }), true],
    ["condition=Ready", {}, false],
    ['["condition=Ready","jsonpath={.status.n}=1"]', status({ n: 1 }), false],
    [
      '["condition=Ready","jsonpath={.status.n}=1"]',
      status({ n: 1, conditions: [{ type: "Ready", status: "True" }] }),
      true,
    ],
  ])("%s of %j: %s", (waitFor, rest, ready) => expect(judged(waitFor, rest).ready).toBe(ready));

  it("does not take a condition of an older generation for an answer", () => {
    const conditions = [{ type: "Ready", status: "True", observedGeneration: 1 }];
    expect(judged("condition=Ready", status({ conditions })).reasons).toEqual(["Generation 1 is less than expected 2"]);
    expect(judged("condition=Ready", status({ conditions: [{ ...conditions[0], observedGeneration: 2 }] })).ready).toBe(
      true,
    );
    expect(
      judged("condition=Ready", status({ observedGeneration: 1, conditions: [{ type: "Ready", status: "True" }] }))
        .ready,
    ).toBe(false);
  });

  it("says what it found, and why a condition is not met", () => {
    expect(judged("jsonpath={.status.state}=Available", status({ state: "Failed" })).reasons).toEqual([
      'Waiting for {.status.state}=Available (found "Failed")',
    ]);
    const conditions = [{ type: "Active", status: "False", reason: "NoMetrics", message: "no metrics API" }];
    expect(judged("condition=Active", status({ conditions })).status).toBe(
      "Resource has condition Active=False (want True): [NoMetrics] no metrics API",
    );
  });

  it("asks for this in the place of what its kind asks for", () => {
    const deployment = asking("jsonpath={.spec.paused}=true", { apiVersion: "apps/v1", kind: "Deployment", spec: {} });
    expect(ruleFor(deployment)!.judge({ ...deployment, spec: { paused: true } }, []).ready).toBe(true);
  });

  it.each([
    ["Ready", 'expected a "jsonpath=" or "condition=" prefix, got "Ready"'],
    ["jsonpath=.status", 'format should be {.path}=value or {.path}, got ".status"'],
    ["jsonpath={.a[}", "unclosed bracketed selection"],
    ["[]", "at least one condition must be specified"],
  ])("fails at once when it asks for what cannot be: %s", (waitFor, why) => {
    const verdict = judged(waitFor);
    expect(verdict.failed).toBe(true);
    expect(verdict.reasons.join()).toContain(why);
  });
});
