package org.kofn.cli;

import org.bytedeco.pytorch.Device;
import org.kofn.base.BuildInfo;
import org.kofn.torch.Devices;
import org.kofn.torch.TorchError;
import picocli.CommandLine.IVersionProvider;

/** What {@code kofn --version} prints: everything that a report of a bug, or a repetition of a run, has to name. */
final class Versions implements IVersionProvider {
    @Override
    public String[] getVersion() {
        BuildInfo build = BuildInfo.current();
        return new String[] {
            "kofn " + build.version() + " (commit " + build.commit() + ")",
            "LibTorch " + build.libTorch() + " (presets " + build.presets() + ")",
            "Java " + java(),
            "device " + device()
        };
    }

    /** The version and maker of the Java that runs. */
    static String java() {
        return System.getProperty("java.version") + " (" + System.getProperty("java.vendor") + ")";
    }

    private static String device() {
        try (Device device = Devices.parse("auto")) {
            return Devices.describe(device);
        } catch (LinkageError e) {
            return "none: LibTorch does not load: " + TorchError.firstLine(e);
        }
    }
}
