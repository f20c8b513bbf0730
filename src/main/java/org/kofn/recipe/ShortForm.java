package org.kofn.recipe;

import java.lang.annotation.ElementType;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.lang.annotation.Target;

/**
 * Lets a single value stand for a whole section: {@code model: lenet-5} for {@code model: {name: lenet-5}}. The value
 * goes to every key named here, the other keys keep their defaults.
 */
@Retention(RetentionPolicy.RUNTIME)
@Target(ElementType.TYPE)
@interface ShortForm {
    /** The keys that take the value. */
    String[] value();
}
