package lineside.peer;

import org.apache.kafka.common.utils.Bytes;

/**
 * What one record that leaves is about.
 *
 * @param members the texts of the kind's members, in its order; null where absent
 */
record Row(Kind kind, String plant, String line, String[] members) {

    /** Returns the row of an event whose members are all texts. */
    static Row of(Kind kind, Event event) {
        String[] members = new String[kind.members.length];
        for (int at = 0; at < members.length; at++) {
            members[at] = event.text(kind.members[at]);
        }
        return new Row(kind, event.plant(), event.line(), members);
    }

    /** Returns the key of this row in a window: a store is in the order of the windows' starts. */
    Bytes key(FieldWriter writer, long windowStart) {
        writer.number(windowStart).octet(kind.ordinal()).text(plant).text(line);
        for (String member : members) {
            writer.text(member);
        }
        return writer.key();
    }

    /** Returns the row of a key, of which the window's start has been read. */
    static Row read(FieldReader reader) {
        Kind kind = Kind.numbered(reader.octet());
        String plant = reader.text();
        String line = reader.text();
        String[] members = new String[kind.members.length];
        for (int at = 0; at < members.length; at++) {
            members[at] = reader.text();
        }
        return new Row(kind, plant, line, members);
    }
}
