import * as grpc from "@grpc/grpc-js";
import pluginPb from "@pulumi/pulumi/proto/plugin_pb.js";
import pb from "@pulumi/pulumi/proto/provider_pb.js";
import statusPb from "@pulumi/pulumi/proto/status_pb.js";
import { engineLog, type Log, silent } from "./engine.ts";
import { decode, encode, type Properties } from "./properties.ts";
import { type CreateRequest, type Diff, type Failure, InitFailed, type Provider, type Resource } from "./provider.ts";
import { type Method, StatusError, serve } from "./server.ts";
import { packageVersion } from "./version.ts";
import { anyPb, emptyPb, stub } from "./wire.ts";

const { ResourceProviderService } = stub("provider");

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
