import type { types } from "@pulumi/kubernetes";

export const GROUP = "machinelearning.seldon.io";
export const API_VERSION = `${GROUP}/v1`;
export const KIND = "SeldonDeployment";
export const PLURAL = "seldondeployments";

/** Fields whose content the operator checks itself. */
const open = { type: "object", "x-kubernetes-preserve-unknown-fields": true } as const;
const count = { type: "integer", format: "int32", minimum: 0 } as const;

/**
 * What the API server has to know of SeldonDeployments. The scale of one can be changed by an autoscaler; `podSelector`, a field of
 * ours that the operator does not read, tells the autoscaler which pods are meant.
 */
export const definition = {
  group: GROUP,
  scope: "Namespaced",
  names: { kind: KIND, listKind: `${KIND}List`, plural: PLURAL, singular: "seldondeployment", shortNames: ["sdep"] },
  versions: [
    {
      name: "v1",
      served: true,
      storage: true,
      subresources: {
        status: {},
        scale: {
          specReplicasPath: ".spec.replicas",
          statusReplicasPath: ".status.replicas",
          labelSelectorPath: ".spec.podSelector",
        },
      },
      additionalPrinterColumns: [
        { name: "State", type: "string", jsonPath: ".status.state" },
        { name: "Replicas", type: "integer", jsonPath: ".status.replicas" },
        { name: "Age", type: "date", jsonPath: ".metadata.creationTimestamp" },
      ],
      schema: {
        openAPIV3Schema: {
          type: "object",
          properties: {
            spec: {
              ...open,
              required: ["predictors"],
              properties: {
                protocol: { type: "string", enum: ["seldon", "tensorflow", "kfserving", "v2"] },
                podSelector: { type: "string" },
                replicas: count,
                predictors: {
                  type: "array",
                  minItems: 1,
                  items: {
                    ...open,
                    required: ["name", "graph"],
                    properties: {
                      name: { type: "string", maxLength: 40 },
                      replicas: count,
                      traffic: { ...count, maximum: 100 },
                    },
                  },
                },
              },
            },
            status: open,
          },
        },
      },
    },
  ],
} satisfies types.input.apiextensions.v1.CustomResourceDefinitionSpec;
