import { Command, Option } from "commander";
import { formats } from "../output/format.ts";
import { defaultConnections } from "../pacer.ts";
import { protocols } from "../protocols/index.ts";
import { defaultThresholds } from "../thresholds.ts";
import { defaultDurationSeconds, defaultWarmupSeconds } from "./defaults.ts";
import type { InputFlags } from "./inputs.ts";
import type { LoadFlags } from "./load.ts";
import type { TargetFlags } from "./target.ts";
import type { ThresholdFlags } from "./thresholds.ts";
import { above, atLeast, collect, share, trueOrFalse, whole } from "./values.ts";

/** Everything the command line can say; undefined where a flag was not given. */
export interface Flags extends TargetFlags, LoadFlags, InputFlags, ThresholdFlags {
  output?: (typeof formats)[number];
  outputFile?: string;
  debug?: boolean;
  dryRun?: boolean;
  failInvalid?: boolean;
  controlPort?: number;
}

const examples = `
Examples:
  4 clients for 30 s, each sending when its last request was answered:
    npm run client -- --url http://127.0.0.1:8001 --model lite0 --inputs inputs --clients 4 --duration 30
  200 requests/s at random distances, then a ramp to 400/s; as JSON into a file:
    npm run client -- --url http://127.0.0.1:8001 --model lite0 --inputs inputs \\
      --stages 200:60,/400:30 --output json --output-file result.json
  What that would send, without sending it:
    npm run client -- --url http://127.0.0.1:8001 --model lite0 --inputs inputs --stages 200:60,/400:30 --dry-run
  MLPerf's Server scenario over TLS:
    npm run client -- --url https://models.example.com --ca-file ca.pem --model lite0 --inputs inputs \\
      --scenario Server --target-qps 100 --latency-bound 15
  As the guide's client (Seldon, JPEG files, its output):
    npm run client -- --ingress 10.54.8.228:31380 --deployment seldonovms-server-res --namespace kubeflow \\
      --input-images-list input_images.txt --classes-file imagenet_classes.json --repeats 10 --output guide

Exit codes: 0 measured, whatever the verdict; 1 nothing was measured; 3 measured and INVALID, with --fail-invalid.`;

/** The command line as commander understands it; its values are checked one by one, their combination by the parse functions. */
export function clientCommand(run: (flags: Flags) => Promise<void>): Command {
  const t = defaultThresholds;
  const grpc = defaultConnections("v2-grpc");
  const rest = defaultConnections("v2-rest");
  return new Command("client")
    .usage("(--url URL | --host NAMES --port PORT | --ingress HOST:PORT) [options]")
    .description(
      "Measures an inference server: sends requests, checks the answers, and says how fast they came and whether the numbers can be trusted.",
    )
    .optionsGroup("Server:")
    .option("--url <url>", "server, such as http://127.0.0.1:8001 (https:// for TLS; for gRPC too)")
    .option("--host <names>", "name or address; several with commas, or a name with several addresses")
    .option("--port <port>", "port of --host", whole(1, 65_535))
    .addOption(
      new Option("--protocol <name>", "what the server speaks (default: v2-grpc; seldon-grpc with --ingress)").choices(
        Object.keys(protocols),
      ),
    )
    .option("--model <name>", "name of the model (not needed for Seldon)")
    .option("--input <tensor>", "name of the input tensor (default: data)")
    .option("--output-tensor <tensor>", "name of the output tensor with the answer (default: prob)")
    .option("--signature <name>", "TensorFlow Serving: signature of the model (default: serving_default)")
    .option("--path-prefix <path>", "REST: what comes before the protocol's own path")
    .option("--header <name=value>", "header (gRPC metadata) of every request; repeatable", collect)
    .option("--authority <name>", "host name that requests name in the place of the address")

    .optionsGroup("TLS:")
    .option("--tls", "use TLS with --host or --ingress, trusting Node's certificates")
    .option("--ca-file <pem>", "certificates to trust; turns TLS on")
    .option("--cert-file <pem>", "the client's own certificate (mutual TLS), with --key-file")
    .option("--key-file <pem>", "its key")
    .option(
      "--server-name <name>",
      "name the server's certificate must have, sent as SNI (default: --authority, else the host)",
    )

    .optionsGroup("Inputs:")
    .option("--inputs <folder>", "folder with manifest.json and the tensors or images it names")
    .option("--image <path=class>", "an image file and the class that is the right answer; repeatable", collect)
    .option("--batch <n>", "inputs in one request (default: 1)", whole(1))
    .option("--seed <n>", "seeds the order of the inputs and the arrivals (default: 1)", whole(0, 0xffff_ffff))

    .optionsGroup("Any load:")
    .option("--duration <seconds>", `length of the measured interval (default: ${defaultDurationSeconds})`, above(0))
    .option(
      "--warmup <seconds>",
      `load before it, not recorded (default: ${defaultWarmupSeconds}); with --repeats a number of repeats (default: 0)`,
      atLeast(0),
    )
    .option(
      "--timeout <seconds>",
      "a request without a complete reply has failed after this long (default: 10)",
      above(0),
    )
    .option("--threads <n>", "event loops of the client that share the load (default: 1)", whole(1, 1024))

    .optionsGroup("Closed loop (the default): each client sends when its last request was answered:")
    .option("--clients <n>", "clients that send at the same time (default: 1)", whole(1))
    .option("--repeats <n>", "in the place of --duration: how often each client sends every input", whole(1))

    .optionsGroup("Open loop: requests come when they are due, answered or not:")
    .option("--rate <n>", "requests per second", above(0))
    .addOption(
      new Option("--arrivals <process>", "distances between requests: equal, or random (default: poisson)").choices([
        "constant",
        "poisson",
      ]),
    )
    .option(
      "--stages <list>",
      "in the place of --rate and --duration: RATE:SECONDS holds a rate, /RATE:SECONDS ramps to it, such as 100:10,/200:30; or a .json file",
    )
    .option("--connections <n>", `connections (default: ${grpc} for gRPC, ${rest} for REST); for MLPerf too`, whole(1))

    .optionsGroup("MLPerf:")
    .addOption(
      new Option("--scenario <name>", "scenario of MLPerf Inference").choices([
        "SingleStream",
        "MultiStream",
        "Server",
        "Offline",
      ]),
    )
    .option("--target-qps <n>", "Server: queries per second", above(0))
    .option("--latency-bound <ms>", "Server: 99 % of the queries must take at most this long", above(0))
    .option("--min-duration <seconds>", "shortest run (default: MLPerf's own)", above(0))
    .option("--min-queries <n>", "fewest queries (default: MLPerf's own)", whole(1))
    .option("--samples-per-query <n>", "MultiStream, Offline: samples in a query (default: MLPerf's own)", whole(1))

    .optionsGroup("Verdict, INVALID if:")
    .option("--max-error-rate <share>", `a larger share of the requests failed (default: ${t.maxErrorRate})`, share)
    .option("--min-requests <n>", `fewer were answered (default: ${t.minRequests})`, whole(0))
    .option("--max-drift <share>", `the halves of a closed loop differ by more (default: ${t.maxDrift})`, atLeast(0))
    .option("--max-rate-error <share>", `an open loop missed its rate by more (default: ${t.maxRateError})`, atLeast(0))
    .option(
      "--max-slip-ms <ms>",
      `requests were sent later than due (p99) by more (default: ${t.maxSlipMs}) and`,
      atLeast(0),
    )
    .option(
      "--max-slip-share <share>",
      `by more than this share of the latency p50 (default: ${t.maxSlipShare})`,
      atLeast(0),
    )
    .option("--max-client-busy <share>", `an event loop of the client was busier (default: ${t.maxClientBusy})`, share)
    .option(
      "--max-throttled <share>",
      `the CPU quota throttled more of the periods (default: ${t.maxThrottled})`,
      share,
    )
    .option("--fail-invalid", "exit with 3 if the run is INVALID")

    .optionsGroup("Output:")
    .addOption(new Option("--output <format>", "how to print the result (default: table)").choices(formats))
    .option("--output-file <path>", "write it there")
    .addOption(
      new Option("--debug [true/false]", "print a line of CSV about every request on stderr as it ends").argParser(
        trueOrFalse,
      ),
    )
    .option(
      "--control-port <port>",
      "answer there (127.0.0.1; 0: any free port) how the run goes, and let an open loop's rate be changed",
      whole(0, 65_535),
    )
    .option("--dry-run", "say what would be sent, and send nothing")

    .addHelpOption(new Option("-h, --help", "this help").helpGroup("Output:"))

    .optionsGroup("As the guide's client (seldon_grpc_client.py):")
    .option("--clients-number <n>", "the same as --clients", whole(1))
    .option("--ingress <host:port>", "the server; speaks seldon-grpc, once through the images unless told otherwise")
    .option("--deployment <name>", "Seldon: name of the deployment (default: seldonovms-server-res)")
    .option("--namespace <name>", "Seldon: its namespace (default: kubeflow)")
    .option("--certs-file <pem>", "the same as --ca-file")
    .option(
      "--input-images-list <file>",
      "lines of an image's path and its class (default with --ingress: input_images.txt)",
    )
    .option("--classes-file <json>", "names of the classes by number, for servers that answer with names")
    .option("--input-base-path <folder>", "where the images of the list are (default: beside the list)")
    .option("--images-limit <n>", "use only the first images of the list", whole(1))

    .addHelpText("after", examples)
    .showHelpAfterError("(--help lists the options)")
    .allowExcessArguments(false)
    .action(run);
}
