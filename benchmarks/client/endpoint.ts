import { createHash, randomBytes, timingSafeEqual } from "node:crypto";
import http from "node:http";
import type { AddressInfo } from "node:net";
import { UserError } from "../../error.ts";

const maxBodyBytes = 4 << 20;

/** An answer other than success: a status, and a sentence that is its body as `{"error": ...}`. */
export class Refusal extends Error {
  readonly status: number;
  constructor(status: number, sentence: string) {
    super(sentence);
    this.status = status;
  }
}

/** Returns the answer's body, or nothing if it has none or was written by the route itself. */
export type Route = (body: unknown, response: http.ServerResponse, query: URLSearchParams) => unknown;

export interface Endpoint {
  readonly port: number;
  /** Ends at once, with all connections. */
  close(): Promise<void>;
}

/** A token to ask for. */
export const newToken = (): string => randomBytes(24).toString("base64url");

/**
 * A small HTTP server that speaks JSON.
 *
 * @param options.routes by method and path, such as `PUT /rate`; answer only to who has the token (`Authorization: Bearer TOKEN`)
 * @param options.open routes that answer everybody. Default: none
 * @throws UserError if it cannot listen there
 */
export async function serve(options: {
  /** Address; absent: all there are. */
  host?: string;
  /** 0: any that is free. */
  port: number;
  token: string;
  routes: Readonly<Record<string, Route>>;
  open?: Readonly<Record<string, Route>>;
}): Promise<Endpoint> {
  const { host, port } = options;
  const server = http.createServer((request, response) => {
    answer(request, response, options).catch((error: Error) => refuse(response, error));
  });
  server.requestTimeout = 10_000; // until a whole request has come; an answer may take longer
  server.keepAliveTimeout = 0; // none: a connection must not end just when a worker is told of a new rate
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error) =>
      reject(new UserError(`Cannot listen on ${host ?? "*"}:${port}: ${error.message}. Is the port taken?`)),
    );
    server.listen(port, host, resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function answer(
  request: http.IncomingMessage,
  response: http.ServerResponse,
  { token, routes, open = {} }: Parameters<typeof serve>[0],
): Promise<void> {
  const { pathname, searchParams } = new URL(`http://endpoint${request.url}`);
  const name = `${request.method} ${pathname}`;
  const isOpen = Object.hasOwn(open, name);
  if (!isOpen && !isSame(request.headers.authorization ?? "", `Bearer ${token}`))
    throw new Refusal(401, "The request needs the header `Authorization: Bearer TOKEN` with this run's token.");
  const route = isOpen ? open[name] : routes[name];
  if (!route) throw unknown(request.method ?? "", pathname, [...Object.keys(open), ...Object.keys(routes)]);
  const body = await route(await readJson(request), response, searchParams);
  if (response.headersSent) return;
  if (body === undefined) response.writeHead(204).end();
  else send(response, 200, body);
}

function unknown(method: string, path: string, known: readonly string[]): Refusal {
  const isPath = known.some((name) => name.endsWith(` ${path}`));
  return new Refusal(isPath ? 405 : 404, `There is no ${method} ${path}; there is ${known.join(", ")}.`);
}

async function readJson(request: http.IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request) {
    length += chunk.length;
    if (length > maxBodyBytes) throw new Refusal(413, `The body is longer than ${maxBodyBytes} bytes.`);
    chunks.push(chunk);
  }
  if (length === 0) return undefined;
  try {
    return JSON.parse(Buffer.concat(chunks).toString());
  } catch (error) {
    throw new Refusal(400, `The body is not JSON: ${(error as Error).message}.`);
  }
}

function refuse(response: http.ServerResponse, error: Error): void {
  if (response.headersSent) response.destroy();
  else send(response, error instanceof Refusal ? error.status : 500, { error: error.message });
}

function send(response: http.ServerResponse, status: number, body: unknown): void {
  const challenge = status === 401 ? { "www-authenticate": "Bearer" } : {};
  response.writeHead(status, { "content-type": "application/json", ...challenge });
  response.end(`${JSON.stringify(body)}\n`);
}

/** In a time that does not tell how much of it is right. */
function isSame(given: string, wanted: string): boolean {
  const digest = (text: string) => createHash("sha256").update(text).digest();
  return timingSafeEqual(digest(given), digest(wanted));
}
