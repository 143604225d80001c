import type { Log } from "./engine.ts";
import {
  equal,
  hasSecret,
  isObject,
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
import { messageOf } from "./server.ts";
import { type Output, Shell } from "./shell.ts";

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

const token = "command:local:Command";
const outputs = ["stdout", "stderr"];
const unserved = ["assetPaths", "archivePaths"];

/** Commands on the machine that runs Pulumi. */
export class CommandProvider implements Provider {
  readonly #log: Log;
  readonly #shell = new Shell();

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
    const output = command.create === undefined ? none : await this.#run(urn, command.create, command, news);
    return { id: uniqueName(name, new Uint8Array()), properties: withOutput(news, output) };
  }

  async update({ urn, news, olds, preview }: UpdateRequest): Promise<Properties> {
    if (preview) return withOutput(news, undefined);
    const command = plain(news) as Command;
    const text = command.update ?? command.create;
    return withOutput(news, text === undefined ? none : await this.#run(urn, text, command, news, outputOf(olds)));
  }

  async delete({ urn, olds }: DeleteRequest): Promise<void> {
    const command = plain(olds) as Command;
    if (command.delete !== undefined) await this.#run(urn, command.delete, command, olds, outputOf(olds));
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
    return { ...args, ...wrapped(args, await this.#run("", command.command, { logging: "none", ...command }, args)) };
  }

  cancel(): void {
    this.#shell.end();
  }

  /** @param told what the command is told, of which secrets may come back in what it prints */
  async #run(urn: string, text: string, command: Command, told: Properties, previous?: Output): Promise<Output> {
    const hide = hiding(told);
    const say = (line: string) => this.#log.status(urn, hide(line));
    const { logging = "stdoutAndStderr", interpreter = [], dir, environment, stdin } = command;
    const known = previous && command.addPreviousOutputInEnv !== false;
    try {
      return await this.#shell.run({
        argv: [...(interpreter.length > 0 ? interpreter : ["/bin/sh", "-c"]), text],
        cwd: dir,
        env: {
          ...process.env,
          ...environment,
          ...(known ? { PULUMI_COMMAND_STDOUT: previous.stdout, PULUMI_COMMAND_STDERR: previous.stderr } : {}),
        },
        stdin,
        onStdout: ["stdout", "stdoutAndStderr"].includes(logging) ? say : undefined,
        onStderr: ["stderr", "stdoutAndStderr"].includes(logging) ? say : undefined,
      });
    } catch (error) {
      throw new Error(hide(messageOf(error)));
    }
  }
}

const none: Output = { stdout: "", stderr: "" };

/** Blots out every secret that the properties hold from a text. */
function hiding(properties: Properties): (text: string) => string {
  const secrets = secretsIn(properties, false).filter((secret) => secret.length > 3); // shorter ones are in every text
  return (text) => secrets.reduce((line, secret) => line.replaceAll(secret, "[secret]"), text);
}

function secretsIn(value: Value, isSecret: boolean): string[] {
  if (value instanceof Secret) return secretsIn(value.value, true);
  if (Array.isArray(value)) return value.flatMap((item) => secretsIn(item, isSecret));
  if (isObject(value)) return Object.values(value).flatMap((item) => secretsIn(item, isSecret));
  return isSecret && typeof value === "string" ? [value] : [];
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
