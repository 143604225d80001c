// Builds one target in the cache that XDG_CACHE_HOME names, in one of the ways the tests ask for.
import { appendFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { make } from "../../local/toolchain/target.ts";
import { target } from "./fixture.ts";

const [how, cache] = process.argv.slice(2) as ["hang" | "slow", string];
const built = target(cache, "thing", async (job) => {
  appendFileSync(join(cache, "builds"), "x");
  writeFileSync(job.out, "half");
  // A command with a child of its own, as compilers have; the mark tells it from every other process.
  if (how === "hang") await job.run("sh", ["-c", `sh -c 'echo started; sleep 300; : ${cache}'; :`]);
  await job.run("sleep", ["0.5"]);
  writeFileSync(job.out, "whole");
});
await make(built, { line: (line) => console.log(line), waiting: () => console.log("waiting") });
console.log("made");
