import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join, resolve } from "node:path";
import langPb from "@pulumi/pulumi/proto/language_pb.js";
import pluginPb from "@pulumi/pulumi/proto/plugin_pb.js";
import { type Method, serve } from "./server.ts";
import { packageVersion } from "./version.ts";
import { emptyPb, stub } from "./wire.ts";

const { LanguageRuntimeService } = stub("language");

/** Runs Pulumi programs with this very Node, which strips the types of TypeScript itself. */
const children = new Set<ChildProcess>();
let engineAddress = process.argv.slice(3).findLast((argument) => !argument.startsWith("-")) ?? "";

/** The program's own exit code for "the user has been told already". */
const bailed = 32;

interface PackageJson {
  name: string;
  version: string;
  dependencies?: Record<string, string>;
  devDependencies?: Record<string, string>;
  pulumi?: { resource?: boolean; name?: string; version?: string; server?: string };
}

const methods: Record<string, Method> = {
  handshake(request: langPb.LanguageHandshakeRequest) {
    engineAddress = request.getEngineAddress() || engineAddress;
    return new langPb.LanguageHandshakeResponse();
  },
  getPluginInfo: () => new pluginPb.PluginInfo().setVersion(packageVersion("pulumi")),
  about: () => new langPb.AboutResponse().setExecutable(process.execPath).setVersion(process.version.slice(1)),
  getRequiredPlugins: () => new langPb.GetRequiredPluginsResponse(),
  runtimeOptionsPrompts: () => new langPb.RuntimeOptionsResponse(),
  installDependencies() {}, // the command line has done it before it started the engine
  getRequiredPackages(request: langPb.GetRequiredPackagesRequest) {
    const packages = requiredPackages(request.getInfo()!.getProgramDirectory());
    return new langPb.GetRequiredPackagesResponse().setPackagesList(packages);
  },
  getProgramDependencies(request: langPb.GetProgramDependenciesRequest) {
    const response = new langPb.GetProgramDependenciesResponse();
    const folder = request.getInfo()!.getProgramDirectory();
    for (const name of Object.keys(readPackage(packageRoot(folder))?.dependencies ?? {})) {
      const version = readPackage(join(packageRoot(folder), "node_modules", name))?.version;
      if (version) response.addDependencies(new langPb.DependencyInfo().setName(name).setVersion(version));
    }
    return response;
  },
  async run(request: langPb.RunRequest) {
    const info = request.getInfo()!;
    const code = await finished(
      start(info, "run", runArguments(request), { cwd: request.getPwd(), env: runEnvironment(request) }),
    );
    if (code === bailed) return new langPb.RunResponse().setBail(true);
    return new langPb.RunResponse().setError(code === 0 ? "" : `Program exited with non-zero exit code: ${code}`);
  },
  async runPlugin(request: langPb.RunPluginRequest, call) {
    const isPolicyPack = request.getKind() === "analyzer";
    const entry = isPolicyPack ? "run-policy-pack" : "run-plugin";
    const env = Object.fromEntries(
      request.getEnvList().map((line) => [line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1)]),
    );
    const info = request.getInfo()!;
    const program = resolve(info.getProgramDirectory(), info.getEntryPoint() || ".");
    // A policy pack reads its version from the package.json of its working folder.
    const cwd = isPolicyPack ? info.getProgramDirectory() : request.getPwd();
    const child = start(info, entry, [...request.getArgsList(), program], { cwd, env, piped: true });
    child.stdout!.on("data", (data: Buffer) => call.write(new langPb.RunPluginResponse().setStdout(data)));
    child.stderr!.on("data", (data: Buffer) => call.write(new langPb.RunPluginResponse().setStderr(data)));
    call.on("cancelled", () => child.kill());
    call.write(new langPb.RunPluginResponse().setExitcode(await finished(child)));
  },
  cancel() {
    stop();
    return new emptyPb.Empty();
  },
};

/** The plugins that the npm packages beside the program speak to, each in the version that its package asks for. */
function requiredPackages(programFolder: string): pluginPb.PackageDependency[] {
  const scope = join(packageRoot(programFolder), "node_modules", "@pulumi");
  return (existsSync(scope) ? readdirSync(scope) : []).flatMap((name) => {
    const { version = "", pulumi } = readPackage(join(scope, name)) ?? {};
    if (!pulumi?.resource) return [];
    const dependency = new pluginPb.PackageDependency().setName(pulumi.name ?? name).setKind("resource");
    return [dependency.setVersion(`v${pulumi.version ?? version}`).setServer(pulumi.server ?? "")];
  });
}

/** The folder at or above `folder` that has the packages: a program may lie deeper in its project. */
function packageRoot(folder: string): string {
  for (let at = resolve(folder); ; at = resolve(at, "..")) {
    if (existsSync(join(at, "package.json"))) return at;
    if (at === resolve(at, "..")) return folder;
  }
}

function readPackage(folder: string): PackageJson | undefined {
  const file = join(folder, "package.json");
  return existsSync(file) ? JSON.parse(readFileSync(file, "utf8")) : undefined;
}

function runArguments(request: langPb.RunRequest): string[] {
  const info = request.getInfo()!;
  return [
    `--monitor=${request.getMonitorAddress()}`,
    `--engine=${engineAddress}`,
    `--organization=${request.getOrganization()}`,
    `--project=${request.getProject()}`,
    `--root-directory=${info.getRootDirectory()}`,
    `--stack=${request.getStack()}`,
    `--pwd=${request.getPwd()}`,
    `--parallel=${request.getParallel()}`,
    ...(request.getDryrun() ? ["--dry-run"] : []),
    resolve(info.getProgramDirectory(), info.getEntryPoint() || "."),
    ...request.getArgsList(),
  ];
}

function runEnvironment(request: langPb.RunRequest): NodeJS.ProcessEnv {
  const config: Record<string, string> = {};
  request.getConfigMap().forEach((value, key) => {
    config[key] = value;
  });
  const options = optionsOf(request.getInfo()!);
  return {
    ...process.env,
    PULUMI_CONFIG: JSON.stringify(config),
    PULUMI_CONFIG_SECRET_KEYS: JSON.stringify(request.getConfigsecretkeysList()),
    // Compiled code is kept between runs: most of a preview without changes is loading the same libraries again.
    ...(process.env.PULUMI_HOME ? { NODE_COMPILE_CACHE: join(process.env.PULUMI_HOME, "compiled") } : {}),
    PULUMI_NODEJS_TYPESCRIPT: String(options.typescript ?? true),
    ...(typeof options.tsconfig === "string" ? { PULUMI_NODEJS_TSCONFIG_PATH: options.tsconfig } : {}),
  };
}

interface StartOptions {
  readonly cwd: string;
  readonly env: NodeJS.ProcessEnv;
  readonly piped?: boolean;
}

/** Starts one of the SDK's entry points, as the program's own installation has it. */
function start(
  info: langPb.ProgramInfo,
  entry: string,
  args: readonly string[],
  { cwd, env, piped }: StartOptions,
): ChildProcess {
  const script = createRequire(join(info.getProgramDirectory(), "index.js")).resolve(`@pulumi/pulumi/cmd/${entry}`);
  const { nodeargs } = optionsOf(info);
  const nodeArguments = typeof nodeargs === "string" ? nodeargs.split(/\s+/).filter(Boolean) : [];
  const output = piped ? "pipe" : "inherit";
  const child = spawn(process.execPath, [...nodeArguments, script, ...args], {
    cwd,
    env,
    stdio: ["ignore", output, output],
  });
  children.add(child);
  child.once("close", () => children.delete(child));
  return child;
}

const optionsOf = (info: langPb.ProgramInfo) => (info.getOptions()?.toJavaScript() ?? {}) as Record<string, unknown>;

function finished(child: ChildProcess): Promise<number> {
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code) => resolve(code ?? 1));
  });
}

function stop(): void {
  for (const child of children) child.kill();
}

/** Serves the language host for Node. */
export function serveLanguage(): void {
  serve(LanguageRuntimeService, methods, stop);
}
