"""Cost models: what comes with purchases beside money; a file each."""
