import { GRPC, HTTP, httpGet, METRICS, type ServerKind } from "../modelServer.ts";
import { openmpEnv, openvinoEnv } from "./threads.ts";

/** REST and its binary extension are spoken on one port. */
const ports = { "v2-grpc": GRPC, "v2-rest": HTTP, "v2-rest-binary": HTTP, metrics: METRICS };

/**
 * Triton Inference Server with a model repository of any of its backends: `models/NAME/config.pbtxt` and `models/NAME/1/`. Of the
 * repository it loads only the model that is served.
 */
export const triton: ServerKind = {
  apis: ["v2"],
  ports: () => ports,
  image: () => "triton",
  decodes: true,
  usesGpus: true,
  build: ({ image, model, memory, gpus, threads }) => ({
    name: "triton",
    image,
    command: [
      "tritonserver",
      "--model-repository=/models",
      "--model-control-mode=explicit",
      `--load-model=${model.name}`,
      `--http-port=${HTTP}`,
      `--grpc-port=${GRPC}`,
      `--metrics-port=${METRICS}`,
      "--disable-auto-complete-config",
      "--exit-timeout-secs=10",
    ],
    // The first are read by our models; the others by backends that compute with OpenMP.
    env: [...openvinoEnv(threads), ...openmpEnv(threads)],
    ports,
    modelPath: "/models",
    scratch: { "/tmp": "16Mi", "/dev/shm": "128Mi" },
    memory,
    gpus,
    startupProbe: { ...httpGet("/v2/health/live"), periodSeconds: 1, failureThreshold: 120 },
    readinessProbe: { ...httpGet("/v2/health/ready"), periodSeconds: 2, failureThreshold: 3 },
    livenessProbe: { ...httpGet("/v2/health/live"), periodSeconds: 10, timeoutSeconds: 5 },
    terminationSeconds: 20,
  }),
};
