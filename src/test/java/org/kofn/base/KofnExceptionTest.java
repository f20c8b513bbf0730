package org.kofn.base;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class KofnExceptionTest {
    @Test
    void theMessageIsOneLineWhateverANameHolds() {
        assertThat(KofnException.file("%s: no such file", "a\nb\r\u001b[31m\u0085\u2028c\td"))
                .hasMessage("a?b??[31m??c?d: no such file");
        assertThat(KofnException.usage("größer als 3 × 4, “so” …")).hasMessage("größer als 3 × 4, “so” …");
    }
}
