package lineside.peer;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.time.DateTimeException;
import java.time.OffsetDateTime;
import java.util.List;
import org.junit.jupiter.api.Test;

/** The quick way to read an instant, held against the slow one. */
class InstantsTest {
    @Test
    void anInstantIsWhatJavaReads() {
        List<String> texts =
                List.of(
                        "2026-11-21T06:00:00Z",
                        "2026-11-21T06:00:00.1Z",
                        "2026-11-21T23:59:59.123Z",
                        "2024-02-29T00:00:00.000001Z",
                        "1969-12-31T23:59:59.999999Z",
                        "2026-11-21T06:00:00.123456789Z",
                        "2026-11-21T06:00:00.5+01:30",
                        "2026-11-21T06:00:00-08:00");
        for (String text : texts) {
            OffsetDateTime read = OffsetDateTime.parse(text);
            long micros = read.toEpochSecond() * 1_000_000 + read.getNano() / 1_000;
            assertEquals(micros, Instants.micros(text), text);
        }
    }

    @Test
    void whatIsNoInstantIsRefused() {
        List<String> texts =
                List.of(
                        "",
                        "2026-11-21",
                        "2026-11-21T06:00:00",
                        "2026-11-21T24:00:01Z",
                        "2026-11-21T06:60:00Z",
                        "2026-02-29T06:00:00Z",
                        "2026-1a-21T06:00:00Z",
                        "x026-11-21T06:00:00Z",
                        "2026-11-21T06:00:00.1x3Z",
                        "2026-11-21T06:00:00,123Z");
        for (String text : texts) {
            assertThrows(DateTimeException.class, () -> Instants.micros(text), text);
        }
    }
}
