import { enableCompileCache } from "node:module";
import { join } from "node:path";

/** Entry point of all plugins: `node main.ts <plugin> [flags] <engine address>`. Loads only what the plugin needs. */
const plugins: Readonly<Record<string, () => Promise<void>>> = {
  async "language-nodejs"() {
    (await import("./language-nodejs.ts")).serveLanguage();
  },
  async kubernetes() {
    const [{ serveProvider }, { KubernetesProvider }] = await Promise.all([
      import("./serveProvider.ts"),
      import("./kubernetes/provider.ts"),
    ]);
    serveProvider("kubernetes", (log) => new KubernetesProvider(log));
  },
  async command() {
    const [{ serveProvider }, { CommandProvider }] = await Promise.all([
      import("./serveProvider.ts"),
      import("./command.ts"),
    ]);
    serveProvider("command", (log) => new CommandProvider(log));
  },
  async random() {
    const [{ serveProvider }, { RandomProvider }] = await Promise.all([
      import("./serveProvider.ts"),
      import("./random.ts"),
    ]);
    serveProvider("random", () => new RandomProvider());
  },
};

const name = process.argv[2] ?? "";
if (!plugins[name]) {
  process.stderr.write(`there is no plugin "${name}"; there are: ${Object.keys(plugins).join(", ")}\n`);
  process.exit(2);
}
if (process.env.PULUMI_HOME) enableCompileCache(join(process.env.PULUMI_HOME, "compiled"));
await plugins[name]();
