package org.kofn.bench;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Device;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.kofn.kernels.Precision;
import org.kofn.nn.Shape;
import org.kofn.torch.CudaDevice;
import org.kofn.torch.Devices;
import org.kofn.torch.OneDnn;

/**
 * What an engine takes of memory, measured in a process of its own: how far resident memory rises above what it was
 * with LibTorch loaded and the images made, but no network read and nothing of one freed. Weights count, packed ones
 * and copies too, values between layers, scratch memory, what the allocator does not give back, the code that is loaded
 * and compiled, and Java's heap, which begins small. The allocator has its own settings, not those that timings are
 * taken with. On a GPU it is the GPU's memory that counts, of which LibTorch gives nothing back.
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
    static MemoryProbe of(
            Engine engine, ModelFiles files, Shape input, int batch, Device device, Precision precision, int threads) {
        String heap = "-Xmx" + Math.max(512, Runtime.getRuntime().maxMemory() >> 20) + "m";
        List<String> command = ChildJava.command(
                MemoryProbe.class,
                List.of(
                        "-Xms16m",
                        heap,
                        "-Dorg.bytedeco.javacpp.maxBytes=0",
                        "-Dorg.bytedeco.javacpp.maxPhysicalBytes=0"));
        command.addAll(List.of(engine.name(), device.str().getString(), precision.name(), Integer.toString(threads)));
        command.add(Integer.toString(batch));
        command.addAll(Stream.of(input.channels(), input.height(), input.width())
                .map(size -> Integer.toString(size))
                .toList());
        command.addAll(List.of(files.modelPt().toString(), files.compact().toString()));
        command.addAll(List.of(Objects.toString(files.onnx(), ""), Objects.toString(files.onnxRuntime(), "")));
        try {
            ProcessBuilder builder = new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.DISCARD);
            builder.environment().keySet().removeIf(name -> name.startsWith("MALLOC_"));
            Process process = builder.start();
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

    /**
     * The measured process: engine, device, precision, threads, the images' shape, and the four files, empty where
     * there is none.
     */
    public static void main(String[] args) throws IOException {
        Engine engine = Engine.valueOf(args[0]);
        Precision precision = Precision.valueOf(args[2]);
        int threads = Integer.parseInt(args[3]);
        long[] shape = Arrays.stream(args, 4, 8).mapToLong(Long::parseLong).toArray();
        ModelFiles files = new ModelFiles(Path.of(args[8]), Path.of(args[9]), path(args[10]), path(args[11]));
        Devices.setThreads(threads);
        try (OneDnn.Setting oneDnn = OneDnn.enable();
                PointerScope scope = new PointerScope();
                Device device = new Device(args[1])) {
            Tensor images = engine.arrange(torch.randn(shape).to(device, ScalarType.Float));
            long before = device.is_cuda() ? CudaDevice.usedBytes(device.index()) : ProcessMemory.resident();
            ProcessMemory.forgetPeak();
            try (Engine.Loaded loaded = engine.load(files, device, precision, threads)) {
                run(loaded, images);
                long load = peak(device) - before;
                ProcessMemory.forgetPeak();
                for (int i = 0; i < BATCHES; i++) {
                    run(loaded, images);
                }
                System.out.println(MARK + " " + load + " " + (peak(device) - before));
            }
        }
    }

    private static long peak(Device device) throws IOException {
        return device.is_cuda() ? CudaDevice.usedBytes(device.index()) : ProcessMemory.peak();
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
