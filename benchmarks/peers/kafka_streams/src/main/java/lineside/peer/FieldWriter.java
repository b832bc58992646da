package lineside.peer;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import org.apache.kafka.common.utils.Bytes;

/**
 * Writes the keys and values of state stores: numbers big-endian, texts with their length before
 * them, so that no text can be taken for another. Used anew after each {@link #bytes}.
 */
final class FieldWriter {
    private byte[] bytes = new byte[512];
    private int end;

    FieldWriter number(long value) {
        room(Long.BYTES);
        ByteBuffer.wrap(bytes).putLong(end, value);
        end += Long.BYTES;
        return this;
    }

    FieldWriter octet(int value) {
        room(1);
        bytes[end++] = (byte) value;
        return this;
    }

    /** An absent text is written like an empty one: none of an event is empty. */
    FieldWriter text(String value) {
        return field(value == null ? new byte[0] : value.getBytes(StandardCharsets.UTF_8));
    }

    FieldWriter field(byte[] value) {
        room(Short.BYTES + value.length);
        ByteBuffer.wrap(bytes).putShort(end, (short) value.length);
        System.arraycopy(value, 0, bytes, end + Short.BYTES, value.length);
        end += Short.BYTES + value.length;
        return this;
    }

    byte[] bytes() {
        byte[] written = Arrays.copyOf(bytes, end);
        end = 0;
        return written;
    }

    Bytes key() {
        return Bytes.wrap(bytes());
    }

    private void room(int more) {
        if (end + more > bytes.length) {
            bytes = Arrays.copyOf(bytes, Math.max(2 * bytes.length, end + more));
        }
    }
}
