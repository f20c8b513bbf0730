package org.kofn.bench;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.Set;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Device;
import org.bytedeco.pytorch.NoGradGuard;
import org.bytedeco.pytorch.Tensor;
import org.kofn.runtime.LayerCase;
import org.kofn.torch.Devices;
import org.kofn.torch.OneDnn;

/**
 * The program of the process that {@link DenseCheck} starts: answers, for a layer and a layout a line, whether LibTorch
 * computes what it does in double precision, if it lives to do so.
 */
final class DenseProbe {
    static final String AGREES = "agrees";
    static final String DIFFERS = "gives wrong results";

    /** Far above rounding, and far below what a wrong kernel gives. */
    private static final double TOLERANCE = 1e-3;

    private static final ObjectMapper JSON = new ObjectMapper();

    private DenseProbe() {}

    /** A question; a line of JSON. */
    record Question(LayerCase layer, DenseLayout layout) {
        String line() {
            try {
                return JSON.writeValueAsString(this);
            } catch (JsonProcessingException e) {
                throw new IllegalStateException(e);
            }
        }
    }

    /** Answers until there are no more questions. */
    public static void main(String[] args) throws IOException {
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        PrintStream out = System.out;
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            out.println(answer(JSON.readValue(line, Question.class)));
            out.flush();
        }
    }

    private static String answer(Question question) {
        Devices.setThreads(question.layer().threads());
        try (OneDnn.Setting oneDnn = OneDnn.enable();
                PointerScope scope = new PointerScope();
                NoGradGuard noGrad = new NoGradGuard()) {
            DenseLayer layer = new DenseLayer(question.layer(), new Device("cpu"), Set.of(question.layout()));
            Tensor expected = layer.exact();
            Tensor actual = layer.run(question.layout()).narrow(1, 0, expected.size(1));
            double error = actual.reshape_as(expected).sub(expected).abs().max().item_double();
            return error <= TOLERANCE * expected.abs().max().item_double() ? AGREES : DIFFERS;
        }
    }
}
