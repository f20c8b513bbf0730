package org.kofn.recipe;

import org.kofn.nn.Zoo;

/**
 * The network to train. Short form: {@code model: lenet-5}.
 *
 * @param name one of {@link Zoo#names()}
 */
@ShortForm("name")
public record ModelRecipe(String name) {
    /** Checks that the zoo has such a model. */
    public ModelRecipe {
        Check.oneOf("name", "model", name, Zoo.names());
    }
}
