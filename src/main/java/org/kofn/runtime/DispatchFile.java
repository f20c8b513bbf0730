package org.kofn.runtime;

import com.fasterxml.jackson.core.JacksonException;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.PropertyNamingStrategies;
import com.fasterxml.jackson.databind.SerializationFeature;
import com.fasterxml.jackson.databind.json.JsonMapper;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import org.bytedeco.pytorch.Device;
import org.kofn.base.AtomicFile;
import org.kofn.base.BuildInfo;
import org.kofn.base.KofnException;
import org.kofn.base.Machine;
import org.kofn.kernels.NativeLibrary;
import org.kofn.kernels.jni.KofnCpu;
import org.kofn.torch.CudaDevice;

/**
 * The file of a {@link DispatchTable}: JSON below the cache folder, one for each processor and variant of the kernels,
 * and one for each GPU.
 *
 * @param origin what was measured
 * @param measurements a layer each
 */
record DispatchFile(Origin origin, List<LayerMeasurement> measurements) {
    /** Part of every name: another form of the file is another file. */
    private static final String FORM = "v1";

    private static final String NO_KERNELS = "no kernels";

    private static final ObjectMapper JSON = JsonMapper.builder()
            .propertyNamingStrategy(PropertyNamingStrategies.SNAKE_CASE)
            .enable(SerializationFeature.INDENT_OUTPUT)
            .enable(DeserializationFeature.FAIL_ON_MISSING_CREATOR_PROPERTIES)
            .enable(DeserializationFeature.FAIL_ON_NULL_FOR_PRIMITIVES)
            .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
            .build();

    /** Refuses a file without one of them. */
    DispatchFile {
        if (origin == null || measurements == null) {
            throw new IllegalArgumentException("no origin or no measurements");
        }
        measurements = List.copyOf(measurements);
    }

    /**
     * What was measured; other times are no use when one of these changes.
     *
     * @param processor its name, family and model, or a GPU's name
     * @param variant of the native kernels; of those for GPUs, the GPU's architecture
     * @param libTorch version
     * @param kofn version
     */
    record Origin(String processor, String variant, String libTorch, String kofn) {
        /** This machine and build. */
        static Origin here() {
            String variant = NativeLibrary.cpu().loads() ? KofnCpu.variant().getString() : NO_KERNELS;
            return of(Machine.here().processorModel(), variant);
        }

        /** This build on a device of this machine. */
        static Origin of(Device device) {
            if (!device.is_cuda()) {
                return here();
            }
            String variant = NativeLibrary.cuda().loads() ? CudaDevice.architecture(device.index()) : NO_KERNELS;
            return of(CudaDevice.name(device.index()), variant);
        }

        private static Origin of(String processor, String variant) {
            BuildInfo build = BuildInfo.current();
            return new Origin(processor, variant, build.libTorch(), build.version());
        }

        @Override
        public String toString() {
            return "LibTorch " + libTorch + " and kofn " + kofn + " on " + processor + " (" + variant + ")";
        }
    }

    /** Where the file of a machine is. */
    static Path path(Path home, Origin origin) {
        String name = (origin.processor() + " " + origin.variant())
                .toLowerCase(Locale.ROOT)
                .replaceAll("[^a-z0-9]+", "-");
        return home.resolve("dispatch").resolve(FORM + "-" + name + ".json");
    }

    /**
     * Reads a file.
     *
     * @return nothing where there is none
     * @throws KofnException (file) naming it and the way out when it is damaged
     */
    static Optional<DispatchFile> read(Path path) {
        if (!Files.exists(path)) {
            return Optional.empty();
        }
        try {
            DispatchFile file = JSON.readValue(Files.readAllBytes(path), DispatchFile.class);
            if (file == null) {
                throw damaged(path, "holds null", null);
            }
            return Optional.of(file);
        } catch (JacksonException e) {
            throw damaged(path, e.getOriginalMessage().lines().findFirst().orElse("not JSON"), e);
        } catch (IOException e) {
            throw KofnException.file(e, "%s: cannot be read: %s", path, e.getMessage());
        }
    }

    private static KofnException damaged(Path path, String reason, Exception cause) {
        return KofnException.file(cause, "%s: damaged: %s; %s makes it anew", path, reason, DispatchTable.TUNE);
    }

    /** Writes the file, whole or not at all. */
    void write(Path path) {
        try {
            AtomicFile.writeString(path, JSON.writeValueAsString(this) + "\n");
        } catch (JsonProcessingException e) {
            throw new IllegalStateException(e);
        }
    }
}
