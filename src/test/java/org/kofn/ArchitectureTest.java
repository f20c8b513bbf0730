package org.kofn;

import static com.tngtech.archunit.base.DescribedPredicate.not;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAPackage;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAnyPackage;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.classes;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static com.tngtech.archunit.library.dependencies.SlicesRuleDefinition.slices;

import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ImportOption;
import com.tngtech.archunit.junit.AnalyzeClasses;
import com.tngtech.archunit.junit.ArchTest;
import java.util.Map;
import java.util.stream.Stream;

/**
 * The order of the packages, as docs/architecture.md draws it: dependencies point downwards only. Rules are methods,
 * since Surefire passes over rules that are fields.
 */
@AnalyzeClasses(packages = "org.kofn", importOptions = ImportOption.DoNotIncludeTests.class)
class ArchitectureTest {
    /** What each package may use beside itself. */
    private static final Map<String, String> MAY_USE = Map.ofEntries(
            Map.entry("base", ""),
            Map.entry("torch", "base"),
            Map.entry("mask", "base torch"),
            Map.entry("kernels", "base torch mask kernels.jni"),
            Map.entry("kernels.jni", ""),
            Map.entry("nn", "base torch"),
            Map.entry("data", "base torch"),
            Map.entry("prune", "base torch mask kernels"),
            Map.entry("compress", "base torch mask kernels nn prune"),
            Map.entry("recipe", "base torch mask kernels nn data prune compress"),
            Map.entry("runtime", "base torch mask kernels kernels.jni nn"),
            Map.entry("export", "base torch mask kernels nn data recipe runtime"),
            Map.entry("export.onnx", "base torch nn"),
            Map.entry("train", "base torch mask kernels nn data prune compress recipe export"),
            Map.entry(
                    "bench", "base torch mask kernels nn runtime data prune compress recipe export export.onnx train"),
            Map.entry(
                    "cli",
                    "base torch mask kernels nn runtime data prune compress recipe export export.onnx train bench"));

    @ArchTest
    static void everyClassIsInAKnownPackage(JavaClasses all) {
        classes()
                .should()
                .resideInAnyPackage(packages(String.join(" ", MAY_USE.keySet())))
                .check(all);
    }

    @ArchTest
    static void noCycles(JavaClasses all) {
        slices().matching("org.kofn.(*)..").should().beFreeOfCycles().check(all);
    }

    @ArchTest
    static void baseKnowsNoTensors(JavaClasses all) {
        noClasses()
                .that()
                .resideInAPackage("org.kofn.base")
                .should()
                .dependOnClassesThat()
                .resideInAPackage("org.bytedeco..")
                .check(all);
    }

    @ArchTest
    static void onlyMainEndsTheProcess(JavaClasses all) {
        noClasses()
                .that()
                .doNotHaveFullyQualifiedName("org.kofn.cli.Main")
                .should()
                .callMethod(System.class, "exit", int.class)
                .orShould()
                .callMethod(Runtime.class, "halt", int.class)
                .check(all);
    }

    @ArchTest
    static void noJavaUtilLogging(JavaClasses all) {
        noClasses()
                .should()
                .dependOnClassesThat()
                .resideInAPackage("java.util.logging..")
                .check(all);
    }

    @ArchTest
    static void noForcedCollections(JavaClasses all) {
        noClasses().should().callMethod(System.class, "gc").check(all);
    }

    @ArchTest
    static void dependenciesPointDownwards(JavaClasses all) {
        MAY_USE.forEach((name, used) -> noClasses()
                .that()
                .resideInAPackage("org.kofn." + name)
                .should()
                .dependOnClassesThat(
                        resideInAPackage("org.kofn..").and(not(resideInAnyPackage(packages(name + " " + used)))))
                .as("org.kofn." + name + " uses nothing but itself and: " + used)
                .check(all));
    }

    private static String[] packages(String names) {
        return Stream.of(names.trim().split(" "))
                .map(name -> "org.kofn." + name)
                .toArray(String[]::new);
    }
}
