package lineside.peer;

import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;

/** The command line; what can't be read is said in one sentence. */
record Arguments(
        String broker,
        String group,
        String state,
        int partitions,
        double progressSeconds,
        int threads,
        String guarantee,
        String out,
        Map<String, String> settings) {
    private static final Set<String> NAMES =
            Set.of(
                    "--broker", "--group", "--state", "--partitions", "--progress-seconds",
                    "--threads", "--guarantee", "--out", "--set");
    private static final Set<String> GUARANTEES = Set.of("at_least_once", "exactly_once");

    /**
     * Returns what the arguments say.
     *
     * @throws IllegalArgumentException with a sentence, if they can't be read
     */
    static Arguments read(String... arguments) {
        Map<String, String> given = new HashMap<>();
        for (int at = 0; at < arguments.length; at += 2) {
            if (!NAMES.contains(arguments[at])) {
                throw new IllegalArgumentException("'" + arguments[at] + "' is not an option");
            }
            if (at + 1 == arguments.length) {
                throw new IllegalArgumentException(arguments[at] + " needs a value");
            }
            given.put(arguments[at], arguments[at + 1]);
        }
        String guarantee = given.getOrDefault("--guarantee", "at_least_once");
        if (!GUARANTEES.contains(guarantee)) {
            throw new IllegalArgumentException(
                    "--guarantee is '" + guarantee + "': neither at_least_once nor exactly_once");
        }
        return new Arguments(
                required(given, "--broker"),
                required(given, "--group"),
                required(given, "--state"),
                whole(given.getOrDefault("--partitions", "4"), "--partitions"),
                seconds(given.getOrDefault("--progress-seconds", "1")),
                whole(given.getOrDefault("--threads", "1"), "--threads"),
                guarantee,
                given.getOrDefault("--out", "bench.kafka_streams.out"),
                settings(given.getOrDefault("--set", "")));
    }

    private static Map<String, String> settings(String text) {
        Map<String, String> settings = new LinkedHashMap<>();
        for (String setting : text.isEmpty() ? new String[0] : text.split(",")) {
            int sign = setting.indexOf('=');
            if (sign < 1) {
                throw new IllegalArgumentException("--set has '" + setting + "': not NAME=VALUE");
            }
            settings.put(setting.substring(0, sign), setting.substring(sign + 1));
        }
        return settings;
    }

    private static String required(Map<String, String> given, String name) {
        if (!given.containsKey(name)) {
            throw new IllegalArgumentException(name + " is missing");
        }
        return given.get(name);
    }

    private static int whole(String text, String name) {
        if (!text.matches("[1-9][0-9]{0,3}")) {
            throw new IllegalArgumentException(name + " is '" + text + "': not a number above 0");
        }
        return Integer.parseInt(text);
    }

    private static double seconds(String text) {
        if (!text.matches("[0-9]{1,3}(\\.[0-9]{1,3})?") || Double.parseDouble(text) == 0) {
            throw new IllegalArgumentException(
                    "--progress-seconds is '" + text + "': not a number above 0");
        }
        return Double.parseDouble(text);
    }
}
