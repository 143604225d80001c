import { type ChildProcess, spawn } from "node:child_process";
import type { Log } from "./engine.ts";
import {
  equal,
  hasSecret,
  type PlainObject,
  type Properties,
  plain,
  Secret,
  unknown,
  type Value,
} from "./properties.ts";
import {
  type CheckRequest,
  type CreateRequest,
  type DeleteRequest,
  type Diff,
  type DiffRequest,
  type Failure,
  type Provider,
  type ReadRequest,
  type UpdateRequest,
  uniqueName,
} from "./provider.ts";

/** The inputs of `command:local:Command` that say how something is run. */
interface Command {
  readonly create?: string;
  readonly update?: string;
  readonly delete?: string;
  readonly interpreter?: string[];
  readonly dir?: string;
  readonly environment?: Record<string, string>;
  readonly stdin?: string;
  readonly logging?: "stdout" | "stderr" | "stdoutAndStderr" | "none";
  readonly addPreviousOutputInEnv?: boolean;
  readonly stdout?: string;
  readonly stderr?: string;
}

interface Output {
  readonly stdout: string;
  readonly stderr: string;
}

const token = "command:local:Command";
const outputs = ["stdout", "stderr"];
const unserved = ["assetPaths", "archivePaths"];

/** Commands on the machine that runs Pulumi. */
export class CommandProvider implements Provider {
  readonly #log: Log;
  readonly #running = new Set<ChildProcess>();

  constructor(log: Log) {
    this.#log = log;
  }

  async check({ type, news }: CheckRequest): Promise<{ inputs: Properties; failures: Failure[] }> {
    const failures = unserved
      .filter((property) => news[property] !== undefined)
      .map((property) => ({
        property,
        reason: "the embedded provider returns no files; read them in the program instead",
      }));
    if (type !== token)
      failures.push({ property: "", reason: `${type} is not served by the embedded provider, only ${token} is` });
    const logging = plain(news).logging;
    if (typeof logging === "string" && !["stdout", "stderr", "stdoutAndStderr", "none"].includes(logging))
      failures.push({
        property: "logging",
        reason: `"${logging}" is not one of stdout, stderr, stdoutAndStderr, none`,
      });
    return { inputs: news, failures };
  }

  /** New triggers run `update` if there is one; without it the command is another one, with its own `delete`. */
  async diff({ oldInputs, news }: DiffRequest): Promise<Diff> {
    const [before, after] = [plain(oldInputs), plain(news)];
    const keys = [...new Set([...Object.keys(before), ...Object.keys(after)])].filter(
      (key) => !equal(before[key], after[key]),
    );
    const replace = (key: string) => key === "triggers" && after.update === undefined;
    const kind = (key: string) => (key in before ? (key in after ? "update" : "delete") : "add");
    return {
      changes: new Map(keys.map((key) => [key, { kind: kind(key), replace: replace(key) }] as const)),
      deleteBeforeReplace: false,
    };
  }

  async create({ urn, name, news, preview }: CreateRequest): Promise<{ id: string; properties: Properties }> {
    if (preview) return { id: "", properties: withOutput(news, undefined) };
    const command = plain(news) as Command;
    const output = command.create === undefined ? none : await this.#run(urn, command.create, command);
    return { id: uniqueName(name, new Uint8Array()), properties: withOutput(news, output) };
  }

  async update({ urn, news, olds, preview }: UpdateRequest): Promise<Properties> {
    if (preview) return withOutput(news, undefined);
    const command = plain(news) as Command;
    const text = command.update ?? command.create;
    return withOutput(news, text === undefined ? none : await this.#run(urn, text, command, outputOf(olds)));
  }

  async delete({ urn, olds }: DeleteRequest): Promise<void> {
    const command = plain(olds) as Command;
    if (command.delete !== undefined) await this.#run(urn, command.delete, command, outputOf(olds));
  }

  /** A command leaves nothing that could be looked at: it is as it was left. */
  async read({ id, inputs, properties }: ReadRequest): ReturnType<Provider["read"]> {
    return { id, inputs, properties };
  }

  async invoke(name: string, args: Properties): Promise<Properties> {
    if (name !== "command:local:run")
      throw new Error(`${name} is not served by the embedded provider, only command:local:run is`);
    const command = plain(args) as Command & { command?: string };
    if (command.command === undefined) throw new Error("command:local:run needs a `command`");
    return { ...args, ...wrapped(args, await this.#run("", command.command, command)) };
  }

  cancel(): void {
    for (const child of this.#running) signalGroup(child, "SIGTERM");
    setTimeout(() => {
      for (const child of this.#running) signalGroup(child, "SIGKILL");
    }, 3_000).unref();
  }

  #run(urn: string, text: string, command: Command, previous?: Output): Promise<Output> {
    const [program, ...args] = command.interpreter?.length ? command.interpreter : ["/bin/sh", "-c"];
    const env = {
      ...process.env,
      ...command.environment,
      ...(previous && command.addPreviousOutputInEnv !== false
        ? { PULUMI_COMMAND_STDOUT: previous.stdout, PULUMI_COMMAND_STDERR: previous.stderr }
        : {}),
    };
    const logging = command.logging ?? "stdoutAndStderr";
    return new Promise((resolve, reject) => {
      // A group of its own, so that what the command starts can be stopped with it.
      const child = spawn(program!, [...args, text], { cwd: command.dir, env, detached: true });
      this.#running.add(child);
      const stdout = new Capture(
        logging === "none" || logging === "stderr" ? undefined : (line) => this.#log.status(urn, line),
      );
      const stderr = new Capture(
        logging === "none" || logging === "stdout" ? undefined : (line) => this.#log.status(urn, line),
      );
      const all: Buffer[] = [];
      for (const [stream, capture] of [
        [child.stdout, stdout],
        [child.stderr, stderr],
      ] as const)
        stream.on("data", (chunk: Buffer) => {
          all.push(chunk);
          capture.take(chunk);
        });
      child.stdin.on("error", () => {}); // the command may end without having read everything
      child.stdin.end(command.stdin);
      child.once("error", (error: NodeJS.ErrnoException) => {
        this.#running.delete(child);
        reject(
          new Error(
            command.dir && error.code === "ENOENT"
              ? `cannot run ${program} in ${command.dir}: one of them does not exist`
              : `cannot run ${program}: ${error.message}`,
          ),
        );
      });
      child.once("close", (code, signal) => {
        this.#running.delete(child);
        const how = signal ? `ended by ${signal}` : `exit status ${code}`;
        if (code === 0) resolve({ stdout: stdout.text, stderr: stderr.text });
        else
          reject(
            new Error(
              `${how}: running ${JSON.stringify([program, ...args, text].join(" "))}:\n${Buffer.concat(all).toString()}`,
            ),
          );
      });
    });
  }
}

const none: Output = { stdout: "", stderr: "" };

/** What a command printed, whole, and line by line as it comes. */
class Capture {
  readonly #chunks: Buffer[] = [];
  readonly #onLine?: (line: string) => void;
  #rest = "";

  constructor(onLine: ((line: string) => void) | undefined) {
    this.#onLine = onLine;
  }

  take(chunk: Buffer): void {
    this.#chunks.push(chunk);
    if (!this.#onLine) return;
    const lines = (this.#rest + chunk.toString()).split("\n");
    this.#rest = lines.pop()!;
    for (const line of lines) if (line.trim()) this.#onLine(line);
  }

  /** Without the newline at the end. */
  get text(): string {
    return Buffer.concat(this.#chunks).toString().replace(/\n$/, "");
  }
}

function signalGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  try {
    if (child.pid !== undefined) process.kill(-child.pid, signal);
  } catch {
    // it has ended
  }
}

/** The inputs with what the command printed; not known yet before it ran. */
const withOutput = (inputs: Properties, output: Output | undefined): Properties => ({
  ...inputs,
  ...wrapped(inputs, output),
});

/** A command that is told a secret may print it. */
function wrapped(inputs: Properties, output: Output | undefined): Properties {
  const values: Properties = output ? { ...output } : { stdout: unknown, stderr: unknown };
  if (!hasSecret(inputs as Value)) return values;
  return Object.fromEntries(Object.entries(values).map(([key, value]) => [key, new Secret(value)]));
}

function outputOf(olds: Properties): Output {
  const state: PlainObject = plain(olds);
  const [stdout, stderr] = outputs.map((key) => (typeof state[key] === "string" ? (state[key] as string) : ""));
  return { stdout: stdout!, stderr: stderr! };
}
