import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import pb from "@pulumi/pulumi/proto/provider_pb.js";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { decode, encode, type Properties, Secret, unknown } from "../../local/plugins/properties.ts";
import { emptyPb } from "../../local/plugins/wire.ts";
import { Plugin } from "./plugin.ts";

const urn = "urn:pulumi:test::test::command:local:Command::c";

describe("the command provider, over gRPC", () => {
  let plugin: Plugin;
  const folder = mkdtempSync(join(tmpdir(), "command-"));
  const file = join(folder, "ran");
  beforeAll(async () => {
    plugin = await Plugin.start("command");
  });
  afterAll(async () => {
    expect(await plugin.stop()).toBe(0);
    rmSync(folder, { recursive: true });
  });

  const create = async (inputs: Properties, preview = false) => {
    const request = new pb.CreateRequest().setUrn(urn).setProperties(encode(inputs)).setPreview(preview);
    const response: pb.CreateResponse = await plugin.call("create", request);
    return { id: response.getId(), ...decode(response.getProperties()) } as Properties;
  };
  const update = async (olds: Properties, news: Properties) => {
    const request = new pb.UpdateRequest().setUrn(urn).setId("c").setOlds(encode(olds)).setNews(encode(news));
    return decode((await plugin.call("update", request)).getProperties());
  };
  const diff = (oldInputs: Properties, news: Properties): Promise<pb.DiffResponse> =>
    plugin.call(
      "diff",
      new pb.DiffRequest().setUrn(urn).setId("c").setOldInputs(encode(oldInputs)).setNews(encode(news)),
    );
  const check = async (news: Properties): Promise<string[]> =>
    (await plugin.call("check", new pb.CheckRequest().setUrn(urn).setNews(encode(news))))
      .getFailuresList()
      .map((f: pb.CheckFailure) => f.getProperty());

  it("runs `create` with its stdin, environment and folder, and keeps what it printed", async () => {
    const inputs = { create: "cat; echo $A; pwd; echo oops >&2", stdin: "in\n", environment: { A: "b" }, dir: folder };
    expect(await create(inputs)).toEqual({
      ...inputs,
      id: expect.stringMatching(/^c[0-9a-f]{8}$/),
      stdout: `in\nb\n${folder}`,
      stderr: "oops",
    });
  });

  it("runs nothing in a preview", async () => {
    const seen = await create({ create: `echo ran > ${file}` }, true);
    expect(seen).toMatchObject({ stdout: unknown, stderr: unknown });
    expect(() => readFileSync(file)).toThrow();
  });

  it("updates with `update`, else with `create`, and tells it what was printed before", async () => {
    const olds = { stdout: "before", stderr: "" };
    expect(await update(olds, { create: "echo c", update: "echo u $PULUMI_COMMAND_STDOUT" })).toMatchObject({
      stdout: "u before",
    });
    expect(await update(olds, { create: "echo c $PULUMI_COMMAND_STDOUT" })).toMatchObject({ stdout: "c before" });
    expect(
      await update(olds, { create: "echo c $PULUMI_COMMAND_STDOUT", addPreviousOutputInEnv: false }),
    ).toMatchObject({ stdout: "c" });
  });

  it("deletes with `delete`, if there is one", async () => {
    const remove = (state: Properties) =>
      plugin.call("delete", new pb.DeleteRequest().setUrn(urn).setId("c").setProperties(encode(state)));
    await remove({ delete: `echo $PULUMI_COMMAND_STDOUT > ${file}`, stdout: "last", stderr: "" });
    expect(readFileSync(file, "utf8")).toBe("last\n");
    await remove({ create: "true" });
  });

  it("fails with the output of a command that fails", async () => {
    await expect(create({ create: "echo on; echo no >&2; exit 3" })).rejects.toThrow(
      /exit status 3: running "\/bin\/sh -c echo on; echo no >&2; exit 3":\n(on\nno|no\non)\n/,
    );
    await expect(create({ create: "true", dir: "/none/such" })).rejects.toThrow(
      "cannot run /bin/sh in /none/such: one of them does not exist",
    );
  });

  it("replaces for new triggers only where there is no `update`", async () => {
    const replaces = async (more: Properties) =>
      (await diff({ create: "x", triggers: [1], ...more }, { create: "x", triggers: [2], ...more })).getReplacesList();
    expect(await replaces({})).toEqual(["triggers"]);
    expect(await replaces({ update: "y" })).toEqual([]);
    expect((await diff({ create: "x" }, { create: "y" })).getReplacesList()).toEqual([]);
    expect((await diff({ create: "x" }, { create: "x" })).getChanges()).toBe(pb.DiffResponse.DiffChanges.DIFF_NONE);
  });

  it("keeps the output of a command that knows a secret secret", async () => {
    const state = await create({ create: "echo $A", environment: { A: new Secret("s") } });
    expect(state).toMatchObject({ stdout: new Secret("s"), stderr: new Secret("") });
  });

  it("blots secrets out of the error of a command that fails", async () => {
    const inputs = { create: "echo it is $A; exit 1", environment: { A: new Secret("open-sesame") } };
    await expect(create(inputs)).rejects.toThrow(/it is \[secret\]\n/);
  });

  it("answers `command:local:run`, in every preview too", async () => {
    const request = new pb.InvokeRequest().setTok("command:local:run").setArgs(encode({ command: "echo hi" }));
    expect(decode((await plugin.call("invoke", request)).getReturn())).toMatchObject({
      command: "echo hi",
      stdout: "hi",
    });
  });

  it("refuses what it would not do", async () => {
    expect(await check({ create: "x", assetPaths: ["*"] })).toEqual(["assetPaths"]);
    expect(await check({ create: "x", logging: "loud" })).toEqual(["logging"]);
    expect(await check({ create: "x", logging: "none" })).toEqual([]);
  });

  it("ends the command and what it started when it is cancelled", async () => {
    const running = create({ create: "sleep 100 & echo $! > pid; wait", dir: folder });
    const failed = expect(running).rejects.toThrow("SIGTERM");
    while (!readable(join(folder, "pid"))) await sleep(20);
    await plugin.call("cancel", new emptyPb.Empty());
    await failed;
    const pid = Number(readFileSync(join(folder, "pid"), "utf8"));
    await expect.poll(() => isAlive(pid)).toBe(false);
  });
});

function readable(path: string): boolean {
  try {
    return readFileSync(path, "utf8").endsWith("\n");
  } catch {
    return false;
  }
}

function isAlive(pid: number): boolean {
  try {
    return !readFileSync(`/proc/${pid}/stat`, "utf8").includes(") Z ");
  } catch {
    return false;
  }
}
