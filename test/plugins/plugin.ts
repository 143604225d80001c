import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";
import * as grpc from "@grpc/grpc-js";
import { checkout } from "../../local/paths.ts";
import { stub } from "../../local/plugins/wire.ts";

/** A plugin in a process of its own, called over gRPC as the engine calls it. */
export class Plugin {
  readonly process: ChildProcess;
  readonly #client: grpc.Client & Record<string, (...args: unknown[]) => void>;

  /** @param executable by default this Node on the plugin's source */
  static async start(
    name: string,
    service: "provider" | "language" = "provider",
    executable = [process.execPath, join(checkout, "local", "plugins", "main.ts"), name],
  ): Promise<Plugin> {
    const [command, ...args] = executable;
    const child = spawn(command!, [...args, "127.0.0.1:1"], { stdio: ["ignore", "pipe", "inherit"] });
    const [port] = await new Promise<string[]>((resolve, reject) => {
      createInterface({ input: child.stdout! }).once("line", (line) => resolve([line]));
      child.once("exit", (code) => reject(new Error(`${name} ended with ${code}`)));
    });
    return new Plugin(child, `127.0.0.1:${port}`, service);
  }

  private constructor(child: ChildProcess, address: string, service: "provider" | "language") {
    this.process = child;
    const clients = stub(service);
    const Client = service === "provider" ? clients.ResourceProviderClient : clients.LanguageRuntimeClient;
    this.#client = new Client(address, grpc.credentials.createInsecure());
  }

  // biome-ignore lint/suspicious/noExplicitAny: the response is whatever message the method has
  call(method: string, request: unknown): Promise<any> {
    return new Promise((resolve, reject) =>
      this.#client[method]!(request, (error: Error | null, response: unknown) =>
        error ? reject(error) : resolve(response),
      ),
    );
  }

  /** Ends it as the engine does; resolves to its exit code. */
  stop(): Promise<number | null> {
    this.#client.close();
    return new Promise((resolve) => {
      this.process.once("exit", resolve);
      this.process.kill("SIGINT");
    });
  }
}
