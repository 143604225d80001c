import { type ChildProcess, spawn } from "node:child_process";

export interface Script {
  /** Program and arguments; the text of the script is the last one. */
  readonly argv: readonly string[];
  readonly cwd?: string;
  readonly env: NodeJS.ProcessEnv;
  readonly stdin?: string;
  /** Lines as they come. */
  readonly onStdout?: (line: string) => void;
  readonly onStderr?: (line: string) => void;
}

export interface Output {
  /** Without the newline at the end. */
  readonly stdout: string;
  readonly stderr: string;
}

/** Scripts under way, so that they can be ended together. */
export class Shell {
  readonly #running = new Set<ChildProcess>();

  /** @throws Error with all that the script printed, unless it exits 0 */
  run({ argv, cwd, env, stdin, onStdout, onStderr }: Script): Promise<Output> {
    const [program, ...args] = argv;
    return new Promise((resolve, reject) => {
      // A group of its own, so that what the script starts can be ended with it.
      const child = spawn(program!, args, { cwd, env, detached: true });
      this.#running.add(child);
      child.once("close", () => this.#running.delete(child));
      const all: Buffer[] = [];
      const stdout = capture(child.stdout, all, onStdout);
      const stderr = capture(child.stderr, all, onStderr);
      child.stdin.on("error", () => {}); // it may end without having read everything
      child.stdin.end(stdin);
      child.once("error", ({ code, message }: NodeJS.ErrnoException) => {
        this.#running.delete(child);
        const missing = cwd && code === "ENOENT";
        reject(
          new Error(
            missing
              ? `cannot run ${program} in ${cwd}: one of them does not exist`
              : `cannot run ${program}: ${message}`,
          ),
        );
      });
      child.once("close", (code, signal) => {
        const how = signal ? `ended by ${signal}` : `exit status ${code}`;
        if (code === 0) resolve({ stdout: stdout(), stderr: stderr() });
        else reject(new Error(`${how}: running ${JSON.stringify(argv.join(" "))}:\n${Buffer.concat(all).toString()}`));
      });
    });
  }

  /** Asks all scripts to end, and what they have started; those that do not are ended after 3 s. */
  end(): void {
    for (const child of this.#running) signalGroup(child, "SIGTERM");
    const force = () => {
      for (const child of this.#running) signalGroup(child, "SIGKILL");
    };
    setTimeout(force, 3_000).unref();
  }
}

/** Gathers what a stream brings; the function returned tells all of it. */
function capture(
  stream: NodeJS.ReadableStream,
  all: Buffer[],
  onLine: ((line: string) => void) | undefined,
): () => string {
  const chunks: Buffer[] = [];
  let rest = "";
  stream.on("data", (chunk: Buffer) => {
    chunks.push(chunk);
    all.push(chunk);
    if (!onLine) return;
    const lines = (rest + chunk.toString()).split("\n");
    rest = lines.pop()!;
    for (const line of lines) if (line.trim()) onLine(line);
  });
  return () => Buffer.concat(chunks).toString().replace(/\n$/, "");
}

function signalGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  try {
    if (child.pid !== undefined) process.kill(-child.pid, signal);
  } catch {
    // it has ended
  }
}
