package org.kofn.export;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.MapperFeature;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.json.JsonMapper;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.kofn.base.JsonError;
import org.kofn.base.KofnException;

/**
 * The {@code kofn} metadata of a compact file: which tensors there are, and how the pruned ones are packed. Nothing in
 * it is believed before it was compared with the file, and nothing is unfolded before that.
 *
 * @param version of the layout
 * @param tensors the names of all dense tensors, in the module's order
 * @param pruned the pruned ones among them
 */
record CompactHeader(int version, List<String> tensors, List<CompactEntry> pruned) {
    /** The name under which a file's metadata hold it. */
    static final String KEY = "kofn";

    private static final int LONGEST_NAME = 512;

    /**
     * A file may unfold to so many weights, or to so many for each of its bytes, whichever is more: 1 GiB of fp32, or a
     * thousand times the file. Without that, a kilobyte could claim all of a machine's memory.
     */
    private static final long WEIGHTS = 1 << 28;

    private static final long WEIGHTS_A_BYTE = 256;

    private static final ObjectMapper JSON = JsonMapper.builder()
            .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
            .enable(DeserializationFeature.FAIL_ON_MISSING_CREATOR_PROPERTIES)
            .enable(DeserializationFeature.FAIL_ON_NULL_FOR_PRIMITIVES)
            .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
            .disable(DeserializationFeature.ACCEPT_FLOAT_AS_INT)
            .disable(MapperFeature.ALLOW_COERCION_OF_SCALARS)
            .build();

    /** As JSON. */
    String format() {
        try {
            return JSON.writeValueAsString(this);
        } catch (JsonProcessingException e) {
            throw new IllegalStateException(e);
        }
    }

    /**
     * Parses it.
     *
     * @param json null where the metadata have none
     * @throws KofnException (file) when it is missing, of a newer version, or no such JSON
     */
    static CompactHeader parse(Path file, String json) {
        if (json == null) {
            throw KofnException.file("%s: not a compact kofn model: no '%s' in its metadata", file, KEY);
        }
        try {
            int version = JSON.readTree(json).path("version").asInt();
            if (version > CompactFile.VERSION) {
                throw KofnException.file(
                        "%s: format version %d; this kofn reads %d: take a newer one",
                        file, version, CompactFile.VERSION);
            }
            CompactHeader header = JSON.readValue(json, CompactHeader.class);
            if (header.version != CompactFile.VERSION || header.tensors == null || header.pruned == null) {
                throw KofnException.file("%s: damaged metadata: version, tensors and pruned must be given", file);
            }
            return header;
        } catch (JsonProcessingException e) {
            throw KofnException.file(e, "%s: damaged metadata: %s", file, JsonError.reason(e));
        }
    }

    /**
     * The pruned tensors by parameter, after a check that this and the file name the same tensors, each once, and that
     * there is room for what they unfold to.
     *
     * @param stored the names of the file's tensors
     * @throws KofnException (file) naming the tensor that does not fit
     */
    Map<String, CompactEntry> entries(Path file, Set<String> stored) {
        Map<String, CompactEntry> entries = new LinkedHashMap<>();
        Set<String> unclaimed = new HashSet<>(stored);
        Set<String> plain = new HashSet<>();
        for (String name : tensors) {
            if (name == null || name.length() > LONGEST_NAME || name.chars().anyMatch(Character::isISOControl)) {
                throw KofnException.file("%s: damaged metadata: a tensor without a printable name", file);
            }
            if (!plain.add(name)) {
                throw KofnException.file("%s: damaged metadata: tensor %s is listed twice", file, name);
            }
        }
        for (CompactEntry entry : pruned) {
            if (entry == null || !plain.remove(entry.parameter())) {
                throw KofnException.file(
                        "%s: damaged metadata: pruned tensor number %d is not in its list of tensors, or is there twice",
                        file, entries.size());
            }
            entries.put(entry.parameter(), entry);
            entry.layout(file);
            claim(file, unclaimed, entry.values());
            if (entry.mask() != null) {
                claim(file, unclaimed, entry.mask());
            }
        }
        plain.forEach(name -> claim(file, unclaimed, name));
        if (!unclaimed.isEmpty()) {
            throw KofnException.file(
                    "%s: tensor %s: not in the metadata's list",
                    file, unclaimed.iterator().next());
        }
        requireRoom(file, entries);
        return entries;
    }

    private static void requireRoom(Path file, Map<String, CompactEntry> entries) {
        long left = Math.max(WEIGHTS, WEIGHTS_A_BYTE * file.toFile().length());
        for (CompactEntry entry : entries.values()) {
            left -= entry.groups() * entry.n() * entry.elements();
            if (left < 0) {
                throw KofnException.file(
                        "%s: tensor %s: unfolds to more than a thousand times the file: no model that kofn wrote",
                        file, entry.parameter());
            }
        }
    }

    private static void claim(Path file, Set<String> unclaimed, String name) {
        if (!unclaimed.remove(name)) {
            throw KofnException.file("%s: tensor %s: in the metadata but not in the file, or used twice", file, name);
        }
    }
}
