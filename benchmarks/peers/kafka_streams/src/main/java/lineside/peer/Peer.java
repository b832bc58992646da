package lineside.peer;

import com.alibaba.fastjson2.JSON;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.common.utils.AppInfoParser;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse;
import org.rocksdb.RocksDB;

/** The process: starts the streams, tells how far they are, closes them on SIGTERM. */
public final class Peer {
    private static final Duration CLOSE_MAX = Duration.ofSeconds(60);

    private Peer() {}

    /** Runs until a signal comes; ends with 1 and a sentence on standard error if it can't. */
    public static void main(String... given) throws InterruptedException {
        Arguments arguments;
        try {
            arguments = Arguments.read(given);
        } catch (IllegalArgumentException e) {
            System.err.println(e.getMessage());
            System.exit(2);
            return;
        }
        Counts counts = new Counts();
        List<Settings.Setting> settings = Settings.of(arguments);
        System.out.println(introduction(settings));
        Properties properties = Settings.properties(settings, counts);
        KafkaStreams streams = new KafkaStreams(Job.topology(arguments.out(), counts), properties);
        CountDownLatch failed = new CountDownLatch(1);
        streams.setUncaughtExceptionHandler(
                error -> {
                    System.err.println("the streams ended: " + error);
                    failed.countDown();
                    return StreamThreadExceptionResponse.SHUTDOWN_CLIENT;
                });
        Runtime.getRuntime()
                .addShutdownHook(new Thread(() -> end(streams, counts, failed.getCount() == 0)));
        streams.start();
        long progressMillis = (long) (arguments.progressSeconds() * 1_000);
        while (!failed.await(progressMillis, TimeUnit.MILLISECONDS)) {
            System.out.println(counts.json());
        }
        System.exit(1);
    }

    /** After a signal a JVM ends with its number: an orderly end is to be a 0. */
    private static void end(KafkaStreams streams, Counts counts, boolean failed) {
        boolean closed = streams.close(CLOSE_MAX);
        System.out.println(counts.json());
        if (!closed) {
            System.err.println("the streams didn't close within " + CLOSE_MAX.toSeconds() + " s");
        }
        System.out.flush();
        Runtime.getRuntime().halt(closed && !failed ? 0 : 1);
    }

    private static String introduction(List<Settings.Setting> settings) {
        RocksDB.loadLibrary();
        Map<String, String> versions = new LinkedHashMap<>();
        versions.put("kafka-streams", AppInfoParser.getVersion());
        versions.put("rocksdb", RocksDB.rocksdbVersion().toString());
        versions.put("fastjson2", JSON.VERSION);
        versions.put("java", Runtime.version().toString());
        Map<String, String> told = new LinkedHashMap<>();
        for (Settings.Setting setting : settings) {
            told.put(setting.name(), setting.value() + " (" + setting.reason() + ")");
        }
        return JSON.toJSONString(Map.of("versions", versions, "settings", told));
    }
}
