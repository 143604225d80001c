import { createHash } from "node:crypto";
import { encodeBase64, hashSync } from "bcryptjs";

/** The password is random and long, so that guessing costs enough, and the registry checks it with every request. */
const COST = 5;

/** A user's line in an htpasswd file: the same for the same password. */
export function htpasswdLine(user: string, password: string): string {
  const salt = createHash("sha256").update(`salt of ${password}`).digest().subarray(0, 16);
  return `${user}:${hashSync(password, `$2b$0${COST}$${encodeBase64([...salt], 16)}`)}\n`;
}
