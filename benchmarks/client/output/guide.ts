import { closeSync, createReadStream, mkdtempSync, openSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Writable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { UserError } from "../../../error.ts";
import type { Sample } from "../recorder.ts";

/**
 * The output of the guide's client: `total: S seconds, throughput T imgs/s`, then the latency of every answered request in
 * milliseconds, one on a line. The first line needs the last request, so the others wait for it in a temporary file that
 * has no name any more: it is gone when the program is, however that ends.
 */
export class GuideOutput {
  readonly #file: number;
  readonly #imagesPerRequest: number;
  #first = Number.POSITIVE_INFINITY;
  #last = Number.NEGATIVE_INFINITY;
  #answered = 0;

  constructor(imagesPerRequest: number, folder = tmpdir()) {
    this.#imagesPerRequest = imagesPerRequest;
    try {
      const own = mkdtempSync(join(folder, "latencies-"));
      this.#file = openSync(join(own, "latencies"), "wx+");
      rmSync(own, { recursive: true });
    } catch (error) {
      throw new UserError(
        `Cannot keep the latencies until the end of the run: ${(error as Error).message}.`,
        "Set TMPDIR to a folder with room for them, about 8 bytes for each request.",
      );
    }
  }

  /** Takes down what was measured; the warm-up is not. */
  add(samples: readonly Sample[]): void {
    const lines: string[] = [];
    for (const { measured, failure, dueAt, endedAt } of samples) {
      if (!measured) continue;
      if (dueAt < this.#first) this.#first = dueAt;
      if (endedAt > this.#last) this.#last = endedAt;
      if (failure === undefined) lines.push(`${(endedAt - dueAt).toFixed(3)}\n`);
    }
    this.#answered += lines.length;
    if (lines.length) this.#write(lines.join(""));
  }

  async print(out: Writable): Promise<void> {
    const seconds = this.#answered ? (this.#last - this.#first) / 1000 : 0;
    const throughput = seconds > 0 ? (this.#answered * this.#imagesPerRequest) / seconds : 0;
    out.write(`total: ${seconds.toFixed(3)} seconds, throughput ${throughput.toFixed(2)} imgs/s\n`);
    const lines = createReadStream("", { fd: this.#file, start: 0, autoClose: false });
    await pipeline(lines, out, { end: false });
  }

  close(): void {
    closeSync(this.#file);
  }

  #write(text: string): void {
    const buffer = Buffer.from(text);
    for (let done = 0; done < buffer.length; ) done += writeSync(this.#file, buffer, done);
  }
}
