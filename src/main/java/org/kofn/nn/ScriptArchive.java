package org.kofn.nn;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.zip.CRC32;
import java.util.zip.CheckedInputStream;
import java.util.zip.ZipEntry;
import java.util.zip.ZipException;
import java.util.zip.ZipFile;
import org.kofn.base.KofnException;

/**
 * A TorchScript file as what it is outside: a ZIP archive with one top folder, in which {@code constants.pkl} and
 * {@code code/} tell a module from a mere {@code state_dict}, and {@code extra/} holds texts. LibTorch loads tensors
 * without looking at the archive's checksums; here they are looked at.
 */
final class ScriptArchive {
    private static final String EXTRA = "extra/";

    private ScriptArchive() {}

    /**
     * The texts in a file that is whole.
     *
     * @throws KofnException (file) when it is missing, no TorchScript, cut short, or differs from its checksums
     */
    static Map<String, String> texts(Path file) {
        if (!Files.isRegularFile(file)) {
            throw KofnException.file("%s: there is no such file; give a TorchScript module such as model.pt", file);
        }
        Map<String, String> texts = new LinkedHashMap<>();
        boolean module = false;
        try (ZipFile zip = new ZipFile(file.toFile())) {
            for (ZipEntry entry : Collections.list(zip.entries())) {
                String name = entry.getName().substring(entry.getName().indexOf('/') + 1);
                module |= name.equals("constants.pkl");
                requireWhole(file, zip, entry);
                if (name.startsWith(EXTRA)) {
                    byte[] text = zip.getInputStream(entry).readAllBytes();
                    texts.put(name.substring(EXTRA.length()), new String(text, StandardCharsets.UTF_8));
                }
            }
        } catch (ZipException e) {
            throw KofnException.file(
                    e, "%s: is no TorchScript file, or only a part of one; write it anew with torch.jit.save", file);
        } catch (IOException e) {
            throw KofnException.file(e, "%s: cannot be read: %s", file, e.getMessage());
        }
        if (!module) {
            throw KofnException.file(
                    "%s: holds no TorchScript module; in Python, write torch.jit.script(model).save(...)", file);
        }
        return texts;
    }

    private static void requireWhole(Path file, ZipFile zip, ZipEntry entry) throws IOException {
        CRC32 sum = new CRC32();
        try (InputStream in = new CheckedInputStream(zip.getInputStream(entry), sum)) {
            in.transferTo(OutputStream.nullOutputStream());
        }
        if (sum.getValue() != entry.getCrc()) {
            throw KofnException.file(
                    "%s: is damaged: %s does not have its checksum; take another copy", file, entry.getName());
        }
    }
}
