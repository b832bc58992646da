# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""What the members of a copy have to be, where `streams.codec.copies` looks it up."""

from libc.stdint cimport uint32_t
from libc.string cimport memcpy

from streams.contract.reference import ANYWHERE, KINDS, told
from streams.contract.reference_values import CHOICES

COPIED_AS_THEY_ARE = ("line", "work_unit", "item", "reason", "order")
"""The kinds that are read from their bytes: to learn one changes only what is known under its key.

An order may free events, too, where any are parked.
"""

_SAID_KINDS = {
    "text": NAME, "place": NAME, "flag": SAID_FLAG, "measure": SAID_MEASURE,
    "instant": SAID_INSTANT, "conversions": CONVERSIONS, **{name: NAME for name in CHOICES},
}


def _learn():
    """Make the rules from the structs of `streams.contract.reference`."""
    cdef KindRule* rule
    cdef SaidRule* said
    assert ANYWHERE == "*"
    if len(COPIED_AS_THEY_ARE) != KINDS_MAX:
        raise RuntimeError(f"there are {len(COPIED_AS_THEY_ARE)} kinds, not {KINDS_MAX}")
    for number, kind in enumerate(COPIED_AS_THEY_ARE):
        struct = KINDS[kind]
        rule = &rules[number]
        rule.type_size = _keep(rule.type, f"reference.{kind}.v1")
        rule.everywhere = struct.EVERYWHERE
        rule.required = rule.count = 0
        rule.base = -1
        for member in told(struct):
            if rule.count == SAID_MAX:
                raise RuntimeError(f"{kind} has more members than {SAID_MAX}: raise SAID_MAX")
            said = &rule.said[rule.count]
            said.name_size = _keep(said.name, member.name)
            said.kind = _SAID_KINDS[member.kind]
            said.place = member.kind == "place"
            said.choice_count = 0
            for choice in CHOICES.get(member.kind, ()):
                if said.choice_count == CHOICES_MAX:
                    raise RuntimeError(f"{member.kind} has more than {CHOICES_MAX} choices")
                said.choice_sizes[said.choice_count] = _keep(
                    said.choices[said.choice_count], choice
                )
                said.choice_count += 1
            if member.name == "base_uom":
                rule.base = rule.count
            rule.required |= <uint32_t>bool(member.required) << rule.count
            rule.count += 1


cdef int _keep(char* where, str text) except -1:
    cdef bytes data = text.encode("ascii")
    if len(data) > TEXT_MAX:
        raise RuntimeError(f"{text} has more than {TEXT_MAX} characters: raise TEXT_MAX")
    memcpy(where, <const char*>data, len(data))
    return <int>len(data)


_learn()
