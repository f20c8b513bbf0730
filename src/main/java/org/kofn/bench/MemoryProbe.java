package org.kofn.bench;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.Objects;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.kofn.nn.Shape;
import org.kofn.torch.Devices;
import org.kofn.torch.OneDnn;

/**
 * What an engine takes of memory, measured in a process of its own: how far resident memory rises above what it was
 * with LibTorch loaded and the images made, but no network read. Weights count, packed ones and copies too, values
 * between layers, scratch memory, and what the allocator does not give back; of Java's heap only what goes beyond the
 * part that is touched at the start.
 *
 * @param load the most while the network was read and the first batch ran
 * @param run the most in further batches
 */
record MemoryProbe(long load, long run) {
    private static final int BATCHES = 5;
    private static final String MARK = "peak bytes";
    private static final Pattern LINE = Pattern.compile(MARK + " (\\d+) (\\d+)");

    /**
     * Measures an engine.
     *
     * @return null where the process ended with an error: a native library that cannot run it here may end all
     */
    static MemoryProbe of(Engine engine, ModelFiles files, int batch, int threads) {
        String heap = "-Xmx" + Math.max(512, Runtime.getRuntime().maxMemory() >> 20) + "m";
        List<String> command = ChildJava.command(
                MemoryProbe.class,
                List.of(
                        "-Xms512m",
                        heap,
                        "-XX:+AlwaysPreTouch",
                        "-Dorg.bytedeco.javacpp.maxBytes=0",
                        "-Dorg.bytedeco.javacpp.maxPhysicalBytes=0"));
        command.addAll(List.of(engine.name(), Integer.toString(batch), Integer.toString(threads)));
        command.addAll(List.of(files.modelPt().toString(), files.compact().toString()));
        command.addAll(List.of(Objects.toString(files.onnx(), ""), Objects.toString(files.onnxRuntime(), "")));
        try {
            Process process = new ProcessBuilder(command)
                    .redirectError(ProcessBuilder.Redirect.DISCARD)
                    .start();
            process.getOutputStream().close();
            String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
            Matcher line = LINE.matcher(output);
            return process.waitFor() == 0 && line.find()
                    ? new MemoryProbe(Long.parseLong(line.group(1)), Long.parseLong(line.group(2)))
                    : null;
        } catch (IOException e) {
            return null;
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return null;
        }
    }

    /** The measured process: engine, batch, threads, and the four files, empty where there is none. */
    public static void main(String[] args) throws IOException {
        Engine engine = Engine.valueOf(args[0]);
        ModelFiles files = new ModelFiles(Path.of(args[3]), Path.of(args[4]), path(args[5]), path(args[6]));
        int threads = Integer.parseInt(args[2]);
        Devices.setThreads(threads);
        try (OneDnn.Setting oneDnn = OneDnn.enable();
                PointerScope scope = new PointerScope()) {
            Shape input = files.network().input();
            Tensor images = engine.arrange(
                    torch.randn(Integer.parseInt(args[1]), input.channels(), input.height(), input.width()));
            long before = ProcessMemory.resident();
            ProcessMemory.forgetPeak();
            try (Engine.Loaded loaded = engine.load(files, threads)) {
                run(loaded, images);
                long load = ProcessMemory.peak() - before;
                ProcessMemory.forgetPeak();
                for (int i = 0; i < BATCHES; i++) {
                    run(loaded, images);
                }
                System.out.println(MARK + " " + load + " " + (ProcessMemory.peak() - before));
            }
        }
    }

    private static void run(Engine.Loaded loaded, Tensor images) {
        try (PointerScope scope = new PointerScope()) {
            loaded.run(images);
        }
    }

    private static Path path(String text) {
        return text.isEmpty() ? null : Path.of(text);
    }
}
