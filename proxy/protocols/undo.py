"""A request to undo the caller's own run: `POST /.toolwall/undo`. No I/O."""

from __future__ import annotations

from proxy.errors import Refusal
from proxy.protocols import target
from proxy.protocols.head import bad
from proxy.protocols.rest import RestAsk
from proxy.routes import UNDO

PATH = UNDO.path

_HINT = f"Send `POST {PATH}` without a body, and `?dry_run=true` to see what would be undone."


class UndoAsk(RestAsk):
    """The same head as that of a call, which names the run, and a query of its own."""

    def is_dry(self) -> bool:
        """Whether nothing shall be sent. Raises Refusal `bad_request` for anything but a plain POST."""
        if self._method != "POST":
            allow = (("Allow", "POST"),)
            raise Refusal("bad_request", "A run is undone with POST.", suggestion=_HINT, headers=allow)
        if self._head.get("content-length", "0") != "0" or "transfer-encoding" in self._head:
            raise bad("A run is undone without a body.", _HINT)
        _, query = target.split(self._target)
        given = target.pairs(query)
        asked = dict(given)
        if len(asked) != len(given) or not asked.keys() <= {"dry_run"} or asked.get("dry_run", "true") != "true":
            raise bad("The query holds what is not known here.", _HINT)
        return bool(asked)
