package org.kofn.base;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.junit.jupiter.api.Test;

class SuggestTest {
    private static final List<String> KNOWN = List.of("epochs", "phase", "optimizer", "from");

    @Test
    void findsTheNearest() {
        assertThat(Suggest.nearest("epoch", KNOWN)).contains("epochs");
        assertThat(Suggest.nearest("optimiser", KNOWN)).contains("optimizer");
        assertThat(Suggest.nearest("Phase", KNOWN)).contains("phase");
    }

    @Test
    void suggestsNothingThatIsNotMeant() {
        assertThat(Suggest.nearest("temperature", KNOWN)).isEmpty();
        assertThat(Suggest.hint("temperature", KNOWN)).isEqualTo("; known: epochs, phase, optimizer, from");
    }
}
