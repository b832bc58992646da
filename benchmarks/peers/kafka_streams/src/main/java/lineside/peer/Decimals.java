package lineside.peer;

import java.math.BigDecimal;

/** Measures: exact decimals, less than 10^15 in size, with at most 9 places. */
final class Decimals {
    private static final int PLACES_MAX = 9;
    private static final int WHOLE_DIGITS_MAX = 15;
    private static final int CHARACTERS_MAX = 64;

    private Decimals() {}

    /**
     * Returns the decimal that a text in JSON's grammar of numbers says.
     *
     * @throws NumberFormatException if it isn't one
     * @throws ArithmeticException if it has more places, or is larger
     */
    static BigDecimal parse(String text) {
        char first = text.isEmpty() ? '+' : text.charAt(0);
        char last = text.isEmpty() ? '+' : text.charAt(text.length() - 1);
        if (first == '+' || first == '.' || last == '.' || text.length() > CHARACTERS_MAX) {
            throw new NumberFormatException("not a decimal: " + text);
        }
        return checked(new BigDecimal(text));
    }

    /**
     * Returns a decimal as it is, or with fewer places if they are zeros.
     *
     * @throws ArithmeticException if it has more places, or is larger
     */
    static BigDecimal checked(BigDecimal value) {
        if (value.signum() != 0 && value.precision() - value.scale() > WHOLE_DIGITS_MAX) {
            throw new ArithmeticException("too large: " + value);
        }
        boolean usual = value.scale() >= 0 && value.scale() <= PLACES_MAX;
        return usual ? value : value.setScale(PLACES_MAX);
    }

    /** Returns a decimal in plain notation without trailing zeros: "12.5", "3", "-0.25". */
    static String text(BigDecimal value) {
        return value.signum() == 0 ? "0" : value.stripTrailingZeros().toPlainString();
    }
}
