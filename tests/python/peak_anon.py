# SPDX-License-Identifier: MIT
"""peak_anon.py COMMAND...: runs it, and prints on the last line of stderr the most anonymous memory it had, in KiB:
RssAnon of /proc/PID/status, looked at every two milliseconds. Its exit status is the command's."""
import subprocess
import sys
import time

child = subprocess.Popen(sys.argv[1:])
peak = 0
while child.poll() is None:
    try:
        with open("/proc/%d/status" % child.pid) as status:
            for line in status:
                if line.startswith("RssAnon:"):
                    peak = max(peak, int(line.split()[1]))
    except OSError:
        pass
    time.sleep(0.002)
print("peak anonymous KiB: %d" % peak, file=sys.stderr)
sys.exit(child.returncode)
