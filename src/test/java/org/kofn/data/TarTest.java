package org.kofn.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.kofn.data.TestFiles.assertFileError;
import static org.kofn.data.TestFiles.gzip;
import static org.kofn.data.TestFiles.random;
import static org.kofn.data.TestFiles.tar;
import static org.kofn.data.TestFiles.tarEntry;
import static org.kofn.data.TestFiles.write;

import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class TarTest {
    @TempDir
    private Path dir;

    private static Map<String, byte[]> walk(Path archive) {
        Map<String, byte[]> files = new LinkedHashMap<>();
        Tar.walk(archive, (path, size, content) -> {
            byte[] bytes = new byte[(int) size];
            content.readFully(bytes, 0, bytes.length);
            files.put(path, bytes);
            return size;
        });
        return files;
    }

    @Test
    void findsEveryFile() {
        byte[] odd = random(1000, 1);
        byte[] even = random(1024, 2);
        byte[] tar = tar(
                tarEntry("d/", '5', new byte[0]),
                tarEntry("d/odd", '0', odd),
                tarEntry("empty", '0', new byte[0]),
                tarEntry("even", '\0', even));
        for (byte[] bytes : new byte[][] {tar, gzip(tar)}) {
            Map<String, byte[]> files = walk(write(dir.resolve("a.tar"), bytes));
            assertThat(files).containsOnlyKeys("d/odd", "empty", "even");
            assertThat(files.get("d/odd")).isEqualTo(odd);
            assertThat(files.get("even")).isEqualTo(even);
        }
    }

    @Test
    void knowsLongNames() {
        String name = "x".repeat(300);
        byte[] tar = tar(tarEntry("././@LongLink", 'L', (name + "\0").getBytes()), tarEntry("xx", '0', new byte[] {7}));
        assertThat(walk(write(dir.resolve("a.tar"), tar))).containsOnlyKeys(name);
    }

    @Test
    void refusesDamage() {
        byte[] tar = tar(tarEntry("file", '0', new byte[10]));
        tar[3] ^= 1;
        Path archive = write(dir.resolve("a.tar"), tar);
        assertFileError(() -> walk(archive), archive, "not a tar archive, or a damaged one");
    }

    @Test
    void refusesAnEndInTheMiddle() {
        Path archive = write(dir.resolve("a.tar"), tarEntry("file", '0', new byte[10]));
        assertFileError(() -> walk(archive), archive, "truncated");
    }
}
