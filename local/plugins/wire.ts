import { createRequire } from "node:module";

/**
 * The engine's messages. They are CommonJS, and they register themselves under one global name together with the
 * google-protobuf they were made for: a second copy of that library in the process would break them, so everything here
 * is resolved from where the SDK is.
 */
const require = createRequire(createRequire(import.meta.url).resolve("@pulumi/pulumi/package.json"));

export const structPb: typeof import("google-protobuf/google/protobuf/struct_pb.js") = require("google-protobuf/google/protobuf/struct_pb.js");
export const anyPb: typeof import("google-protobuf/google/protobuf/any_pb.js") = require("google-protobuf/google/protobuf/any_pb.js");
export const emptyPb: typeof import("google-protobuf/google/protobuf/empty_pb.js") = require("google-protobuf/google/protobuf/empty_pb.js");

/** A generated service or client, which has no types of its own that hold for ES modules. */
export const stub = (name: "analyzer" | "engine" | "language" | "provider") =>
  require(`@pulumi/pulumi/proto/${name}_grpc_pb.js`);
