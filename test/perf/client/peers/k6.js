// POSTs one body: by VUS users as fast as it goes, or RATE times a second if that is given.
import http from "k6/http";

const { URL, BODY, VUS, SECONDS, RATE } = __ENV;
const body = open(BODY);
const params = { headers: { "Content-Type": "application/json" } };
const duration = `${SECONDS}s`;
const users = Number(VUS);

export const options = {
  discardResponseBodies: true,
  summaryTrendStats: ["count", "p(50)", "p(90)", "p(99)", "p(99.9)"],
  scenarios: {
    load: RATE
      ? { executor: "constant-arrival-rate", rate: Number(RATE), duration, preAllocatedVUs: users, maxVUs: users }
      : { executor: "constant-vus", vus: users, duration },
  },
};

export default function () {
  http.post(URL, body, params);
}

export function handleSummary({ metrics }) {
  const { values } = metrics.http_req_duration;
  const dropped = metrics.dropped_iterations?.values.count ?? 0;
  return { stdout: JSON.stringify({ ...values, dropped, failed: metrics.http_req_failed.values.passes }) };
}
