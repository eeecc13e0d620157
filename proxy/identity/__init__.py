"""Who is calling: keys, tokens, certificates. `identity` puts them together."""
