from libc.stdint cimport int64_t

cdef class Contribution:
    cdef readonly int kind
    cdef readonly int width
    cdef readonly bint erp
    cdef readonly bytes row_fields
    cdef readonly list where
    cdef readonly bytes slots
    cdef readonly bytes slot_fields
    cdef readonly int first_sum
    cdef readonly int uom
    cdef readonly int first_unit_sum

cdef class AtOnce:
    cdef readonly str record
    cdef readonly bytes record_bytes
    cdef readonly str short
    cdef readonly bytes head
    cdef readonly bytes short_bytes
    cdef readonly bint event
    cdef readonly list where
    cdef readonly int number
    cdef readonly bytes fields
    cdef readonly list names

cdef class Condition:
    cdef readonly int field
    cdef readonly bytes value

cdef class Plan:
    cdef readonly int number
    cdef readonly int cell_number
    cdef readonly str event
    cdef readonly bytes event_bytes
    cdef readonly bytes packed
    cdef readonly bint transaction
    cdef readonly bint is_reversal
    cdef readonly bint is_stop
    cdef readonly bint is_hold
    cdef readonly bint is_checked
    cdef readonly bint needs_lot
    cdef readonly bint is_touched
    cdef readonly bint is_consumed
    cdef readonly bint may_be_silent
    cdef readonly int state_field
    cdef readonly int lot_field
    cdef readonly int item_field
    cdef readonly int uom_field
    cdef readonly int order_field
    cdef readonly int work_unit_field
    cdef readonly int reason_field
    cdef readonly int quantity_field
    cdef readonly int serial_field
    cdef readonly int final_field
    cdef readonly bytes field_kinds
    cdef readonly bytes print_fields
    cdef readonly int usual_field
    cdef readonly bytes usual
    cdef readonly list field_names
    cdef readonly bytes key_fields
    cdef readonly list contributions
    cdef readonly list singly
    cdef readonly list at_once
    cdef readonly list by_window
