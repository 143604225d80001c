import { Command, InvalidArgumentError, Option } from "commander";
import { UserError } from "../../error.ts";
import type { Target } from "../spec.ts";
import { resolveAddresses } from "./addresses.ts";
import { assemble } from "./assemble.ts";
import { defaultTimeoutSeconds, measure } from "./engine.ts";
import { readInputs } from "./inputs.ts";
import { protocols } from "./protocols/index.ts";
import type { Tick } from "./recorder.ts";
import { table, tickLine } from "./table.ts";

const whole = (least: number) => (text: string) => {
  const value = Number(text);
  if (!Number.isInteger(value) || value < least)
    throw new InvalidArgumentError(`It must be a whole number from ${least}.`);
  return value;
};
const positive = (least: number) => (text: string) => {
  const value = Number(text);
  if (!(value >= least)) throw new InvalidArgumentError(`It must be a number from ${least}.`);
  return value;
};

interface Options {
  url?: string;
  host?: string;
  port?: number;
  protocol: Target["protocol"];
  model: string;
  inputs: string;
  input: string;
  output: "table" | "json";
  outputTensor: string;
  clients: number;
  warmup: number;
  duration: number;
  seed: number;
  timeout: number;
  maxErrorRate: number;
  minRequests: number;
  maxDrift: number;
}

/** The command line: measures any server by hand, with the engine that the benchmark Job uses. */
export function command(out: NodeJS.WriteStream = process.stdout, err: NodeJS.WriteStream = process.stderr): Command {
  return new Command("client")
    .description(
      "Measures an inference server in a closed loop: N clients send the next request when the last was answered.",
    )
    .option("--url <url>", "server, such as http://127.0.0.1:8001; instead of --host and --port")
    .option("--host <names>", "name or address of the server; several with commas, or a name with several addresses")
    .option("--port <port>", "port of the server", whole(1))
    .addOption(
      new Option("--protocol <name>", "protocol the server speaks").choices(Object.keys(protocols)).default("v2-grpc"),
    )
    .requiredOption("--model <name>", "name of the model")
    .requiredOption("--inputs <folder>", "folder with manifest.json and the tensors it names")
    .option("--input <tensor>", "name of the input tensor", "data")
    .option("--output-tensor <tensor>", "name of the output tensor; its largest entry is the answer", "prob")
    .option("--clients <n>", "clients that send at the same time", whole(1), 1)
    .option("--warmup <seconds>", "time before the measured interval", positive(0), 2)
    .option("--duration <seconds>", "length of the measured interval", positive(0.1), 10)
    .option("--seed <n>", "seeds the order in which the inputs are sent", whole(0), 1)
    .option(
      "--timeout <seconds>",
      "a request without a reply has failed after this long",
      positive(0.001),
      defaultTimeoutSeconds,
    )
    .option("--max-error-rate <share>", "INVALID above this share of failed requests", positive(0), 0)
    .option("--min-requests <n>", "INVALID below this number of answers", whole(0), 100)
    .option("--max-drift <share>", "INVALID if the halves of the run differ by more", positive(0), 0.1)
    .addOption(new Option("--output <format>", "how to print the result").choices(["table", "json"]).default("table"))
    .showHelpAfterError("(--help lists the options)")
    .action((options: Options) => runByHand(options, out, err));
}

async function runByHand(options: Options, out: NodeJS.WriteStream, err: NodeJS.WriteStream): Promise<void> {
  const { host, port } = server(options);
  const { protocol, model, input, outputTensor } = options;
  const inputs = readInputs(options.inputs);
  const addresses = await resolveAddresses(host, port);
  const interrupt = new AbortController();
  const stop = () => interrupt.abort();
  process.once("SIGINT", stop).once("SIGTERM", stop); // once: a second Ctrl-C ends it at once
  const line = liveLine(err);
  const measurement = await measure(
    {
      target: { protocol, host, port, model, input, output: outputTensor },
      load: {
        mode: "closed",
        clients: options.clients,
        warmupSeconds: options.warmup,
        durationSeconds: options.duration,
        seed: options.seed,
        timeoutSeconds: options.timeout,
      },
      inputs,
      addresses,
    },
    { onTick: line.show, signal: interrupt.signal },
  ).finally(line.clear);
  const { maxErrorRate, minRequests, maxDrift } = options;
  const thresholds = { maxErrorRate, minRequests, maxDrift };
  const result = assemble(measurement, { key: "", plan: null, about: {}, servers: [], seen: [], thresholds });
  out.write(`${options.output === "json" ? JSON.stringify(result, null, 2) : table(result)}\n`);
}

function server({ url, host, port }: Options): { host: string; port: number } {
  if (url && (host || port)) throw new UserError("Give either --url or --host and --port, not both.");
  if (url) {
    if (!URL.canParse(url)) throw new UserError(`--url ${url} is not a URL; an example is http://127.0.0.1:8001.`);
    const { protocol, hostname, port: number } = new URL(url);
    if (protocol !== "http:")
      throw new UserError(`--url ${url} begins with ${protocol}//; this client speaks http:// only.`);
    return { host: hostname.replace(/^\[|\]$/g, ""), port: Number(number || 80) };
  }
  if (!host || !port) throw new UserError("Which server? Give --url, or --host and --port.");
  return { host, port };
}

/** A line that shows the last second, on a terminal only. */
function liveLine(stream: NodeJS.WriteStream): { show: (tick: Tick) => void; clear: () => void } {
  const write = (text: string) => {
    if (stream.isTTY) stream.write(`\r\x1b[K${text}`);
  };
  return { show: (tick) => write(tickLine(tick)), clear: () => write("") };
}

if (import.meta.main) {
  try {
    await command().parseAsync();
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    process.stderr.write(`${error.message}\n`);
    process.exitCode = 1;
  }
}
