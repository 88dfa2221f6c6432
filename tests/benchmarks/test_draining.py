"""How the benchmark of idle processes counts the statements of each."""

from __future__ import annotations

import os
import subprocess
import sys

import measuring
from draining import statements

LOG = """\
idle_all LOG:  statement: BEGIN; SELECT pg_advisory_xact_lock(1); SELECT 1
idle_all LOG:  execute <unnamed>: SELECT due FROM lanes
\tWHERE priority = $1
idle_all DETAIL:  parameters: $1 = '0'
idle_worker LOG:  execute _pg3_0: COMMIT
idle_all ERROR:  canceling statement due to lock timeout
connector LOG:  statement: SELECT 'idle_all LOG:  statement: x'
 LOG:  checkpoint starting: time
"""


def test_only_the_statements_of_the_user_count():
    assert statements(LOG, "idle_all") == 2
    assert statements(LOG, "idle_worker") == 1
    assert statements(LOG, "idle") == 0


def test_a_family_s_processor_time_holds_children_that_have_ended():
    before = measuring.family_cpu_seconds(os.getpid())
    subprocess.run([sys.executable, "-c", "import time\nwhile time.process_time() < 0.3: pass"], check=True)
    assert measuring.family_cpu_seconds(os.getpid()) - before >= 0.25
