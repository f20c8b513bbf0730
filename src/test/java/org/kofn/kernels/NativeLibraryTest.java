package org.kofn.kernels;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.InputStream;
import java.util.Properties;
import org.bytedeco.pytorch.Device;
import org.junit.jupiter.api.Test;
import org.kofn.base.ExitCode;
import org.kofn.base.KofnException;
import org.kofn.torch.Devices;

class NativeLibraryTest {
    private static final Device CPU = new Device("cpu");

    /** Otherwise the tests of the native kernels could all be passed over in silence. */
    @Test
    void whatWasBuiltLoads() throws Exception {
        Properties build = new Properties();
        try (InputStream in = Kernels.class.getResourceAsStream("native.properties")) {
            build.load(in);
        }
        assertThat(NativeLibrary.cpu().loads())
                .isEqualTo(build.getProperty("cpu").equals("built"));
        assertThat(NativeLibrary.cpu().state())
                .contains(NativeLibrary.cpu().loads() ? "kofn_cpu, variant " : "kofn was built ");
        assertThat(NativeLibrary.sparse().loads()).isEqualTo(NativeLibrary.cpu().loads());
        assertThat(NativeLibrary.cuda().loads())
                .isEqualTo(build.getProperty("cuda").equals("built") && Devices.cudaAvailable());
    }

    @Test
    void autoTakesTheNativeKernelsWhereTheyLoad() {
        Kernels.Choice choice = Kernels.choose("auto", CPU);
        assertThat(choice.kernels().name()).isEqualTo(NativeLibrary.cpu().loads() ? "cpu" : "reference");
        assertThat(choice.reason()).contains(NativeLibrary.cpu().state());
    }

    @Test
    void referenceCanBeForced() {
        assertThat(Kernels.choose("reference", CPU).kernels()).isInstanceOf(Reference.class);
    }

    @Test
    void whatCannotRunIsRefused() {
        assertThatThrownBy(() -> Kernels.choose("cpuu", CPU))
                .isInstanceOf(KofnException.class)
                .hasMessageContaining("'cpuu' is no implementation; did you mean 'cpu'?");
        assertThatThrownBy(() -> Kernels.choose("cuda", CPU))
                .isInstanceOfSatisfying(
                        KofnException.class, e -> assertThat(e.exitCode()).isEqualTo(ExitCode.DEVICE))
                .hasMessage("--kernels cuda: tensors are on the CPU; take --kernels cpu, or another --device");
    }
}
