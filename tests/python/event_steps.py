# SPDX-License-Identifier: MIT
"""event_steps.py FOLDER: tag and step of every value in its event files, in their order, one line each."""
import glob
import sys

from tensorboard.backend.event_processing.event_file_loader import EventFileLoader

for path in sorted(glob.glob(sys.argv[1] + "/events.out.tfevents.*")):
    for event in EventFileLoader(path).Load():
        for value in event.summary.value:
            print(value.tag, event.step)
