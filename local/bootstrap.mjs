#!/usr/bin/env node
// The first thing every npm command runs. Plain JavaScript, so that any Node 20 can start it: it brings a Node that runs
// TypeScript by itself and the npm packages of the lock file, each only where it is missing, and hands over to cli.ts.
import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { homedir } from "node:os";
import { delimiter, dirname, join, resolve } from "node:path";

const checkout = resolve(import.meta.dirname, "..");
const cache = join(process.env.XDG_CACHE_HOME || join(homedir(), ".cache"), "inference-stack");
const NODE = "24.21.0";

/** Ends with a sentence instead of a stack. */
function fail(...lines) {
  console.error(lines.join("\n"));
  process.exit(1);
}

/** Runs `script` under a file lock, because two commands may find the same thing missing at once. */
function locked(name, script, env, what) {
  mkdirSync(cache, { recursive: true });
  const result = spawnSync("flock", [join(cache, `${name}.lock`), "sh", "-ec", script], {
    cwd: checkout,
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "pipe"],
    encoding: "utf8",
  });
  if (result.status === 0) return;
  const detail = `${result.stdout ?? ""}${result.stderr ?? ""}${result.error ?? ""}`
    .trim()
    .split("\n")
    .slice(-8)
    .join("\n");
  fail(
    `Could not install ${what}:`,
    detail,
    "Check that the npm registry is reachable, then run the same command again.",
  );
}

function runsTypeScript(version) {
  const [major, minor] = version.split(".").map(Number);
  return major > 22 || (major === 22 && minor >= 18);
}

function node() {
  if (runsTypeScript(process.versions.node)) return process.execPath;
  const home = join(cache, "node", NODE);
  const binary = join(home, "bin", "node");
  if (!existsSync(binary)) {
    console.error(`Node ${process.versions.node} cannot run TypeScript; installing Node ${NODE} from npm ...`);
    const arch =
      { x64: "x64", arm64: "arm64" }[process.arch] ?? fail(`No Node ${NODE} is published on npm for ${process.arch}.`);
    const script = `
      test ! -x "$HOME_DIR/bin/node" || exit 0
      rm -rf "$HOME_DIR.tmp"; mkdir -p "$HOME_DIR.tmp/bin"
      npm install --loglevel=error --ignore-scripts --no-save --prefix "$HOME_DIR.tmp" "node-linux-${arch}@${NODE}"
      mv "$HOME_DIR.tmp/node_modules/node-linux-${arch}/bin/node" "$HOME_DIR.tmp/bin/node"
      rm -rf "$HOME_DIR.tmp/node_modules" "$HOME_DIR"; mv "$HOME_DIR.tmp" "$HOME_DIR"`;
    locked("node", script, { HOME_DIR: home }, `Node ${NODE}`);
  }
  return binary;
}

function packages(nodeBinary) {
  const key = createHash("sha256")
    .update(readFileSync(join(checkout, "package-lock.json")))
    .digest("hex");
  const marker = join(checkout, "node_modules", ".installed");
  if (existsSync(marker) && readFileSync(marker, "utf8").trim() === key) return;
  console.error("Installing the npm packages of package-lock.json ...");
  const script = `
    test "$(cat node_modules/.installed 2>/dev/null)" != "$KEY" || exit 0
    npm ci --loglevel=error --ignore-scripts
    echo "$KEY" > node_modules/.installed`;
  const name = `npm-${createHash("sha256").update(checkout).digest("hex").slice(0, 8)}`;
  locked(name, script, { KEY: key, PATH: `${dirname(nodeBinary)}${delimiter}${process.env.PATH}` }, "the npm packages");
}

const binary = node();
packages(binary);
const child = spawn(binary, [join(checkout, "local", "cli.ts"), ...process.argv.slice(2)], {
  stdio: "inherit",
  env: {
    NODE_COMPILE_CACHE: join(cache, "compiled"), // every command starts half a dozen Node processes
    ...process.env,
    PATH: `${dirname(binary)}${delimiter}${process.env.PATH}`,
  },
});
// A Ctrl-C reaches the whole terminal group; the command line decides how it ends.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"])
  process.on(signal, () => signal !== "SIGINT" && child.kill(signal));
child.on("exit", (code, signal) => process.exit(signal ? 130 : (code ?? 1)));
