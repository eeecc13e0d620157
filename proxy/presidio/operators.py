"""The operators of Presidio's anonymizer, and the operator's own, as `toolwall.yaml` names them. In the worker only.

Presidio's own `AnonymizerEngine` rewrites; importing it costs a third of a second once the analyzer is there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from proxy.presidio.parts import BadPart, found, why
from redaction.engine import ScanError

BUILT_IN: Final = ("redact", "replace", "hash", "keep")
"""The names of operators that need no parameter, so that rules may name them as they are."""

_SAMPLE: Final = "sample 1234"


class Operators:
    """Operators by the names that rules use: each a name of Presidio's or `module:Name`, with its parameters.

    Raises BadPart for one that does not rewrite a sample.
    """

    def __init__(self, wanted: Mapping[str, Mapping[str, Any]]) -> None:
        self._configs: dict[str, Any] = {}
        self._engine: Any = None
        for name, each in wanted.items():
            try:
                self._configs[name] = self._config(each["operator"], each["with"])
                self.written(name, "SAMPLE", _SAMPLE)
            except BadPart:
                raise
            except Exception as error:
                raise BadPart(f"the operator {name} cannot be used: {why(error)}") from None

    def written(self, name: str, kind: str, text: str) -> str:
        """What the operator makes of a finding. Raises whatever the operator raises, ScanError for what is no text."""
        from presidio_anonymizer.entities import RecognizerResult

        if name not in self._configs:
            self._configs[name] = self._config(name, {})
        whole = [RecognizerResult(kind, 0, len(text), 1.0)]
        made = self._loaded().anonymize(text, whole, {kind: self._configs[name]}).text
        if not isinstance(made, str):
            raise ScanError(f"the operator {name} gives no text")
        return made

    def _config(self, operator: str, params: Mapping[str, Any]) -> Any:
        from presidio_anonymizer.entities import OperatorConfig
        from presidio_anonymizer.operators import Operator

        if ":" not in operator:
            return OperatorConfig(operator, dict(params))
        thing = found(operator)
        if isinstance(thing, type) and issubclass(thing, Operator):
            self._loaded().add_anonymizer(thing)
            return OperatorConfig(thing().operator_name(), dict(params))
        if not callable(thing) or isinstance(thing, type) or params:
            raise BadPart(f"{operator} is neither a class of operators nor a function, which takes no parameters")
        return OperatorConfig("custom", {"lambda": thing})

    def _loaded(self) -> Any:
        from presidio_anonymizer import AnonymizerEngine

        if self._engine is None:
            self._engine = AnonymizerEngine()  # type: ignore[no-untyped-call]
        return self._engine
