package org.kofn.export;

import com.fasterxml.jackson.core.JacksonException;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.PropertyNamingStrategies;
import com.fasterxml.jackson.databind.SerializationFeature;
import com.fasterxml.jackson.databind.json.JsonMapper;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import org.kofn.base.AtomicFile;
import org.kofn.base.JsonError;
import org.kofn.base.KofnException;

/** Records to and from readable JSON files with snake_case keys. Keys that a newer kofn added are passed over. */
final class JsonFile {
    private static final ObjectMapper JSON = JsonMapper.builder()
            .propertyNamingStrategy(PropertyNamingStrategies.SNAKE_CASE)
            .enable(SerializationFeature.INDENT_OUTPUT)
            .enable(DeserializationFeature.FAIL_ON_MISSING_CREATOR_PROPERTIES)
            .enable(DeserializationFeature.FAIL_ON_NULL_FOR_PRIMITIVES)
            .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
            .disable(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES)
            .build();

    private JsonFile() {}

    /** Writes a record, whole or not at all. */
    static void write(Path file, Object content) {
        try {
            AtomicFile.writeString(file, JSON.writeValueAsString(content) + "\n");
        } catch (JsonProcessingException e) {
            throw new IllegalStateException(e);
        }
    }

    /** Reads a record; whatever is wrong with the file is one line that names it. */
    static <T> T read(Path file, Class<T> type) {
        try {
            T content = JSON.readValue(Files.readAllBytes(file), type);
            if (content == null) {
                throw KofnException.file("%s: damaged: holds null", file);
            }
            return content;
        } catch (JacksonException e) {
            throw KofnException.file(e, "%s: damaged: %s", file, JsonError.reason(e));
        } catch (NoSuchFileException e) {
            throw KofnException.file(e, "%s: no such file", file);
        } catch (IOException e) {
            throw KofnException.file(e, "%s: cannot be read: %s", file, e.getMessage());
        }
    }
}
