import type { Target } from "../../spec.ts";
import type { ProtocolFactory } from "./protocol.ts";
import { v2Grpc } from "./v2-grpc.ts";
import { v2Rest } from "./v2-rest.ts";

/** Every protocol the client speaks, by the name it has in a spec. */
export const protocols: Readonly<Record<Target["protocol"], ProtocolFactory>> = {
  "v2-grpc": v2Grpc,
  "v2-rest": v2Rest,
};
