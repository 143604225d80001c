export const defaultWarmupSeconds = 2;
export const defaultDurationSeconds = 10;

/** What the guide's own commands leave out is what its examples name. */
export const guideDefaults = {
  deployment: "seldonovms-server-res",
  namespace: "kubeflow",
  imagesList: "input_images.txt",
  repeats: 1,
} as const;
