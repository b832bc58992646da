"""A job that runs on a Flink cluster, by the cluster's REST interface."""

import json
import sys
import time
import urllib.request
from typing import Any

from contestant import Counts

COUNTED = ("records", "bad", "duplicates", "late")
COUNTERS = 6
"""Two of each source, two of what comes behind them."""

SECONDS_MAX = 10.0
STOP_SECONDS_MAX = 60.0


class ClusterJob:
    """A job: what its functions have counted, and its end.

    PyFlink 2.2's own client can't stop one: it leaves out an argument that Flink asks for.
    """

    def __init__(self, port: int, job: str) -> None:
        self._job = f"http://127.0.0.1:{port}/jobs/{job}"
        self._names: dict[str, list[str]] = {}
        """The counters' names by vertex, in the words of the REST interface."""

    def read(self, counts: Counts) -> None:
        """Set the counts to what was counted so far; ends the process if the job has failed."""
        if self._ask("")["state"] == "FAILED":
            sys.exit("the job has failed: its state folder has Flink's log")
        found = dict.fromkeys(COUNTED, 0)
        for vertex, names in self._found().items():
            for metric in self._ask(f"/vertices/{vertex}/metrics?get={','.join(names)}"):
                found[metric["id"].rpartition(".")[2]] += int(metric["value"])
        for name, count in found.items():
            setattr(counts, name, count)

    def stop(self, folder: str) -> None:
        """Stop the job with a savepoint in `folder`, a URI; ends the process if it doesn't stop."""
        body = json.dumps({"targetDirectory": folder, "drain": False}).encode()
        self._ask("/stop", body)
        deadline = time.monotonic() + STOP_SECONDS_MAX
        while self._runs():
            if time.monotonic() > deadline:
                sys.exit(f"the job hasn't stopped within {STOP_SECONDS_MAX:.0f} s")
            time.sleep(0.2)

    def _runs(self) -> bool:
        try:
            return bool(self._ask("")["state"] != "FINISHED")
        except OSError:
            return False  # a local cluster ends with its job

    def _found(self) -> dict[str, list[str]]:
        if sum(map(len, self._names.values())) < COUNTERS:
            self._names = {}
            for vertex in self._ask("")["vertices"]:
                listed = self._ask(f"/vertices/{vertex['id']}/metrics")
                names = [one["id"] for one in listed if one["id"].rpartition(".")[2] in COUNTED]
                if names:
                    self._names[vertex["id"]] = names
        return self._names

    def _ask(self, path: str, data: bytes | None = None) -> Any:
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(self._job + path, data, headers)
        with urllib.request.urlopen(request, timeout=SECONDS_MAX) as answer:
            return json.load(answer)
