package org.kofn.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;

/** The launcher script in a bare project, with programs on its PATH that only say what they were asked. */
@EnabledOnOs(OS.LINUX)
class LauncherTest {
    private static final List<String> TOOLS = List.of(
            "bash",
            "sed",
            "head",
            "find",
            "readlink",
            "dirname",
            "cut",
            "sort",
            "cat",
            "mkdir",
            "grep",
            "awk",
            "ls",
            "tr",
            "flock",
            "touch");

    @TempDir
    Path dir;

    private Path project;
    private Path bin;

    /** How the launcher ended, and both of its outputs. */
    private record Result(int code, String text) {}

    @BeforeEach
    void makeABareProject() throws IOException {
        project = Files.createDirectories(dir.resolve("a project"));
        bin = Files.createDirectory(dir.resolve("bin"));
        Files.copy(Path.of("kofn"), project.resolve("kofn"));
        Files.writeString(project.resolve("pom.xml"), "<project/>");
        String list = "src/main/resources/org/kofn/cli/cuda-libraries.txt";
        Files.createDirectories(project.resolve(list).getParent());
        Files.copy(Path.of(list), project.resolve(list));
        for (String tool : TOOLS) {
            for (String folder : List.of("/usr/bin", "/bin")) {
                Path program = Path.of(folder, tool);
                if (Files.exists(program) && Files.notExists(bin.resolve(tool))) {
                    program(tool, "exec " + program + " \"$@\"");
                }
            }
        }
    }

    @Test
    void aMissingProgramIsOneLineWithTheCommandThatBringsItAndExitCode4() throws Exception {
        String line = "kofn: %s is missing; this brings it: sudo apt-get update && sudo apt-get install -y"
                + " openjdk-17-jdk-headless maven g++ make cmake\n";
        assertThat(run()).isEqualTo(new Result(4, String.format(line, "Java 17 or newer")));
        program("java", "echo 'openjdk version \"17.0.15\" 2025-04-15' >&2");
        assertThat(run()).isEqualTo(new Result(4, String.format(line, "Java's compiler")));
        program("javac", "");
        assertThat(run()).isEqualTo(new Result(4, String.format(line, "Maven")));
    }

    @Test
    void anOldJavaIsNamed() throws Exception {
        program("java", "echo 'java version \"1.8.0_402\"' >&2");
        assertThat(run().text()).startsWith("kofn: Java 17 or newer is needed, 'java' is 1; this brings it: ");
        program("java", "echo 'openjdk version \"11.0.2\" 2019-01-15' >&2");
        assertThat(run().text()).startsWith("kofn: Java 17 or newer is needed, 'java' is 11; this brings it: ");
    }

    @Test
    void buildsOnceAndAgainOnlyWhenASourceIsNewer() throws Exception {
        programsThatBuild();
        String building = "building kofn (the first time fetches LibTorch and takes some minutes) …\n";
        Result first = run("train", "a recipe.yaml");
        assertThat(first.code()).isZero();
        assertThat(first.text())
                .startsWith(building + "ran: -Xmx2g ")
                .endsWith("org.kofn.cli.Main train a recipe.yaml\n");
        assertThat(run("doctor").text()).startsWith("ran: ");
        Files.setLastModifiedTime(
                project.resolve("pom.xml"), FileTime.from(Instant.now().plusSeconds(5)));
        assertThat(run("doctor").text()).startsWith(building);
        Files.delete(project.resolve("target/dependency.jar"));
        Files.setLastModifiedTime(
                project.resolve("pom.xml"), FileTime.from(Instant.now().minusSeconds(60)));
        assertThat(run("doctor").text()).as("a jar of the class path is gone").startsWith(building);
    }

    @Test
    void mavenIsHeardOnlyWhenTheBuildFails() throws Exception {
        programsThatBuild();
        program("mvn", "echo '[ERROR] no such symbol'; exit 1");
        Result failed = run("doctor");
        assertThat(failed.code()).isEqualTo(1);
        assertThat(failed.text())
                .contains("[ERROR] no such symbol\n")
                .endsWith("kofn: the build failed; Maven's words are above and in "
                        + project.resolve("target/build.log") + "\n");
    }

    @Test
    void worksThroughARelativeLinkAndPassesJavaOptions() throws Exception {
        programsThatBuild();
        Path link = Files.createSymbolicLink(dir.resolve("k"), Path.of("a project/kofn"));
        Result result = run(link, Map.of("KOFN_JAVA_OPTS", "-Xmx8g -Da=b"), "eval", "x");
        assertThat(result.code()).isZero();
        assertThat(result.text())
                .contains(" -Xmx8g -Da=b -cp " + project.resolve("target/kofn.jar") + ":")
                .contains("-Dorg.bytedeco.javacpp.maxPhysicalBytes=0");
    }

    @Test
    void memoryIsKeptOnlyWhileMeasuring() throws Exception {
        programsThatBuild();
        program(
                "java",
                "[ \"$1\" = -version ] && echo 'openjdk version \"17\" 2025' >&2 || echo \"mmap: $MALLOC_MMAP_MAX_\"");
        assertThat(run("bench", "conv").text()).endsWith("mmap: 0\n");
        assertThat(run("train", "bench").text()).endsWith("mmap: \n");
    }

    @Test
    void torchJarsReplaceMaven() throws Exception {
        program("java", "[ \"$1\" = -version ] && echo 'openjdk version \"21\" 2025' >&2 || echo \"ran: $*\"");
        Map<String, String> environment = Map.of("KOFN_TORCH_JARS", "/opt/a.jar:/opt/b.jar");
        Result missing = run(project.resolve("kofn"), environment, "doctor");
        assertThat(missing.code()).isEqualTo(4);
        assertThat(missing.text())
                .contains(project.resolve("target/kofn.jar") + " is missing; build it where Maven is");
        Files.createDirectories(project.resolve("target"));
        Files.createFile(project.resolve("target/kofn.jar"));
        assertThat(run(project.resolve("kofn"), environment, "doctor").text())
                .contains("-cp " + project.resolve("target/kofn.jar") + ":" + project.resolve("target/lib")
                        + "/*:/opt/a.jar:/opt/b.jar org.kofn.cli.Main doctor");
    }

    @Test
    void cudasLibrariesAreCollectedAndTheGpuUsedOnlyWhenAllAreThere() throws Exception {
        programsThatBuild();
        program(
                "java",
                "[ \"$1\" = -version ] && echo 'openjdk version \"17\" 2025' >&2 || echo \"ran: $LD_LIBRARY_PATH $*\"");
        Path one = Files.createDirectory(dir.resolve("one"));
        Path two = Files.createDirectory(dir.resolve("two"));
        List<CudaLibraries.Library> needed = CudaLibraries.needed();
        CudaLibraries.Library last = needed.get(needed.size() - 1);
        for (int i = 0; i < needed.size() - 1; i++) {
            Files.createFile((i % 2 == 0 ? one : two).resolve(needed.get(i).name()));
        }
        boolean elsewhere =
                CudaLibraries.locate(CudaLibraries.loaderFolders()).get(last).isPresent();
        Map<String, String> environment =
                Map.of("KOFN_GPU", "1", "KOFN_CUDA_LIBS", one + ":" + two, "KOFN_DATA", dir.toString());
        String without = run(project.resolve("kofn"), environment, "doctor").text();
        assertThat(without).contains("ran: " + one + ":" + two);
        assertThat(without.contains("extension=-gpu")).isEqualTo(elsewhere);
        Files.createFile(two.resolve(last.name()));
        String with = run(project.resolve("kofn"), environment, "doctor").text();
        assertThat(with).contains("ran: " + one + ":" + two).contains("-Dorg.bytedeco.javacpp.platform.extension=-gpu");
        environment = Map.of("KOFN_GPU", "0", "KOFN_CUDA_LIBS", one + ":" + two);
        assertThat(run(project.resolve("kofn"), environment, "doctor").text())
                .doesNotContain("extension=-gpu")
                .doesNotContain(one.toString());
    }

    private void programsThatBuild() throws IOException {
        program("java", "[ \"$1\" = -version ] && echo 'openjdk version \"17.0.1\" 2021' >&2 || echo \"ran: $*\"");
        program("javac", "");
        program(
                "mvn",
                "t='" + project + "/target'",
                "touch \"$t/kofn.jar\" \"$t/dependency.jar\" \"$t/torch-gpu.jar\"",
                "printf '%s:%s' \"$t/dependency.jar\" \"$t/torch-gpu.jar\" >\"$t/classpath\"");
    }

    private void program(String name, String... lines) throws IOException {
        Path file = bin.resolve(name);
        Files.writeString(file, "#!/bin/bash\n" + String.join("\n", lines) + "\n");
        Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("rwxr-xr-x"));
    }

    private Result run(String... args) throws Exception {
        return run(project.resolve("kofn"), Map.of(), args);
    }

    private Result run(Path launcher, Map<String, String> environment, String... args) throws Exception {
        ProcessBuilder builder = new ProcessBuilder("/bin/bash", launcher.toString());
        builder.command().addAll(List.of(args));
        builder.directory(dir.toFile()).redirectErrorStream(true);
        builder.environment().clear();
        builder.environment().put("PATH", bin.toString());
        builder.environment().put("HOME", dir.toString());
        builder.environment().put("KOFN_GPU", "0");
        builder.environment().putAll(environment);
        Process process = builder.start();
        String text = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        return new Result(process.waitFor(), text);
    }
}
