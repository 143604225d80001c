import { join } from "node:path";
import { cacheDir, checkout } from "./paths.ts";

/** How the load client is started by hand. */
export const client = {
  // A young generation that grows with the rate buys no speed here, since next to nothing survives, and takes 100 MB.
  args: ["--max-semi-space-size=4", join(checkout, "benchmarks", "client", "main.ts")],
  // Without types to strip again it starts in a third of the time and takes 45 MB less.
  env: { NODE_COMPILE_CACHE: join(cacheDir, "compiled") },
} as const;
