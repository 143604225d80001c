import { clientCommand, type Flags } from "../../../../benchmarks/client/cli/options.ts";

/** What the command line understands of these arguments; an error of commander's is thrown with its text. */
export async function flagsOf(...args: string[]): Promise<Flags> {
  let flags: Flags | undefined;
  const command = clientCommand(async (given) => {
    flags = given;
  });
  await command
    .exitOverride()
    .configureOutput({ writeErr: () => {} })
    .parseAsync(args, { from: "user" });
  return flags!;
}
