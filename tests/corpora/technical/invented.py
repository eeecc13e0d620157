# ruff: noqa: E501  # lines as long as the tools write them
"""What tools that are not on every machine say: their forms, filled with seeded random identifiers. No people in it."""

from __future__ import annotations

import base64
import json
import random
import struct
import uuid
import zlib
from collections.abc import Callable, Iterator
from typing import Any

Document = tuple[str, str]

_WORDS = (
    "checkout", "billing", "ingest", "gateway", "search", "worker", "auth", "mailer", "report", "cache", "queue", "sync",
    "metrics", "router", "session", "token", "secret", "password", "card", "telemetry", "account", "celery", "license",
)  # fmt: skip
_HEX, _B36, _B64 = (
    "0123456789abcdef",
    "bcdfghjklmnpqrstvwxz2456789",
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789",
)


class Dice:
    """Random identifiers in the forms that machines give them."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def pick(self, letters: str, count: int) -> str:
        return "".join(self.random.choices(letters, k=count))

    def hex(self, count: int) -> str:
        return self.pick(_HEX, count)

    def word(self) -> str:
        return self.random.choice(_WORDS)

    def number(self, digits: int) -> int:
        """None that passes the Luhn check (ISO/IEC 7812), for of 12 digits or more that would be a card's."""
        made = self.random.randrange(10 ** (digits - 1), 10**digits)
        return made if digits < 12 or not is_luhn(str(made)) else made ^ 1

    def uuid(self) -> str:
        return str(uuid.UUID(int=self.random.getrandbits(128), version=4))

    def version(self) -> str:
        return ".".join(str(self.random.randrange(60)) for _ in range(3))

    def time(self) -> str:
        roll = self.random.randrange
        return f"2026-{roll(1, 13):02}-{roll(1, 29):02}T{roll(24):02}:{roll(60):02}:{roll(60):02}"

    def pod(self) -> str:
        return f"{self.word()}-{self.pick(_B36, 9)}-{self.pick(_B36, 5)}"

    def address(self) -> str:
        return f"10.{self.random.randrange(256)}.{self.random.randrange(256)}.{self.random.randrange(1, 255)}"

    def bytes(self, count: int) -> bytes:
        return self.random.randbytes(count)


def is_luhn(digits: str) -> bool:
    """Whether the digits pass the Luhn check (ISO/IEC 7812-1)."""
    doubled = (int(digit) * (1 + number % 2) for number, digit in enumerate(reversed(digits)))
    return sum(each - 9 if each > 9 else each for each in doubled) % 10 == 0


def documents() -> Iterator[Document]:
    """Some of each form."""
    for form in _FORMS:
        for seed in range(12):
            made = form(Dice(seed))
            yield (
                f"{form.__name__} {seed}",
                made if isinstance(made, str) else json.dumps(made, indent=seed % 3 or None),
            )


def npm_lock(dice: Dice) -> Any:
    def package(name: str) -> dict[str, Any]:
        version = dice.version()
        url = f"https://registry.example/{name}/-/{name}-{version}.tgz"
        integrity = "sha512-" + base64.b64encode(dice.bytes(64)).decode()
        return {"version": version, "resolved": url, "integrity": integrity, "engines": {"node": f">={dice.version()}"}}

    names = [f"{dice.word()}-{dice.hex(4)}" for _ in range(40)]
    return {
        "name": dice.word(),
        "lockfileVersion": 3,
        "packages": {f"node_modules/@types/{n}": package(n) for n in names},
    }


def yarn_lock(dice: Dice) -> str:
    def entry() -> str:
        name, version = dice.word(), dice.version()
        return f'"@scope/{name}@^{version}", {name}@npm:{version}:\n  version "{version}"\n  checksum {dice.hex(128)}\n'

    return "\n".join(entry() for _ in range(40))


def pod_list(dice: Dice) -> Any:
    def pod() -> dict[str, Any]:
        name, owner = dice.pod(), dice.uuid()
        image = f"registry.example:5000/team/{dice.word()}@sha256:{dice.hex(64)}"
        state = {"startedAt": dice.time() + "Z", "containerID": f"containerd://{dice.hex(64)}", "restartCount": 3}
        meta = {
            "name": name,
            "uid": owner,
            "resourceVersion": str(dice.number(9)),
            "creationTimestamp": dice.time() + "Z",
        }
        status = {"podIP": dice.address(), "hostIP": dice.address(), "phase": "Running", "containerStatuses": [state]}
        return {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": meta,
            "spec": {"containers": [{"image": image}]},
            "status": status,
        }

    return {"kind": "List", "items": [pod() for _ in range(12)]}


def manifest(dice: Dice) -> str:
    def one() -> str:
        return (
            f"apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: {dice.word()}\n  uid: {dice.uuid()}\n"
            f"  generation: {dice.number(10)}\n  labels: {{pod-template-hash: {dice.pick(_B36, 10)}, app: {dice.word()}}}\n"
            f"spec:\n  replicas: 3\n  template:\n    spec:\n      containers:\n      - image: {dice.word()}:{dice.version()}\n"
            f"        env:\n        - {{name: TIMEOUT_MS, value: '{dice.number(5)}'}}\n"
            f"        - name: DB_PASSWORD\n          valueFrom: {{secretKeyRef: {{name: {dice.word()}-db, key: password}}}}\n"
            f"        resources: {{limits: {{cpu: 500m, memory: {dice.number(3)}Mi}}}}\n"
        )

    return "---\n".join(one() for _ in range(8))


def kubectl(dice: Dice) -> str:
    rows = [
        f"{dice.word():<12} {dice.pod():<32} 1/1 Running {dice.number(2)} {dice.number(3)}d {dice.address()}"
        for _ in range(60)
    ]
    return "NAMESPACE NAME READY STATUS RESTARTS AGE IP\n" + "\n".join(rows)


def events(dice: Dice) -> str:
    rows = (
        f"{dice.number(2)}m Warning BackOff pod/{dice.pod()} Back-off {dice.number(3)}s restarting {dice.hex(16)}"
        for _ in range(60)
    )
    return "LAST SEEN TYPE REASON OBJECT MESSAGE\n" + "\n".join(rows)


def terraform(dice: Dice) -> str:
    def change() -> str:
        word = dice.word()
        return (
            f'  # aws_instance.{word}[{dice.number(1)}] will be updated in-place\n  ~ resource "aws_instance" "{word}" {{\n'
            f'        id            = "i-{dice.hex(17)}"\n      ~ ami           = "ami-{dice.hex(17)}" -> "ami-{dice.hex(17)}"\n'
            f'      ~ subnet_id     = "subnet-{dice.hex(8)}" -> (known after apply)\n      + user_data_hash = "{dice.hex(40)}"\n'
            f'        arn           = "arn:aws:ec2:eu-west-1:{dice.number(12)}:instance/i-{dice.hex(17)}"\n'
            f'      ~ password      = (sensitive value)\n        tags          = {{\n            Name = "{word}-{dice.number(4)}"\n        }}\n    }}\n'
        )

    return "\n".join(change() for _ in range(10)) + "\nPlan: 0 to add, 10 to change, 0 to destroy.\n"


def state_file(dice: Dice) -> Any:
    def resource() -> dict[str, Any]:
        attributes = {
            "id": f"vpc-{dice.hex(17)}",
            "owner_id": str(dice.number(12)),
            "cidr_block": "10.0.0.0/16",
            "port": dice.number(4),
        }
        return {"type": "aws_vpc", "name": dice.word(), "instances": [{"schema_version": 1, "attributes": attributes}]}

    return {
        "version": 4,
        "serial": dice.number(4),
        "lineage": dice.uuid(),
        "resources": [resource() for _ in range(12)],
    }


def docker_inspect(dice: Dice) -> Any:
    def one() -> dict[str, Any]:
        network = {
            "NetworkID": dice.hex(64),
            "Gateway": "172.17.0.1",
            "IPAddress": dice.address(),
            "MacAddress": "02:42:ac:11:00:02",
        }
        state = {"Status": "running", "Pid": dice.number(5), "StartedAt": f"{dice.time()}.{dice.number(9)}Z"}
        config = {
            "Hostname": dice.hex(12),
            "Env": ["PATH=/usr/bin:/bin", f"GIT_SHA={dice.hex(40)}", f"BUILD_ID={dice.number(10)}"],
        }
        layers = [f"sha256:{dice.hex(64)}" for _ in range(6)]
        return {"Id": dice.hex(64), "Created": dice.time() + ".123456789Z", "State": state, "Image": f"sha256:{dice.hex(64)}",
                "Config": config, "Name": f"/{dice.word()}_{dice.word()}_1", "RootFS": {"Layers": layers},
                "NetworkSettings": {"Networks": {"bridge": network}}}  # fmt: skip

    return [one() for _ in range(3)]


def cloudtrail(dice: Dice) -> Any:
    def record() -> dict[str, Any]:
        account = str(dice.number(12))
        role = {"type": "Role", "principalId": "AROA" + dice.pick(_B64[:26] + "234567", 17), "accountId": account,
                "arn": f"arn:aws:iam::{account}:role/{dice.word()}", "userName": dice.word()}  # fmt: skip
        who = {"type": "AssumedRole", "arn": f"arn:aws:sts::{account}:assumed-role/{dice.word()}/i-{dice.hex(17)}",
               "sessionContext": {"sessionIssuer": role, "attributes": {"creationDate": dice.time() + "Z"}}}  # fmt: skip
        return {"eventVersion": "1.08", "userIdentity": who, "eventTime": dice.time() + "Z", "eventSource": "s3.amazonaws.com",
                "eventName": "GetObject", "awsRegion": "eu-west-1", "sourceIPAddress": dice.address(),
                "userAgent": "aws-sdk-go/1.44.5 (go1.19; linux; amd64)", "requestID": dice.pick(_B64[:26] + "0123456789", 16),
                "eventID": dice.uuid(), "recipientAccountId": account, "sharedEventID": dice.uuid(),
                "additionalEventData": {"x-amz-id-2": base64.b64encode(dice.bytes(56)).decode(), "bytesTransferredOut": dice.number(8)},
                "requestParameters": {"bucketName": dice.word(), "key": f"AWSLogs/{account}/2026/05/01/{dice.hex(32)}.json.gz"}}  # fmt: skip

    return {"Records": [record() for _ in range(10)]}


def access_log(dice: Dice) -> str:
    def line() -> str:
        path = f"/api/v{dice.number(1)}/{dice.word()}/{dice.number(8)}?page={dice.number(2)}&trace={dice.hex(32)}"
        return f'{dice.address()} - - [01/May/2026:12:34:56 +0000] "GET {path} HTTP/1.1" 200 {dice.number(6)} "-" "curl/8.{dice.number(2)}.0" {dice.number(1)}.{dice.number(3)}'

    return "\n".join(line() for _ in range(80))


def json_logs(dice: Dice) -> str:
    def line() -> str:
        return json.dumps({"ts": dice.number(13) / 1000, "time_ns": dice.number(19), "level": "info", "trace_id": dice.hex(32), "span_id": dice.hex(16),
                           "msg": f"took {dice.number(4)} ms, {dice.number(9)} rows", "pid": dice.number(5), "caller": f"{dice.word()}.go:{dice.number(3)}"})  # fmt: skip

    return "\n".join(line() for _ in range(60))


def metrics(dice: Dice) -> str:
    rows = (
        f'http_requests_total{{pod="{dice.pod()}",code="200",le="0.{dice.number(3)}"}} {dice.number(10)} {dice.number(13)}'
        for _ in range(80)
    )
    return "# TYPE http_requests_total counter\n" + "\n".join(rows)


def goroutines(dice: Dice) -> str:
    def frame() -> str:
        return f"main.(*{dice.word()}).run(0xc{dice.hex(9)}, {{0x{dice.hex(6)}, 0x{dice.hex(2)}}})\n\t/src/{dice.word()}/main.go:{dice.number(3)} +0x{dice.hex(3)}"

    return "panic: runtime error: index out of range [5] with length 3\n\ngoroutine 1 [running]:\n" + "\n".join(
        frame() for _ in range(30)
    )


def java_trace(dice: Dice) -> str:
    frames = (
        f"\tat com.example.{dice.word()}.Handler$${dice.hex(8)}.invoke(Handler.java:{dice.number(3)}) ~[app-{dice.version()}.jar:?]"
        for _ in range(30)
    )
    return (
        f"{dice.time()}.{dice.number(3)}Z ERROR [{dice.uuid()}] java.lang.IllegalStateException: id {dice.number(18)}\n"
        + "\n".join(frames)
    )


def identifiers(dice: Dice) -> str:
    def line() -> str:
        return f"{dice.uuid()} {dice.hex(32)} {dice.hex(40)} {dice.pick(_B64, 22)} {dice.pick(_B64[:26] + _B64[52:], 26)} {dice.number(19)} {dice.number(18)}"

    return "\n".join(line() for _ in range(60))


def numbers(dice: Dice) -> Any:
    digits = [dice.number(count) for count in range(1, 20) for _ in range(4)]
    floats = [dice.random.random() * 10**power for power in range(-12, 12)]
    return {
        "counts": digits,
        "values": floats,
        "at": dice.number(10),
        "at_ms": dice.number(13),
        "id": str(dice.number(17)),
    }


def versions(dice: Dice) -> str:
    build = lambda: f"{dice.version()}-rc.{dice.number(1)}+build.{dice.number(8)}.{dice.hex(7)}"  # noqa: E731
    return "\n".join(
        f"{dice.word()} {dice.version()} {build()} v{dice.version()}.{dice.number(3)} {dice.word()}@{dice.version()}"
        for _ in range(60)
    )


def dates(dice: Dice) -> str:
    def line() -> str:
        at = dice.time()
        return f"{at}Z {at}.{dice.number(6)}+02:00 {at[:10]} {at[8:10]}.{at[5:7]}.{at[:4]} {at.replace('-', '').replace(':', '')}Z {dice.number(10)}"

    return "\n".join(line() for _ in range(60))


def image(dice: Dice) -> Any:
    """A valid PNG (RFC 2083) of random pixels, as tools return screenshots."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = b"".join(b"\0" + dice.bytes(64 * 3) for _ in range(64))
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 64, 64, 8, 2, 0, 0, 0))
    png = b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    text = base64.b64encode(png).decode()
    return {"type": "image", "mimeType": "image/png", "data": text, "uri": f"data:image/png;base64,{text}"}


def git_objects(dice: Dice) -> str:
    def change() -> str:
        path = f"src/{dice.word()}/{dice.word()}.ts"
        return f"diff --git a/{path} b/{path}\nindex {dice.hex(7)}..{dice.hex(7)} 100644\n@@ -{dice.number(4)},7 +{dice.number(5)},9 @@\n-const id = {dice.number(16)};\n+const id = 0x{dice.hex(16)};"

    return "\n".join(change() for _ in range(25))


def pull_request(dice: Dice) -> Any:
    def commit() -> dict[str, Any]:
        url = f"https://git.example/org/{dice.word()}/commit/{dice.hex(40)}"
        return {
            "sha": dice.hex(40),
            "node_id": base64.b64encode(dice.bytes(24)).decode(),
            "html_url": url,
            "additions": dice.number(3),
        }

    clone = "git@git.example:org/repo.git"
    return {
        "id": dice.number(10),
        "number": dice.number(4),
        "ssh_url": clone,
        "commits": [commit() for _ in range(12)],
        "merged_at": dice.time() + "Z",
    }


def catalogue(dice: Dice) -> Any:
    def item() -> dict[str, Any]:
        return {"sku": f"{dice.pick(_B64[:26], 3)}-{dice.number(6)}", "ean": dice.number(13), "isbn": f"978-{dice.number(1)}-{dice.number(2)}-{dice.number(6)}-{dice.number(1)}",
                "price": dice.number(4) / 100, "order": f"{dice.number(3)}-{dice.number(7)}-{dice.number(7)}", "name": dice.word(), "hash": dice.hex(64)}  # fmt: skip

    return {
        "items": [item() for _ in range(25)],
        "next_cursor": base64.b64encode(dice.bytes(18)).decode(),
        "total": dice.number(5),
    }


_FORMS: tuple[Callable[[Dice], Any], ...] = (
    npm_lock, yarn_lock, pod_list, manifest, kubectl, events, terraform, state_file, docker_inspect, cloudtrail, access_log,
    json_logs, metrics, goroutines, java_trace, identifiers, numbers, versions, dates, image, git_objects, pull_request, catalogue,
)  # fmt: skip
