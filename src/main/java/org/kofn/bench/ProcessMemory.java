package org.kofn.bench;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** The resident memory of this process, as Linux counts it. */
final class ProcessMemory {
    private static final Path STATUS = Path.of("/proc/self/status");
    private static final Path CLEAR = Path.of("/proc/self/clear_refs");

    private ProcessMemory() {}

    /** Bytes that are resident now. */
    static long resident() throws IOException {
        return bytes("VmRSS:");
    }

    /** The most bytes that were resident since {@link #forgetPeak}. */
    static long peak() throws IOException {
        return bytes("VmHWM:");
    }

    /** Lets the peak begin anew at what is resident now: 5 in clear_refs, since Linux 4.0. */
    static void forgetPeak() throws IOException {
        Files.writeString(CLEAR, "5");
    }

    private static long bytes(String key) throws IOException {
        for (String line : Files.readAllLines(STATUS)) {
            if (line.startsWith(key)) {
                return 1024 * Long.parseLong(line.replaceAll("\\D", ""));
            }
        }
        throw new IOException(STATUS + " has no " + key);
    }
}
