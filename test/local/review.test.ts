import { expect, test } from "vitest";
import { parsePreview } from "../../local/stack/events.ts";
import { reviewMarkdown } from "../../local/stack/review.ts";

const urn = (type: string, name: string) => `urn:pulumi:s::inference-stack::${type}::${name}`;
const step = (op: string, type: string, name: string, more: object = {}) => ({
  resourcePreEvent: {
    metadata: { op, urn: urn(type, name), type, new: op === "delete" ? null : { inputs: {} }, ...more },
  },
});
const spec = {
  key: "abc123",
  target: { model: "lite0", protocol: "v2-grpc", host: "server", port: 8001 },
  load: { mode: "closed", clients: 3, warmupSeconds: 1, durationSeconds: 20, seed: 1 },
  thresholds: { maxErrorRate: 0 },
};
const plan = {
  hash: "p1",
  nodes: [
    {
      name: "node1",
      instances: [
        { cpus: "2-3", memoryNode: 0, threads: 2 },
        { cpus: null, memoryNode: null, threads: 2 },
      ],
      clientCpus: "0",
      leftOver: null,
    },
  ],
};
const config = "kubernetes:core/v1:ConfigMap";
const events: object[] = [
  step("same", config, "unchanged"),
  step("update", "kubernetes:apps/v1:StatefulSet", "server", { detailedDiff: { "spec.replicas": { kind: "update" } } }),
  step("create", config, "benchmark-spec", { new: { inputs: { data: { "spec.json": JSON.stringify(spec) } } } }),
  step("delete", config, "old|name"),
  { resOutputsEvent: { metadata: { op: "same", urn: "", type: "pulumi:pulumi:Stack", new: { outputs: { plan } } } } },
  { policyAnalyzeSummaryEvent: { passed: ["b", "a"] } },
  { diagnosticEvent: { severity: "debug", message: "noise" } },
  { diagnosticEvent: { severity: "warning", message: "mind the gap" } },
  { summaryEvent: { resourceChanges: { same: 1, update: 1, create: 1, delete: 1 } } },
];
const text = (all: readonly object[]) => `not an event\n${all.map((event) => JSON.stringify(event)).join("\n")}\n`;
const review = (all: readonly object[], code = 0, stderr = "") =>
  reviewMarkdown({ stack: "dev", code, preview: parsePreview(text(all)), stderr });

test("a preview is a comment with what changes, the plan, the experiment and the policies", () => {
  expect(review(events)).toMatchSnapshot();
});

test("a preview without changes says so", () => {
  const same = [step("same", config, "unchanged"), { summaryEvent: { resourceChanges: { same: 1 } } }];
  expect(review(same)).toBe("### `dev`: no changes\n");
});

test("what a policy refuses is in the comment, with what is wrong", () => {
  const policyEvent = {
    resourceUrn: urn(config, "server"),
    message: "What it is about\nspec.image: moves",
    policyName: "pinned-images",
    enforcementLevel: "mandatory",
  };
  const failed = { diagnosticEvent: { severity: "error", message: "preview failed\n" } };
  const comment = review([...events, { policyEvent }, failed], 255);
  expect(comment).toContain("### `dev`: the preview failed");
  expect(comment).toContain("| **refused** | pinned-images | `server` | spec.image: moves |");
  expect(comment).not.toContain("\npreview failed");
});

test("a mistake in the config is in the comment; of what never ran nothing is said to hold", () => {
  const mistake = { diagnosticEvent: { severity: "error", message: "instances: 5 does not divide cpus\n```" } };
  const comment = review([{ policyAnalyzeSummaryEvent: { passed: ["a"] } }, mistake], 255);
  expect(comment).toContain("```\ninstances: 5 does not divide cpus\n'''\n```");
  expect(comment).not.toContain("hold");
  expect(review([], 1, "no such engine")).toContain("```\nno such engine\n```");
});

test("whether it succeeded is the engine's to say", () => {
  const summary = (result?: string) => parsePreview(text(result ? [{ summaryEvent: { result } }] : [])).succeeded;
  expect([summary("succeeded"), summary("failed"), summary()]).toEqual([true, false, false]);
});

test("a comment is never longer than GitHub takes", () => {
  const many = Array.from({ length: 5000 }, (_, i) => step("create", config, `${"x".repeat(500)}${i}`));
  expect(review(many).length).toBeLessThan(65_536);
});
