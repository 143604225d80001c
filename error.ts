/** A mistake or fault the user can act on: printed as it is, without a stack. */
export class UserError extends Error {
  constructor(...lines: string[]) {
    super(lines.join("\n"));
    this.name = "UserError";
  }
}
