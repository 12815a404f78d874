"""Saves an array with the second in which it was saved."""

import time

import h5py

time.sleep(1)  # so that no two runs share it
with h5py.File("array.h5", "w") as file:
    file.create_dataset("array", data=[1.0, 2.0], track_times=True)
