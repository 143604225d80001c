import type { ServerKind } from "../modelServer.ts";
import { dlrs } from "./dlrs.ts";
import { mlserver } from "./mlserver.ts";
import { ovms } from "./ovms.ts";
import { triton } from "./triton.ts";

export type ServerName = "triton" | "ovms" | "mlserver" | "dlrs";

/** Every kind of model server, by its name in the config. The first is the default. */
export const serverKinds: Readonly<Record<ServerName, ServerKind>> = { triton, ovms, mlserver, dlrs };
