"""Replies: read, undone, kept, and handed out in pieces."""
