"""What the image costs, each time against the same thing without it.

`docs/benchmarks.md` defines each measure and holds the figures. The two sides of a comparison
take turns, so that whatever else the machine does hits both alike, and a target counts as kept
or missed only where the whole interval around a figure says so.

The standard library alone: this runs on the host's python3, and in the containers on Debian's.
"""
