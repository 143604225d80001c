import { createHash, randomBytes } from "node:crypto";
import type { Properties } from "./properties.ts";

/** What every call about a resource says. */
export interface Resource {
  readonly urn: string;
  /** The type token, for instance `kubernetes:apps/v1:Deployment`. */
  readonly type: string;
  /** The logical name. */
  readonly name: string;
}

export interface Failure {
  readonly property: string;
  readonly reason: string;
}

export interface CheckRequest extends Resource {
  /** The inputs of the last deployment; undefined when the resource is new or about to be replaced. */
  readonly olds?: Properties;
  readonly news: Properties;
  readonly randomSeed: Uint8Array;
}

export interface DiffRequest extends Resource {
  readonly id: string;
  /** The inputs of the last deployment. */
  readonly oldInputs: Properties;
  /** The outputs of the last deployment. */
  readonly olds: Properties;
  readonly news: Properties;
  readonly ignoreChanges: readonly string[];
}

export type ChangeKind = "add" | "delete" | "update";

export interface Diff {
  /** Property path to what happens there. Empty: nothing changes. */
  readonly changes: ReadonlyMap<string, { readonly kind: ChangeKind; readonly replace: boolean }>;
  /** The old object must be gone before the new one can exist. */
  readonly deleteBeforeReplace: boolean;
}

export interface CreateRequest extends Resource {
  readonly news: Properties;
  /** Seconds, from `customTimeouts`; undefined: the provider decides. */
  readonly timeout?: number;
  readonly preview: boolean;
}

export interface UpdateRequest extends CreateRequest {
  readonly id: string;
  readonly olds: Properties;
  readonly ignoreChanges: readonly string[];
}

export interface ReadRequest extends Resource {
  readonly id: string;
  /** Empty for an import or a `.get`. */
  readonly inputs: Properties;
  readonly properties: Properties;
}

export interface DeleteRequest extends Resource {
  readonly id: string;
  readonly olds: Properties;
  readonly timeout?: number;
}

/** A resource provider without gRPC in it. Methods may throw; the message is what the user reads. */
export interface Provider {
  checkConfig?(news: Properties): Promise<Failure[]>;
  /** The config properties whose change means other resources altogether, hence a replacement of everything. */
  diffConfig?(olds: Properties, news: Properties): Promise<string[]>;
  configure?(args: Properties): Promise<void>;
  check(request: CheckRequest): Promise<{ inputs: Properties; failures?: Failure[] }>;
  diff(request: DiffRequest): Promise<Diff>;
  create(request: CreateRequest): Promise<{ id: string; properties: Properties }>;
  /** @returns undefined when the resource is gone */
  read(request: ReadRequest): Promise<{ id: string; inputs: Properties; properties: Properties } | undefined>;
  update(request: UpdateRequest): Promise<Properties>;
  delete(request: DeleteRequest): Promise<void>;
  invoke?(token: string, args: Properties): Promise<Properties>;
  /** The user asked to stop: end what is under way. */
  cancel?(): void;
}

/** The resource exists but is not what it should be: the engine keeps it in the state, with these reasons. */
export class InitFailed extends Error {
  readonly id: string;
  readonly properties: Properties;
  readonly inputs?: Properties;
  readonly reasons: readonly string[];
  constructor(id: string, properties: Properties, reasons: readonly string[], inputs?: Properties) {
    super(reasons.join("\n"));
    this.id = id;
    this.properties = properties;
    this.reasons = reasons;
    this.inputs = inputs;
  }
}

/** A name of its own for a resource: prefix and 8 hex digits, repeatable for the seed of an update plan. */
export function uniqueName(prefix: string, seed: Uint8Array): string {
  const bytes = seed.length > 0 ? createHash("sha256").update(seed).update(prefix).digest() : randomBytes(4);
  return prefix + bytes.toString("hex").slice(0, 8);
}
