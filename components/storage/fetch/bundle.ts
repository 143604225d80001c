import { type Bundle, bundle } from "../../../bundle.ts";

/** The program that fetches models and inputs from the object store. */
export const bundleFetch = (): Promise<Bundle> => bundle(import.meta.dirname, "main.ts", "esm");
