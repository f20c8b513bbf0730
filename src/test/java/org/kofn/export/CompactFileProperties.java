package org.kofn.export;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.Combinators;
import net.jqwik.api.EdgeCasesMode;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;
import net.jqwik.api.lifecycle.AfterContainer;
import net.jqwik.api.lifecycle.BeforeContainer;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.kofn.base.ExitCode;
import org.kofn.base.KofnException;
import org.kofn.mask.Granularity;
import org.kofn.mask.MaskLayout;
import org.kofn.torch.Tensors;

class CompactFileProperties {
    private static Path dir;

    @BeforeContainer
    static void makeFolder() throws IOException {
        dir = Files.createTempDirectory("kofn-compact");
    }

    @AfterContainer
    static void removeFolder() throws IOException {
        try (var files = Files.list(dir)) {
            for (Path file : files.toList()) {
                Files.delete(file);
            }
        }
        Files.delete(dir);
    }

    record Case(MaskLayout layout, long k, ScalarType type, long seed) {}

    @Property(tries = 400, edgeCases = EdgeCasesMode.NONE)
    void denseTensorsAndMasksComeBackBitForBit(@ForAll("cases") Case c) throws IOException {
        try (PointerScope scope = new PointerScope()) {
            Random random = new Random(c.seed);
            PrunedTensor pruned = Models.mask("a.weight", c.layout, c.k, random);
            Tensor weight = Models.weight(pruned, c.type, random);
            Path file = dir.resolve("one.safetensors");
            CompactFile.write(file, Map.of("a.weight", weight), List.of(pruned), "model: x\n", Map.of("classes", "10"));

            try (CompactModel back = CompactFile.read(file)) {
                Tensor dense = back.tensors().get("a.weight");
                assertThat(dense.scalar_type().intern()).isEqualTo(c.type);
                assertThat(Tensors.shape(dense)).isEqualTo(c.layout.shape());
                assertThat(Tensors.bytes(dense)).isEqualTo(Tensors.bytes(weight));
                PrunedTensor layer = back.pruned().get(0);
                assertThat(layer.layout()).isEqualTo(c.layout);
                assertThat(layer.k()).isEqualTo(c.k);
                assertThat(Tensors.bytes(layer.mask())).isEqualTo(Tensors.bytes(pruned.mask()));
                assertThat(back.recipe()).isEqualTo("model: x\n");
                assertThat(back.extra()).isEqualTo(Map.of("classes", "10"));
            }
        }
    }

    @Provide
    Arbitrary<Case> cases() {
        Arbitrary<MaskLayout> layouts = Combinators.combine(
                        Arbitraries.of(Granularity.values()),
                        Arbitraries.of(1, 2, 3),
                        Arbitraries.integers().between(1, 5),
                        Arbitraries.integers().between(1, 5),
                        Arbitraries.of(1, 2, 4, 17),
                        Arbitraries.of(0, 1, 3))
                .as((granularity, share, outputs, inputs, m, kernel) -> {
                    boolean conv = kernel > 0 || granularity == Granularity.KERNEL;
                    long r = Math.max(kernel, 1);
                    int b = granularity == Granularity.FILTER ? 1 : share;
                    long o = (long) outputs * b;
                    long i = (long) inputs * m;
                    return MaskLayout.of("a", granularity, conv ? new long[] {o, i, r, r} : new long[] {o, i}, m, b);
                });
        return layouts.flatMap(layout -> Combinators.combine(
                        Arbitraries.longs().between(1, layout.candidates()),
                        Arbitraries.of(ScalarType.Float, ScalarType.BFloat16, ScalarType.Half),
                        Arbitraries.longs())
                .as((k, type, seed) -> new Case(layout, k, type, seed)));
    }

    @Property(tries = 1500, edgeCases = EdgeCasesMode.NONE)
    void aDamagedFileIsRefusedInOneLineOrStillWhole(@ForAll Random random) throws IOException {
        byte[] bytes = example().clone();
        int header = header(bytes);
        for (int damage = random.nextInt(3); damage >= 0; damage--) {
            // Half of the hits go to the header, where the structure is.
            int at = random.nextBoolean() ? random.nextInt(header) : random.nextInt(bytes.length);
            switch (random.nextInt(4)) {
                case 0 -> bytes[at] ^= (byte) (1 << random.nextInt(8));
                case 1 -> bytes[at] = (byte) ('0' + random.nextInt(10));
                case 2 -> bytes[at] = (byte) random.nextInt(256);
                default -> bytes = Arrays.copyOf(bytes, Math.max(header, bytes.length - random.nextInt(9)));
            }
        }
        Path file = Files.write(dir.resolve("damaged.safetensors"), bytes);
        try (PointerScope scope = new PointerScope();
                CompactModel model = CompactFile.read(file)) {
            for (PrunedTensor layer : model.pruned()) {
                assertThat(layer.wrongGroup()).isEqualTo(-1);
                assertThat(Tensors.shape(model.tensors().get(layer.parameter())))
                        .isEqualTo(layer.layout().shape());
            }
        } catch (KofnException e) {
            assertThat(e.exitCode()).isEqualTo(ExitCode.FILE);
            assertThat(e.getMessage()).startsWith(file + ": ").hasLineCount(1);
        }
    }

    private static byte[] example;

    private static byte[] example() throws IOException {
        if (example == null) {
            try (PointerScope scope = new PointerScope()) {
                Path file = dir.resolve("example.safetensors");
                List<PrunedTensor> pruned = new ArrayList<>();
                Map<String, Tensor> tensors = Models.example(pruned, ScalarType.Float, 3);
                CompactFile.write(file, tensors, pruned, "model: x\n", Map.of());
                example = Files.readAllBytes(file);
            }
        }
        return example;
    }

    private static int header(byte[] bytes) {
        return 8 + (bytes[0] & 0xFF) + ((bytes[1] & 0xFF) << 8);
    }
}
