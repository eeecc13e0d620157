"""A server on the official SDK 1.x that wants OAuth, and is its own authorization server:
`guarded1.py PORT RESOURCE TOKEN`.

RESOURCE is the URL that it takes for its own: tokens for another are refused. TOKEN is one that needs no signing in.
"""

from __future__ import annotations

import secrets
import sys
import time
from typing import Any

from mcp.server.auth.provider import AccessToken, AuthorizationCode, AuthorizationParams, construct_redirect_uri
from mcp.server.auth.settings import AuthSettings, ClientRegistrationOptions
from mcp.server.fastmcp import FastMCP
from mcp.shared.auth import OAuthClientInformationFull, OAuthToken
from pydantic import AnyHttpUrl

SCOPES = ["notes"]


class Provider:
    """Whoever asks is let in at once; clients, codes and tokens are kept in memory."""

    def __init__(self, token: str, resource: str) -> None:
        self.clients: dict[str, OAuthClientInformationFull] = {}
        self.codes: dict[str, AuthorizationCode] = {}
        self.tokens = {token: AccessToken(token=token, client_id="importer", scopes=SCOPES, resource=resource)}

    async def get_client(self, client_id: str) -> OAuthClientInformationFull | None:
        return self.clients.get(client_id)

    async def register_client(self, client_info: OAuthClientInformationFull) -> None:
        self.clients[str(client_info.client_id)] = client_info

    async def authorize(self, client: OAuthClientInformationFull, params: AuthorizationParams) -> str:
        code = secrets.token_urlsafe(16)
        self.codes[code] = AuthorizationCode(
            code=code,
            scopes=params.scopes or SCOPES,
            expires_at=time.time() + 60,
            client_id=str(client.client_id),
            code_challenge=params.code_challenge,
            redirect_uri=params.redirect_uri,
            redirect_uri_provided_explicitly=params.redirect_uri_provided_explicitly,
            resource=params.resource,
        )
        return construct_redirect_uri(str(params.redirect_uri), code=code, state=params.state)

    async def load_authorization_code(self, _: Any, code: str) -> AuthorizationCode | None:
        return self.codes.get(code)

    async def exchange_authorization_code(
        self, client: OAuthClientInformationFull, code: AuthorizationCode
    ) -> OAuthToken:
        del self.codes[code.code]
        token = secrets.token_urlsafe(16)
        made = AccessToken(token=token, client_id=str(client.client_id), scopes=code.scopes, resource=code.resource)
        self.tokens[token] = made
        return OAuthToken(access_token=token, token_type="Bearer", scope=" ".join(code.scopes))

    async def load_access_token(self, token: str) -> AccessToken | None:
        return self.tokens.get(token)

    async def load_refresh_token(self, *_: Any) -> None:
        return None

    async def exchange_refresh_token(self, *_: Any) -> OAuthToken:
        raise NotImplementedError

    async def revoke_token(self, *_: Any) -> None:
        raise NotImplementedError


def main(port: int, resource: str, token: str) -> None:
    auth = AuthSettings(
        issuer_url=AnyHttpUrl(f"http://127.0.0.1:{port}"),
        resource_server_url=AnyHttpUrl(resource),
        required_scopes=SCOPES,
        validate_token_resource=True,
        client_registration_options=ClientRegistrationOptions(enabled=True, valid_scopes=SCOPES, default_scopes=SCOPES),
    )
    provider: Any = Provider(token, resource)
    server = FastMCP("notes", host="127.0.0.1", port=port, auth=auth, auth_server_provider=provider)

    @server.tool()
    def greet(name: str) -> str:
        """Greets somebody."""
        return f"Hello, {name}."

    server.run("streamable-http")


if __name__ == "__main__":
    main(int(sys.argv[1]), *sys.argv[2:])
