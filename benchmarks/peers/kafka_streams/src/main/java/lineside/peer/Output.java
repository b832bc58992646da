package lineside.peer;

import java.util.LinkedHashMap;
import java.util.Map;

/**
 * A record that leaves.
 *
 * @param type confirmation, consumption, scrap, downtime or late
 * @param data members in their order: texts, true or false; measures are texts
 */
record Output(String type, String plant, String line, Map<String, Object> data) {
    private static final Member[] CONFIRMED = {
        Member.ORDER, Member.OPERATION, Member.ITEM, Member.UOM,
    };

    String key() {
        return plant + "/" + line;
    }

    static Output confirmation(Event event) {
        Map<String, Object> data = new LinkedHashMap<>();
        for (Member member : CONFIRMED) {
            data.put(member.wireName, event.text(member));
        }
        data.put("quantity", Decimals.text(event.measure(Member.QUANTITY)));
        data.put("id", event.id());
        return new Output("confirmation", event.plant(), event.line(), data);
    }

    /** Returns what a row leaves as when its window closes. */
    static Output windowed(Row row, Sum sum, String windowStart) {
        Map<String, Object> data = new LinkedHashMap<>();
        put(data, row, sum);
        data.put("window_start", windowStart);
        return new Output(row.kind().wireName, row.plant(), row.line(), data);
    }

    /** Returns what comes for a window that has closed leaves as. */
    static Output late(Row row, Sum sum) {
        Map<String, Object> data = new LinkedHashMap<>();
        data.put("of", row.kind().wireName);
        put(data, row, sum);
        return new Output("late", row.plant(), row.line(), data);
    }

    private static void put(Map<String, Object> data, Row row, Sum sum) {
        Kind kind = row.kind();
        for (int at = 0; at < kind.members.length; at++) {
            String text = row.members()[at];
            if (text != null) {
                Member member = kind.members[at];
                boolean flag = member.shape == Member.Shape.FLAG;
                data.put(member.wireName, flag ? (Object) Boolean.valueOf(text) : text);
            }
        }
        data.put(kind.measure.wireName, Decimals.text(sum.amount()));
        if (kind == Kind.DOWNTIME) {
            data.put("stops", Long.toString(sum.stops()));
        }
    }
}
