/**
 * A reply that arrived whole and in which the server says that it failed. Thrown by `Protocol.answers`, so that it counts
 * as what it is and not as a reply that cannot be read.
 */
export class ReplyFault extends Error {
  /** What it is counted under, such as `seldon FAILURE`. */
  readonly kind: string;
  constructor(kind: string, message: string) {
    super(message);
    this.name = "ReplyFault";
    this.kind = kind;
  }
}
