"""OpenAPI documents become rules: `contracts` reads one, `files` writes a rules folder. Pure: text in, texts out."""

from rules.openapi.imported import Imported, Options, contracts, files
from rules.openapi.policy import Roles
from rules.openapi.reading import BadDocument
from rules.openapi.references import Document

__all__ = ["BadDocument", "Document", "Imported", "Options", "Roles", "contracts", "files"]
