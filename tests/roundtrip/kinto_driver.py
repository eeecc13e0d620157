"""Runs in Kinto's environment: calls its own client as told on standard input, and answers on standard output.

    python kinto_driver.py SERVER USER:PASSWORD

A line in: `["get_record", {"id": "r1", ...}]`, where a name with dots leads through attributes and a list is what is
given by position. A line out: `{"value": ...}`, or `{"status": ..., "body": ..., "headers": ...}` where the client
raised for an answer.
"""

import json
import sys
from operator import attrgetter

import kinto_http
from kinto_http.patch_type import JSONPatch, MergePatch

PATCHES = {"merge": MergePatch, "json": JSONPatch}


def call(client, name, given):
    method = attrgetter(name)(client)
    if isinstance(given, list):
        return method(*given)
    kind, patch = given.pop("patch", (None, None))
    return method(**given, changes=PATCHES[kind](patch)) if kind else method(**given)


def answer(client, name, given):
    try:
        return {"value": call(client, name, given)}
    except kinto_http.KintoException as error:
        while error.response is None and error.__cause__ is not None:
            error = error.__cause__
        response = error.response
        is_json = "json" in response.headers.get("Content-Type", "")
        body = response.json() if is_json and response.content else response.text
        return {"status": response.status_code, "body": body, "headers": dict(response.headers)}


def main(server, user):
    client = kinto_http.Client(server_url=server, auth=user, timeout=60)
    for line in sys.stdin:
        print(json.dumps(answer(client, *json.loads(line)), default=dict), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
