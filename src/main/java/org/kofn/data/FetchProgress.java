package org.kofn.data;

/** Hears how a download goes; called from the thread that fetches. */
public interface FetchProgress {
    /** Says nothing. */
    FetchProgress SILENT = new FetchProgress() {
        @Override
        public void bytes(String file, long done, long total) {}

        @Override
        public void message(String line) {}
    };

    /** {@code done} of {@code total} bytes of {@code file} are here. */
    void bytes(String file, long done, long total);

    /** A line worth showing: a file that was there already, a mirror that failed. */
    void message(String line);
}
