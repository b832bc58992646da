"""What is wrong with a file of rules: a policy, or reference records; a sentence for each fault."""

from pathlib import Path
from typing import Final

from agents.policy.reading import Fault, read_records, read_text
from streams.contract.policy import policy_problems
from tables.reference.keeping import Terms

POLICY: Final = ".toml"
"""How the name of a policy file ends; all else is reference records."""

WAYS: Final = {
    "can't be read": "mend the TOML, or the member, as the sentence says",
    "no input type": "take a type of docs/contract.md",
    "short ": "take one of letters and digits that no other record type has",
    "has no member": "take a member that docs/contract.md lists for the type",
    "has no measure": "take a measure that docs/contract.md lists for the type",
    "none of its measures": "name it in measures, or feed another one",
    "no topic of its name": "take a summary that ships with lineside",
    "feeds none of its measures": "say in inputs which member feeds which measure",
    "needs a row and measures": 'give both, or when = "at_once"',
    "none of its inputs": "name it in inputs, or take it away",
}
"""The way out, by words of what is wrong; what isn't here says it itself."""


def faults_of(file: Path, terms: Terms, now: int) -> tuple[str, int, list[Fault]]:
    """Return (what the file is, how many records it has, what is wrong with it)."""
    text = read_text(file)
    if file.suffix.lower() == POLICY:
        return "policy", 0, [Fault(None, _with_way(problem)) for problem in policy_problems(text)]
    read = read_records(text, file.suffix.lower() == ".csv", terms, now)
    faults = [each for each in read if isinstance(each, Fault)]
    if not read:
        faults = [Fault(None, "there is no record in it that says anything; give one on a line")]
    return "reference records", len(read) - len(faults), faults


def _with_way(problem: str) -> str:
    way = next((way for words, way in WAYS.items() if words in problem), None)
    return problem if way is None else f"{problem}; {way}"
