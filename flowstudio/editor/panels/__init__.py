"""What stands around the canvas, one file each."""
