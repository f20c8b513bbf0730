package org.kofn.bench;

import java.io.BufferedReader;
import java.io.BufferedWriter;
import java.io.IOException;
import java.util.List;
import java.util.Map;
import org.kofn.runtime.LayerCase;

/**
 * Finds out which of LibTorch's layouts can be measured, in a process of its own: some kernels of its oneDNN end the
 * process by dividing by zero, or give wrong sums. LibTorch 2.10 on Zen 5 does both, the first in 1x1 convolutions with
 * channels innermost, the second as {@link org.kofn.torch.OneDnn} says.
 */
public final class DenseCheck implements AutoCloseable {
    private Process process;
    private BufferedWriter questions;
    private BufferedReader answers;

    /** What is wrong with a layout for a layer; null where it computes what it should. */
    String failure(LayerCase layer, DenseLayout layout) {
        String answer = ask(new DenseProbe.Question(layer, layout).line());
        return answer == null ? "ends the process" : answer.equals(DenseProbe.AGREES) ? null : answer;
    }

    /** The answer; null where the process ended instead of giving one. */
    private String ask(String question) {
        try {
            if (process == null) {
                start();
            }
            questions.write(question);
            questions.newLine();
            questions.flush();
            String answer = answers.readLine();
            if (answer == null) {
                close();
            }
            return answer;
        } catch (IOException e) {
            close();
            return null;
        }
    }

    private void start() throws IOException {
        List<String> command = ChildJava.command(DenseProbe.class, List.of("-Xmx256m"));
        ProcessBuilder builder = new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.DISCARD);
        Map<String, String> environment = builder.environment();
        environment.keySet().removeIf(name -> name.startsWith("MALLOC_"));
        process = builder.start();
        questions = process.outputWriter();
        answers = process.inputReader();
    }

    /** Ends the process, if there is one; the next question starts another. */
    @Override
    public void close() {
        if (process != null) {
            process.destroyForcibly();
            process = null;
        }
    }
}
