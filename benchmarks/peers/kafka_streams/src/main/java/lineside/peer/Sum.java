package lineside.peer;

import java.math.BigDecimal;
import java.math.BigInteger;

/**
 * What has been added up for a row: exact, so without binary floating point.
 *
 * @param amount quantity, or seconds of downtime
 * @param stops of downtime, else 0
 */
record Sum(BigDecimal amount, long stops) {

    Sum plus(Sum other) {
        return new Sum(amount.add(other.amount), stops + other.stops);
    }

    byte[] bytes(FieldWriter writer) {
        byte[] unscaled = amount.unscaledValue().toByteArray();
        return writer.number(stops).octet(amount.scale()).field(unscaled).bytes();
    }

    static Sum read(byte[] bytes) {
        FieldReader reader = new FieldReader(bytes);
        long stops = reader.number();
        int scale = reader.octet();
        return new Sum(new BigDecimal(new BigInteger(reader.field()), scale), stops);
    }
}
