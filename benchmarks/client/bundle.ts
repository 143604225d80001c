import { type Bundle, bundle } from "../../bundle.ts";

/** The client of the benchmark Job. Its hash stands for the client that measures. */
export const bundleClient = (): Promise<Bundle> => bundle(import.meta.dirname, "job.ts", "cjs");
