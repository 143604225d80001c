import type { types } from "@pulumi/kubernetes";

export const GROUP = "kubeflow.org";
export const API_VERSION = `${GROUP}/v1`;
export const KIND = "TFJob";
export const PLURAL = "tfjobs";

/** Fields whose content the operator checks itself. */
const open = { type: "object", "x-kubernetes-preserve-unknown-fields": true } as const;

/** What the API server has to know of TFJobs. */
export const definition = {
  group: GROUP,
  scope: "Namespaced",
  names: { kind: KIND, listKind: `${KIND}List`, plural: PLURAL, singular: "tfjob" },
  versions: [
    {
      name: "v1",
      served: true,
      storage: true,
      subresources: { status: {} },
      additionalPrinterColumns: [
        { name: "State", type: "string", jsonPath: ".status.conditions[-1:].type" },
        { name: "Age", type: "date", jsonPath: ".metadata.creationTimestamp" },
      ],
      schema: {
        openAPIV3Schema: {
          type: "object",
          properties: {
            spec: {
              type: "object",
              required: ["tfReplicaSpecs"],
              properties: {
                runPolicy: open,
                successPolicy: { type: "string" },
                enableDynamicWorker: { type: "boolean" },
                tfReplicaSpecs: {
                  type: "object",
                  additionalProperties: {
                    type: "object",
                    properties: {
                      replicas: { type: "integer", format: "int32", minimum: 0 },
                      restartPolicy: { type: "string", enum: ["Always", "OnFailure", "Never", "ExitCode"] },
                      template: open,
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
