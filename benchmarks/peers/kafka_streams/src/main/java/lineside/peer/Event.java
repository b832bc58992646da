package lineside.peer;

import java.math.BigDecimal;

/**
 * An event as it was decoded: all that its type requires is there.
 *
 * @param timeMicros when it happened, microseconds since the epoch
 * @param data by the ordinal of {@link Member}: String, BigDecimal or Boolean, null where absent
 */
record Event(
        Type type,
        String source,
        String id,
        long timeMicros,
        String plant,
        String line,
        Object[] data) {

    String text(Member member) {
        return (String) data[member.ordinal()];
    }

    BigDecimal measure(Member member) {
        return (BigDecimal) data[member.ordinal()];
    }

    boolean flag(Member member) {
        return (Boolean) data[member.ordinal()];
    }

    long timeMillis() {
        return Math.floorDiv(timeMicros, 1_000L);
    }
}
