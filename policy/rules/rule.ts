/** A resource as the engine shows it to a policy: what the program registered. */
export interface Resource {
  readonly type: string;
  readonly name: string;
  // biome-ignore lint/suspicious/noExplicitAny: manifests of every kind
  readonly props: any;
}

/** What a rule has found wrong, and with which resource. */
export interface Finding {
  readonly resource: Resource;
  readonly message: string;
}

interface AnyRule {
  readonly name: string;
  readonly description: string;
  /** `mandatory` stops a deployment. */
  readonly level: "mandatory" | "advisory";
}

/** A rule about each resource by itself. Pure, so that it is tested without an engine. */
export interface ResourceRule extends AnyRule {
  check(resource: Resource): string[];
}

/** A rule about all of a stack, its outputs included. */
export interface StackRule extends AnyRule {
  checkStack(resources: readonly Resource[]): Finding[];
}

export type Rule = ResourceRule | StackRule;
