import { spawn } from "node:child_process";
import { cpSync, linkSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { run } from "../../../local/exec.ts";
import { checkout } from "../../../local/paths.ts";
import { installPlugins } from "../../../local/plugins/install.ts";

/** Where the tests run: a cluster, the engine, and an image with a shell that the cluster has. */
export interface Environment {
  readonly kubeconfig: string;
  /** Path of the engine. */
  readonly pulumi: string;
  readonly kubectl: string;
  /** Any image with /bin/sh, sleep and echo. */
  readonly image: string;
}

export interface Ended {
  readonly code: number | null;
  readonly output: string;
}

interface StepJson {
  readonly op: string;
  readonly urn: string;
}

/** A resource in the exported state. */
export interface StateResource {
  readonly urn: string;
  readonly id?: string;
  // biome-ignore lint/suspicious/noExplicitAny: outputs are whatever the API server says
  readonly inputs?: any;
  // biome-ignore lint/suspicious/noExplicitAny: see above
  readonly outputs?: any;
  readonly initErrors?: readonly string[];
}

/** A Pulumi project in a folder of its own with an engine home of its own, run on a real cluster. */
export class Project {
  readonly folder: string;
  readonly #environment: Environment;
  readonly #pulumi: string;
  #env: NodeJS.ProcessEnv = {};

  /** @param program a folder beside this file */
  static async open(program: string, environment: Environment): Promise<Project> {
    const project = new Project(environment);
    await project.#prepare(program);
    return project;
  }

  private constructor(environment: Environment) {
    this.#environment = environment;
    this.folder = mkdtempSync(join(tmpdir(), "conformance-"));
    this.#pulumi = join(this.folder, "bin", "pulumi");
  }

  async #prepare(program: string): Promise<void> {
    const { folder } = this;
    for (const name of ["bin", "backend", "home", "program"]) mkdirSync(join(folder, name));
    try {
      linkSync(this.#environment.pulumi, this.#pulumi);
    } catch {
      cpSync(this.#environment.pulumi, this.#pulumi); // another file system
    }
    await installPlugins(join(folder, "home"), dirname(this.#pulumi), process.execPath);
    cpSync(join(import.meta.dirname, program), join(folder, "program"), { recursive: true });
    symlinkSync(join(checkout, "node_modules"), join(folder, "program", "node_modules"));
    writeFileSync(join(folder, "program", "package.json"), '{ "type": "module", "main": "index.ts" }');
    writeFileSync(
      join(folder, "program", "Pulumi.yaml"),
      "{ name: conformance, runtime: { name: nodejs, options: { typescript: false } } }",
    );
    this.#env = {
      ...process.env,
      PATH: [dirname(this.#pulumi), dirname(process.execPath), process.env.PATH].join(delimiter),
      PULUMI_HOME: join(folder, "home"),
      PULUMI_BACKEND_URL: `file://${join(folder, "backend")}`,
      PULUMI_CONFIG_PASSPHRASE: "conformance",
      PULUMI_SKIP_UPDATE_CHECK: "true",
      PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION: "true",
      KUBECONFIG: this.#environment.kubeconfig,
      CONFORMANCE_IMAGE: this.#environment.image,
    };
    await this.succeed(["stack", "init", "test"]);
  }

  /** Runs the engine; `interruptAt` sends it a Ctrl-C as soon as the text appears. */
  pulumi(args: readonly string[], env: NodeJS.ProcessEnv = {}, interruptAt?: string): Promise<Ended> {
    return new Promise((resolve, reject) => {
      const child = spawn(this.#pulumi, [...args, "--non-interactive", "--color=never"], {
        cwd: join(this.folder, "program"),
        env: { ...this.#env, ...env },
        stdio: ["ignore", "pipe", "pipe"],
      });
      let output = "";
      let interrupted = false;
      for (const stream of [child.stdout, child.stderr])
        stream.on("data", (chunk) => {
          output += chunk;
          if (interruptAt && !interrupted && output.includes(interruptAt)) {
            interrupted = true;
            child.kill("SIGINT");
          }
        });
      child.once("error", reject);
      child.once("close", (code) => resolve({ code, output }));
    });
  }

  async succeed(args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<string> {
    const { code, output } = await this.pulumi(args, env);
    if (code !== 0) throw new Error(`pulumi ${args.join(" ")} ended with ${code}:\n${errorsIn(output)}`);
    return output;
  }

  /** What a preview would do: `Kind::name` to its steps in order. Resources that stay the same are left out. */
  async preview(env: NodeJS.ProcessEnv = {}, ...args: string[]): Promise<Record<string, string[]>> {
    const output = await this.succeed(["preview", "--json", "--show-replacement-steps", ...args], env);
    const { steps } = JSON.parse(output.slice(output.indexOf("{"))) as { steps: StepJson[] };
    const byResource: Record<string, string[]> = {};
    for (const { op, urn } of steps.filter(({ op }) => op !== "same")) {
      const [, , type = "", name] = urn.split("::");
      const key = `${type.split(":").at(-1)}::${name}`;
      byResource[key] = [...(byResource[key] ?? []), op];
    }
    return byResource;
  }

  async state(args: readonly string[] = []): Promise<StateResource[]> {
    const exported = JSON.parse(await this.succeed(["stack", "export", ...args]));
    return exported.deployment.resources ?? [];
  }

  /** The one resource of the kind and logical name. */
  async resource(key: string, args: readonly string[] = []): Promise<StateResource> {
    const found = (await this.state(args)).find(({ urn }) => urn.endsWith(`:${key}`));
    if (!found) throw new Error(`${key} is not in the state`);
    return found;
  }

  async kubectl(...args: string[]): Promise<string> {
    return run(this.#environment.kubectl, ["--kubeconfig", this.#environment.kubeconfig, ...args]);
  }

  async close(): Promise<void> {
    await this.pulumi(["destroy", "--yes", "--skip-preview"]);
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** A preview as JSON is long; what went wrong is in its error lines. */
function errorsIn(output: string): string {
  const errors = output.split("\n").filter((line) => /error/i.test(line));
  return errors.length > 0 ? errors.join("\n") : output.slice(-3000);
}
