import { createHash, randomBytes } from "node:crypto";
import * as grpc from "@grpc/grpc-js";
import pluginPb from "@pulumi/pulumi/proto/plugin_pb.js";
import pb from "@pulumi/pulumi/proto/provider_pb.js";
import statusPb from "@pulumi/pulumi/proto/status_pb.js";
import { engineLog, type Log, silent } from "./engine.ts";
import { decode, encode, type Properties } from "./properties.ts";
import { type Method, StatusError, serve } from "./server.ts";
import { packageVersion } from "./version.ts";
import { anyPb, emptyPb, stub } from "./wire.ts";

const { ResourceProviderService } = stub("provider");

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

/** Serves the provider that `make` builds as the plugin of the npm package `@pulumi/<name>`. */
export function serveProvider(name: string, make: (log: Log) => Provider): void {
  let sink = silent;
  const log: Log = {
    status: (urn, message) => sink.status(urn, message),
    info: (urn, message) => sink.info(urn, message),
    warn: (urn, message) => sink.warn(urn, message),
  };
  const version = packageVersion(name);
  const provider = make(log);
  const attach = (address: string) => {
    if (address) sink = engineLog(address);
  };
  attach(process.argv.slice(3).findLast((argument) => !argument.startsWith("-")) ?? "");
  serve(ResourceProviderService, methods(provider, name, version, attach), () => provider.cancel?.());
}

function methods(
  provider: Provider,
  name: string,
  version: string,
  attach: (address: string) => void,
): Record<string, Method> {
  return {
    handshake(request: pb.ProviderHandshakeRequest) {
      attach(request.getEngineAddress());
      return new pb.ProviderHandshakeResponse().setAcceptSecrets(true);
    },
    attach(request: pluginPb.PluginAttach) {
      attach(request.getAddress());
      return new emptyPb.Empty();
    },
    getPluginInfo: () => new pluginPb.PluginInfo().setVersion(version),
    getSchema: () => new pb.GetSchemaResponse().setSchema(JSON.stringify({ name, version })),
    async checkConfig(request: pb.CheckRequest) {
      const failures = (await provider.checkConfig?.(decode(request.getNews()))) ?? [];
      return checkResponse(decode(request.getNews()), failures);
    },
    async diffConfig(request: pb.DiffRequest) {
      const replaces = (await provider.diffConfig?.(decode(request.getOldInputs()), decode(request.getNews()))) ?? [];
      return new pb.DiffResponse()
        .setReplacesList(replaces)
        .setDiffsList(replaces)
        .setChanges(
          replaces.length > 0 ? pb.DiffResponse.DiffChanges.DIFF_SOME : pb.DiffResponse.DiffChanges.DIFF_UNKNOWN,
        );
    },
    async configure(request: pb.ConfigureRequest) {
      await provider.configure?.(decode(request.getArgs()));
      return new pb.ConfigureResponse().setAcceptsecrets(true).setSupportspreview(true);
    },
    async check(request: pb.CheckRequest) {
      const { inputs, failures } = await provider.check({
        ...resource(request),
        olds: request.hasOlds() ? decode(request.getOlds()) : undefined,
        news: decode(request.getNews()),
        randomSeed: request.getRandomseed_asU8(),
      });
      return checkResponse(inputs, failures ?? []);
    },
    async diff(request: pb.DiffRequest) {
      return diffResponse(
        await provider.diff({
          ...resource(request),
          id: request.getId(),
          oldInputs: decode(request.getOldInputs()),
          olds: decode(request.getOlds()),
          news: decode(request.getNews()),
          ignoreChanges: request.getIgnorechangesList(),
        }),
      );
    },
    create: (request: pb.CreateRequest) =>
      initAware(async () => {
        const { id, properties } = await provider.create(creation(request, decode(request.getProperties())));
        return new pb.CreateResponse().setId(id).setProperties(encode(properties));
      }),
    update: (request: pb.UpdateRequest) =>
      initAware(async () => {
        const properties = await provider.update({
          ...creation(request, decode(request.getNews())),
          id: request.getId(),
          olds: decode(request.getOlds()),
          ignoreChanges: request.getIgnorechangesList(),
        });
        return new pb.UpdateResponse().setProperties(encode(properties));
      }),
    read: (request: pb.ReadRequest) =>
      initAware(async () => {
        const found = await provider.read({
          ...resource(request),
          id: request.getId(),
          inputs: decode(request.getInputs()),
          properties: decode(request.getProperties()),
        });
        const response = new pb.ReadResponse();
        if (found) response.setId(found.id).setProperties(encode(found.properties)).setInputs(encode(found.inputs));
        return response;
      }),
    delete: (request: pb.DeleteRequest) =>
      initAware(async () => {
        await provider.delete({
          ...resource(request),
          id: request.getId(),
          olds: decode(request.getProperties()),
          timeout: request.getTimeout() || undefined,
        });
        return new emptyPb.Empty();
      }),
    async invoke(request: pb.InvokeRequest) {
      if (!provider.invoke) throw new Error(`unknown function ${request.getTok()}`);
      return new pb.InvokeResponse().setReturn(
        encode(await provider.invoke(request.getTok(), decode(request.getArgs()))),
      );
    },
    construct(request: pb.ConstructRequest) {
      throw new Error(
        `${request.getType()} is a component of the official provider and not served by the embedded one`,
      );
    },
    cancel() {
      provider.cancel?.();
      return new emptyPb.Empty();
    },
  };
}

/** The parts of a URN: urn:pulumi:<stack>::<project>::<parent types>$<type>::<name>. */
export function resource(request: { getUrn(): string }): Resource {
  const urn = request.getUrn();
  const [, , types, ...name] = urn.split("::");
  return { urn, type: types!.split("$").at(-1)!, name: name.join("::") };
}

const creation = (request: pb.CreateRequest | pb.UpdateRequest, news: Properties): CreateRequest => ({
  ...resource(request),
  news,
  timeout: request.getTimeout() || undefined,
  preview: request.getPreview(),
});

function checkResponse(inputs: Properties, failures: readonly Failure[]): pb.CheckResponse {
  const list = failures.map(({ property, reason }) => new pb.CheckFailure().setProperty(property).setReason(reason));
  return new pb.CheckResponse().setInputs(encode(inputs)).setFailuresList(list);
}

const kinds = {
  add: [pb.PropertyDiff.Kind.ADD, pb.PropertyDiff.Kind.ADD_REPLACE],
  delete: [pb.PropertyDiff.Kind.DELETE, pb.PropertyDiff.Kind.DELETE_REPLACE],
  update: [pb.PropertyDiff.Kind.UPDATE, pb.PropertyDiff.Kind.UPDATE_REPLACE],
} as const;

function diffResponse({ changes, deleteBeforeReplace }: Diff): pb.DiffResponse {
  const response = new pb.DiffResponse()
    .setHasdetaileddiff(true)
    .setDeletebeforereplace(deleteBeforeReplace)
    .setChanges(changes.size > 0 ? pb.DiffResponse.DiffChanges.DIFF_SOME : pb.DiffResponse.DiffChanges.DIFF_NONE)
    .setReplacesList([...changes].filter(([, { replace }]) => replace).map(([path]) => path));
  for (const [path, { kind, replace }] of changes)
    response
      .getDetaileddiffMap()
      .set(path, new pb.PropertyDiff().setKind(kinds[kind][replace ? 1 : 0]).setInputdiff(true));
  return response;
}

async function initAware<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof InitFailed)) throw error;
    const detail = new pb.ErrorResourceInitFailed().setId(error.id).setReasonsList([...error.reasons]);
    detail.setProperties(encode(error.properties));
    if (error.inputs) detail.setInputs(encode(error.inputs));
    const packed = new anyPb.Any();
    packed.pack(detail.serializeBinary(), "pulumirpc.ErrorResourceInitFailed");
    const status = new statusPb.Status()
      .setCode(grpc.status.UNKNOWN)
      .setMessage(error.message)
      .setDetailsList([packed]);
    const metadata = new grpc.Metadata();
    metadata.set("grpc-status-details-bin", Buffer.from(status.serializeBinary()));
    throw new StatusError(grpc.status.UNKNOWN, error.message, metadata);
  }
}

/** A name of its own for a resource: prefix and 8 hex digits, repeatable for the seed of an update plan. */
export function uniqueName(prefix: string, seed: Uint8Array): string {
  const bytes = seed.length > 0 ? createHash("sha256").update(seed).update(prefix).digest() : randomBytes(4);
  return prefix + bytes.toString("hex").slice(0, 8);
}
