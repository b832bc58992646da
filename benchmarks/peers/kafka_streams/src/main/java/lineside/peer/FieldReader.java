package lineside.peer;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;

/** Reads what {@link FieldWriter} wrote, in the same order. */
final class FieldReader {
    private final ByteBuffer rest;

    FieldReader(byte[] bytes) {
        rest = ByteBuffer.wrap(bytes);
    }

    long number() {
        return rest.getLong();
    }

    int octet() {
        return rest.get();
    }

    /** Returns null for an absent text. */
    String text() {
        int length = rest.getShort();
        String text = new String(rest.array(), rest.position(), length, StandardCharsets.UTF_8);
        rest.position(rest.position() + length);
        return length == 0 ? null : text;
    }

    byte[] field() {
        byte[] field = new byte[rest.getShort()];
        rest.get(field);
        return field;
    }
}
