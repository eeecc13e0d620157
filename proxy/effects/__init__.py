"""Calls with effects: what is known of them, and how they are settled, sent again or taken back."""
