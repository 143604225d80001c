"""The web page asks for a password: whoever reaches it could send load anywhere in the cluster."""

import hmac
import os

from locust import events


@events.init.add_listener
def guard(environment, web_ui=None, **_):
    password = os.environ.get("WEB_PASSWORD")
    page = web_ui or getattr(environment, "web_ui", None)
    if page is None or not password:
        return

    from flask import Response, request

    @page.app.before_request
    def check():
        given = request.authorization
        if given is None or not hmac.compare_digest((given.password or "").encode(), password.encode()):
            return Response("Who are you?", 401, {"WWW-Authenticate": 'Basic realm="locust"'})
        return None
