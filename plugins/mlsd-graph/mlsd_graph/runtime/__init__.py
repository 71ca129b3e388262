"""What computes a snapshot; generated scripts import it, compiling does not."""
