import { UserError } from "../../error.ts";
import { CommandError } from "../exec.ts";
import { logFile, type Target } from "./target.ts";

const UNREACHABLE =
  /could not resolve|failure (resolving|in name resolution)|name or service not known|no such host|dial tcp|connection (refused|reset|timed out)|network is unreachable|i\/o timeout|tls handshake timeout|failed to fetch|ENOTFOUND|ECONNREFUSED|ECONNRESET|ETIMEDOUT|EAI_AGAIN|max retries exceeded|NewConnectionError|Could not connect|apt-get update .*failed/i;
const DISK_FULL = /no space left on device|ENOSPC|disk quota exceeded/i;
const NOT_FOUND = /no matching distribution|unable to locate package|unknown revision|E404|404 not found/i;

const RETRY = "Then run the same command again: what is finished stays finished.";

/** What went wrong in a step, in the user's terms. */
export function explain(step: Pick<Target, "id" | "title" | "registry">, error: unknown): UserError {
  if (error instanceof UserError) return error;
  const text = error instanceof CommandError ? error.output : String((error as Error)?.message ?? error);
  const command = error instanceof Error ? error.message.split("\n")[0] : "";
  const tail = text
    .trimEnd()
    .split("\n")
    .slice(-4)
    .map((line) => `  ${line.length > 200 ? `${line.slice(0, 200)} ...` : line}`);
  if (DISK_FULL.test(text)) {
    return new UserError(`The disk became full during "${step.title}".`, `Make room. ${RETRY}`);
  }
  if (UNREACHABLE.test(text)) {
    const registry = step.registry ?? "package";
    return new UserError(
      `"${step.title}" could not reach the ${registry} registry:`,
      ...tail,
      `Check this machine's network and proxy settings for ${registry}. ${RETRY}`,
    );
  }
  if (step.registry && NOT_FOUND.test(text)) {
    return new UserError(
      `"${step.title}" asked the ${step.registry} registry for something it does not have:`,
      ...tail,
      `Check that this machine uses a complete mirror. ${RETRY}`,
    );
  }
  return new UserError(`"${step.title}" failed: ${command}`, ...tail, `The whole output is in ${logFile(step)}.`);
}
