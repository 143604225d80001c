import { type SpawnOptions, spawn } from "node:child_process";
import { createWriteStream } from "node:fs";

export interface RunOptions extends Omit<SpawnOptions, "stdio"> {
  /** Text for standard input. */
  readonly input?: string;
  /** Every line of standard output and error, as it comes. */
  readonly onLine?: (line: string) => void;
  /** A file that receives standard output and error. */
  readonly log?: string;
}

export class CommandError extends Error {
  readonly code: number | null;
  readonly output: string;
  constructor(command: string, code: number | null, signal: string | null, output: string) {
    super(
      `${command} ended with ${signal ?? `exit code ${code}`}${output ? `\n${output.trimEnd().split("\n").slice(-15).join("\n")}` : ""}`,
    );
    this.code = code;
    this.output = output;
  }
}

/**
 * Runs a command to its end and returns its standard output.
 *
 * @throws CommandError with the last lines it printed when it does not exit 0
 */
export function run(command: string, args: readonly string[], options: RunOptions = {}): Promise<string> {
  const { input, onLine, log, ...spawnOptions } = options;
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { ...spawnOptions, stdio: ["pipe", "pipe", "pipe"] });
    const file = log ? createWriteStream(log, { flags: "a" }) : undefined;
    let stdout = "";
    let all = "";
    const take = (chunk: Buffer, isOut: boolean) => {
      const text = chunk.toString();
      if (isOut) stdout += text;
      all = (all + text).slice(-64_000);
      file?.write(text);
      if (onLine) for (const line of text.split("\n")) if (line) onLine(line);
    };
    child.stdout!.on("data", (c) => take(c, true));
    child.stderr!.on("data", (c) => take(c, false));
    child.once("error", reject);
    child.once("close", (code, signal) => {
      file?.end();
      if (code === 0) resolve(stdout);
      else reject(new CommandError(`${command} ${args.slice(0, 3).join(" ")}`, code, signal, all));
    });
    child.stdin!.on("error", () => {}); // the command may end before it has read everything
    child.stdin!.end(input);
  });
}
