"""MCP servers as backends: their definitions become tools."""
