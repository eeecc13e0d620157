"""What the operator stops: runs, principals, everything."""
