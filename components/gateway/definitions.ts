import type { types } from "@pulumi/kubernetes";

export const GROUP = "networking.istio.io";
export const API_VERSION = `${GROUP}/v1`;

/** Label of the namespaces whose Services and routes istiod looks at. */
export const DISCOVERY = { "istio-discovery": "enabled" };

type Definition = types.input.apiextensions.v1.CustomResourceDefinitionSpec & { readonly group: string };

/** Fields whose content istiod checks itself. */
const open = { type: "object", "x-kubernetes-preserve-unknown-fields": true } as const;

/** What the API server has to know of a kind. Istio's own tools and Seldon's operator still ask for the older versions. */
function definition(kind: string, short: string, required: readonly string[]): Definition {
  const singular = kind.toLowerCase();
  const version = (name: string, storage: boolean) => ({
    name,
    served: true,
    storage,
    subresources: { status: {} },
    schema: {
      openAPIV3Schema: { type: "object", properties: { spec: { ...open, required: [...required] }, status: open } },
    },
  });
  return {
    group: GROUP,
    scope: "Namespaced",
    names: { kind, listKind: `${kind}List`, plural: `${singular}s`, singular, shortNames: [short] },
    versions: [version("v1", true), version("v1beta1", false), version("v1alpha3", false)],
  };
}

/** The kinds of Istio that are used here; istiod does without the others. By name. */
export const definitions: Readonly<Record<string, Definition>> = {
  [`gateways.${GROUP}`]: definition("Gateway", "gw", ["servers"]),
  [`virtualservices.${GROUP}`]: definition("VirtualService", "vs", ["hosts"]),
  [`destinationrules.${GROUP}`]: definition("DestinationRule", "dr", ["host"]),
};
