package org.kofn.nn;

import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import org.kofn.base.KofnException;
import org.kofn.base.Suggest;

/**
 * The models that kofn knows by name. A new one is a method that writes it down with {@link NetworkBuilder}, and a line
 * here. Parameter names are those of torchvision where it has the model, so that its {@code state_dict} fits.
 */
public final class Zoo {
    /** Writes a model down for images of a shape. */
    @FunctionalInterface
    interface Model {
        Network build(String name, Shape input, int classes);
    }

    private static final Map<String, Model> MODELS = new LinkedHashMap<>();

    static {
        MODELS.put("lenet-300-100", LeNets::lenet300);
        MODELS.put("lenet-5", LeNets::lenet5);
        MODELS.put("digits-cnn", LeNets::digits);
        MODELS.put("vgg7", Vggs::vgg7);
        MODELS.put("vgg16-bn", Vggs::vgg16);
        MODELS.put("resnet-20", (name, input, classes) -> ResNets.cifar(name, input, classes, 3));
        MODELS.put("resnet-32", (name, input, classes) -> ResNets.cifar(name, input, classes, 5));
        MODELS.put("resnet-56", (name, input, classes) -> ResNets.cifar(name, input, classes, 9));
        MODELS.put("resnet-18", ResNets::resnet18);
        MODELS.put("resnet-50", ResNets::resnet50);
    }

    private Zoo() {}

    /** The models' names, small ones first. */
    public static Set<String> names() {
        return Collections.unmodifiableSet(MODELS.keySet());
    }

    /**
     * The model of that name for images of {@code input} and so many classes.
     *
     * @throws KofnException (usage) for an unknown name, with the nearest; for images that are too small for the model,
     *     naming the layer that no longer fits
     */
    public static Network build(String name, Shape input, int classes) {
        Model model = MODELS.get(name);
        if (model == null) {
            throw KofnException.usage("model '%s' is not known%s", name, Suggest.hint(name, MODELS.keySet()));
        }
        return model.build(name, input, classes);
    }
}
