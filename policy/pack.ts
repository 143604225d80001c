import {
  type PolicyConfigSchema,
  PolicyPack,
  type ResourceValidationPolicy,
  type StackValidationPolicy,
  UnknownValueError,
} from "@pulumi/policy";
import type { Finding, Resource, Rule, StackRule } from "./rules/rule.ts";
import { rules } from "./rules.ts";

/** A rule can be told what it is not about: `--policy-pack-config` with `{"RULE": {"exempt": ["NAME"]}}`. */
const configSchema: PolicyConfigSchema = {
  properties: {
    exempt: { type: "array", items: { type: "string" }, default: [], description: "Names of resources it leaves out." },
  },
};

const exempt = (policy: { getConfig<T extends object>(): T }): readonly string[] =>
  policy.getConfig<{ exempt: string[] }>().exempt;

function policyOf(rule: Rule): ResourceValidationPolicy | StackValidationPolicy {
  const { name, description, level: enforcementLevel } = rule;
  const common = { name, description, enforcementLevel, configSchema };
  if ("check" in rule)
    return {
      ...common,
      validateResource(resource, report) {
        if (!exempt(resource).includes(resource.name)) for (const message of rule.check(resource)) report(message);
      },
    };
  return {
    ...common,
    validateStack(stack, report) {
      const resources = stack.resources.filter((resource) => !exempt(stack).includes(resource.name));
      for (const { resource, message } of findings(rule, resources))
        report(message, resources.find((each) => each === resource)?.urn);
    },
  };
}

/** In a preview some outputs are not known yet. Advice can wait for them; what is mandatory says that it could not look. */
function findings(rule: StackRule, resources: readonly Resource[]): Finding[] {
  try {
    return rule.checkStack(resources);
  } catch (error) {
    if (error instanceof UnknownValueError && rule.level === "advisory") return [];
    throw error;
  }
}

new PolicyPack("inference-stack", { policies: rules.map(policyOf) });
