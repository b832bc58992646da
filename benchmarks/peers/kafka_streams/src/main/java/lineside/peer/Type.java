package lineside.peer;

import static lineside.peer.Member.EPISODE;
import static lineside.peer.Member.GOOD;
import static lineside.peer.Member.HOLD;
import static lineside.peer.Member.ITEM;
import static lineside.peer.Member.KIND;
import static lineside.peer.Member.OPERATION;
import static lineside.peer.Member.ORDER;
import static lineside.peer.Member.PERSON;
import static lineside.peer.Member.PLANNED;
import static lineside.peer.Member.QUANTITY;
import static lineside.peer.Member.REASON;
import static lineside.peer.Member.SCRAP;
import static lineside.peer.Member.SCOPE;
import static lineside.peer.Member.SECONDS;
import static lineside.peer.Member.STATE;
import static lineside.peer.Member.TAG;
import static lineside.peer.Member.UOM;
import static lineside.peer.Member.VALUE;
import static lineside.peer.Member.WORK_UNIT;

import java.util.Map;
import java.util.function.Function;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** The event types of the benchmark's log, with the members without which an event is refused. */
enum Type {
    OPERATION_STARTED("operation.started.v1", ORDER, OPERATION),
    OPERATION_COMPLETED("operation.completed.v1", ORDER, OPERATION),
    PRODUCTION_CONFIRMED("production.confirmed.v1", ORDER, OPERATION, ITEM, QUANTITY, UOM),
    MATERIAL_CONSUMED("material.consumed.v1", ORDER, OPERATION, ITEM, QUANTITY, UOM),
    SCRAP_DECLARED("scrap.declared.v1", ORDER, OPERATION, ITEM, QUANTITY, UOM, REASON, KIND),
    GOODS_RECEIVED("goods.received.v1", ORDER, ITEM, QUANTITY, UOM),
    REWORK_DECLARED("rework.declared.v1", ORDER, OPERATION, ITEM, QUANTITY, UOM, REASON),
    HOLD_PLACED("quality.hold_placed.v1", HOLD, SCOPE, VALUE, REASON),
    LABOR_BOOKED("labor.booked.v1", ORDER, OPERATION, PERSON, SECONDS),
    DOWNTIME_STARTED("downtime.started.v1", EPISODE, WORK_UNIT, REASON, PLANNED),
    DOWNTIME_ENDED("downtime.ended.v1", EPISODE, WORK_UNIT),
    MACHINE_STATE("machine.state.v1", WORK_UNIT, STATE),
    MACHINE_COUNT("machine.count.v1", WORK_UNIT, GOOD, SCRAP),
    MACHINE_TELEMETRY("machine.telemetry.v1", WORK_UNIT, TAG, VALUE);

    private static final Map<String, Type> BY_NAME =
            Stream.of(values()).collect(Collectors.toMap(Type::wireName, Function.identity()));

    final String wireName;
    final Member[] required;

    Type(String wireName, Member... required) {
        this.wireName = wireName;
        this.required = required;
    }

    /** Returns the type of a name, null for one that isn't known. */
    static Type named(String name) {
        return BY_NAME.get(name);
    }

    private String wireName() {
        return wireName;
    }
}
