package org.kofn.torch;

import org.junit.platform.launcher.LauncherSession;
import org.junit.platform.launcher.LauncherSessionListener;

/** Tests that call LibTorch without a command around them run as commands do: without oneDNN where that is at fault. */
public final class OneDnnGuard implements LauncherSessionListener {
    @Override
    public void launcherSessionOpened(LauncherSession session) {
        OneDnn.guard();
    }
}
