import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import langPb from "@pulumi/pulumi/proto/language_pb.js";
import { afterAll, describe, expect, it } from "vitest";
import { checkout } from "../../local/paths.ts";
import { installPlugins } from "../../local/plugins/install.ts";
import { emptyPb } from "../../local/plugins/wire.ts";
import { Plugin } from "./plugin.ts";

describe("installing the plugins", () => {
  const home = mkdtempSync(join(tmpdir(), "pulumi home's ")); // a path a shell would stumble over
  afterAll(() => rmSync(home, { recursive: true }));

  it("puts each where the engine looks, in the version the npm packages ask for", async () => {
    await Promise.all([
      installPlugins(home, join(home, "bin"), process.execPath),
      installPlugins(home, join(home, "bin"), process.execPath),
    ]);
    const pinned = JSON.parse(readFileSync(join(checkout, "package.json"), "utf8")).dependencies;
    expect(readdirSync(join(home, "plugins")).sort()).toEqual(
      ["command", "kubernetes", "random"].map((name) => `resource-${name}-v${pinned[`@pulumi/${name}`]}`),
    );
    expect(existsSync(join(home, "bin", "pulumi-language-nodejs"))).toBe(true);
  });

  it("changes nothing the second time", async () => {
    const file = join(home, "bin", "pulumi-language-nodejs");
    const before = statSync(file).mtimeMs;
    await installPlugins(home, join(home, "bin"), process.execPath);
    expect(statSync(file).mtimeMs).toBe(before);
  });

  it("makes something that runs", async () => {
    for (const name of ["command", "kubernetes", "random"]) {
      const folder = readdirSync(join(home, "plugins")).find((entry) => entry.startsWith(`resource-${name}-`))!;
      const plugin = await Plugin.start(name, "provider", [join(home, "plugins", folder, `pulumi-resource-${name}`)]);
      const info = await plugin.call("getPluginInfo", new emptyPb.Empty());
      expect(folder).toBe(`resource-${name}-v${info.getVersion()}`);
      expect(await plugin.stop()).toBe(0);
    }
  });
});

describe("the language host, over gRPC", () => {
  it("names the plugins of a program that lies deeper in its project", async () => {
    const host = await Plugin.start("language-nodejs", "language");
    const info = new langPb.ProgramInfo().setProgramDirectory(join(checkout, "local", "plugins"));
    const response: langPb.GetRequiredPackagesResponse = await host.call(
      "getRequiredPackages",
      new langPb.GetRequiredPackagesRequest().setInfo(info),
    );
    const names = response.getPackagesList().map((p) => `${p.getKind()} ${p.getName()}`);
    expect(names).toEqual(expect.arrayContaining(["resource command", "resource kubernetes", "resource random"]));
    expect(await host.stop()).toBe(0);
  });
});
