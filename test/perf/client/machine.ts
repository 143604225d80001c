import { cpus, release, totalmem } from "node:os";
import { UserError } from "../../../error.ts";

/** What the figures were measured on. */
export function machine(): string {
  const all = cpus();
  if (all.length < 2)
    throw new UserError(
      "The benches of the client need two CPUs, one for the client and one for the server; this machine has one.",
    );
  return `${all.length} CPUs (${all[0]!.model.trim()}), ${Math.round(totalmem() / 2 ** 30)} GiB, Linux ${release()}, Node ${process.versions.node}`;
}
