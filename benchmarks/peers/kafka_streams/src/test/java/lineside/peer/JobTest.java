package lineside.peer;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;

import java.nio.file.Path;
import java.util.Comparator;
import java.util.List;
import java.util.Properties;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;
import org.apache.kafka.streams.TestInputTopic;
import org.apache.kafka.streams.TestOutputTopic;
import org.apache.kafka.streams.TopologyTestDriver;
import org.apache.kafka.streams.state.KeyValueIterator;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The topology without a broker. */
class JobTest {
    private static final String KEY = "DE01/L1";
    private static final String USED =
            "{\"order\":\"1\",\"operation\":\"0010\",\"item\":\"M\",\"quantity\":%s,\"uom\":\"kg\"}";
    private static final String STARTED =
            "{\"episode\":\"S1\",\"work_unit\":\"U\",\"reason\":\"JAM\",\"planned\":false}";
    private static final String ENDED = "{\"episode\":\"S1\",\"work_unit\":\"U\"}";

    @TempDir Path state;

    private final Counts counts = new Counts();
    private TopologyTestDriver driver;
    private TestInputTopic<String, String> mes;
    private TestInputTopic<String, String> machine;
    private TestOutputTopic<String, String> out;

    @BeforeEach
    void start() {
        Arguments arguments =
                Arguments.read("--broker", "none:1", "--group", "test", "--state", state.toString());
        Properties settings = Settings.properties(Settings.of(arguments), counts);
        driver = new TopologyTestDriver(Job.topology("out", counts), settings);
        StringSerializer text = new StringSerializer();
        mes = driver.createInputTopic(Job.MES, text, text);
        machine = driver.createInputTopic(Job.MACHINE, text, text);
        out = driver.createOutputTopic("out", new StringDeserializer(), new StringDeserializer());
    }

    @AfterEach
    void close() {
        driver.close();
    }

    @Test
    void aConfirmationLeavesAtOnce() {
        mes("production.confirmed", "1", "06:00:01Z", USED.formatted("\"12.50\""));
        assertEquals(
                List.of(
                        "{\"type\":\"confirmation\",\"plant\":\"DE01\",\"line\":\"L1\",\"data\":{"
                                + "\"order\":\"1\",\"operation\":\"0010\",\"item\":\"M\","
                                + "\"uom\":\"kg\",\"quantity\":\"12.5\",\"id\":\"1\"}}"),
                out.readValuesToList());
    }

    @Test
    void aWindowLeavesWhenStreamTimeReachesItsEndAndGrace() {
        mes("material.consumed", "1", "06:00:01Z", USED.formatted("0.1"));
        mes("material.consumed", "2", "06:01:29.999Z", USED.formatted("5"));
        mes("material.consumed", "3", "06:00:59.999Z", USED.formatted("\"0.2\""));
        assertEquals(0, out.getQueueSize());
        mes("operation.started", "4", "06:01:30Z", "{\"order\":\"1\",\"operation\":\"0010\"}");
        assertEquals(KEY, out.readRecord().key());
        assertEquals(0, out.getQueueSize());
        mes("operation.started", "5", "06:02:30Z", "{\"order\":\"1\",\"operation\":\"0010\"}");
        assertEquals(
                "{\"type\":\"consumption\",\"plant\":\"DE01\",\"line\":\"L1\",\"data\":{"
                        + "\"order\":\"1\",\"operation\":\"0010\",\"item\":\"M\",\"uom\":\"kg\","
                        + "\"quantity\":\"5\",\"window_start\":\"2026-11-21T06:01:00Z\"}}",
                out.readValue());
    }

    @Test
    void sumsAreExact() {
        mes("material.consumed", "1", "06:00:01Z", USED.formatted("0.1"));
        mes("material.consumed", "2", "06:00:02Z", USED.formatted("\"0.2\""));
        mes("material.consumed", "3", "06:00:03Z", USED.formatted("1e1"));
        mes("material.consumed", "4", "06:00:04Z", USED.formatted("999999999999999.123456789"));
        mes("operation.started", "5", "06:10:00Z", "{\"order\":\"1\",\"operation\":\"0010\"}");
        assertEquals("1000000000000009.423456789", member(out.readValue(), "quantity"));
    }

    @Test
    void eachRowLeavesAsOneRecord() {
        String scrap =
                "{\"order\":\"1\",\"operation\":\"0010\",\"item\":\"M\",\"quantity\":1,"
                        + "\"uom\":\"kg\",\"reason\":\"R%d\",\"kind\":\"operation\"}";
        for (int reason = 0; reason < 3; reason++) {
            mes("scrap.declared", "a" + reason, "06:00:01Z", scrap.formatted(reason));
            mes("scrap.declared", "b" + reason, "06:00:02Z", scrap.formatted(reason));
        }
        mes("operation.started", "c", "06:10:00Z", "{\"order\":\"1\",\"operation\":\"0010\"}");
        List<String> rows = out.readValuesToList();
        assertEquals(3, rows.size());
        rows.sort(Comparator.naturalOrder());
        for (int reason = 0; reason < 3; reason++) {
            assertEquals("R" + reason, member(rows.get(reason), "reason"));
            assertEquals("2", member(rows.get(reason), "quantity"));
        }
    }

    @Test
    void whatComesForAClosedWindowLeavesAsLate() {
        mes("operation.started", "1", "06:01:30Z", "{\"order\":\"1\",\"operation\":\"0010\"}");
        mes("material.consumed", "2", "06:00:59Z", USED.formatted("-3"));
        assertEquals(
                "{\"type\":\"late\",\"plant\":\"DE01\",\"line\":\"L1\",\"data\":{"
                        + "\"of\":\"consumption\",\"order\":\"1\",\"operation\":\"0010\","
                        + "\"item\":\"M\",\"uom\":\"kg\",\"quantity\":\"-3\"}}",
                out.readValue());
        assertEquals(1, counts.late.sum());
    }

    @Test
    void aDuplicateChangesNothing() {
        for (int time = 0; time < 3; time++) {
            mes("production.confirmed", "1", "06:00:01Z", USED.formatted("1"));
            machine("machine.state", "1", "{\"work_unit\":\"U\",\"state\":\"Held\"}");
            machine("machine.telemetry", "2", "{\"work_unit\":\"U\",\"tag\":\"T\",\"value\":null}");
        }
        assertEquals(1, out.getQueueSize());
        assertEquals(4, counts.duplicates.sum());
        assertEquals(9, counts.records.sum());
    }

    @Test
    void anIdentityIsForgottenAfterTheRetention() {
        mes("production.confirmed", "1", "06:00:01Z", USED.formatted("1"));
        String later = "2026-12-01T00:00:00Z";
        mesAt("operation.started", "2", later, "{\"order\":\"1\",\"operation\":\"0010\"}");
        mesAt("production.confirmed", "1", later, USED.formatted("1"));
        assertEquals(2, out.getQueueSize());
    }

    @Test
    void aStopCountsInTheWindowOfItsEndWhicheverIsToldFirst() {
        mes("downtime.started", "1", "06:00:10.250Z", STARTED);
        mes("downtime.ended", "2", "06:01:20.500Z", ENDED);
        String other = STARTED.replace("S1", "S2");
        mes("downtime.ended", "3", "06:01:01Z", ENDED.replace("S1", "S2"));
        mes("downtime.started", "4", "06:00:59.9Z", other);
        mes("operation.started", "5", "06:10:00Z", "{\"order\":\"1\",\"operation\":\"0010\"}");
        assertEquals(
                "{\"type\":\"downtime\",\"plant\":\"DE01\",\"line\":\"L1\",\"data\":{"
                        + "\"work_unit\":\"U\",\"reason\":\"JAM\",\"planned\":false,"
                        + "\"seconds\":\"71.35\",\"stops\":\"2\","
                        + "\"window_start\":\"2026-11-21T06:01:00Z\"}}",
                out.readValue());
        try (KeyValueIterator<Object, Object> waiting =
                driver.getKeyValueStore(Episodes.STORE).all()) {
            assertFalse(waiting.hasNext());
        }
    }

    @Test
    void aBadValueIsCountedAndSkipped() {
        String good = event("production.confirmed", "1", "06:00:01Z", USED.formatted("1"));
        mes.pipeInput(KEY, good.substring(0, 100));
        mes.pipeInput(KEY, good + good);
        mes.pipeInput(KEY, "[]");
        mes.pipeInput(KEY, "n/a");
        mes.pipeInput(KEY, good.replace("\"id\"", "\"no\""));
        mes.pipeInput(KEY, good.replace("\"quantity\":1", "\"quantity\":\"n/a\""));
        mes.pipeInput(KEY, good.replace("\"quantity\":1", "\"quantity\":true"));
        mes.pipeInput(KEY, good.replace("\"quantity\":1", "\"quantity\":0.0000000001"));
        mes.pipeInput(KEY, good.replace("\"item\":\"M\"", "\"item\":7"));
        mes.pipeInput(KEY, good.replace("\"item\":\"M\"", "\"item\":null"));
        mes.pipeInput(KEY, good.replace("06:00:01Z", "06:60:01Z"));
        mes.pipeInput(KEY, good.replace("production.confirmed", "production.unknown"));
        assertEquals(12, counts.bad.sum());
        mes.pipeInput(KEY, good);
        assertEquals(1, out.getQueueSize());
        assertEquals(13, counts.records.sum());
    }

    private void mes(String type, String id, String time, String data) {
        mes.pipeInput(KEY, event(type, id, time, data));
    }

    private void mesAt(String type, String id, String instant, String data) {
        String value = event(type, id, "06:00:00Z", data);
        mes.pipeInput(KEY, value.replace("2026-11-21T06:00:00Z", instant));
    }

    private void machine(String type, String id, String data) {
        machine.pipeInput(KEY, event(type, id, "06:00:00Z", data));
    }

    private static String event(String type, String id, String time, String data) {
        return ("{\"specversion\":\"1.0\",\"type\":\"%s.v1\",\"source\":\"/DE01/mes\",\"id\":\"%s\","
                        + "\"time\":\"2026-11-21T%s\",\"plant\":\"DE01\",\"line\":\"L1\",\"data\":%s}")
                .formatted(type, id, time, data);
    }

    private static String member(String json, String name) {
        String head = "\"" + name + "\":\"";
        int begin = json.indexOf(head) + head.length();
        return json.substring(begin, json.indexOf('"', begin));
    }
}
