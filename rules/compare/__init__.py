"""What changed between two contracts: which calls are newly allowed, which no longer are, and what a merge keeps."""
