import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

/** A Chromium on this machine, if there is one. */
export const chromium = (process.env["PATH"] ?? "")
  .split(delimiter)
  .flatMap((folder) => ["chromium", "chromium-browser", "google-chrome"].map((name) => join(folder, name)))
  .find((file) => existsSync(file));

/** A page in a headless browser, driven through its DevTools protocol. */
export class Browser {
  readonly #process: ChildProcess;
  readonly #folder: string;
  readonly #socket: WebSocket;
  readonly #waiting = new Map<number, { resolve(value: never): void; reject(error: Error): void }>();
  /** Errors and warnings of the page, and what it may not load. */
  readonly complaints: string[] = [];
  #last = 0;

  private constructor(process: ChildProcess, folder: string, socket: WebSocket) {
    this.#process = process;
    this.#folder = folder;
    this.#socket = socket;
    socket.onmessage = ({ data }) => this.#hear(JSON.parse(data as string));
  }

  static async open(url: string, { width, height }: { width: number; height: number }): Promise<Browser> {
    const folder = mkdtempSync(join(tmpdir(), "chromium-"));
    const flags = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--remote-debugging-port=0"];
    const child = spawn(
      chromium!,
      [...flags, `--user-data-dir=${folder}`, `--window-size=${width},${height}`, "about:blank"],
      {
        stdio: "ignore",
      },
    );
    const portFile = join(folder, "DevToolsActivePort");
    while (!existsSync(portFile) || !readFileSync(portFile, "utf8").includes("\n")) await sleep(50);
    const [port] = readFileSync(portFile, "utf8").split("\n");
    const targets = (await (await fetch(`http://127.0.0.1:${port}/json`)).json()) as {
      type: string;
      webSocketDebuggerUrl: string;
    }[];
    const socket = new WebSocket(targets.find(({ type }) => type === "page")!.webSocketDebuggerUrl);
    await new Promise((resolve) => socket.addEventListener("open", resolve, { once: true }));
    const browser = new Browser(child, folder, socket);
    for (const domain of ["Runtime", "Log", "Page"]) await browser.#call(`${domain}.enable`);
    const screen = { width, height, deviceScaleFactor: 1, mobile: width < 500 };
    await browser.#call("Emulation.setDeviceMetricsOverride", screen);
    await browser.#call("Page.navigate", { url });
    return browser;
  }

  /** The value of an expression in the page. */
  async evaluate<T>(expression: string): Promise<T> {
    const { result, exceptionDetails } = await this.#call<{
      result: { value: T };
      exceptionDetails?: { text: string };
    }>("Runtime.evaluate", { expression, awaitPromise: true, returnByValue: true });
    if (exceptionDetails) throw new Error(`${expression}: ${exceptionDetails.text}`);
    return result.value;
  }

  /** Waits until an expression in the page is true; while the page is loading it may well fail. */
  async until(expression: string): Promise<void> {
    while (!(await this.evaluate(expression).catch(() => false))) await sleep(100);
  }

  async screenshot(file: string): Promise<void> {
    const { data } = await this.#call<{ data: string }>("Page.captureScreenshot", { captureBeyondViewport: true });
    writeFileSync(file, Buffer.from(data, "base64"));
  }

  async close(): Promise<void> {
    const ended = new Promise((resolve) => this.#process.once("close", resolve));
    this.#socket.close();
    this.#process.kill();
    await ended;
    rmSync(this.#folder, { recursive: true, force: true, maxRetries: 5 });
  }

  #call<T = unknown>(method: string, params: object = {}): Promise<T> {
    const id = ++this.#last;
    this.#socket.send(JSON.stringify({ id, method, params }));
    return new Promise((resolve, reject) => this.#waiting.set(id, { resolve: resolve as never, reject }));
  }

  #hear(message: {
    id?: number;
    result?: never;
    error?: { message: string };
    method?: string;
    params?: unknown;
  }): void {
    const waiting = message.id === undefined ? undefined : this.#waiting.get(message.id);
    if (waiting && message.error) waiting.reject(new Error(message.error.message));
    else if (waiting) waiting.resolve(message.result as never);
    else if (message.method === "Runtime.exceptionThrown" || message.method === "Log.entryAdded")
      this.complaints.push(JSON.stringify(message.params));
  }
}
