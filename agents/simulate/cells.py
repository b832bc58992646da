"""The master data of the simulated factory: kinds of lines, their stations, reasons for stops."""

import msgspec

PREFIXES = ("DE", "DE", "PL", "MX", "US", "CN")  # country of each further plant, in turn


class Component(msgspec.Struct, frozen=True):
    """A row of a bill of material; a piece takes `thousandths` of the unit of measure."""

    item: str
    thousandths: int
    uom: str
    storage: str
    lot_pieces: int  # pieces made from one lot of the component
    per_variant: bool = False  # each product has its own variant of the component


class Tag(msgspec.Struct, frozen=True):
    """A telemetry tag whose value lies in [low, high), in tenths."""

    name: str
    low: int
    high: int


class Station(msgspec.Struct, frozen=True):
    """A kind of work unit, with the routing step that it does."""

    name: str
    operation: str
    scrap_reasons: tuple[str, ...]
    components: tuple[Component, ...]
    tags: tuple[Tag, ...]


class Beside(msgspec.Struct, frozen=True):
    """What a line makes beside its product: `thousandths` of the unit of measure a piece."""

    item: str
    product: str  # what the MES calls it: co_product or by_product
    thousandths: int
    uom: str


class Cell(msgspec.Struct, frozen=True):
    """A kind of line; a piece takes `cycle` milliseconds on each station."""

    product: str
    variants: tuple[str, ...]
    cycle: int
    pallet: int  # pieces per goods receipt
    stations: tuple[Station, ...]
    beside: Beside | None = None


class Stop(msgspec.Struct, frozen=True):
    """Why a work unit stands still, for `shortest` to `longest` seconds."""

    reason: str
    shortest: int
    longest: int
    planned: bool = False


CELLS = (
    Cell("FG-BRACKET", ("110", "120", "145"), cycle=1_400, pallet=200, stations=(
        Station("press", "0010", ("BURR", "CRACK", "DIMENSION"),
            (Component("RM-COIL-DC04", 412, "kg", "HALLE-1", 3_000),),
            (Tag("force_kn", 17_500, 19_200), Tag("oil_temp_c", 410, 560))),
        Station("weld", "0020", ("POROSITY", "SPATTER", "MISSING_NUT"),
            (Component("RM-NUT-M8", 2_000, "pcs", "HALLE-1", 2_500),
             Component("RM-WIRE-SG2", 8, "kg", "HALLE-1", 1_900)),
            (Tag("current_a", 1_650, 1_900), Tag("gas_flow_lpm", 118, 142))),
        Station("pack", "0030", ("DAMAGED", "WRONG_LABEL"),
            (Component("PK-BOX-A4", 20, "pcs", "SHIP", 10_000),
             Component("PK-LABEL", 1_000, "pcs", "SHIP", 5_000, per_variant=True)),
            (Tag("box_weight_kg", 203, 214),)),
    ), beside=Beside("BP-OFFCUT-DC04", "by_product", 74, "kg")),
    Cell("FG-HOUSING", ("A7", "A9", "B2", "C1"), cycle=2_100, pallet=96, stations=(
        Station("mould", "0010", ("SHORT_SHOT", "SINK_MARK", "BURN", "FLASH"),
            (Component("RM-PA66-GF30", 86, "kg", "SILO-2", 9_000),
             Component("RM-COLOUR", 2, "kg", "SILO-2", 4_000, per_variant=True)),
            (Tag("melt_temp_c", 2_780, 2_910), Tag("mould_temp_c", 790, 860))),
        Station("assembly", "0020", ("INSERT_SKEWED", "SEAL_MISSING"),
            (Component("RM-INSERT-M4", 4_000, "pcs", "KANBAN-3", 1_200),
             Component("RM-SEAL", 1_000, "pcs", "KANBAN-3", 2_400, per_variant=True)),
            (Tag("torque_nm", 22, 27), Tag("press_in_kn", 31, 44))),
        Station("test", "0030", ("LEAK", "ELECTRICAL"),
            (),
            (Tag("leak_rate_ccm", 1, 19), Tag("pressure_mbar", 24_800, 25_200))),
        Station("pack", "0040", ("DAMAGED",),
            (Component("PK-TRAY-12", 83, "pcs", "SHIP", 8_000),),
            (Tag("robot_speed_pct", 880, 1_000),)),
    ), beside=Beside("FG-CLIP", "co_product", 2_000, "pcs")),
    Cell("FG-CLEANER", ("750-CITRUS", "750-PINE", "750-PLAIN"), cycle=700, pallet=480, stations=(
        Station("fill", "0010", ("UNDERFILL", "OVERFILL", "DEFORMED"),
            (Component("SF-BULK", 752, "L", "COLD-1", 12_000, per_variant=True),
             Component("PK-BOTTLE-750", 1_000, "pcs", "HALLE-4", 6_000)),
            (Tag("flow_lpm", 640, 690), Tag("bulk_temp_c", 62, 81))),
        Station("cap", "0020", ("CAP_LOOSE", "LABEL_CREASED"),
            (Component("PK-CAP-28", 1_000, "pcs", "HALLE-4", 15_000),
             Component("PK-LABEL-750", 1_000, "pcs", "HALLE-4", 10_000, per_variant=True)),
            (Tag("torque_nm", 14, 19), Tag("glue_temp_c", 1_510, 1_580))),
    )),
    Cell("FG-SHAFT", ("20X180", "25X220"), cycle=2_600, pallet=60, stations=(
        Station("saw", "0010", ("LENGTH", "SKEW"),
            (Component("RM-BAR-42CRMO4", 228, "m", "RACK-1", 800, per_variant=True),),
            (Tag("blade_current_a", 118, 164),)),
        # One reason isn't ASCII, as in every real plant.
        Station("mill", "0020", ("CHATTER", "GRAT_ÜBERMASS", "TOOL_MARK"),
            (Component("RM-INSERT-CNMG", 12, "pcs", "TOOLS-2", 800),
             Component("RM-COOLANT", 4, "L", "TOOLS-2", 6_000)),
            (Tag("spindle_load_pct", 310, 780), Tag("coolant_bar", 190, 230))),
        Station("gauge", "0030", ("RUNOUT", "DIAMETER"),
            (Component("PK-OIL-PAPER", 150, "m", "SHIP", 3_000),),
            (Tag("diameter_um", 199_750, 200_200), Tag("runout_um", 1, 60))),
    )),
)  # fmt: skip

TOOL_BREAKAGE = "TOOL_BREAKAGE"

# A stop that happens n times as often is listed n times.
STOPS = (
    *(Stop("MATERIAL_JAM", 25, 240),) * 6,
    *(Stop("SENSOR_FAULT", 20, 180),) * 4,
    *(Stop("NO_MATERIAL", 90, 500),) * 3,
    *(Stop("CLEANING", 180, 480, planned=True),) * 2,
    Stop(TOOL_BREAKAGE, 640, 2_100),
    Stop("DRIVE_FAULT", 600, 3_000),
)
CHANGEOVER = Stop("CHANGEOVER", 90, 400, planned=True)
# What a stop turns out to have been, once somebody has looked: reason, and whether it was planned.
CLASSES = (
    ("OPERATOR_ABSENT", False),
    ("TOOL_WEAR", False),
    ("SENSOR_DIRTY", False),
    ("TRIAL", True),
)
CHARACTERISTICS = ("dimension", "appearance", "weight", "torque", "tightness")
DISPOSITIONS = ("use", "use", "rework", "scrap", "return")
SEVERITIES = ("minor", "minor", "major", "critical")
