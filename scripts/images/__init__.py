"""What images hold, read on the host: are two the same, and what changed between them."""
