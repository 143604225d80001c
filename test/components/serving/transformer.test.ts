import { describe, expect, it } from "vitest";
import { serverKinds } from "../../../components/serving/servers/kinds.ts";
import { type GraphUnit, transformer } from "../../../components/serving/transformer.ts";

const { graph, proxy, containers } = transformer({
  image: "mine/transformer:1",
  proxyImage: "seldonio/tfserving-proxy:1.16.0",
  model: "lite0",
  input: "data",
  output: "prob",
});
const units = (unit: GraphUnit): GraphUnit[] => [unit, ...unit.children.flatMap(units)];

describe("the transformer", () => {
  it("has a container for every unit, as the operator demands", () => {
    const names = [...containers, proxy].map(({ name }) => name);
    expect(names).toEqual(units(graph).map(({ name }) => name));
  });

  it("decodes before the model, which it asks where the server listens", () => {
    // What is asked first is answered last: the class is named once the scores are there.
    expect(units(graph).map(({ type }) => type)).toEqual(["OUTPUT_TRANSFORMER", "TRANSFORMER", "MODEL"]);
    const model = units(graph).at(-1)!;
    const values = Object.fromEntries(model.parameters!.map(({ name, value }) => [name, value]));
    const port = serverKinds.dlrs.ports("tensorflow-serving")["tfs-grpc"];
    expect(values).toEqual({
      grpc_endpoint: `localhost:${port}`,
      model_name: "lite0",
      model_input: "data",
      model_output: "prob",
    });
  });

  it("may run where only restricted pods may, and says its memory", () => {
    for (const { securityContext, resources } of [...containers, proxy]) {
      expect(securityContext).toMatchObject({ allowPrivilegeEscalation: false, readOnlyRootFilesystem: true });
      expect(resources).toMatchObject({ limits: { memory: "512Mi" } });
    }
  });
});
