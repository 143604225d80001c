import { UserError } from "../../error.ts";
import { clientCommand } from "./cli/options.ts";
import { runByHand } from "./cli/run.ts";

/** The load client by hand: measures any server, with the engine that the benchmark Job uses. */
async function main(): Promise<void> {
  // npm runs its scripts in the checkout; the paths of the user start where the user is.
  const { npm_lifecycle_event: script, INIT_CWD: folder } = process.env;
  if (script === "client" && folder) process.chdir(folder);
  for (const stream of [process.stdout, process.stderr])
    stream.on("error", (error: NodeJS.ErrnoException) => {
      if (error.code === "EPIPE") process.exit(); // whoever read it has seen enough, such as `head`
      throw error;
    });
  try {
    await clientCommand(async (flags) => {
      process.exitCode = await runByHand(flags, process.stdout, process.stderr);
    }).parseAsync();
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    process.stderr.write(`${error.message}\n`);
    process.exitCode = 1;
  }
}

await main();
