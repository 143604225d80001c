import type { Thresholds } from "../../spec.ts";

export { defaultConnections } from "../pacer.ts";

/** The limits of the verdict where none are given. */
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

export const defaultWarmupSeconds = 2;
export const defaultDurationSeconds = 10;

/** What the guide's own commands leave out is what its examples name. */
export const guideDefaults = {
  deployment: "seldonovms-server-res",
  namespace: "kubeflow",
  imagesList: "input_images.txt",
  repeats: 1,
} as const;
