package org.kofn.cli;

import java.io.PrintWriter;
import java.io.StringWriter;

/** A command line as a test runs it: exit code and both outputs. */
record Cli(int code, String out, String err) {
    /** Runs {@code kofn args}. */
    static Cli run(String... args) {
        StringWriter out = new StringWriter();
        StringWriter err = new StringWriter();
        int code = Main.run(new PrintWriter(out, true), new PrintWriter(err, true), args);
        return new Cli(code, out.toString(), err.toString());
    }
}
