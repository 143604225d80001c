import { InvalidArgumentError } from "commander";

/** Values of flags, read strictly: what is not a value of its kind is refused, with what is allowed. */

const numeric = (text: string): number =>
  /^\s*[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?\s*$/i.test(text) ? Number(text) : NaN;

export const whole =
  (least: number, most = Number.MAX_SAFE_INTEGER) =>
  (text: string): number => {
    const value = numeric(text);
    if (!Number.isInteger(value) || value < least || value > most)
      throw new InvalidArgumentError(
        `It must be a whole number from ${least}${most < Number.MAX_SAFE_INTEGER ? ` to ${most}` : ""}.`,
      );
    return value;
  };

export const atLeast =
  (least: number) =>
  (text: string): number => {
    const value = numeric(text);
    if (!(value >= least && value < Number.POSITIVE_INFINITY))
      throw new InvalidArgumentError(`It must be a number from ${least}.`);
    return value;
  };

export const above =
  (limit: number) =>
  (text: string): number => {
    const value = numeric(text);
    if (!(value > limit && value < Number.POSITIVE_INFINITY))
      throw new InvalidArgumentError(`It must be a number above ${limit}.`);
    return value;
  };

/** A share of a whole, 0 to 1. */
export const share = (text: string): number => {
  const value = numeric(text);
  if (!(value >= 0 && value <= 1))
    throw new InvalidArgumentError("It must be a share from 0 to 1, such as 0.01 for 1 %.");
  return value;
};

/** The guide writes `--debug true`; the bare flag means the same. */
export const trueOrFalse = (text: string): boolean => {
  const value = text.toLowerCase();
  if (value !== "true" && value !== "false") throw new InvalidArgumentError("It must be true or false.");
  return value === "true";
};

/** Repeatable flags gather their values. */
export const collect = (value: string, all: readonly string[] = []): string[] => [...all, value];
