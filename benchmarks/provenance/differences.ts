import type { Bundle } from "./bundle.ts";

/** What of a bundle can be compared before anything is deployed. */
export type Facts = Pick<Bundle, "chosen"> & {
  readonly kernel: string;
  readonly cpuModel: string;
};

/** One thing in which here differs from there, and the word with which it is accepted. */
export interface Difference {
  readonly part: string;
  readonly phrase: string;
}

/** What would be another experiment, or another machine. None: measuring again means measuring the same. */
export function differences(there: Facts, here: Facts): Difference[] {
  const facts = [flat(there), flat(here)] as const;
  const names = [...new Set(facts.flatMap((each) => Object.keys(each)))];
  return names.flatMap((name) => {
    const [was, is] = facts.map((each) => each[name] ?? "none");
    return was === is ? [] : [{ part: name.replaceAll(" ", "-"), phrase: `${name}: ${is} here, ${was} in the bundle` }];
  });
}

const flat = ({ chosen, kernel, cpuModel }: Facts): Readonly<Record<string, string>> => ({
  kernel,
  "CPU model": cpuModel,
  ...chosen,
});
