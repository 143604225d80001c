import type { ProtocolName } from "../../spec.ts";
import type { ProtocolFactory } from "./protocol.ts";
import { seldonGrpc } from "./seldon-grpc.ts";
import { seldonRest } from "./seldon-rest.ts";
import { tfsGrpc } from "./tfs-grpc.ts";
import { tfsRest } from "./tfs-rest.ts";
import { v2Grpc } from "./v2-grpc.ts";
import { v2Rest } from "./v2-rest.ts";
import { v2RestBinary } from "./v2-rest-binary.ts";

/** Every protocol the client speaks, by the name it has in a spec. */
export const protocols: Readonly<Record<ProtocolName, ProtocolFactory>> = {
  "v2-grpc": v2Grpc,
  "v2-rest": v2Rest,
  "v2-rest-binary": v2RestBinary,
  "tfs-grpc": tfsGrpc,
  "tfs-rest": tfsRest,
  "seldon-grpc": seldonGrpc,
  "seldon-rest": seldonRest,
};
