package org.kofn.cli;

import java.io.BufferedReader;
import java.io.File;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * The libraries of CUDA that LibTorch's GPU natives are linked with and that no Maven artefact holds: which there are,
 * where they lie on this machine, and the command that brings those that are missing. The list is the resource
 * {@code cuda-libraries.txt}, which the launcher reads, too.
 */
final class CudaLibraries {
    private CudaLibraries() {}

    /**
     * One library.
     *
     * @param name what the loader looks for, such as {@code libcublas.so.13}
     * @param requirement NVIDIA's Python package that holds it, with its version, such as {@code nvidia-cublas==13.*}
     */
    record Library(String name, String requirement) {}

    /** Every library that is needed, in the order of the list. */
    static List<Library> needed() {
        try (BufferedReader in = new BufferedReader(new InputStreamReader(
                CudaLibraries.class.getResourceAsStream("cuda-libraries.txt"), StandardCharsets.UTF_8))) {
            return in.lines()
                    .filter(line -> !line.startsWith("#") && !line.isBlank())
                    .map(line -> line.trim().split("\\s+"))
                    .map(words -> new Library(words[0], words[1]))
                    .collect(Collectors.toList());
        } catch (IOException e) {
            throw new UncheckedIOException("cuda-libraries.txt of kofn's own jar", e);
        }
    }

    /** For every library its file in the first of the folders that holds it, or nothing. */
    static Map<Library, Optional<Path>> locate(List<Path> folders) {
        Map<Library, Optional<Path>> found = new LinkedHashMap<>();
        for (Library library : needed()) {
            found.put(
                    library,
                    folders.stream()
                            .map(folder -> folder.resolve(library.name()))
                            .filter(Files::exists)
                            .findFirst());
        }
        return found;
    }

    /** The one command that brings the libraries that were not found; empty when all were. */
    static Optional<String> installCommand(Map<Library, Optional<Path>> located) {
        String packages = located.entrySet().stream()
                .filter(entry -> entry.getValue().isEmpty())
                .map(entry -> "'" + entry.getKey().requirement() + "'")
                .distinct()
                .collect(Collectors.joining(" "));
        return packages.isEmpty()
                ? Optional.empty()
                : Optional.of("python3 -m pip install --target \"${KOFN_DATA:-$HOME/.cache/kofn}/cuda\" " + packages);
    }

    /** Where the loader looks: {@code LD_LIBRARY_PATH} (which the launcher fills), its own cache, JavaCPP's default. */
    static List<Path> loaderFolders() {
        List<Path> folders = new ArrayList<>();
        String path = System.getenv().getOrDefault("LD_LIBRARY_PATH", "");
        Stream.of(path.split(File.pathSeparator)).filter(s -> !s.isBlank()).forEach(s -> folders.add(Path.of(s)));
        for (String line : Processes.lines("/sbin/ldconfig", "-p")) {
            int arrow = line.indexOf("=> ");
            if (arrow >= 0) {
                folders.add(Path.of(line.substring(arrow + 3).trim()).getParent());
            }
        }
        folders.add(Path.of("/usr/local/cuda/lib64"));
        return folders.stream().distinct().toList();
    }
}
