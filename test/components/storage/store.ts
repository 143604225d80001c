import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

interface Stored {
  readonly data: Buffer;
  readonly sha256?: string;
}

/** An object store in this process: just enough of S3, with faults on demand. */
export class Store {
  readonly objects = new Map<string, Stored>();
  /** `METHOD key` of every request, in order. */
  readonly requests: string[] = [];
  /** Answers to give instead, first to last: a status, or `drop` to cut the connection. */
  readonly faults: (number | "drop")[] = [];
  readonly #server = createServer((request, response) => void this.#answer(request, response));

  /** Keys of objects that were copied here. */
  readonly copies: string[] = [];

  async start(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  stop(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }

  /** The folders below a prefix. */
  #list({ searchParams }: URL): string {
    const prefix = searchParams.get("prefix") ?? "";
    const below = [...this.objects.keys()].filter((key) => key.startsWith(prefix));
    const folders = new Set(below.map((key) => `${prefix}${key.slice(prefix.length).split("/")[0]}/`));
    const common = [...folders].map((folder) => `<CommonPrefixes><Prefix>${folder}</Prefix></CommonPrefixes>`);
    return `<ListBucketResult>${common.join("")}</ListBucketResult>`;
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const [bucket, ...path] = decodeURIComponent(new URL(request.url!, "http://store").pathname.slice(1)).split("/");
    const key = path.join("/");
    const method = request.method!;
    this.requests.push(`${method} ${key}`);
    const fault = this.faults.shift();
    if (fault === "drop") return void request.socket.destroy();
    const end = (status: number, code = "", data?: Buffer, headers = {}) =>
      response
        .writeHead(status, headers)
        .end(data ?? (code && method !== "HEAD" ? `<Error><Code>${code}</Code></Error>` : ""));
    if (fault) return void end(fault, fault === 503 ? "SlowDown" : "AccessDenied");
    if (!request.headers.authorization?.startsWith("AWS4-HMAC-SHA256 Credential=key/"))
      return void end(403, "AccessDenied");
    if (bucket !== "models") return void end(404, "NoSuchBucket");
    const from = request.headers["x-amz-copy-source"] as string | undefined;
    if (method === "PUT" && from !== undefined) {
      this.copies.push(key);
      this.objects.set(key, this.objects.get(decodeURIComponent(from).split("/").slice(1).join("/"))!);
      return void end(200, "", Buffer.from("<CopyObjectResult></CopyObjectResult>"));
    }
    if (method === "GET" && key === "")
      return void end(200, "", Buffer.from(this.#list(new URL(request.url!, "http://store"))));
    if (method === "PUT") {
      this.objects.set(key, { data: Buffer.concat(chunks), sha256: request.headers["x-amz-meta-sha256"] as string });
      return void end(200);
    }
    const object = this.objects.get(key);
    if (!object) return void end(404, "NoSuchKey");
    end(200, "", method === "HEAD" ? undefined : object.data, {
      "content-length": object.data.length,
      ...(object.sha256 ? { "x-amz-meta-sha256": object.sha256 } : {}),
    });
  }
}
