"""Credentials from Vault: signing in, reading, leases, and their end. `vaults` puts it together."""
