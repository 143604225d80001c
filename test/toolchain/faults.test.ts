import { describe, expect, it } from "vitest";
import { UserError } from "../../error.ts";
import { CommandError } from "../../local/exec.ts";
import { explain } from "../../local/toolchain/faults.ts";
import type { Registry } from "../../local/toolchain/target.ts";

const said = (registry: Registry | undefined, output: string) =>
  explain({ id: "x", title: "the step", registry }, new CommandError("tool", 1, null, output)).message;

describe("explain", () => {
  const unreachable: [Registry, string][] = [
    ["Debian packages", "E: Failed to fetch http://deb.example/Packages  Temporary failure resolving 'deb.example'"],
    [
      "Go modules",
      'go: example.org/x@v1.0.0: Get "https://proxy.example/x": dial tcp: lookup proxy.example: no such host',
    ],
    ["npm", "npm error code ENOTFOUND\nnpm error network request to https://npm.example failed"],
    ["PyPI", "WARNING: Retrying after connection broken by 'NewConnectionError(...)'"],
  ];
  it.each(unreachable)("names the registry that cannot be reached: %s", (registry, output) => {
    const message = said(registry, output);
    expect(message).toContain(`"the step" could not reach the ${registry} registry`);
    expect(message).toContain("run the same command again");
  });

  it("tells a missing package from an unreachable registry", () => {
    expect(said("PyPI", "ERROR: No matching distribution found for openvino==1")).toContain(
      "something it does not have",
    );
  });

  it("says that the disk is full, whatever else went wrong because of it", () => {
    expect(said("Go modules", "write /x: no space left on device\ndial tcp: oops")).toMatch(
      /^The disk became full during "the step"/,
    );
  });

  it("shows the last lines and the log of anything else, without a stack", () => {
    const message = said(undefined, "one\ntwo\nsyntax error");
    expect(message).toContain("syntax error");
    expect(message).toMatch(/logs\/x\.log/);
    expect(message).not.toMatch(/\n\s+at /);
  });

  it("leaves an error alone that was already written for the user", () => {
    const error = new UserError("do this");
    expect(explain({ id: "x", title: "the step" }, error)).toBe(error);
  });
});
