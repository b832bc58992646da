from libc.stdint cimport uint32_t

cdef enum:
    SAID_MAX = 8  # members of a kind
    KINDS_MAX = 5
    TEXT_MAX = 24  # of a type, a member, a choice
    CHOICES_MAX = 6

cdef enum SaidKind:
    NAME  # a text, a place or a choice
    SAID_FLAG
    SAID_MEASURE
    SAID_INSTANT
    CONVERSIONS

cdef struct SaidRule:
    char name[TEXT_MAX]
    int name_size
    SaidKind kind
    bint place
    int choice_count
    char choices[CHOICES_MAX][TEXT_MAX]
    int choice_sizes[CHOICES_MAX]

cdef struct KindRule:
    char type[TEXT_MAX]
    int type_size
    bint everywhere
    uint32_t required
    int count
    int base  # which member is the unit that conversions are counted in, -1: none
    SaidRule said[SAID_MAX]

cdef KindRule rules[KINDS_MAX]  # in the order of `COPIED_AS_THEY_ARE`
