import * as grpc from "@grpc/grpc-js";

/** The engine's limit for one message, which large states do reach. */
export const maxMessageBytes = 400 * 1024 * 1024;

/** An error with a gRPC status of its own; every other error becomes UNKNOWN with its message and without its stack. */
export class StatusError extends Error {
  readonly code: grpc.status;
  readonly metadata?: grpc.Metadata;
  constructor(code: grpc.status, message: string, metadata?: grpc.Metadata) {
    super(message);
    this.code = code;
    this.metadata = metadata;
  }
}

/** A method of a service: takes the request and gives the response. A call that streams its answer writes to `call`. */
// biome-ignore lint/suspicious/noExplicitAny: the generated stubs type each message, the table of methods cannot
export type Method = (request: any, call: any) => any;

/**
 * Serves one gRPC service to the engine on a free loopback port, prints the port as the engine expects, and lives as long
 * as the process that started it. Methods that `methods` does not name answer UNIMPLEMENTED.
 *
 * @param onStop is called before the process ends because the engine interrupts it or has gone
 */
export function serve(
  service: grpc.ServiceDefinition,
  methods: Record<string, Method>,
  onStop: () => void = () => {},
): void {
  const handlers = Object.fromEntries(
    Object.entries(service).map(([name, definition]) => [name, handler(methods[name], definition)]),
  );
  const server = new grpc.Server({
    "grpc.max_receive_message_length": maxMessageBytes,
    "grpc.max_send_message_length": maxMessageBytes,
  });
  server.addService(service, handlers);
  server.bindAsync("127.0.0.1:0", grpc.ServerCredentials.createInsecure(), (error, port) => {
    if (error) throw error;
    process.stdout.write(`${port}\n`);
  });
  endWithParent(onStop);
}

function handler(
  method: Method | undefined,
  definition: { path: string; responseStream: boolean },
): grpc.UntypedHandleCall {
  const run = async (call: { request: unknown }) => {
    if (!method) throw new StatusError(grpc.status.UNIMPLEMENTED, `${definition.path} is not served by this plugin`);
    return method(call.request, call);
  };
  if (definition.responseStream)
    return (call: grpc.ServerWritableStream<unknown, unknown>) => {
      run(call).then(
        () => call.end(),
        (error) => call.destroy(toStatus(error)),
      );
    };
  return (call: grpc.ServerUnaryCall<unknown, unknown>, callback: grpc.sendUnaryData<unknown>) => {
    run(call).then(
      (response) => callback(null, response),
      (error) => callback(toStatus(error)),
    );
  };
}

function toStatus(error: unknown): Error & Partial<grpc.StatusObject> {
  const { code, message, metadata } =
    error instanceof StatusError
      ? error
      : { code: grpc.status.UNKNOWN, message: messageOf(error), metadata: undefined };
  if (process.env.PULUMI_PLUGIN_DEBUG) process.stderr.write(`${error instanceof Error ? error.stack : error}\n`);
  return Object.assign(new Error(message), { code, details: message, metadata });
}

export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** A plugin must not outlive its engine, even one that was killed: nobody else would ever end it. */
function endWithParent(onStop: () => void): void {
  const parent = process.ppid;
  const stop = () => {
    onStop();
    process.exit(0);
  };
  setInterval(() => process.ppid !== parent && stop(), 1000).unref();
  process.once("SIGINT", stop);
  process.once("SIGTERM", stop);
}
