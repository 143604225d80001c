import { cpusOnce } from "./rules/cpusOnce.ts";
import { noPublicServices } from "./rules/noPublicServices.ts";
import { pinnedImages } from "./rules/pinnedImages.ts";
import { restrictedPods } from "./rules/restrictedPods.ts";
import type { Rule } from "./rules/rule.ts";
import { benchmarksWithVerdict, validResults } from "./rules/verdicts.ts";

export const rules: readonly Rule[] = [
  pinnedImages,
  restrictedPods,
  cpusOnce,
  benchmarksWithVerdict,
  noPublicServices,
  validResults,
];
