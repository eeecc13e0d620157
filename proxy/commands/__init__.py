"""The commands of `toolwall`, a file each."""
