package lineside.peer;

import static lineside.peer.Member.ITEM;
import static lineside.peer.Member.KIND;
import static lineside.peer.Member.LOT;
import static lineside.peer.Member.OPERATION;
import static lineside.peer.Member.ORDER;
import static lineside.peer.Member.PLANNED;
import static lineside.peer.Member.QUANTITY;
import static lineside.peer.Member.REASON;
import static lineside.peer.Member.SECONDS;
import static lineside.peer.Member.STORAGE;
import static lineside.peer.Member.UOM;
import static lineside.peer.Member.WORK_UNIT;

/** What is added up in windows: by which members of an event, and which measure. */
enum Kind {
    CONSUMPTION("consumption", QUANTITY, ORDER, OPERATION, ITEM, LOT, STORAGE, UOM),
    SCRAP("scrap", QUANTITY, ORDER, OPERATION, ITEM, LOT, UOM, REASON, KIND),
    DOWNTIME("downtime", SECONDS, WORK_UNIT, REASON, PLANNED);

    private static final Kind[] KINDS = values();

    final String wireName;
    final Member measure;
    final Member[] members;

    Kind(String wireName, Member measure, Member... members) {
        this.wireName = wireName;
        this.measure = measure;
        this.members = members;
    }

    static Kind numbered(int ordinal) {
        return KINDS[ordinal];
    }
}
