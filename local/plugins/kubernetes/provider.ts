import { randomBytes } from "node:crypto";
import type { Log } from "../engine.ts";
import { hasUnknown, isObject, type PlainObject, type Properties, plain, unknown, type Value } from "../properties.ts";
import {
  type CheckRequest,
  type CreateRequest,
  type DeleteRequest,
  type Diff,
  type DiffRequest,
  type Failure,
  InitFailed,
  type Provider,
  type ReadRequest,
  type UpdateRequest,
} from "../provider.ts";
import { ruleFor } from "./await/rules.ts";
import { judgeNow, NotReady, type Waiting, waitUntilGone, waitUntilReady } from "./await/wait.ts";
import { ApiError, type Client, isNotFound, NoMatch } from "./client.ts";
import { type Config, checkConfig, readConfig, replacedBy } from "./config.ts";
import { Connection } from "./connection.ts";
import { diffObjects } from "./diff.ts";
import { named } from "./naming.ts";
import {
  annotation,
  annotations,
  asObject,
  asPlain,
  displayName,
  idOf,
  isAnnotated,
  isNamespacedBuiltIn,
  type KubeObject,
  kindOf,
  parseId,
} from "./object.ts";
import { creator, keepIgnored, managerOf } from "./ownership.ts";
import { checkpoint, fromCheckpoint, inputsFromLive, normalize, prune, toApi, withSecrets } from "./state.ts";
import { apply, createWhenPossible, dryCreate, explained } from "./write.ts";

/** Objects of any kind a cluster serves, managed as the official Kubernetes provider manages them. */
export class KubernetesProvider implements Provider {
  readonly #log: Log;
  readonly #cancelled = new AbortController();
  #config: Config = readConfig({});
  #connection = new Connection(this.#config);
  #namespace?: string;

  constructor(log: Log) {
    this.#log = log;
  }

  checkConfig = async (news: Properties): Promise<Failure[]> => checkConfig(news);
  diffConfig = async (olds: Properties, news: Properties): Promise<string[]> => replacedBy(olds, news);

  async configure(args: Properties): Promise<void> {
    this.#config = readConfig(args);
    this.#connection = new Connection(this.#config);
    this.#namespace = this.#connection.namespace;
  }

  cancel(): void {
    this.#cancelled.abort(new Error("the operation was cancelled"));
  }

  async check({
    type,
    name,
    olds,
    news,
    randomSeed,
  }: CheckRequest): Promise<{ inputs: Properties; failures: Failure[] }> {
    const { apiVersion, kind } = kindOf(type, plain(news));
    if (kind.endsWith("Patch") && isNamespacedBuiltIn(apiVersion, kind) !== undefined)
      return {
        inputs: news,
        failures: [
          {
            property: "kind",
            reason: `${kind} is not served by the embedded provider; set the fields on the object itself`,
          },
        ],
      };
    const metadata = await this.#inNamespace(named(news.metadata, olds, name, randomSeed), apiVersion, kind);
    return { inputs: { ...news, apiVersion, kind, metadata }, failures: [] };
  }

  async diff({ urn, type, oldInputs, olds, news, ignoreChanges }: DiffRequest): Promise<Diff> {
    const before = Object.keys(oldInputs).length > 0 ? toApi(oldInputs) : fromCheckpoint(olds).inputs;
    const after = { ...kindOf(type, plain(news)), ...toApi(news) };
    const mutable = { configMaps: this.#config.enableConfigMapMutable, secrets: this.#config.enableSecretMutable };
    const diff = diffObjects({ ...kindOf(type, before), ...before }, after, mutable, ignoreChanges);
    if (!isAnnotated(asObject(after), annotations.replaceUnready)) return diff;
    if (after.kind !== "Job") this.#log.warn(urn, "replaceUnready annotation is not supported for this resource");
    else if (await this.#isUnready(asObject(after))) return this.#replaced(diff, before, after);
    return diff;
  }

  async create({ urn, news, preview, timeout }: CreateRequest): Promise<{ id: string; properties: Properties }> {
    const inputs = asObject(toApi(news));
    const manager = managerOf(inputs, undefined, freshManager);
    const done = (live: KubeObject) =>
      checkpoint(asPlain(live), asPlain(inputs), news, inputs.apiVersion ?? "", manager);
    if (preview) {
      const isTold = !hasUnknown(news) && (await this.#isServed(inputs));
      const dry = isTold ? await dryCreate(await this.#connection.client(), inputs, this.#warning(urn)) : undefined;
      return { id: "", properties: dry ? done(dry) : foreseen(news) };
    }
    const client = await this.#connection.client();
    const report = { ...this.#warning(urn), say: (message: string) => this.#log.status(urn, message) };
    const created = await createWhenPossible(client, inputs, urn, report, this.#cancelled.signal);
    try {
      const live = await this.#ready(client, created, inputs, urn, timeout);
      return { id: idOf(live), properties: done(live) };
    } catch (error) {
      if (!(error instanceof NotReady)) throw error;
      const what = `resource "${urn}" was successfully created, but the Kubernetes API server reported that it failed to fully initialize or become live`;
      throw new InitFailed(idOf(created), done(error.live), [`${what}: ${error.message}`, ...error.reasons]);
    }
  }

  async update(request: UpdateRequest): Promise<Properties> {
    const { urn, id, news, olds, preview, timeout, ignoreChanges } = request;
    const inputs = asObject(normalize(toApi(news)));
    if (preview && (hasUnknown(news) || !(await this.#isServed(inputs)))) return news;
    const client = await this.#connection.client();
    const old = fromCheckpoint(olds);
    const manager = managerOf(inputs, old.manager, freshManager);
    const done = (live: KubeObject) =>
      checkpoint(asPlain(live), asPlain(inputs), news, old.apiVersion ?? inputs.apiVersion ?? "", manager);
    const what = `the Kubernetes API server reported that "${displayName(inputs)}" failed to fully initialize or become live`;
    let updated: KubeObject;
    try {
      const live = await client.read({ ...inputs, metadata: { ...inputs.metadata, ...parseId(id) } });
      const object = keepIgnored(inputs, live, ignoreChanges);
      const options = { manager, preview, force: this.#config.enablePatchForce, ...this.#warning(urn) };
      updated = await apply(client, object, live, options);
    } catch (error) {
      if (preview && error instanceof ApiError && error.code === 403) return news; // may look, but not try
      throw new Error(`${what}: ${explained(error)}`);
    }
    if (preview) return done(updated);
    try {
      return done(await this.#ready(client, updated, inputs, urn, timeout));
    } catch (error) {
      if (!(error instanceof NotReady)) throw error;
      throw new InitFailed(id, done(error.live), [`${what}: ${error.message}`, ...error.reasons]);
    }
  }

  async read({ urn, type, id, inputs: given, properties }: ReadRequest): ReturnType<Provider["read"]> {
    const client = await this.#connection.existing(urn, this.#log);
    if (!client) return undefined;
    const state = fromCheckpoint(properties);
    const known = normalize(toApi(given));
    const { apiVersion, kind } = kindOf(type, { ...state.live, ...known });
    let live: KubeObject;
    try {
      live = await client.read({ apiVersion, kind, metadata: parseId(id) }, this.#cancelled.signal);
    } catch (error) {
      if (isNotFound(error) || error instanceof NoMatch) return undefined;
      throw error;
    }
    const isUnknownToUs = typeof known.apiVersion !== "string";
    const inputs = isUnknownToUs ? inputsFromLive(asPlain(live)) : prune(asPlain(live), known);
    const manager = managerOf(asObject(inputs), state.manager, freshManager);
    const found = {
      id,
      inputs: withSecrets(inputs as Properties, given),
      properties: checkpoint(asPlain(live), inputs, given, state.apiVersion ?? apiVersion, manager),
    };
    const rule = isUnknownToUs || isAnnotated(live, annotations.skipAwait) ? undefined : ruleFor(live);
    const verdict = rule && (await judgeNow(client, live, rule, this.#cancelled.signal));
    if (!verdict || verdict.ready) return found;
    const why = `Resource '${live.metadata?.name}' was created but failed to initialize`;
    throw new InitFailed(id, found.properties, [why, ...verdict.reasons], found.inputs);
  }

  async delete({ urn, type, id, olds, timeout }: DeleteRequest): Promise<void> {
    const client = await this.#connection.existing(urn, this.#log);
    if (!client) return;
    const { live, inputs } = fromCheckpoint(olds);
    const object: KubeObject = {
      ...asObject(live),
      ...kindOf(type, live),
      metadata: { ...asObject(live).metadata, ...parseId(id) },
    };
    const policy = annotation(asObject(inputs), annotations.deletionPropagationPolicy)?.toLowerCase() ?? "foreground";
    const body = {
      kind: "DeleteOptions",
      apiVersion: "v1",
      propagationPolicy: policy[0]!.toUpperCase() + policy.slice(1),
    };
    try {
      await client.delete(object, { body });
    } catch (error) {
      if (isNotFound(error) || error instanceof NoMatch) return;
      throw error;
    }
    if (isAnnotated(asObject(inputs), annotations.skipAwait)) return;
    try {
      await waitUntilGone(object, this.#waiting(client, asObject(inputs), urn, timeout, 600));
    } catch (error) {
      throw error instanceof NotReady ? new Error([error.message, ...error.reasons].join("\n")) : error;
    }
    this.#log.status(urn, "");
  }

  /** Waits for a written object to do what it is there for; returns it as it is then. */
  async #ready(
    client: Client,
    object: KubeObject,
    inputs: KubeObject,
    urn: string,
    timeout: number | undefined,
  ): Promise<KubeObject> {
    const rule = isAnnotated(inputs, annotations.skipAwait) ? undefined : ruleFor(object);
    const live = rule
      ? await waitUntilReady(object, rule, this.#waiting(client, inputs, urn, timeout, rule.timeoutSeconds))
      : object;
    this.#log.status(urn, "");
    return live;
  }

  #waiting(client: Client, inputs: KubeObject, urn: string, timeout: number | undefined, otherwise: number): Waiting {
    const annotated = Number.parseInt(annotation(inputs, annotations.timeoutSeconds) ?? "", 10);
    const timeoutSeconds = timeout ?? (Number.isNaN(annotated) ? otherwise : annotated);
    return { client, timeoutSeconds, signal: this.#cancelled.signal, say: (message) => this.#log.status(urn, message) };
  }

  #warning(urn: string): { onWarning: (text: string) => void } {
    return { onWarning: (text) => this.#log.warn(urn, text) };
  }

  async #inNamespace(metadata: Value, apiVersion: string, kind: string): Promise<Value> {
    const namespace = this.#namespace;
    if (!namespace || !isObject(metadata) || metadata.namespace !== undefined) return metadata;
    const isNamespaced =
      isNamespacedBuiltIn(apiVersion, kind) ?? (await this.#connection.isNamespaced(apiVersion, kind));
    return isNamespaced ? { ...metadata, namespace } : metadata;
  }

  async #isServed({ apiVersion = "", kind = "" }: KubeObject): Promise<boolean> {
    return (await this.#connection.isReachable()) && (await this.#connection.client()).serves(apiVersion, kind);
  }

  async #isUnready(job: KubeObject): Promise<boolean> {
    if (!(await this.#isServed(job))) return false;
    try {
      const client = await this.#connection.client();
      const live = await client.read(job, this.#cancelled.signal);
      return !(await judgeNow(client, live, ruleFor(live)!, this.#cancelled.signal)).ready;
    } catch {
      return false; // as officially: what cannot be read is not replaced
    }
  }

  #replaced(diff: Diff, before: PlainObject, after: PlainObject): Diff {
    const [a, b] = [asObject(before), asObject(after)];
    const changes = new Map(diff.changes).set(`metadata.annotations["${annotations.replaceUnready}"]`, {
      kind: "update",
      replace: true,
    });
    return {
      changes,
      deleteBeforeReplace: !isAnnotated(b, annotations.autonamed) && a.metadata?.name === b.metadata?.name,
    };
  }
}

/** What will be, where the API server cannot tell: the inputs, and what it alone gives is unknown. */
function foreseen(news: Properties): Properties {
  const { kind, spec } = news;
  return kind === "Service" && isObject(spec) ? { ...news, spec: { clusterIP: unknown, ...spec } } : news;
}

const freshManager = (): string => `${creator}-${randomBytes(4).toString("hex")}`;
