"""Whether the portable profile gives the same bits on other CPUs, shown under emulation."""
