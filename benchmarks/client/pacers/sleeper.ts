import { MessageChannel, Worker } from "node:worker_threads";

/**
 * What the thread does: sleeps until the time that was set last, tells the port, and sleeps until another one is set. It is
 * kept as text, so that it is the same in the sources and in the one-file bundle.
 */
const code = `
const { parentPort, workerData: { state, port } } = require("node:worker_threads");
const generation = new Int32Array(state, 0, 1);
const wakeAt = new Float64Array(state, 8, 1);
parentPort.postMessage("up");
for (;;) {
  const known = Atomics.load(generation, 0);
  const [seconds, nanos] = process.hrtime();
  const gap = wakeAt[0] - (seconds * 1e3 + nanos / 1e6);
  if (gap > 0 && Atomics.wait(generation, 0, known, gap) !== "timed-out") continue;
  if (Atomics.load(generation, 0) !== known) continue;
  port.postMessage(0);
  Atomics.wait(generation, 0, known);
}`;

/**
 * Wakes an event loop at a time, some tens of microseconds late: a thread that sleeps in the kernel, whose timer is as fine as
 * that, and then sends a message. Node's own timers count in milliseconds; turning the loop until it is time takes a whole
 * CPU, which may be the one of the server that is measured.
 */
export class Sleeper {
  readonly #worker: Worker;
  readonly #state = new SharedArrayBuffer(16);
  readonly #generation = new Int32Array(this.#state, 0, 1);
  readonly #wakeAt = new Float64Array(this.#state, 8, 1);
  /** From times of `performance.now()`, which each thread counts from its own start, to those of `process.hrtime()`. */
  readonly #offset: number;
  /** False until the thread has started, and once it has ended. */
  up = false;

  constructor(wake: () => void) {
    const [seconds, nanos] = process.hrtime();
    this.#offset = seconds * 1e3 + nanos / 1e6 - performance.now();
    this.#wakeAt[0] = Number.POSITIVE_INFINITY;
    const { port1, port2 } = new MessageChannel();
    port1.on("message", wake);
    port1.unref();
    this.#worker = new Worker(code, {
      eval: true,
      workerData: { state: this.#state, port: port2 },
      transferList: [port2],
      execArgv: [],
      stdin: false,
    });
    this.#worker.on("message", () => {
      this.up = true;
    });
    this.#worker.on("error", () => {
      this.up = false; // the alarm then does without
    });
    this.#worker.unref();
  }

  /** Wakes at `at`, and no longer at the time set before. Infinity: not at all. */
  set(at: number): void {
    this.#wakeAt[0] = at + this.#offset;
    Atomics.add(this.#generation, 0, 1);
    Atomics.notify(this.#generation, 0);
  }

  end(): void {
    this.up = false;
    this.#worker.terminate();
  }
}
