import type { Thresholds } from "../spec.ts";

/** The limits of the verdict where none are given: the same for the config, the command line and the documents. */
export const defaultThresholds: Thresholds = {
  maxErrorRate: 0,
  minRequests: 100,
  maxDrift: 0.1,
  maxRateError: 0.01,
  maxSlipMs: 1,
  maxSlipShare: 0.1,
  maxClientBusy: 0.9,
  maxThrottled: 0.01,
};
