package org.kofn.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.kofn.base.Machine;
import org.kofn.cli.CudaLibraries.Library;
import org.kofn.kernels.NativeLibrary;

class DoctorTest {
    @Test
    void saysWhatRunsAndWhy() {
        Cli doctor = Cli.run("doctor");
        assertThat(doctor.out().lines().map(line -> line.split(" ")[0]))
                .contains(
                        "kofn",
                        "Java",
                        "system",
                        "CPU",
                        "LibTorch",
                        "oneDNN",
                        "device",
                        "kernels",
                        "sparse",
                        "CUDA",
                        "dispatch",
                        "data");
        assertThat(doctor.out())
                .contains("kernels   " + (NativeLibrary.cpu().loads() ? "cpu: kofn_cpu, variant " : "reference: "));
        assertThat(doctor.out())
                .contains("sparse    "
                        + (NativeLibrary.sparse().loads()
                                ? "kofn_sparse, variant "
                                : "LibTorch's operations, slower: "));
        assertThat(doctor.out()).contains("kofn_cuda does not run: ");
    }

    @Test
    void machineIsReadFromProc(@TempDir Path proc) throws Exception {
        Files.writeString(
                proc.resolve("cpuinfo"),
                "processor\t: 0\ncpu family\t: 26\nmodel\t\t: 2\nmodel name\t: Some CPU @ 2 GHz\nflags\t\t: fpu avx2 sse avx512f amx_tile\n");
        Files.writeString(proc.resolve("meminfo"), "MemTotal:       2097152 kB\nMemFree:  1024 kB\n");
        Files.createDirectories(proc.resolve("driver/nvidia"));
        Files.writeString(
                proc.resolve("driver/nvidia/version"),
                "NVRM version: NVIDIA UNIX x86_64 Kernel Module  580.95.05  Tue Sep 23 10:00:00 UTC 2025\n");
        Machine machine = new Machine(proc);
        assertThat(machine.processor()).contains("Some CPU @ 2 GHz");
        assertThat(machine.processorModel()).isEqualTo("Some CPU @ 2 GHz, family 26, model 2");
        assertThat(machine.features()).containsExactly("amx_tile", "avx2", "avx512f");
        assertThat(machine.memory("MemTotal")).contains(2048L);
        assertThat(machine.memory("MemAvailable")).isEmpty();
        assertThat(machine.nvidiaDriver()).contains("580.95.05");
    }

    @Test
    void aBareMachineIsNoFailure(@TempDir Path proc) {
        Machine machine = new Machine(proc);
        assertThat(machine.processor()).isEmpty();
        assertThat(machine.processorModel()).isEqualTo("unknown processor");
        assertThat(machine.features()).isEmpty();
        assertThat(machine.nvidiaDriver()).isEmpty();
    }

    @Test
    void librariesAreFoundInTheFirstFolderAndTheRestInstalledByOneCommand(@TempDir Path one, @TempDir Path two)
            throws Exception {
        List<Library> needed = CudaLibraries.needed();
        assertThat(needed).extracting(Library::name).contains("libcublas.so.13", "libcudnn.so.9", "libnccl.so.2");
        for (Library library : needed) {
            if (!library.name().startsWith("libcublas") && !library.name().equals("libnccl.so.2")) {
                Files.createFile(two.resolve(library.name()));
            }
        }
        Files.createFile(one.resolve("libcudnn.so.9"));
        Map<Library, Optional<Path>> located = CudaLibraries.locate(List.of(one, two));
        assertThat(path(located, "libcudnn.so.9")).contains(one.resolve("libcudnn.so.9"));
        assertThat(path(located, "libcufft.so.12")).contains(two.resolve("libcufft.so.12"));
        assertThat(path(located, "libnccl.so.2")).isEmpty();
        // libcublas and libcublasLt come in one package, which is named once.
        assertThat(CudaLibraries.installCommand(located))
                .contains("python3 -m pip install --target \"${KOFN_DATA:-$HOME/.cache/kofn}/cuda\""
                        + " 'nvidia-cublas==13.*' 'nvidia-nccl-cu13==2.*'");
        Files.createFile(one.resolve("libnccl.so.2"));
        Files.createFile(one.resolve("libcublas.so.13"));
        Files.createFile(one.resolve("libcublasLt.so.13"));
        assertThat(CudaLibraries.installCommand(CudaLibraries.locate(List.of(one, two))))
                .isEmpty();
    }

    private static Optional<Path> path(Map<Library, Optional<Path>> located, String name) {
        return located.entrySet().stream()
                .filter(entry -> entry.getKey().name().equals(name))
                .findFirst()
                .orElseThrow()
                .getValue();
    }
}
