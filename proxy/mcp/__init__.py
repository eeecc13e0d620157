"""MCP: what an MCP server needs besides what every backend needs."""
