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
import com.tngtech.archunit.lang.ArchRule;
import java.util.Map;
import java.util.stream.Stream;

/** The order of the packages, as docs/architecture.md draws it: dependencies point downwards only. */
@AnalyzeClasses(packages = "org.kofn", importOptions = ImportOption.DoNotIncludeTests.class)
class ArchitectureTest {
    /** What each package may use beside itself. */
    private static final Map<String, String> MAY_USE = Map.ofEntries(
            Map.entry("base", ""),
            Map.entry("torch", "base"),
            Map.entry("mask", "base torch"),
            Map.entry("kernels", "base torch mask"),
            Map.entry("nn", "base torch"),
            Map.entry("data", "base torch"),
            Map.entry("prune", "base torch mask kernels"),
            Map.entry("compress", "base torch mask kernels nn prune"),
            Map.entry("recipe", "base torch mask kernels nn data prune compress"),
            Map.entry("export", "base torch mask nn data recipe"),
            Map.entry("train", "base torch mask kernels nn data prune compress recipe export"),
            Map.entry("cli", "base torch mask kernels nn data prune compress recipe export train"));

    @ArchTest
    static final ArchRule EVERY_CLASS_IS_IN_A_KNOWN_PACKAGE =
            classes().should().resideInAnyPackage(packages(String.join(" ", MAY_USE.keySet())));

    @ArchTest
    static final ArchRule NO_CYCLES = slices().matching("org.kofn.(*)..").should().beFreeOfCycles();

    @ArchTest
    static final ArchRule BASE_KNOWS_NO_TENSORS = noClasses()
            .that()
            .resideInAPackage("org.kofn.base")
            .should()
            .dependOnClassesThat()
            .resideInAPackage("org.bytedeco..");

    @ArchTest
    static final ArchRule ONLY_MAIN_ENDS_THE_PROCESS = noClasses()
            .that()
            .doNotHaveFullyQualifiedName("org.kofn.cli.Main")
            .should()
            .callMethod(System.class, "exit", int.class)
            .orShould()
            .callMethod(Runtime.class, "halt", int.class);

    @ArchTest
    static final ArchRule NO_JAVA_UTIL_LOGGING =
            noClasses().should().dependOnClassesThat().resideInAPackage("java.util.logging..");

    @ArchTest
    static final ArchRule NO_FORCED_COLLECTIONS = noClasses().should().callMethod(System.class, "gc");

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
        return Stream.of(names.trim().split(" ")).map(name -> "org.kofn." + name).toArray(String[]::new);
    }
}
