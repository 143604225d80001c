/** The command line behind every npm script. */
import { spawn } from "node:child_process";
import { existsSync, rmSync } from "node:fs";
import { enableCompileCache } from "node:module";
import { constants } from "node:os";
import { delimiter, join } from "node:path";
import { Argument, Command, Option } from "commander";
import { formats as comparisonFormats } from "../benchmarks/compare/output.ts";
import { UserError } from "../error.ts";
import { client } from "./client.ts";
import { cacheDir, checkout, state, stateDir } from "./paths.ts";

// Administration commands are often left out of a user's PATH.
process.env.PATH = [process.env.PATH, "/usr/sbin", "/sbin"].filter(Boolean).join(delimiter);

// Whoever reads it may have seen enough, such as `head`; a deployment goes on.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE") throw error;
});

// What a command loads only when it runs is compiled once: a quarter of the time of a sweep's preview.
enableCompileCache(join(cacheDir, "compiled"));

const collect = (value: string, all: string[]) => [...all, value];

const program = new Command("inference-stack")
  .description("An AI inference platform on Kubernetes as one Pulumi program, measured by its own load client.")
  .showHelpAfterError()
  .enablePositionalOptions();

const stackCommand = (name: string, description: string) =>
  program
    .command(name)
    .description(description)
    .option("-s, --stack <name>", "stack: the file Pulumi.<name>.yaml", "dev")
    .option(
      "-c, --config <key=value>",
      "set a config key for this run, such as benchmark.clients=4 (repeatable)",
      collect,
      [],
    );

/** A command for another program, which gets its arguments as they are, each `--` among them. */
const passingOn = (name: string, description: string) =>
  program.command(name).description(description).allowUnknownOption().passThroughOptions().helpOption(false);

stackCommand("start", "bring everything up, deploy the stack, measure it and print the result")
  .option("--rerun", "measure again although nothing changed")
  .option("--dry-run", "only say what would be built and done")
  .action(async (options) => end((await import("./stack/start.ts")).start(options)));

stackCommand("preview", "what a deployment would change; further arguments go to `pulumi preview`")
  .option("--markdown", "print it as a comment for a pull request, with the CPU plan, the experiment and the policies")
  .option("--events <file>", "print that comment of a preview that was run already: see docs/policy.md")
  .allowUnknownOption()
  .allowExcessArguments()
  .action(async (options, command: Command) => end((await import("./stack/start.ts")).preview(options, command.args)));

const sweep = program.command("sweep").description("many experiments, one after the other: the stack's `sweep` config");
const sweepCommand = (name: string, description: string) =>
  sweep
    .command(name)
    .description(description)
    .option("-s, --stack <name>", "stack: the file Pulumi.<name>.yaml", "dev")
    .option("-c, --config <key=value>", "set a config key for this run (repeatable)", collect, [])
    .option("--folder <path>", "where results are kept; default: this checkout's own folder for the stack")
    .option("--retry-invalid", "measure INVALID cells again");
const sweeping = () => import("./stack/sweep.ts");

sweepCommand("preview", "which cells are new, stale or measured already, and how long the rest will take")
  .option("--json", "the same for programs")
  .action(async (options) => end((await sweeping()).previewSweep(options)));

sweepCommand("run", "measure what is missing; continues where it was interrupted").action(async (options) =>
  end((await sweeping()).sweepRun(options)),
);

sweepCommand("export", "the results as files of the guide's script and as the JSON of Clipper's driver")
  .requiredOption("--out <folder>", "where to write them")
  .action(async (options) => end((await sweeping()).exportSweep(options, options.out)));

stackCommand("search", "find the configuration with the highest rate that keeps a latency: the stack's `search` config")
  .option("--folder <path>", "where results are kept; default: this checkout's own folder for the stack")
  .option("--json", "print what was found as JSON")
  .option("--again", "measure the winner again although nothing changed")
  .option("--dry-run", "only say what would be searched")
  .action(async (options) => end((await import("./stack/search.ts")).search(options)));

program
  .command("destroy")
  .description("remove everything the stack deployed")
  .option("-s, --stack <name>", "stack", "dev")
  .action(async ({ stack }) => end((await import("./stack/start.ts")).destroy(stack)));

program
  .command("outputs")
  .description("print the stack's outputs as JSON")
  .option("-s, --stack <name>", "stack", "dev")
  .action(async ({ stack }) => console.log(await (await import("./stack/start.ts")).outputs(stack)));

program
  .command("stop")
  .description("stop the cluster; its data stays for the next start")
  .option("--purge", "also remove the cluster, the stack's state and the results of this checkout")
  .action(async ({ purge }) => (await import("./stop.ts")).stop(purge === true));

program
  .command("status")
  .description("what runs here")
  .action(async () => end((await import("./doctor.ts")).status()));

program
  .command("doctor")
  .description("what is wrong on this machine or with this cluster, and how to mend it")
  .action(async () => end((await import("./doctor.ts")).doctor()));

passingOn("pulumi", "any Pulumi command in this checkout's environment, such as `npm run pulumi -- stack history`")
  .argument("[args...]")
  .action(async (args) => end((await import("./stack/start.ts")).pulumi(process.env.PULUMI_STACK || "dev", args)));

passingOn("kubectl", "any kubectl command against this checkout's cluster")
  .argument("[args...]")
  .action(async (args) => {
    const { ensure } = await import("./toolchain/index.ts");
    const { state } = await import("./paths.ts");
    const { bin } = await ensure(["kubernetes"]);
    return end(attach(join(bin, "kubectl"), [`--kubeconfig=${state.kubeconfig}`, ...args]));
  });

passingOn("client", "the load client by hand, against any server")
  .argument("[args...]")
  .action((args) => end(attach(process.execPath, [...client.args, ...args], client.env)));

stackCommand("live", "the live page of a run that goes: how it goes, and another rate (benchmark.control: true)")
  .option("--read-only", "an address with which nothing can be changed")
  .action(async (options) => end((await import("./live.ts")).live(options)));

program
  .command("compare")
  .description("whether results are slower than others, by repeated runs; exit code 2: slower, 3: not comparable")
  .argument("<base>", "file or folder of results")
  .argument("<new>", "file or folder of results")
  .addOption(new Option("-o, --output <format>", "how to print it").choices(comparisonFormats).default("table"))
  .option("--output-file <file>", "where to; default: standard output")
  .option("--accept <part>", "part of the environment that may differ, such as kernel (repeatable)", collect, [])
  .option("--false-alarm-rate <share>", "share of comparisons of equal sides that may be called slower", Number, 0.01)
  .action(async (base: string, now: string, options) =>
    end((await import("../benchmarks/compare/run.ts")).runCompare({ base, new: now, ...options })),
  );

program
  .command("report")
  .description("pictures and tables of results on disk, as HTML, CSV and Markdown")
  .argument("[paths...]", "files and folders of results; default: all of this checkout")
  .option("-f, --folder <folder>", "where to", "report")
  .option("--title <text>", "heading", "Inference benchmarks")
  .option("--slo <ms>", "milliseconds that p99 must not exceed, drawn as a line", Number)
  .action(async (paths: string[], options) => {
    const all = paths.length > 0 ? paths : [state.results, join(stateDir, "sweeps")].filter((path) => existsSync(path));
    await (await import("../benchmarks/report/run.ts")).runReport({ paths: all, ...options });
  });

program
  .command("replay")
  .description("measure again what the bundle of a result measured; exit code 3 if the environment is another one")
  .argument("<bundle>", "file that `npm start` wrote beside the result")
  .option("--accept <part>", "what may differ, such as kernel; `all` for everything (repeatable)", collect, [])
  .action(async (file: string, { accept }) => end((await import("./stack/replay.ts")).replay({ file, accept })));

program
  .command("model")
  .description("build the model repository and the request tensors, and print their folder")
  .action(async () => console.log((await (await import("./toolchain/index.ts")).ensure(["model"])).model));

program
  .command("topology")
  .description("read the CPUs of a cluster's nodes and print them as the `topology` of a stack's file")
  .requiredOption("--context <name>", "context of the kubeconfig; the current one is never used")
  .option("--kubeconfig <file>", "kubeconfig file; default: $KUBECONFIG or ~/.kube/config")
  .option("-n, --namespace <name>", "where one short pod per node runs", "default")
  .option("-l, --selector <labels>", "only nodes with these labels")
  .option("--image <reference>", "image with a shell; default: that of the load client")
  .action(async (options) => console.log((await (await import("./topology.ts")).topologyYaml(options)).trimEnd()));

program
  .command("test")
  .description("type check, lint and tests, without a cluster and on one; `-- --project unit` for only those without")
  .allowUnknownOption()
  .argument("[args...]", "arguments for vitest")
  .action(async (args: string[]) => {
    for (const [tool, ...rest] of [
      ["tsc", "-p", "."],
      ["biome", "check", "."],
      ["vitest", "run", ...args],
    ]) {
      const code = await attach(join(checkout, "node_modules", ".bin", tool), rest);
      if (code !== 0) return end(Promise.resolve(code));
    }
  });

/** The benches, by the file each of them is; they are run, not imported. */
const benches = {
  client: "client/client.ts",
  truth: "client/truth.ts",
  slip: "client/slip.ts",
  memory: "client/memory.ts",
  path: "path.ts",
  preview: "preview.ts",
  gateway: "gateway.ts",
  repeat: "repeat.ts",
  sweep: "sweep.ts",
  report: "report.ts",
};

program
  .command("bench")
  .description("measurements of this project itself")
  .addArgument(
    new Argument(
      "[name]",
      "client: the load client against its peers; truth, slip, memory: whether it can be believed; path: the whole path against raw OpenVINO, and through the gateway against past it; gateway: only that; preview: how long one takes; repeat: 20 runs of the unchanged stack; sweep: what a sweep costs besides measuring; report: how long a report of 500 results takes",
    )
      .choices(Object.keys(benches))
      .default("path"),
  )
  .allowUnknownOption()
  .argument("[args...]")
  .action(async (name: keyof typeof benches, args: string[]) =>
    end(attach(process.execPath, [join(checkout, "test", "perf", benches[name]), ...args])),
  );

passingOn("run", "a tool of node_modules/.bin")
  .argument("<tool>")
  .argument("[args...]")
  .action((tool: string, args: string[]) => end(attach(join(checkout, "node_modules", ".bin", tool), args)));

/** Runs a command on this terminal; resolves to its exit code. */
function attach(command: string, args: string[], env: NodeJS.ProcessEnv = {}): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: "inherit", cwd: checkout, env: { ...process.env, ...env } });
    const hold = () => {}; // the child is told as well and decides
    process.on("SIGINT", hold);
    child.once("error", reject);
    child.once("exit", (code, signal) => {
      process.off("SIGINT", hold);
      resolve(signal ? 128 + constants.signals[signal] : (code ?? 1));
    });
  });
}

async function end(code: Promise<number>): Promise<void> {
  process.exitCode = await code;
}

try {
  await program.parseAsync();
} catch (error) {
  console.error(`\nerror: ${(error as Error).message}`);
  // What is not the user's to mend is ours: keep the place for a report, out of the way.
  if (!(error instanceof UserError)) {
    const { writeFileSync, mkdirSync } = await import("node:fs");
    const { stateDir } = await import("./paths.ts");
    const file = join(stateDir, "last-error.txt");
    mkdirSync(stateDir, { recursive: true });
    rmSync(file, { force: true });
    writeFileSync(file, String((error as Error).stack));
    console.error(`details: ${file}`);
  }
  process.exitCode = 1;
}
