package org.kofn.recipe;

import java.util.List;
import java.util.function.Predicate;
import java.util.regex.Pattern;
import java.util.regex.PatternSyntaxException;
import org.kofn.nn.Network;

/**
 * The four ways to choose layers: a name, a glob ({@code *} any text, dots included; {@code ?} one character), a
 * regular expression between slashes (found anywhere in the name; {@code ^} and {@code $} anchor it), or {@code type:}
 * and a layer type.
 */
final class LayerMatch {
    /** The types of layers that have weights to prune. */
    static final List<String> TYPES = List.of("conv2d", "linear");

    private static final String TYPE = "type:";

    private LayerMatch() {}

    /**
     * The test that a pattern stands for.
     *
     * @throws org.kofn.base.KofnException (usage) about the key {@code match} when it is empty, no regular expression,
     *     or no type
     */
    static Predicate<Network.Weight> of(String match) {
        if (match.isBlank()) {
            throw Check.error("match", "is empty; write a layer's name, a glob, /a regex/ or type:conv2d");
        }
        if (match.startsWith(TYPE)) {
            String type = match.substring(TYPE.length()).trim();
            Check.oneOf("match", "layer type", type, TYPES);
            return weight -> weight.type().equals(type);
        }
        if (match.length() > 1 && match.startsWith("/") && match.endsWith("/")) {
            Predicate<String> regex = regex(match).asPredicate();
            return weight -> regex.test(weight.layer());
        }
        Predicate<String> glob = glob(match).asMatchPredicate();
        return weight -> glob.test(weight.layer());
    }

    /** Whether this is a plain name, which a misspelling can be corrected for. */
    static boolean isName(String match) {
        return !match.startsWith(TYPE) && match.chars().noneMatch(c -> "*?/".indexOf(c) >= 0);
    }

    private static Pattern regex(String match) {
        try {
            return Pattern.compile(match.substring(1, match.length() - 1));
        } catch (PatternSyntaxException e) {
            throw Check.error(
                    "match",
                    "%s is not a regular expression: %s at position %d",
                    match,
                    e.getDescription(),
                    e.getIndex() + 1);
        }
    }

    private static Pattern glob(String match) {
        StringBuilder regex = new StringBuilder();
        for (char c : match.toCharArray()) {
            regex.append(c == '*' ? ".*" : c == '?' ? "." : Pattern.quote(String.valueOf(c)));
        }
        return Pattern.compile(regex.toString());
    }
}
