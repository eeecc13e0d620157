"""The image, built by buildah on a Debian of debootstrap's, and run as Compose would: read-only, without privileges.

Neither needs a container engine, both need root. The Debian base is kept in build/, for the next time.
"""

from __future__ import annotations

import ast
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.deploy.machine import BUILD, DEPLOY, PATIENCE_S, checkout, debian, run

BASE = "localhost/debian"
IMAGE = "localhost/toolwall"
CA = "/run/test-ca.pem"  # where the registry's certificates are while an image is built
# What the official slim images leave out of Debian, too.
_LITTER = ("var/cache/apt", "var/lib/apt/lists", "usr/share/doc", "usr/share/man", "usr/share/locale", "usr/share/info")


@dataclass
class Buildah:
    """buildah with a store of its own."""

    store: Path

    def __call__(self, *words: str | Path) -> str:
        return run(*self.command(*words)).stdout.strip()

    def command(self, *words: str | Path) -> list[str]:
        return ["buildah", "--root", f"{self.store}/root", "--runroot", f"{self.store}/run", *map(str, words)]

    def run(self, container: str, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """A command in a container, as the image's user."""
        return run(*self.command("run", "--isolation", "chroot", container, "--", *words), check=check)

    def config(self, image: str) -> dict[str, Any]:
        """The image's configuration, as engines read it."""
        config: dict[str, Any] = json.loads(self("inspect", "--type", "image", image))["Docker"]["config"]
        return config

    def size_mb(self, image: str) -> float:
        """All layers, unpacked."""
        manifest = json.loads(json.loads(self("inspect", "--type", "image", image))["Manifest"])
        return float(sum(layer["size"] for layer in manifest["layers"])) / 1e6


@contextmanager
def built(folder: Path) -> Iterator[Buildah]:
    """The image under the name IMAGE, in a store that goes with the block."""
    debian(buildah="buildah", debootstrap="debootstrap", ip="iproute2", setpriv="util-linux")
    buildah = Buildah(folder / "store")
    try:
        container = buildah("from", "scratch")
        buildah("copy", "--quiet", container, _debian(), "/")
        buildah("commit", "--quiet", container, BASE)
        build(buildah, folder)
        yield buildah
    finally:
        buildah("rm", "--all")
        buildah("rmi", "--all", "--force")


def build(buildah: Buildah, folder: Path, *options: str) -> None:
    """Build the Dockerfile from a copy of this checkout. The registry's settings are mounted, never written."""
    context, settings = folder / "context", folder / "pip.conf"
    if not context.exists():
        context.mkdir()
        checkout(context)
    mounts = [f"--volume={settings}:/etc/pip.conf:ro"]
    found = _pip_settings()
    if "cert" in found:
        mounts.append(f"--volume={found['cert']}:{CA}:ro")
        found["cert"] = CA
    settings.touch(mode=0o600)
    settings.write_text("[global]\n" + "".join(f"{name} = {value}\n" for name, value in found.items()))
    ignore = f"--ignorefile={DEPLOY / 'Dockerfile.dockerignore'}"
    how = ("--isolation=chroot", "--format=docker", "--quiet", ignore, f"--build-arg=BASE={BASE}", *mounts)
    buildah("bud", *how, f"--file={context / 'deploy' / 'Dockerfile'}", f"--tag={IMAGE}", *options, context)


def _pip_settings() -> dict[str, str]:
    """How pip reaches its registry on this machine, from files and environment alike."""
    lines = run(sys.executable, "-m", "pip", "config", "list").stdout.splitlines()
    pairs = (line.partition("=")[::2] for line in lines)
    return {name.rpartition(".")[2]: str(ast.literal_eval(value)) for name, value in pairs}


def _debian() -> Path:
    """A Debian with Python, as small as it goes."""
    base = BUILD / "debian"
    if not base.exists():
        fresh = BUILD / "debian.new"
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(parents=True)
        run("debootstrap", "--variant=minbase", "--include=python3,python3-venv,ca-certificates", "bookworm", fresh)
        for name in _LITTER:
            shutil.rmtree(fresh / name)
            (fresh / name).mkdir()
        fresh.rename(base)
    return base


_SHELL = """
set -eu
root=$1 config=$2 state=$3; shift 3
mount --make-rprivate /
mount --bind "$root" "$root"
mkdir -p "$root/etc/toolwall"
mount --bind "$config" "$root/etc/toolwall"
mount --bind "$state" "$root/var/lib/toolwall"
mount --bind /dev "$root/dev"
mount -t proc proc "$root/proc"
mount -o remount,bind,ro "$root"
mount -o remount,bind,ro "$root/etc/toolwall"
cd /
exec chroot "$root" setpriv --reuid 65532 --regid 65532 --clear-groups --no-new-privs --bounding-set=-all \
    --inh-caps=-all env -i "$@"
"""


@dataclass
class Sidecar:
    """A running image: its process, and when it was started."""

    pid: int
    outside: subprocess.Popen[bytes]
    started: float

    def stop(self) -> int:
        """Ask it to end, as an engine does, and wait; returns its exit code."""
        os.kill(self.pid, signal.SIGTERM)
        return self.outside.wait(PATIENCE_S)


@contextmanager
def running(buildah: Buildah, namespace: str, config: Path, state: Path) -> Iterator[Sidecar]:
    """The image's own command in a network namespace: root read-only, no capability, writing to `state` only."""
    container = buildah("from", IMAGE)
    image = buildah.config(IMAGE)
    shutil.chown(state, 65532, 65532)
    state.chmod(0o700)
    inside = [*image["Env"], *image["Entrypoint"], *image["Cmd"]]
    apart = ("unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", _SHELL, "sh")
    command = ["ip", "netns", "exec", namespace, *apart, buildah("mount", container), str(config), str(state), *inside]
    started = time.monotonic()
    with subprocess.Popen(command) as outside:
        sidecar = Sidecar(_child(outside), outside, started)
        try:
            yield sidecar
        finally:
            if outside.poll() is None:
                sidecar.stop()
    buildah("rm", container)


def _child(outside: subprocess.Popen[bytes]) -> int:
    """The one child of `unshare`, which the shell in it becomes by and by: the sidecar."""
    children = Path(f"/proc/{outside.pid}/task/{outside.pid}/children")
    end = time.monotonic() + PATIENCE_S
    while not (found := children.read_text().split()):
        assert outside.poll() is None, "the sidecar did not start"
        assert time.monotonic() < end, "the sidecar was never started"
        time.sleep(0.001)
    return int(found[0])
