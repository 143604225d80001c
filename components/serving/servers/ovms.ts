import { GRPC, HTTP, httpGet, type ServerKind } from "../modelServer.ts";
import { openvinoProperties } from "./threads.ts";

const v2 = { "v2-grpc": GRPC, "v2-rest": HTTP, "v2-rest-binary": HTTP, metrics: HTTP };

/**
 * OpenVINO Model Server with `models/NAME/1/*.xml`. Release 2026.3 speaks V2 alone; 2026.2.1 is the last that also speaks
 * TensorFlow Serving's API. JPEG files are its binary input: it stretches them to the model's size and hands the model blue, green
 * and red of 0..255, so the model has to have its normalisation inside and a fixed number of rows and columns.
 */
export const ovms: ServerKind = {
  apis: ["v2", "tensorflow-serving"],
  ports: (api) => (api === "v2" ? v2 : { "tfs-grpc": GRPC, "tfs-rest": HTTP, ...v2 }),
  image: (api) => (api === "v2" ? "ovms" : "ovms-tensorflow-serving"),
  decodes: true,
  usesGpus: false,
  hasStreams: true,
  build: ({ image, model, memory, threads, streams, api }) => {
    // Not /v2/health/ready: that is true although a model could not be loaded.
    const ready = httpGet(`/v2/models/${model.name}/ready`);
    return {
      name: "ovms",
      image,
      command: [
        "/ovms/bin/ovms",
        `--model_name=${model.name}`,
        `--model_path=/models/${model.name}`,
        `--port=${GRPC}`,
        `--rest_port=${HTTP}`,
        `--plugin_config=${JSON.stringify(openvinoProperties(threads, streams))}`,
        // Without the layout it would not know which axes of the model are those of a picture.
        ...(model.inputs === "jpeg" ? ["--layout=NHWC"] : []),
        "--metrics_enable",
        "--file_system_poll_wait_seconds=0",
        "--log_level=INFO",
      ],
      env: [],
      ports: ovms.ports(api),
      modelPath: "/models",
      scratch: { "/tmp": "16Mi" },
      memory,
      startupProbe: { ...ready, periodSeconds: 1, failureThreshold: 120 },
      readinessProbe: { ...ready, periodSeconds: 2, failureThreshold: 3 },
      livenessProbe: { ...httpGet("/v2/health/live"), periodSeconds: 10, timeoutSeconds: 5 },
      terminationSeconds: 20,
    };
  },
};
