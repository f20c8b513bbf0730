package org.kofn.recipe;

import java.lang.annotation.ElementType;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.lang.annotation.Target;

/**
 * What a recipe key means when it is left out, as YAML: the one place where a default is written. A key without this
 * annotation is required.
 */
@Retention(RetentionPolicy.RUNTIME)
@Target(ElementType.RECORD_COMPONENT)
@interface Default {
    /** The default for keys that may be absent: the component is then null. */
    String NONE = "";

    /** The default as it would stand in a recipe, or {@link #NONE}. */
    String value();
}
