"""Presidio apart: its recognizers in processes of their own, as toolwall.yaml names them."""
