"""POSTs one body: each user as fast as it goes, or THROUGHPUT times a second if that is given."""

import json
import os

from locust import FastHttpUser, constant_throughput, events, task

body = open(os.environ["BODY"], "rb").read()
throughput = os.environ.get("THROUGHPUT")


class Client(FastHttpUser):
    if throughput:
        wait_time = constant_throughput(float(throughput))

    @task
    def infer(self):
        self.client.post(os.environ["URL"], data=body, headers={"Content-Type": "application/json"})


@events.quitting.add_listener
def report(environment, **_):
    total = environment.stats.total
    percentiles = {str(p): total.get_response_time_percentile(p / 100) for p in (50, 90, 99, 99.9)}
    print(json.dumps({"count": total.num_requests, "failed": total.num_failures, **percentiles}))
