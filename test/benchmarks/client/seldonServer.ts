import grpc from "@grpc/grpc-js";
import protobuf from "protobufjs";

export interface SeldonServer {
  readonly port: number;
  /** What has come: the files, and the deployment each was sent to. */
  readonly seen: { image: string; deployment: string; namespace: string }[];
  stop(): void;
}

// Apart from the client's own messages: a check on its field numbers.
const { root } = protobuf.parse(
  "syntax = 'proto3'; package seldon.protos; message SeldonMessage { oneof data_oneof { bytes binData = 4; string strData = 5; } }",
  { keepCase: true },
);
const type = root.lookupType("seldon.protos.SeldonMessage");

/** A Seldon deployment that takes files and answers with names of classes, as the guide's does; by gRPC's own library. */
export async function seldonServer(nameOf: (image: string) => string): Promise<SeldonServer> {
  const seen: SeldonServer["seen"] = [];
  const server = new grpc.Server();
  const raw = (bytes: Buffer) => bytes;
  const method: grpc.MethodDefinition<Buffer, Buffer> = {
    path: "/seldon.protos.Seldon/Predict",
    requestStream: false,
    responseStream: false,
    requestSerialize: raw,
    requestDeserialize: raw,
    responseSerialize: raw,
    responseDeserialize: raw,
  };
  const predict: grpc.handleUnaryCall<Buffer, Buffer> = ({ request, metadata }, done) => {
    const image = Buffer.from((type.decode(request) as unknown as { binData: Uint8Array }).binData).toString();
    seen.push({ image, deployment: `${metadata.get("seldon")}`, namespace: `${metadata.get("namespace")}` });
    done(null, Buffer.from(type.encode({ strData: nameOf(image) }).finish()));
  };
  server.addService({ Predict: method }, { Predict: predict });
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync("127.0.0.1:0", grpc.ServerCredentials.createInsecure(), (error, at) =>
      error ? reject(error) : resolve(at),
    ),
  );
  return { port, seen, stop: () => server.forceShutdown() };
}
