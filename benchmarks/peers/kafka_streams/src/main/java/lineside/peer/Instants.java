package lineside.peer;

import java.time.Instant;
import java.time.LocalDate;
import java.time.OffsetDateTime;
import java.time.temporal.ChronoUnit;

/** Instants as microseconds since the epoch, from RFC 3339. */
final class Instants {
    private static final int WHOLE = "2026-11-21T06:00:00".length();
    private static final int PLACES_MAX = 6;
    private static final long SECOND = 1_000_000L;

    private Instants() {}

    /**
     * Returns the microseconds since the epoch that a date-time with an offset says.
     *
     * <p>{@link OffsetDateTime#parse} does the same for anything that isn't written in UTC with Z,
     * and at several times the cost.
     *
     * @throws java.time.DateTimeException if it isn't one
     */
    static long micros(String text) {
        int end = text.length() - 1;
        boolean usual =
                end >= WHOLE
                        && end <= WHOLE + 1 + PLACES_MAX
                        && text.charAt(end) == 'Z'
                        && text.charAt(4) == '-'
                        && text.charAt(7) == '-'
                        && text.charAt(10) == 'T'
                        && text.charAt(13) == ':'
                        && text.charAt(16) == ':'
                        && (end == WHOLE || text.charAt(WHOLE) == '.');
        if (!usual) {
            return anyMicros(text);
        }
        int hour = number(text, 11, 2, 2);
        int minute = number(text, 14, 2, 2);
        int second = number(text, 17, 2, 2);
        int micros = end == WHOLE ? 0 : number(text, WHOLE + 1, end - WHOLE - 1, PLACES_MAX);
        if (hour < 0 || minute < 0 || second < 0 || micros < 0
                || hour > 23 || minute > 59 || second > 59) {
            return anyMicros(text);
        }
        int year = number(text, 0, 4, 4);
        long day = LocalDate.of(year, number(text, 5, 2, 2), number(text, 8, 2, 2)).toEpochDay();
        return (((day * 24 + hour) * 60 + minute) * 60 + second) * SECOND + micros;
    }

    /** Returns an instant as RFC 3339 in UTC. */
    static String text(long millis) {
        return Instant.ofEpochMilli(millis).toString();
    }

    private static long anyMicros(String text) {
        return ChronoUnit.MICROS.between(Instant.EPOCH, OffsetDateTime.parse(text).toInstant());
    }

    /** Returns what count digits say, as if zeros made them places; a negative if one is none. */
    private static int number(String text, int begin, int count, int places) {
        int value = 0;
        for (int at = 0; at < places; at++) {
            int digit = at < count ? text.charAt(begin + at) - '0' : 0;
            if (digit < 0 || digit > 9) {
                return Integer.MIN_VALUE;
            }
            value = value * 10 + digit;
        }
        return value;
    }
}
