import { GRPC, HTTP, type ServerKind } from "../modelServer.ts";
import { openmpEnv } from "./threads.ts";

const ports = { "tfs-grpc": GRPC, "tfs-rest": HTTP };

/** Where the image keeps OpenVINO for Python; it only says so to interactive shells. */
const PYTHONPATH = "/usr/local/lib/openvino/inference_engine/:/usr/local/lib";

/**
 * The model server of the Deep Learning Reference Stack, with `models/NAME/1/*.{xml,bin}` of OpenVINO 2019. Its serve.sh cannot be
 * executed by a container; a shell that does what the script should makes another image needless.
 */
export const dlrs: ServerKind = {
  apis: ["tensorflow-serving"],
  ports: () => ports,
  image: () => "dlrs",
  decodes: false,
  usesGpus: false,
  discontinued:
    "the Deep Learning Reference Stack was discontinued: no fixes of security holes since 2019, and only models that OpenVINO 2019 wrote; server.kind ovms is its successor",
  build: ({ image, model, memory, threads }) => {
    const serve = [
      "ie_serving model",
      `--model_name ${model.name}`,
      `--model_path /models/${model.name}`,
      `--port ${GRPC}`,
      `--rest_port ${HTTP}`,
    ];
    const open = { tcpSocket: { port: "grpc" } }; // it listens once the model is loaded, and has no page for probes
    return {
      name: "dlrs",
      image,
      command: ["/bin/bash", "-c", `cd /ie_serving_py && exec ${serve.join(" ")}`],
      env: [{ name: "PYTHONPATH", value: PYTHONPATH }, ...openmpEnv(threads)],
      ports,
      modelPath: "/models",
      scratch: { "/tmp": "16Mi" },
      memory,
      startupProbe: { ...open, periodSeconds: 1, failureThreshold: 120 },
      readinessProbe: { ...open, periodSeconds: 2, failureThreshold: 3 },
      livenessProbe: { ...open, periodSeconds: 10, timeoutSeconds: 5 },
      terminationSeconds: 20,
    };
  },
};
