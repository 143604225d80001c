import { describe, expect, it } from "vitest";
import { needsOf } from "../../local/stack/needs.ts";

describe("what has to be built", () => {
  const extra = (...sets: string[]) => {
    const always = needsOf("dev", []);
    return needsOf("dev", sets).filter((need) => !always.includes(need));
  };

  it("is nothing that the stack does not deploy", () => {
    expect(extra()).toEqual([]);
    expect(extra("gateway.enabled=true")).toEqual(["istiod", "envoy"]);
    expect(extra("gateway.enabled=false", "gateway.host=a.b")).toEqual([]);
    expect(extra("engine=seldon", "metricsServer.enabled=true")).toEqual(["seldon-operator", "metrics-server"]);
  });

  it("is no image for a cluster of the user's", () => {
    expect(needsOf("dev", ["cluster.kind=kubeconfig", "gateway.enabled=true"])).toEqual(["pulumi"]);
  });
});
