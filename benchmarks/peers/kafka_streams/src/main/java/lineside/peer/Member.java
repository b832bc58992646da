package lineside.peer;

import java.util.Map;
import java.util.function.Function;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** The members of an event's {@code data} that the job knows, and what each must be. */
enum Member {
    ORDER("order", Shape.TEXT),
    OPERATION("operation", Shape.TEXT),
    ITEM("item", Shape.TEXT),
    LOT("lot", Shape.TEXT),
    STORAGE("storage", Shape.TEXT),
    UOM("uom", Shape.TEXT),
    REASON("reason", Shape.TEXT),
    KIND("kind", Shape.TEXT),
    EPISODE("episode", Shape.TEXT),
    WORK_UNIT("work_unit", Shape.TEXT),
    PERSON("person", Shape.TEXT),
    ACTIVITY("activity", Shape.TEXT),
    OPERATOR("operator", Shape.TEXT),
    STATE("state", Shape.TEXT),
    TAG("tag", Shape.TEXT),
    HOLD("hold", Shape.TEXT),
    SCOPE("scope", Shape.TEXT),
    QUANTITY("quantity", Shape.MEASURE),
    SECONDS("seconds", Shape.MEASURE),
    GOOD("good", Shape.MEASURE),
    SCRAP("scrap", Shape.MEASURE),
    PLANNED("planned", Shape.FLAG),
    FINAL("final", Shape.FLAG),
    VALUE("value", Shape.ANY);

    /** What a member is on the wire; a measure is a number, or a string with one. */
    enum Shape {
        TEXT,
        MEASURE,
        FLAG,
        ANY
    }

    private static final Map<String, Member> BY_NAME =
            Stream.of(values()).collect(Collectors.toMap(Member::wireName, Function.identity()));

    final String wireName;
    final Shape shape;

    Member(String wireName, Shape shape) {
        this.wireName = wireName;
        this.shape = shape;
    }

    /** Returns the member of a name, null for one that isn't known. */
    static Member named(String name) {
        return BY_NAME.get(name);
    }

    private String wireName() {
        return wireName;
    }
}
