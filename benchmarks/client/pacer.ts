import type { ClosedLoop } from "../spec.ts";

/**
 * The arrival process: decides when each request is due. A lane is a slot for requests: a client in a closed loop.
 * All times are those of `performance.now()`, in milliseconds.
 */
export interface Pacer {
  readonly lanes: number;
  /** Begins, and from then on calls `send` with the time each request was due, at that time or as soon after as it can. */
  start(send: (lane: number, dueAt: number) => void, until: number): void;
  /** Tells that the request of a lane has ended; never called from within `send`. */
  ended(lane: number, at: number): void;
  /** Ends it before its time: nothing is sent any more. */
  stop(): void;
}

/** The next request of a client is due when its last one ended. */
export function closedLoop({ clients }: ClosedLoop): Pacer {
  let send: (lane: number, dueAt: number) => void;
  let end = 0;
  return {
    lanes: clients,
    start(sendNow, until) {
      send = sendNow;
      end = until;
      for (let lane = 0; lane < clients; lane++) send(lane, performance.now());
    },
    ended(lane, at) {
      if (at < end) send(lane, at);
    },
    stop() {
      end = 0;
    },
  };
}
